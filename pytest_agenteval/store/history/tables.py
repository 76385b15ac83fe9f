"""The tables of the index: how they are laid, what goes in of a segment, and what comes out again."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.run import Run, week_of
from pytest_agenteval.store.history.columns import CaseRows, Column, SuiteColumns, packed, unpacked
from pytest_agenteval.store.history.segments import SegmentHeader

VERSION: Final = 5
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT: Final = json.JSONEncoder()  # not json.dumps, which an agent in this process may have patched

# started: whole microseconds since 1970, so that runs sort by time. segment: path below the root.
# suite and score have a row for what is asked at once: lists are JSON, trial ids stand on lines, scores are packed. To
# write a suite takes a tenth of the time, and to read it a twentieth, of what a row a case would.
TABLES: Final = """
CREATE TABLE segment (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, problem TEXT) WITHOUT ROWID;
CREATE TABLE run (id TEXT PRIMARY KEY, started INTEGER, week TEXT, segment TEXT, run TEXT) WITHOUT ROWID;
CREATE TABLE summary (run TEXT, week TEXT, suite TEXT, metric TEXT, slice TEXT, stands INTEGER, better TEXT,
    metric_version INTEGER, n INTEGER, n_not_evaluated INTEGER, value REAL, low REAL, high REAL, confidence REAL,
    method TEXT, PRIMARY KEY (run, suite, metric, slice)) WITHOUT ROWID;
CREATE TABLE suite (run TEXT, suite TEXT, cases TEXT, fingerprints TEXT, attempts TEXT, tags TEXT, trials TEXT,
    answers TEXT, PRIMARY KEY (run, suite));
CREATE TABLE score (run TEXT, suite TEXT, metric TEXT, scores BLOB, PRIMARY KEY (run, suite, metric));
CREATE TABLE moved (suite TEXT, metric TEXT, earlier TEXT, later TEXT, common INTEGER, rose INTEGER, fell INTEGER,
    PRIMARY KEY (suite, metric, earlier, later)) WITHOUT ROWID;
"""

Stamp = tuple[str, int, int]
"""A segment's path below the root, its size, and the time of its last change in nanoseconds."""


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """What is written within is written whole, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def insert(
    connection: sqlite3.Connection, stamp: Stamp, header: SegmentHeader, suites: Mapping[str, SuiteColumns]
) -> None:
    """Take in what a segment tells."""
    run = header.run
    started = (run.started - EPOCH) // timedelta(microseconds=1)
    connection.execute(_into("segment", 4), (*stamp, ""))
    told = (run.id, started, week_of(run.started), stamp[0], _TEXT.encode(encode(run)))
    connection.execute(_into("run", 5), told)
    connection.executemany(_into("summary", 15), [_summary(run, one) for one in header.estimates])
    for name, columns in suites.items():
        connection.execute(_into("suite", 8), (run.id, name, *_of_suite(columns)))
        scores = [(run.id, name, metric, packed(column)) for metric, column in columns.values.items()]
        connection.executemany(_into("score", 4), scores)


def insert_problem(connection: sqlite3.Connection, stamp: Stamp, problem: str) -> None:
    """Remember why a segment cannot be taken in."""
    connection.execute(_into("segment", 4), (*stamp, problem))


def case_scores(connection: sqlite3.Connection, run: str, suite: str) -> dict[str, dict[str, CaseScores]]:
    """By metric and case, the values of a suite in a run; cases without a value are left out."""
    rows = case_rows(connection, run, suite)
    query = "SELECT answers FROM suite WHERE run = ? AND suite = ?"
    all_answers = json.loads((connection.execute(query, (run, suite)).fetchone() or ("[]",))[0])
    answers = [tuple(all_answers[start:end]) for start, end in rows.spans()]  # the metrics share them
    scores = connection.execute("SELECT metric, scores FROM score WHERE run = ? AND suite = ?", (run, suite))
    found = ((metric, rows.scores(unpacked(column), answers)) for metric, column in scores)
    return {metric: cases for metric, cases in found if cases}


def tags(connection: sqlite3.Connection, run: str, suite: str) -> dict[str, list[str]]:
    """By tag, the cases of a suite in a run that bear it."""
    found = connection.execute("SELECT tags FROM suite WHERE run = ? AND suite = ?", (run, suite)).fetchone()
    told: dict[str, list[str]] = json.loads(found[0]) if found else {}
    return told


def case_rows(connection: sqlite3.Connection, run: str, suite: str) -> CaseRows:
    """The cases of a suite in a run."""
    query = "SELECT cases, fingerprints, attempts FROM suite WHERE run = ? AND suite = ?"
    found = connection.execute(query, (run, suite)).fetchone() or ("[]", "[]", "[]")
    cases, fingerprints, attempts = map(json.loads, found)
    return CaseRows(cases=cases, fingerprints=fingerprints, attempts=attempts)


def score_columns(connection: sqlite3.Connection, run: str, suite: str) -> dict[str, Column]:
    """By metric, the values of the trials of a suite in a run."""
    query = "SELECT metric, scores FROM score WHERE run = ? AND suite = ?"
    return {metric: unpacked(scores) for metric, scores in connection.execute(query, (run, suite))}


def _into(table: str, n_columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * n_columns)})"


def _summary(run: Run, one: Estimate) -> tuple[object, ...]:
    spec = run.specs.get(one.metric)
    place = (run.id, run.week_of(one.suite), one.suite, one.metric, one.slice, run.stands_for(one.suite))
    told = (one.n, one.n_not_evaluated, one.value, one.low, one.high, one.confidence, one.method)
    return (*place, spec.better if spec else "higher", one.metric_version, *told)


def _of_suite(columns: SuiteColumns) -> tuple[str, ...]:
    rows = columns.rows
    cases = map(_TEXT.encode, (rows.cases, rows.fingerprints, rows.attempts, columns.tags))
    return (*cases, "\n".join(columns.trials), _TEXT.encode(columns.answers))
