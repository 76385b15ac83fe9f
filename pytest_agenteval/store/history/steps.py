"""From week to week: how each metric's value changed, and how many cases got better or worse."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from pytest_agenteval.model.run import WeekValue
from pytest_agenteval.model.score import Direction
from pytest_agenteval.store.history.columns import CaseRows, Column, Moves, moves
from pytest_agenteval.store.history.tables import case_rows, score_columns, transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekStep:
    """The value of a metric in a week, beside that of the last week before that has one of the same version.

    ``change`` is the difference of the two values; ``common`` counts the cases with a value in both weeks, of
    which ``better`` and ``worse`` have a better and a worse mean. A case whose input or expectation was edited is
    not common. All four are None where there is no such week before; ``change`` also where a week has no value.
    """

    value: WeekValue
    change: float | None = None
    common: int | None = None
    better: int | None = None
    worse: int | None = None


def steps(connection: sqlite3.Connection, values: Iterable[tuple[WeekValue, Direction]]) -> Iterator[WeekStep]:
    """Each beside the one before it; ``values`` come by suite, and within it by week."""
    moved = _Moved(connection)
    last: dict[tuple[str, str], WeekValue] = {}
    for value, better in values:
        key = value.suite, value.estimate.metric
        before = last.get(key)
        if before is None or before.estimate.metric_version != value.estimate.metric_version:
            yield WeekStep(value=value)
        else:
            yield _step(before, value, moved.between(*key, before.run, value.run), better)
        last[key] = value
    moved.keep()


def _step(before: WeekValue, now: WeekValue, moved: Moves, better: Direction) -> WeekStep:
    old, new = before.estimate.value, now.estimate.value
    rises = better == "higher"
    return WeekStep(
        value=now,
        change=None if old is None or new is None else new - old,
        common=moved.common,
        better=moved.rose if rises else moved.fell,
        worse=moved.fell if rises else moved.rose,
    )


class _Moved:
    """How many cases moved between two runs. Runs never change, so what was once counted is kept in the index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known = {tuple(row[:4]): Moves(*row[4:]) for row in connection.execute("SELECT * FROM moved")}
        self._kept = len(self._known)
        self._side = lru_cache(maxsize=4)(self._read)  # of a suite two runs at a time; more where weeks have gaps

    def between(self, suite: str, metric: str, before: str, now: str) -> Moves:
        """The moves of a metric from the one run to the other."""
        key = suite, metric, before, now
        if key not in self._known:
            (rows, columns), (new_rows, new_columns) = self._side(before, suite), self._side(now, suite)
            earlier, later = columns.get(metric, ()), new_columns.get(metric, ())
            both = earlier and later
            self._known[key] = moves((rows, earlier), (new_rows, later)) if both else Moves(0, 0, 0)
        return self._known[key]

    def keep(self) -> None:
        """Write down what was counted now; where it cannot be written it will be counted again."""
        fresh = [(*key, *found) for key, found in self._known.items()][self._kept :]
        if fresh:
            with suppress(sqlite3.Error), transaction(self._connection):
                self._connection.executemany("INSERT OR IGNORE INTO moved VALUES (?, ?, ?, ?, ?, ?, ?)", fresh)

    def _read(self, run: str, suite: str) -> tuple[CaseRows, Mapping[str, Column]]:
        return case_rows(self._connection, run, suite), score_columns(self._connection, run, suite)
