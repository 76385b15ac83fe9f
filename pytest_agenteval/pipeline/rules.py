"""What decides a run, as one commit or one working tree has it; and what a guard says of two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.bar import ERROR_RATE, effective_bar, margin_of

NOTHING: Final = "none"
"""What a finding says of a side that has no such thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRule:
    """What a case asks: a changed fingerprint is another input or expectation."""

    fingerprint: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decides, as one commit or one working tree has it.

    ``gates`` are the settings' tables, ``options`` the words of addopts that are ours, ``suites`` those that ran
    (in the base: that must run), ``partial`` those of which only a part did: they are red by themselves.
    ``cases`` are by suite; in the base, where they are read from files, the suite is named without its parameter,
    and ``complete`` has the suites of which no further case is possible. ``asked`` has by suite and metric the
    cases that were scored by it. ``quarantined`` has by suite and case the first and the last day, ``sources`` a
    digest of each metric that the project defines, ``repeats`` by suite and case the attempts at it, ``excused``
    the tests that need not pass: they are expected to fail, or skipped.
    """

    gates: Mapping[str, Mapping[str, Bar]] = field(default_factory=dict)
    baselines: Mapping[tuple[str, str], Baseline] = field(default_factory=dict)
    infrastructure: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    suites: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()
    cases: Mapping[str, Mapping[str, CaseRule]] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()
    asked: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    quarantined: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)
    specs: Mapping[str, MetricSpec] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    built_in: frozenset[str] = frozenset()
    repeats: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    excused: frozenset[str] = frozenset()

    def gate_of(self, suite: str) -> Mapping[str, Bar]:
        """The gate table of a suite; that of a parametrised agent has its own, or that of the plain suite."""
        return self.gates.get(suite) or self.gates.get(plain(suite)) or {}

    def gating(self, suite: str) -> set[str]:
        """The metrics that gate in a suite, by its table or by a baseline."""
        return {*self.gate_of(suite), *(metric for one, metric in self.baselines if one == suite)}

    def bar(self, suite: str, metric: str, spec: MetricSpec | None) -> Bar:
        """The bar in force, the default margin with it."""
        bar, _ = effective_bar(self.gate_of(suite).get(metric), self.baselines.get((suite, metric)), metric)
        margin = bar.margin if spec is None else margin_of(bar, spec)
        return Bar(floor=bar.floor, ceiling=bar.ceiling, margin=margin, slices=bar.slices)

    def known_cases(self, suite: str) -> frozenset[str]:
        """The ids of the cases that are written out for a suite, or in one of its baselines."""
        found = [one.screen.keys() | one.held_back.keys() for (name, _), one in self.baselines.items() if name == suite]
        return frozenset(self.cases.get(plain(suite), {})).union(*found)

    @property
    def known(self) -> set[str]:
        """The plain names of all suites of which anything is known."""
        named = (*self.gates, *self.cases, *self.suites, *(suite for suite, _ in self.baselines))
        return {plain(suite) for suite in named}


Finding = tuple[tuple[str, str], str, str, str]
"""Suite and metric; what it is; how it was in the base; how it is in the head."""

Guard = Callable[[Rules, Rules], Iterator[Finding]]
"""Finds one kind of loosening, given the rules of the base and those of the head."""


def plain(suite: str) -> str:
    """The suite without the parameter of its agent: refunds of refunds[gpt]."""
    return suite.partition("[")[0]


def gating_in_base(base: Rules, head: Rules) -> Iterator[tuple[str, str]]:
    """Suite and metric of all that gates by the rules of the base, in the suites of either side."""
    suites = {*head.suites, *(suite for suite, _ in base.baselines)}
    suites |= {name for name in base.gates if name not in {plain(suite) for suite in suites}}
    for suite in sorted(suites):
        if plain(suite) in base.known:
            yield from ((suite, metric) for metric in sorted(base.gating(suite) | {ERROR_RATE}))
