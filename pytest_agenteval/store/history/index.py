"""The index of a history: SQLite, derived from the segments, made anew when it does not answer to them."""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pytest_agenteval.errors import HistoryError, IntegrityError
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.run import FinishedRun, week_of
from pytest_agenteval.model.trial import TrialKey
from pytest_agenteval.store.files import refusals_of
from pytest_agenteval.store.history.segments import SegmentHeader, aside_as, header_of, rows_of

_VERSION: Final = 4
_WAIT_SECONDS: Final = 30.0
_TEXT: Final = json.JSONEncoder()  # not json.dumps, which an agent in this process may have patched
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK: Final = "[0-9][0-9][0-9][0-9]-W[0-9][0-9]"

# started: whole microseconds since 1970, so that runs sort by time. segment: path below the root.
# trials, answers and scores are parallel, in the order of attempts; trial ids stand on lines. tags: a JSON array.
_TABLES: Final = """
CREATE TABLE segment (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, problem TEXT) WITHOUT ROWID;
CREATE TABLE run (id TEXT PRIMARY KEY, started INTEGER, week TEXT, segment TEXT, run TEXT) WITHOUT ROWID;
CREATE TABLE summary (run TEXT, week TEXT, suite TEXT, metric TEXT, slice TEXT, stands INTEGER, metric_version INTEGER,
    n INTEGER, n_not_evaluated INTEGER, value REAL, low REAL, high REAL, confidence REAL, method TEXT,
    PRIMARY KEY (run, suite, metric, slice)) WITHOUT ROWID;
CREATE TABLE trial_case (run TEXT, suite TEXT, case_id TEXT, fingerprint TEXT,
    tags TEXT, trials TEXT, answers TEXT, scores TEXT,
    PRIMARY KEY (run, suite, case_id)) WITHOUT ROWID;
"""

Stamp = tuple[str, int, int]
"""A segment's path below the root, its size, and the time of its last change in nanoseconds."""

CaseRows = dict[tuple[str, str], dict[str, Any]]
"""By suite and case id: the fingerprint and the tags, and in the order of attempts trial ids, answers and scores."""

Marks = tuple[str, Sequence[str], str, str]
"""Of a trial: the fingerprint and the tags of its case, its id, and the digest of its answer."""


