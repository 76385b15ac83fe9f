"""The index of a history: SQLite, derived from the segments, made anew when it does not answer to them."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from pytest_agenteval.errors import HistoryError, IntegrityError
from pytest_agenteval.model.run import FinishedRun, in_order
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.files import refusals_of
from pytest_agenteval.store.history.columns import Entry, SuiteColumns, columns_of
from pytest_agenteval.store.history.segments import SegmentHeader, aside_as, header_of, rows_of
from pytest_agenteval.store.history.tables import TABLES, VERSION, Stamp, insert, insert_problem, transaction

_WAIT_SECONDS: Final = 30.0
_WEEK: Final = "[0-9][0-9][0-9][0-9]-W[0-9][0-9]"
_TEXTS: Final = frozenset({str})
_VALUES: Final = frozenset({float, bool, int, type(None)})
"""The types of what is read of a trial."""


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
            suites = columns_of(map(_entry, in_order(finished.trials)))
            with transaction(connection):
                if not _is_known(connection, stamp):
                    insert(connection, stamp, header, suites)

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
                    connection.executescript(f"{TABLES} PRAGMA user_version = {VERSION};")
                    self._take_in(connection, stamps)
                aside.replace(self._path)
            finally:
                aside.unlink(missing_ok=True)

    def _take_in(self, connection: sqlite3.Connection, stamps: Iterable[Stamp]) -> None:
        for stamp in stamps:
            with transaction(connection):
                if not _is_known(connection, stamp):
                    self._take_in_one(connection, stamp)

    def _take_in_one(self, connection: sqlite3.Connection, stamp: Stamp) -> None:
        path = self._root / stamp[0]
        try:
            header, suites = _read(path)
        except HistoryError as error:
            insert_problem(connection, stamp, str(error))
            return
        twin = connection.execute("SELECT segment FROM run WHERE id = ?", (header.run.id,)).fetchone()
        if twin:
            problem = f"{path}: run {header.run.id!r} stands already in {twin[0]}; remove the copy"
            insert_problem(connection, stamp, problem)
            return
        insert(connection, stamp, header, suites)

    def _stamps(self) -> list[Stamp]:
        return sorted(self._stamp(path) for path in self._root.glob(f"{_WEEK}/run-*.jsonl.gz"))

    def _stamp(self, path: Path) -> Stamp:
        with refusals_of(path, "read"):
            found = path.stat()
        return path.relative_to(self._root).as_posix(), found.st_size, found.st_mtime_ns


def _missing(connection: sqlite3.Connection, stamps: list[Stamp]) -> list[Stamp] | None:
    """The segments that the index lacks; None where it must be made anew."""
    [(version,)] = connection.execute("PRAGMA user_version")
    if version != VERSION:
        return None
    known = set(connection.execute("SELECT path, size, mtime_ns FROM segment"))
    return sorted(set(stamps) - known) if known <= set(stamps) else None


def _is_known(connection: sqlite3.Connection, stamp: Stamp) -> bool:
    """Whether another process was faster."""
    return connection.execute("SELECT 1 FROM segment WHERE path = ?", stamp[:1]).fetchone() is not None


def _entry(trial: Trial) -> Entry:
    values = {score.metric: score.value for score in trial.scores}
    return Entry(trial.key, trial.case_fingerprint, trial.case.tags, trial.id, trial.answer_digest, values)


def _read(path: Path) -> tuple[SegmentHeader, dict[str, SuiteColumns]]:
    rows = rows_of(path)
    header = header_of(next(rows)[1], path)
    line = 1

    def entries() -> Iterator[Entry]:
        nonlocal line
        for line, row in rows:  # noqa: B007  # an error tells it
            if not aside_as(row):  # such a trial stands in no estimate
                yield _entry_in(row)

    try:
        return header, columns_of(entries())
    except (KeyError, TypeError, AttributeError, OverflowError, ValueError) as error:
        message = f"{path}:{line}: not a trial ({error!r}). Restore it, or move it out of the history"
        raise HistoryError(message) from error


def _entry_in(row: Any) -> Entry:  # noqa: ANN401  # any JSON value, checked here
    case, trial, answer = row["case"], row["id"], row["answer_digest"]
    key, tags = (case.get("suite", ""), case["id"], row.get("attempt", 1)), case.get("tags", ())
    told = {score["metric"]: score["value"] for score in row.get("scores", ())}
    texts = (*key[:2], row["case_fingerprint"], trial, answer, *tags, *told)
    sound = _TEXTS.issuperset(map(type, texts)) and _VALUES.issuperset(map(type, told.values()))
    if not sound or type(key[2]) is not int:
        raise TypeError(trial)
    values = {metric: None if value is None else float(value) for metric, value in told.items()}
    return Entry(key, row["case_fingerprint"], tags, trial, answer, values)
