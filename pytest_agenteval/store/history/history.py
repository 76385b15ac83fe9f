"""The history as it is asked: runs, their trials, and the value of each week."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.run import FinishedRun, Run, WeekValue
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.history.index import Index
from pytest_agenteval.store.history.segments import read_segment, segment_name, write_segment
from pytest_agenteval.store.history.steps import WeekStep, steps
from pytest_agenteval.store.history.stream import SegmentWriter, open_segment
from pytest_agenteval.store.history.tables import EPOCH, case_scores, tags

_ESTIMATE: Final = (
    *("suite", "metric", "metric_version", "slice"),
    *("n", "n_not_evaluated", "value", "low", "high", "confidence", "method"),
)

# A suite's last run of a week is taken first, and then its metrics: one that is gone has no value.
_WEEK_VALUES: Final = f"""
WITH last AS (
    SELECT week, suite, run, started FROM (
        SELECT DISTINCT summary.week, summary.suite, run.id AS run, run.started,
               DENSE_RANK() OVER (PARTITION BY summary.week, suite ORDER BY started DESC, run.id DESC) AS place
        FROM summary JOIN run ON run.id = summary.run WHERE stands
    ) WHERE place = 1
)
SELECT last.week, last.run, last.started, better, {", ".join(f"summary.{name}" for name in _ESTIMATE)}
FROM last JOIN summary ON summary.run = last.run AND summary.suite = last.suite
WHERE summary.slice = '' AND (:suite IS NULL OR summary.suite = :suite)
  AND (:metric IS NULL OR summary.metric = :metric) AND (:until IS NULL OR last.week <= :until)
"""
_BY_METRIC: Final = "ORDER BY summary.suite, summary.metric, last.week"
_BY_WEEK: Final = "ORDER BY summary.suite, last.week, summary.metric"

_RUNS: Final = """
SELECT run FROM run
WHERE :suite IS NULL OR EXISTS (SELECT 1 FROM suite WHERE run = run.id AND suite = :suite)
      OR EXISTS (SELECT 1 FROM summary WHERE summary.run = run.id AND suite = :suite)