class Index:
    """What the segments in ``root`` say, kept in an SQLite file that may be deleted at any time."""

    def __init__(self, root: Path, path: Path) -> None:
        self._root = root
        self._path = path

    @contextlib.contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """A connection to an index that answers to the segments as they are now.

        Raises IntegrityError where the index can be neither read nor made.
        """
        try:
            with contextlib.closing(self._brought_up_to(self._stamps())) as connection:
                yield connection
        except sqlite3.Error as error:
            message = f"{self._path} cannot be read or made: {error}. Delete it; the segments hold everything"
            raise IntegrityError(message) from error

    def add(self, path: Path, finished: FinishedRun) -> None:
        """Take in a segment that was just written, without reading it again."""
        stamp = self._stamp(path)
        known = [other for other in self._stamps() if other != stamp]
        with contextlib.suppress(sqlite3.Error), contextlib.closing(self._brought_up_to(known)) as connection:
            header = SegmentHeader(run=finished.run, estimates=finished.estimates)
            rows: CaseRows = {}
            for trial in sorted(finished.trials, key=lambda trial: trial.key):
                marks = (trial.case_fingerprint, trial.case.tags, trial.id, trial.answer_digest)
                _collect(rows, trial.key, marks, {score.metric: score.value for score in trial.scores})
            with _transaction(connection):
                if not _is_known(connection, stamp):
                    _insert(connection, stamp, header, rows)

    def _brought_up_to(self, stamps: list[Stamp]) -> sqlite3.Connection:
        if self._path.exists():
            connection = sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)
            try:
                missing = _missing(connection, stamps)
                if missing is not None:
                    self._take_in(connection, missing)
                    return connection
            except sqlite3.DatabaseError:
                pass  # not a database, or damaged: it is derived, so it is made anew
            connection.close()
        self._make(stamps)
        return sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)

    def _make(self, stamps: list[Stamp]) -> None:
        """Build the whole index aside, and put it in place at once."""
        aside = self._path.with_name(f".{self._path.name}-{secrets.token_hex(6)}.part")
        with refusals_of(self._path, "written"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with contextlib.closing(sqlite3.connect(aside, isolation_level=None)) as connection:
                    # A crash loses the file aside, which nobody has seen; syncing it would protect nothing.
                    connection.execute("PRAGMA synchronous = OFF")
                    connection.executescript(f"{_TABLES} PRAGMA user_version = {_VERSION};")
                    self._take_in(connection, stamps)
                aside.replace(self._path)
            finally:
                aside.unlink(missing_ok=True)

    def _take_in(self, connection: sqlite3.Connection, stamps: Iterable[Stamp]) -> None:
        for stamp in stamps:
            with _transaction(connection):
                if not _is_known(connection, stamp):
                    self._take_in_one(connection, stamp)

    def _take_in_one(self, connection: sqlite3.Connection, stamp: Stamp) -> None:
        path = self._root / stamp[0]
        try:
            header, rows = _read(path)
        except HistoryError as error:
            _insert_problem(connection, stamp, str(error))
            return
        twin = connection.execute("SELECT segment FROM run WHERE id = ?", (header.run.id,)).fetchone()
        if twin:
            problem = f"{path}: run {header.run.id!r} stands already in {twin[0]}; remove the copy"
            _insert_problem(connection, stamp, problem)
            return
        _insert(connection, stamp, header, rows)

    def _stamps(self) -> list[Stamp]:
        return sorted(self._stamp(path) for path in self._root.glob(f"{_WEEK}/run-*.jsonl.gz"))

    def _stamp(self, path: Path) -> Stamp:
        with refusals_of(path, "read"):
            found = path.stat()
        return path.relative_to(self._root).as_posix(), found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def _missing(connection: sqlite3.Connection, stamps: list[Stamp]) -> list[Stamp] | None:
    """The segments that the index lacks; None where it must be made anew."""
    [(version,)] = connection.execute("PRAGMA user_version")
    if version != _VERSION:
        return None
    known = set(connection.execute("SELECT path, size, mtime_ns FROM segment"))
    return sorted(set(stamps) - known) if known <= set(stamps) else None


def _is_known(connection: sqlite3.Connection, stamp: Stamp) -> bool:
    """Whether another process was faster."""
    return connection.execute("SELECT 1 FROM segment WHERE path = ?", stamp[:1]).fetchone() is not None


def _read(path: Path) -> tuple[SegmentHeader, CaseRows]:
    rows = rows_of(path)
    header = header_of(next(rows)[1], path)
    cases: CaseRows = {}
    for line, row in rows:
        if aside_as(row):
            continue  # it stands in no estimate
        try:
            key = (row["case"].get("suite", ""), row["case"]["id"], row.get("attempt", 1))
            marks = (row["case_fingerprint"], tuple(row["case"].get("tags", ())), row["id"], row["answer_digest"])
            _collect(cases, key, marks, {score["metric"]: score["value"] for score in row.get("scores", ())})
        except (KeyError, TypeError, AttributeError) as error:
            message = f"{path}:{line}: not a trial ({error!r}). Restore it, or move it out of the history"
            raise HistoryError(message) from error
    return header, cases


def _collect(rows: CaseRows, key: TrialKey, marks: Marks, scores: Mapping[str, Any]) -> None:
    """Take a trial into the row of its case."""
    fingerprint, tags, trial, answer = marks
    fresh = {"fingerprint": fingerprint, "tags": tags, "trials": [], "answers": [], "scores": {}}
    row = rows.setdefault(key[:2], fresh)
    place = len(row["trials"])
    row["trials"].append(trial)
    row["answers"].append(answer)
    for metric, value in scores.items():
        values = row["scores"].setdefault(metric, [])
        values.extend([None] * (place - len(values)))
        values.append(value)


def _insert(connection: sqlite3.Connection, stamp: Stamp, header: SegmentHeader, rows: CaseRows) -> None:
    run = header.run
    started = (run.started - _EPOCH) // timedelta(microseconds=1)
    described = _TEXT.encode(encode(run))
    connection.execute("INSERT INTO segment VALUES (?, ?, ?, '')", stamp)
    connection.execute(
        "INSERT INTO run VALUES (?, ?, ?, ?, ?)", (run.id, started, week_of(run.started), stamp[0], described)
    )
    connection.executemany(
        "INSERT INTO summary VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(
                    run.id,
                    run.week_of(one.suite),
                    one.suite,
                    one.metric,
                    one.slice,
                    run.stands_for(one.suite),
                    one.metric_version,
                ),
                *(one.n, one.n_not_evaluated, one.value, one.low, one.high, one.confidence, one.method),
            )
            for one in header.estimates
        ],
    )
    connection.executemany(
        "INSERT INTO trial_case VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(run.id, suite, case, row["fingerprint"], _TEXT.encode(row["tags"])),
                *("\n".join(row["trials"]), " ".join(row["answers"]), _TEXT.encode(row["scores"])),
            )
            for (suite, case), row in rows.items()
        ],
    )


def _insert_problem(connection: sqlite3.Connection, stamp: Stamp, problem: str) -> None:
    connection.execute("INSERT INTO segment VALUES (?, ?, ?, ?)", (*stamp, problem))
