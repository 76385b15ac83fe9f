"""Segments: one file a run, compressed JSON lines, written once and never again."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

from pytest_agenteval.errors import HistoryError, InvalidValue
from pytest_agenteval.model.codec import decode, encode, encode_without
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.run import FinishedRun, Run, week_of
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.files import create_atomically, gzipped, safe_name

SCHEMA: Final = "agenteval-history/1"
ASIDE: Final = ("second_look", "unneeded")
"""The one key of a row that holds a trial which stands in no estimate; the field of FinishedRun that it is in."""

# Made when the module is read, as the journal's: an agent that patches json.dumps in this process does not write here.
_LINES: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_LONGEST_LINE: Final = 256 * 2**20  # bytes; a longer one is no trial, and may be a bomb

_quoted = lru_cache(maxsize=1000)(_LINES.encode)  # names of metrics, and reasons, which are few
_WRITTEN_AS_TEXT: Final = frozenset({float, bool, type(None)})
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
    lines = [head_line(finished), *map(trial_line, _in_order(finished.trials))]
    lines += [aside_line(name, trial) for name in ASIDE for trial in _in_order(getattr(finished, name))]
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
        name, trial = trial_in(row, path, line)
        aside.get(name, first).append(trial)
    parts: dict[str, Any] = {name: tuple(trials) for name, trials in aside.items()}
    return FinishedRun(run=header.run, trials=tuple(first), estimates=header.estimates, **parts)


def trial_in(row: Any, path: Path, line: int) -> tuple[str, Trial]:  # noqa: ANN401  # any JSON value
    """The trial in a row, and which of ``ASIDE`` it stands under."""
    name = aside_as(row)
    return name, _decoded(Trial, row[name] if name else row, path, line)


def aside_as(row: Any) -> str:  # noqa: ANN401  # any JSON value
    """Which of ``ASIDE`` the row is; the empty text for a trial that counts."""
    return next((name for name in ASIDE if name in row), "") if isinstance(row, dict) else ""


def rows_of(path: Path) -> Iterator[tuple[int, Any]]:
    """Line number and JSON value of each line; the first is the header. Raises HistoryError as it reads."""
    return ((number, parsed(line, path, number)) for number, line in lines_of(path))


def parsed(line: bytes, path: Path, number: int) -> Any:  # noqa: ANN401  # any JSON value
    """The JSON value of a line. Raises HistoryError where it is none."""
    try:
        return parse(line.decode())
    except (InvalidValue, UnicodeDecodeError) as error:
        raise _unsound(path, number, str(error)) from error


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """The number of each line, and the line. Raises HistoryError as it reads."""
    number = 0
    try:
        with gzip.open(path, "rb") as stream:
            while line := stream.readline(_LONGEST_LINE):
                number += 1
                if not line.endswith(b"\n"):
                    raise _unsound(path, number, "the line is cut short, or too long")
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
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


def _in_order(trials: Iterable[Trial]) -> list[Trial]:
    return sorted(trials, key=lambda trial: trial.key)


def head_line(finished: FinishedRun) -> str:
    """The first line: the run and its estimates."""
    return _line({"schema": SCHEMA, "run": encode(finished.run), "estimates": encode(finished.estimates)})


def aside_line(name: str, trial: Trial) -> str:
    """The line of a trial that stands in no estimate."""
    return _line({name: encode(trial)})


def trial_line(trial: Trial) -> str:
    """The trial with its scores at the end. A run has so many of them that one after the other is written by hand."""
    rest = _LINES.encode(encode_without(trial, "scores"))
    return f'{rest[:-1]},"scores":[{",".join(map(_score, trial.scores))}]}}\n' if trial.scores else f"{rest}\n"


def _score(score: Score) -> str:
    value = score.value
    if score.evidence or score.metric_version != 1 or type(value) not in _WRITTEN_AS_TEXT:
        return _LINES.encode(encode(score))
    reason = f',"reason":{_quoted(score.reason)}' if score.reason else ""
    told = "null" if value is None else repr(value).lower()
    return f'{{"metric":{_quoted(score.metric)},"value":{told}{reason}}}'


def _line(value: object) -> str:
    return f"{_LINES.encode(value)}\n"


def _unsound(path: Path, line: int, why: str) -> HistoryError:
    message = f"{path}:{line}: not a sound segment: {why}. Restore it from a copy, or move it out of the history"
    return HistoryError(message)
