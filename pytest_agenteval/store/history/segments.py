"""Segments: one file a run, compressed JSON lines, written once and never again."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pytest_agenteval.errors import HistoryError, InvalidValue
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.run import FinishedRun, Run, week_of
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.files import create_atomically, gzipped, safe_name

SCHEMA: Final = "agenteval-history/1"
ASIDE: Final = ("second_look", "unneeded")
"""The one key of a row that holds a trial which stands in no estimate; the field of FinishedRun that it is in."""

# Made when the module is read, as the journal's: an agent that patches json.dumps in this process does not write here.
_LINES: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_LONGEST_LINE: Final = 256 * 2**20  # bytes; a longer one is no trial, and may be a bomb

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    """The first line of a segment: the run and its estimates."""

    run: Run
    estimates: tuple[Estimate, ...] = ()


def segment_path(root: Path, run: Run) -> Path:
    """Where the run's segment is: in the folder of the ISO week in which it started."""
    return root / week_of(run.started) / segment_name(run.id)


def segment_name(run_id: str) -> str:
    """The name of the segment's file."""
    return f"run-{safe_name(run_id)}.jsonl.gz"


def write_segment(root: Path, finished: FinishedRun) -> Path:
    """Write the run's segment; the same bytes for the same run, whenever and wherever it is written.

    Raises HistoryError where there is one already: a segment is never overwritten.
    """
    path = segment_path(root, finished.run)
    head = {
        "schema": SCHEMA,
        "run": encode(finished.run),
        "estimates": encode(finished.estimates),
    }
    first = [encode(trial) for trial in sorted(finished.trials, key=lambda trial: trial.key)]
    aside = [
        {name: encode(trial)} for name in ASIDE for trial in sorted(getattr(finished, name), key=lambda one: one.key)
    ]
    lines = [_line(row) for row in (head, *first, *aside)]
    if not create_atomically(path, gzipped("".join(lines).encode())):
        message = f"{path} exists: a run's segment is written once. Give the new run another id"
        raise HistoryError(message)
    return path


def read_segment(path: Path) -> FinishedRun:
    """The run in a segment. Raises HistoryError, with file and line, at the first line that is not sound."""
    rows = rows_of(path)
    header = header_of(next(rows)[1], path)
    first: list[Trial] = []
    aside: dict[str, list[Trial]] = {name: [] for name in ASIDE}
    for line, row in rows:
        name = aside_as(row)
        aside.get(name, first).append(_decoded(Trial, row[name] if name else row, path, line))
    parts: dict[str, Any] = {name: tuple(trials) for name, trials in aside.items()}
    return FinishedRun(run=header.run, trials=tuple(first), estimates=header.estimates, **parts)


def aside_as(row: Any) -> str:  # noqa: ANN401  # any JSON value
    """Which of ``ASIDE`` the row is; the empty text for a trial that counts."""
    return next((name for name in ASIDE if name in row), "") if isinstance(row, dict) else ""


def rows_of(path: Path) -> Iterator[tuple[int, Any]]:
    """Line number and JSON value of each line; the first is the header. Raises HistoryError as it reads."""
    number = 0
    try:
        with gzip.open(path, "rb") as stream:
            while line := stream.readline(_LONGEST_LINE):
                number += 1
                if not line.endswith(b"\n"):
                    raise _unsound(path, number, "the line is cut short, or too long")
                yield number, parse(line.decode())
    except (InvalidValue, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise _unsound(path, max(number, 1), str(error)) from error
    if not number:
        raise _unsound(path, 1, "it is empty")


def header_of(row: Any, path: Path) -> SegmentHeader:  # noqa: ANN401  # any JSON value, checked here
    """The header in the first row of a segment."""
    schema = row.get("schema") if isinstance(row, dict) else None
    if schema != SCHEMA:
        is_ours = str(schema).startswith(SCHEMA.rpartition("/")[0])
        step = "upgrade pytest-agenteval" if is_ours else "move the file out of the history"
        message = f"{path}:1: its schema is {schema!r:.80}, and {SCHEMA!r} is what can be read; {step}"
        raise HistoryError(message)
    return _decoded(SegmentHeader, {name: item for name, item in row.items() if name != "schema"}, path, 1)


def _decoded(kind: type[_T], row: Any, path: Path, line: int) -> _T:  # noqa: ANN401  # any JSON value
    try:
        return decode(kind, row)
    except (InvalidValue, OverflowError) as error:
        raise _unsound(path, line, str(error)) from error


def _line(value: object) -> str:
    return f"{_LINES.encode(value)}\n"


def _unsound(path: Path, line: int, why: str) -> HistoryError:
    message = f"{path}:{line}: not a sound segment: {why}. Restore it from a copy, or move it out of the history"
    return HistoryError(message)
