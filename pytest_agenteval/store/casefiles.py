"""Case files: cases with the place where each stands, from JSON lines, JSON, YAML and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_agenteval.errors import CaseError, InvalidValue
from pytest_agenteval.model.case import MUST_PASS, Case, folded_id
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.codec import encode, near
from pytest_agenteval.model.jsonvalue import JSON, parse
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.files import exclusive, write_atomically
from pytest_agenteval.store.strict import line_at, parse_text, read_text
from pytest_agenteval.store.yamlcases import yaml_rows

KEYS: Final = ("id", "input", "expect", "tags", "failure_mode", "provenance", "must_pass")
EXPECTATIONS: Final = (
    "output",
    "contains",
    "excludes",
    "regex",
    "number",
    "schema",
    "fields",
    "calls",
    "calls_mode",
    "forbidden_tools",
)
"""The keys of ``expect`` that built-in metrics read; others are for metrics of one's own."""

_NEAR_MISS: Final = 0.8  # "contain" and "output_" are slips; "tone" is a key of one's own
_CASES_OBJECT: Final = re.compile(r'\s*\{\s*"cases"\s*:\s*')
_CSV_COLUMNS: Final = ("id", "input", "tags", "failure_mode")

Row = tuple[int, Any]
"""A line number, from 1, and what stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCase:
    """A case, and where it stands: ``file:line``."""

    case: Case
    place: str


def read_cases(path: Path, suite: str) -> list[PlacedCase]:
    """The cases of a file, in its order; the ending of its name says how to read it.

    Raises CaseError with file and line for what is not a case, is unknown, or is read differently by
    different readers.
    """
    _reader_of(path)
    return cases_in(read_text(path, CaseError), path, suite)


def cases_in(text: str, path: Path, suite: str) -> list[PlacedCase]:
    """The cases in the text of a file of that name, wherever the text comes from; see ``read_cases``."""
    placed = [(f"{path}:{line}", row) for line, row in _reader_of(path)(text, path)]
    return [PlacedCase(case=_case(row, suite, place), place=place) for place, row in placed]


def _reader_of(path: Path) -> Callable[[str, Path], Iterator[Row]]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        message = f"{path} is no case file: its name must end in {', '.join(_READERS)}"
        raise CaseError(message)
    return reader


def refuse_twins(placed: Iterable[PlacedCase]) -> None:
    """Raise CaseError, naming both places, where two ids are the same or look the same."""
    seen: dict[str, PlacedCase] = {}
    for one in placed:
        first = seen.setdefault(folded_id(one.case.id), one)
        if first is not one:
            alike = "" if first.case.id == one.case.id else f", which looks like {first.case.id!r},"
            message = f"{one.place}: the id {one.case.id!r}{alike} stands already at {first.place}. Rename one"
            raise CaseError(message)


def append_case(path: Path, case: Case, change: Change, audit: Audit) -> str:
    """Add a case to a file of JSON lines; returns its place.

    Raises CaseError where its id, or a case of the same input and expectation, stands there already.
    """
    if path.suffix.lower() != ".jsonl":
        message = f"{path}: a case can be added to a file of JSON lines only; give a name that ends in .jsonl"
        raise CaseError(message)
    with exclusive(path):
        text = read_text(path, CaseError) if path.exists() else ""
        known = read_cases(path, case.suite) if text else []
        place = f"{path}:{text.rstrip().count(chr(10)) + 1 + bool(text.strip())}"
        for one in known:
            if one.case.fingerprint == case.fingerprint:
                message = f"{one.place}: this case stands here already, as {one.case.id!r}; nothing was added"
                raise CaseError(message)
        refuse_twins([*known, PlacedCase(case=case, place=place)])
        audit.append(change)
        kept = f"{text.rstrip()}\n" if text.strip() else ""
        write_atomically(path, f"{kept}{_line(case)}\n".encode("utf-8", "replace"))
    return place


def _line(case: Case) -> str:
    row = {name: value for name, value in encode(case).items() if name != "suite"}
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def _case(row: object, suite: str, place: str) -> Case:
    """The case in a row of any kind of file."""
    try:
        fields = _checked(row)
        tags = tuple(fields.pop("tags", None) or ())
        if fields.pop("must_pass", False) and MUST_PASS not in tags:
            tags = (*tags, MUST_PASS)
        return Case(**fields, suite=suite, tags=tags)
    except InvalidValue as error:
        message = f"{place}: {error}"
        raise CaseError(message) from error


def _checked(row: object) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        message = f"a case is an object with id and input, not {row!r:.80}"
        raise InvalidValue(message)
    for key in row:
        if key not in KEYS:
            message = f"unknown key {key!r} in a case{near(str(key), KEYS)} (its keys: {', '.join(KEYS)})"
            raise InvalidValue(message)
    for key in ("id", "input"):
        if key not in row:
            message = f"a case needs the key {key!r}"
            raise InvalidValue(message)
    for key, (kind, due) in _KINDS.items():
        if key in row and not isinstance(row[key], kind):
            message = f"{key} must be {due}, not {row[key]!r:.80}"
            raise InvalidValue(message)
    if any(not isinstance(tag, str) for tag in row.get("tags") or ()):
        message = f"tags must be a list of texts, not {row['tags']!r:.80}; quote what looks like a number"
        raise InvalidValue(message)
    fields = {key: value for key, value in row.items() if value is not None or key == "input"}
    refuse_near_misses(fields.get("expect", {}))
    return fields


_NONE: Final = type(None)
_KINDS: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "id": ((str,), "a text; quote it"),
    "expect": ((dict, _NONE), "an object"),
    "tags": ((list, _NONE), "a list of texts"),
    "failure_mode": ((str, _NONE), "a text; quote it"),
    "provenance": ((dict, _NONE), "an object"),
    "must_pass": ((bool, _NONE), "true or false"),
}


def refuse_near_misses(expect: Mapping[str, JSON]) -> None:
    """Refuse a key that is nearly one that a metric reads. Raises InvalidValue with the near match."""
    for key in expect:
        if key not in EXPECTATIONS and (hint := near(key, EXPECTATIONS, cutoff=_NEAR_MISS)):
            message = f"no metric would read the expectation {key!r}{hint}"
            raise InvalidValue(message)


def _jsonl_rows(text: str, path: Path) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _parsed_line(line, f"{path}:{number}")


def _parsed_line(line: str, place: str) -> object:
    try:
        return parse(line)
    except InvalidValue as error:
        cause = error.__cause__
        column = f":{cause.colno}" if isinstance(cause, json.JSONDecodeError) else ""
        why = f"not JSON: {cause.msg}" if isinstance(cause, json.JSONDecodeError) else str(error)
        message = f"{place}{column}: {why}. Each line is one case, as a JSON object"
        raise CaseError(message) from error


def _json_rows(text: str, path: Path) -> Iterator[Row]:
    data = parse_text(text, path, CaseError)
    inner = _CASES_OBJECT.match(text)
    rows = data["cases"] if inner and len(data) == 1 else data
    if not isinstance(rows, list):
        message = f'{path}:1: a case file in JSON is a list of cases, or {{"cases": […]}}'
        raise CaseError(message)
    decoder, at = json.JSONDecoder(), text.index("[", inner.end() if inner else 0) + 1
    for row in rows:
        while text[at] in " \t\n\r,":
            at += 1
        yield line_at(text, at), row
        at = decoder.raw_decode(text, at)[1]


def _csv_rows(text: str, path: Path) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        columns = next(reader, [])
        _refuse_columns(columns, path)
        start = reader.line_num + 1
        for cells in reader:
            if cells:
                yield start, _csv_row(columns, cells, f"{path}:{start}")
            start = reader.line_num + 1
    except csv.Error as error:
        message = f"{path}:{reader.line_num}: not CSV: {error}. Put texts with commas or quotes in quotes"
        raise CaseError(message) from error


def _refuse_columns(columns: list[str], path: Path) -> None:
    for column in columns:
        if column not in _CSV_COLUMNS and not column.startswith("expect."):
            known = f"{near(column, _CSV_COLUMNS)} (columns: {', '.join(_CSV_COLUMNS)}, expect.KEY)"
            message = f"{path}:1: unknown column {column!r}{known}"
            raise CaseError(message)
        if columns.count(column) > 1:
            message = f"{path}:1: the column {column!r} stands twice. Rename or remove one"
            raise CaseError(message)


def _csv_row(columns: list[str], cells: list[str], place: str) -> dict[str, Any]:
    if len(cells) != len(columns):
        message = f"{place}: {len(cells)} cells under {len(columns)} columns. Quote texts that hold commas"
        raise CaseError(message)
    row: dict[str, Any] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column in ("id", "input"):
            row[column] = cell
        elif cell.strip():
            name, _, key = column.partition(".")
            if name == "expect":
                row.setdefault("expect", {})[key] = _csv_value(cell, f"{place}: column {column!r}")
            else:
                row[name] = re.split(r"[\s;]+", cell.strip("; ")) if name == "tags" else cell
    return row


def _csv_value(cell: str, place: str) -> JSON:
    """JSON where the cell is an object, list, number or truth value; else the text as it stands."""
    try:
        value: JSON = parse(cell)
    except InvalidValue as error:
        if cell.lstrip()[:1] in ("{", "[") and not isinstance(error.__cause__, json.JSONDecodeError):
            message = f"{place}: {error}"
            raise CaseError(message) from error
        return cell
    return cell if value is None or isinstance(value, str) else value


_READERS: Final = {
    ".jsonl": _jsonl_rows,
    ".json": _json_rows,
    ".yaml": yaml_rows,
    ".yml": yaml_rows,
    ".csv": _csv_rows,
}