ORDER BY started, id
"""


class History:
    """A folder of segments, with its index. All times are UTC, all weeks ISO weeks like ``2026-W47``."""

    def __init__(self, root: Path, index_path: Path) -> None:
        self.root = root
        self._index = Index(root, index_path)

    def append(self, finished: FinishedRun) -> Path:
        """Seal a run into a segment of its own; returns its path.

        Raises HistoryError where the history holds a run of this id, IntegrityError where it cannot be
        written.
        """
        path = write_segment(self.root, finished)
        self._index.add(path, finished)
        return path

    def runs(self, suite: str | None = None) -> list[Run]:
        """The runs, or those with trials or estimates of the suite, in the order of their starts."""
        with self._index.opened() as connection:
            rows = connection.execute(_RUNS, {"suite": suite})
            return [decode(Run, json.loads(text)) for (text,) in rows]

    def has(self, run_id: str) -> bool:
        """Whether a run of exactly this id was sealed, of whatever week; without a look at the index."""
        return any(self.root.glob(f"*/{glob.escape(segment_name(run_id))}"))

    def read(self, run_id: str) -> FinishedRun:
        """The run of that id with its trials, or of that beginning where only one has it. Raises HistoryError else."""
        return read_segment(self._segment_of(run_id))

    def open(self, run_id: str) -> FinishedRun:
        """The same without holding its trials, which are read whenever they are gone through. Raises HistoryError."""
        return open_segment(self._segment_of(run_id))

    def writer(self, run: Run) -> SegmentWriter:
        """To append a run whose trials come one by one. Raises IntegrityError where it cannot be written."""
        return SegmentWriter(self.root, run)

    def _segment_of(self, run_id: str) -> Path:
        query = "SELECT id, segment FROM run WHERE instr(char(10) || id, char(10) || ?) ORDER BY id"
        with self._index.opened() as connection:
            found = dict(connection.execute(query, (run_id,)).fetchall()) if run_id else {}
        if run_id not in found and len(found) != 1:
            raise self._no_run(run_id, list(found))
        segment: str = found.get(run_id, next(iter(found.values())))
        return self.root / segment

    def find_trial(self, trial_id: str) -> Trial:
        """The trial of that id, or of that beginning where only one has it. Raises HistoryError else."""
        query = "SELECT run, trials FROM suite WHERE instr(char(10) || trials, char(10) || ?)"
        with self._index.opened() as connection:
            rows = connection.execute(query, (trial_id,)).fetchall()
        found = [(run, one) for run, trials in rows for one in trials.split("\n") if one.startswith(trial_id)]
        exact = [pair for pair in found if pair[1] == trial_id]
        chosen = exact or found
        if not trial_id or len(chosen) != 1:
            raise self._no_trial(trial_id, [one for _, one in chosen])
        [(run, one)] = chosen
        return next(trial for trial in self.read(run).trials if trial.id == one)

    def case_scores(self, run_id: str, suite: str) -> Mapping[str, Mapping[str, CaseScores]]:
        """By metric and case id, the values of a suite in a run; cases without a value are left out."""
        with self._index.opened() as connection:
            return case_scores(connection, run_id, suite)

    def tagged(self, run_id: str, suite: str) -> Mapping[str, frozenset[str]]:
        """By tag, the cases of a suite in a run that bear it."""
        with self._index.opened() as connection:
            return {tag: frozenset(cases) for tag, cases in tags(connection, run_id, suite).items()}

    def week_values(
        self, suite: str | None = None, metric: str | None = None, until: str | None = None
    ) -> list[WeekValue]:
        """By suite, metric and week, the estimate of the week's last run in which the suite is whole.

        ``until`` is the last week to look at. Slices are left out.
        """
        asked = {"suite": suite, "metric": metric, "until": until}
        with self._index.opened() as connection:
            return [_week_value(row) for row in connection.execute(_WEEK_VALUES + _BY_METRIC, asked)]

    def week_steps(
        self, suite: str | None = None, metric: str | None = None, until: str | None = None
    ) -> list[WeekStep]:
        """The same by suite, week and metric, each beside the week before: its change, and how many cases moved."""
        asked = {"suite": suite, "metric": metric, "until": until}
        with self._index.opened() as connection:
            rows = connection.execute(_WEEK_VALUES + _BY_WEEK, asked)
            return list(steps(connection, ((_week_value(row), row[3]) for row in rows.fetchall())))

    def weeks(self, suite: str | None = None) -> list[str]:
        """The weeks that have a value, in order."""
        return sorted({value.week for value in self.week_values(suite)})

    def problems(self) -> list[str]:
        """What could not be read, each with the next step; all other runs are there in spite of it."""
        with self._index.opened() as connection:
            rows = connection.execute("SELECT problem FROM segment WHERE problem != '' ORDER BY path")
            return [problem for (problem,) in rows]

    def _no_run(self, run_id: str, found: list[str]) -> HistoryError:
        if found:
            message = f"{len(found)} runs begin with {run_id!r}: {', '.join(found[:5])}. Give more of the id"
        else:
            message = f"the history in {self.root} has no run {run_id!r}. See: pytest-agenteval history list"
        return HistoryError(message)

    def _no_trial(self, trial_id: str, found: list[str]) -> HistoryError:
        if not found:
            message = f"the history in {self.root} has no trial {trial_id!r}. The report tells the ids"
        else:
            some = ", ".join(sorted(found)[:5])
            message = f"{len(found)} trials begin with {trial_id!r}: {some}. Give more of the id"
        return HistoryError(message)


def _week_value(row: tuple[Any, ...]) -> WeekValue:
    week, run, started, _, *estimate = row
    fields = dict(zip(_ESTIMATE, estimate, strict=True))
    return WeekValue(
        week=str(week),
        suite=str(fields["suite"]),
        run=str(run),
        at=EPOCH + timedelta(microseconds=int(str(started))),
        estimate=Estimate(**fields),
    )
