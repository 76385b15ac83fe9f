"""What the metrics of a run are held to: the working tree's baselines and settings, or those of the base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.loosening import Loosening
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.bar import ERROR_RATE, effective_bar
from pytest_agenteval.pipeline.rules import Rules, plain

_LIMITS = ("floor", "ceiling", "margin")


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
    """The rules of the base and of the head.

    ``freed`` are suites and metrics whose loosening the base allows, ``unfree`` those with one that it does not
    allow. ``approved`` is all that its approvals name, that which earlier changes made use of too.
    """

    base: Rules
    head: Rules
    freed: frozenset[tuple[str, str]] = frozenset()
    unfree: frozenset[tuple[str, str]] = frozenset()
    approved: tuple[Loosening, ...] = ()

    def frees(self, suite: str, metric: str) -> bool:
        """Whether the head's own baseline and bar count, since the base allows it."""
        freed = any((one, other) in self.freed for one in (suite, plain(suite)) for other in (metric, "*"))
        return freed and (suite, metric) not in self.unfree

    def approves(self, suite: str, metric: str, guard: str, after: str, what: str = "") -> bool:
        """Whether the base allows that this is so in the settings, whatever a baseline asks."""
        return (suite, metric) not in self.unfree and any(
            (one.suite, one.metric, one.guard, one.after) == (suite, metric, guard, after) and what in ("", one.what)
            for one in self.approved
        )


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
        sides, base = self._sides, self._sides.base
        asked = super().gate_of(suite).get(metric, Bar())
        eased = replace(baseline, bar=_eased(baseline.bar, asked, sides, (suite, metric))) if baseline else None
        mine, loosened = effective_bar(asked, eased, metric)
        if (suite, metric) in sides.unfree:
            loosened = ""  # it is told as a loosening of this change, together with the verdict by the base's bar
        gated = metric in base.gating(suite) or (metric == ERROR_RATE and plain(suite) in base.known)
        if not gated or sides.frees(suite, metric):
            return mine, loosened
        return _stricter(mine, _eased(base.bar(suite, metric, spec), asked, sides, (suite, metric))), loosened


def _eased(bar: Bar, asked: Bar, sides: Sides, place: tuple[str, str]) -> Bar:
    """The bar, but for what the settings here ask otherwise and the base allows."""
    limits = {name: value for name in _LIMITS if (value := getattr(asked, name)) is not None}
    limits = {name: value for name, value in limits.items() if sides.approves(*place, name, f"{value:g}")}
    dropped = {
        tag
        for tag in (set(bar.slices) - set(asked.slices) if asked.slices else ())
        if sides.approves(*place, "gating_slice", "does not gate", f"slice {tag!r}")
    }
    return replace(bar, **limits, slices=tuple(tag for tag in bar.slices if tag not in dropped))


def _stricter(one: Bar, other: Bar) -> Bar:
    limits: dict[str, float | None] = {}
    for name, stricter in (("floor", max), ("ceiling", min), ("margin", min)):
        known = [value for value in (getattr(one, name), getattr(other, name)) if value is not None]
        limits[name] = stricter(known) if known else None
    return Bar(**limits, slices=tuple(dict.fromkeys((*one.slices, *other.slices))))
