"""What is compared: a suite's two weeks as drawn from the history, and what it is held against."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_agenteval.errors import HistoryError, QuarantineError
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.quarantine import QuarantinedCase
from pytest_agenteval.model.run import Run, WeekValue
from pytest_agenteval.pipeline.aggregate import Measured
from pytest_agenteval.pipeline.bar import ERROR_RATE, effective_bar
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.report.past import SuiteRun
from pytest_agenteval.store.baselines import Baselines
from pytest_agenteval.store.history import History
from pytest_agenteval.store.quarantine import Quarantines

ByWeek = Mapping[str, Mapping[str, WeekValue]]
"""By week and metric, the value of a suite."""

GateTable = Callable[[str], Mapping[str, Bar]]
"""By suite, the metrics that gate, each with its bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A suite as it was drawn from the history: this week's run, the one before, and every week's values."""

    suite: str
    this: SuiteRun
    last: SuiteRun | None
    by_week: ByWeek

    def pairs(self) -> list[tuple[Measured, Measured]]:
        """(last, this) of each metric that has a value per case, and bounds."""
        if self.last is None:
            return []
        names = sorted(self.this.estimates.keys() & self.last.estimates.keys())
        judged = [name for name in names if is_paired(spec := self.this.spec(name)) and spec.range is not None]
        try:
            return [(self.last.measured(name), self.this.measured(name)) for name in judged]
        except HistoryError:
            return []  # what cannot be read is told among the suite's problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a suite is held against: baselines and bars by metric, and what of it cannot be read.

    ``quarantined`` are its quarantined cases, whenever they are.
    """

    gating: frozenset[str]
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    bars: Mapping[str, tuple[Bar, str]] = field(default_factory=dict)
    quarantined: tuple[QuarantinedCase, ...] = ()
    problems: tuple[str, ...] = ()

    def bar(self, metric: str) -> Bar:
        """What is asked of the metric."""
        return self.bars[metric][0] if metric in self.bars else Bar()


def draw(history: History, runs: Mapping[str, Run], suite: str, by_week: ByWeek) -> Drawn:
    """The suite's newest week of these, and the one before."""
    *earlier, newest = sorted(by_week)

    def run_of(week: str) -> SuiteRun:
        values = by_week[week]
        run = runs[next(iter(values.values())).run]
        estimates = {name: value.estimate for name, value in values.items()}
        return SuiteRun(history=history, suite=suite, week=week, run=run, estimates=estimates)

    last = run_of(earlier[-1]) if earlier else None
    return Drawn(suite=suite, this=run_of(newest), last=last, by_week=by_week)


def reference_of(
    drawn: Drawn, baselines: Baselines, table: Mapping[str, Bar], quarantines: Quarantines | None = None
) -> Reference:
    """The suite's baselines, and the bars that count: ``table`` has those of the settings."""
    found, unread = baselines.of_suite(drawn.suite)
    problems = [without_folder(problem, baselines.root) for problem in unread.values()]
    quarantined: tuple[QuarantinedCase, ...] = ()
    if quarantines is not None:
        try:
            quarantined = quarantines.read(drawn.suite)
        except QuarantineError as error:
            problems.append(without_folder(str(error), quarantines.root))
    gating = frozenset({*table, *found, ERROR_RATE})
    bars = {metric: effective_bar(table.get(metric), found.get(metric), metric) for metric in gating}
    return Reference(gating=gating, baselines=found, bars=bars, quarantined=quarantined, problems=tuple(problems))


def without_folder(message: str, root: Path) -> str:
    """The message with paths from the folder's name on: where the machine has it is not for a page."""
    return message.replace(f"{root.parent}{os.sep}", "")
