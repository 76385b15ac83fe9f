"""What the metrics of a run are held to: the working tree's baselines and settings, or those of the base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.bar import ERROR_RATE, effective_bar
from pytest_agenteval.pipeline.loosening import Rules, plain


class Standard:
    """The bars and references that the working tree has."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def gate_of(self, suite: str) -> Mapping[str, Bar]:
        """The gate table of the suite."""
        return self._workspace.settings.gate_of(suite)

    def of_suite(self, suite: str) -> tuple[dict[str, Baseline], dict[str, str]]:
        """The suite's baselines by metric; and by metric why others cannot be read."""
        return self._workspace.baselines.of_suite(suite)

    def bar(self, suite: str, metric: str, baseline: Baseline | None, spec: MetricSpec | None) -> tuple[Bar, str]:
        """The bar of one metric, and where the settings are looser than its baseline."""
        return effective_bar(self.gate_of(suite).get(metric), baseline, metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The rules of the base and of the head; ``freed`` are suites and metrics whose loosening the base allows."""

    base: Rules
    head: Rules
    freed: frozenset[tuple[str, str]] = frozenset()

    def frees(self, suite: str, metric: str) -> bool:
        """Whether the head's own bar counts, since the base allows it."""
        return any((one, other) in self.freed for one in (suite, plain(suite)) for other in (metric, "*"))


class StandardOfBase(Standard):
    """The base's references, and of both bars the stricter: a change cannot lower them for itself.

    What is new in the head counts as it is there; so does what the base allows to be looser.
    """

    def __init__(self, workspace: Workspace, sides: Sides) -> None:
        super().__init__(workspace)
        self._sides = sides

    def gate_of(self, suite: str) -> Mapping[str, Bar]:
        """The metrics that gate here or in the base."""
        its = {name: bar for name, bar in self._sides.base.gate_of(suite).items() if not self._sides.frees(suite, name)}
        return {**its, **super().gate_of(suite)}

    def of_suite(self, suite: str) -> tuple[dict[str, Baseline], dict[str, str]]:
        """The base's baselines, and those of the head that the base does not know."""
        found, unread = super().of_suite(suite)
        for (one, metric), baseline in self._sides.base.baselines.items():
            if one == suite and not self._sides.frees(suite, metric):
                found[metric] = baseline
                unread.pop(metric, None)
        return found, unread

    def bar(self, suite: str, metric: str, baseline: Baseline | None, spec: MetricSpec | None) -> tuple[Bar, str]:
        """The stricter of the head's bar and the base's."""
        mine, loosened = effective_bar(super().gate_of(suite).get(metric), baseline, metric)
        base = self._sides.base
        gated = metric in base.gating(suite) or (metric == ERROR_RATE and plain(suite) in base.known)
        if not gated or self._sides.frees(suite, metric):
            return mine, loosened
        return _stricter(mine, base.bar(suite, metric, spec)), loosened


def _stricter(one: Bar, other: Bar) -> Bar:
    limits: dict[str, float | None] = {}
    for name, stricter in (("floor", max), ("ceiling", min), ("margin", min)):
        known = [value for value in (getattr(one, name), getattr(other, name)) if value is not None]
        limits[name] = stricter(known) if known else None
    return Bar(**limits, slices=tuple(dict.fromkeys((*one.slices, *other.slices))))
