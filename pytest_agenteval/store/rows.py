"""Rows of a file of JSON lines, many at a time, as fast as they can be had."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.jsonvalue import finite, refuse_constant

AT_ONCE: Final = 100
"""Rows are read in blocks of this many: enough to spare work, and few enough to stay in a processor's cache."""

# Not the strict reader: of a key that a row gives twice the last value counts, as in json.loads.
_ROW: Final = json.JSONDecoder(parse_constant=refuse_constant, parse_float=finite)
_SCAN: Final = _ROW.scan_once  # type: ignore[attr-defined]  # as in model.jsonvalue
_READ_ALIKE: Final = frozenset({str, int, bool, type(None)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows with the number of each, counted from 1, and why others were refused, by their number."""

    numbers: Sequence[int]
    rows: Sequence[Mapping[str, Any]]
    refused: Mapping[int, str] = field(default_factory=dict)


def read_rows(path: Path) -> Iterator[Rows]:
    """The rows of a file of JSON lines, compressed where its name ends in ``.gz``; numbers are those of the lines.

    A line that is no JSON object is refused, an empty one passed over. Raises InvalidValue where the file cannot be
    read.
    """
    opened: Callable[..., Any] = gzip.open if path.name.endswith(".gz") else open
    try:
        with opened(path, "rb") as stream:
            first = 1
            while lines := list(islice(stream, AT_ONCE)):
                yield _block(lines, first)
                first += len(lines)
    except (OSError, EOFError, zlib.error) as error:
        message = f"{path} cannot be read: {error}. Give a file of JSON lines"
        raise InvalidValue(message) from error


def given_rows(rows: Iterable[object]) -> Iterator[Rows]:
    """Rows that are there already."""
    numbered = enumerate(rows, 1)
    while some := list(islice(numbered, AT_ONCE)):
        yield _rows(some, {})


def _block(lines: list[bytes], first: int) -> Rows:
    for quick in (_by_orjson, _by_scanning):
        with contextlib.suppress(ValueError, StopIteration, RecursionError):
            rows = quick(lines)
            if rows is not None:
                return Rows(numbers=range(first, first + len(lines)), rows=rows)
    return _one_by_one(lines, first)


def _by_orjson(lines: Sequence[bytes]) -> list[Any] | None:
    """The rows, if orjson is there; None where it may have read a value otherwise: a whole number of over 64 bits."""
    if _ORJSON is None:
        return None
    rows = [_ORJSON(line) for line in lines]
    if set(map(type, rows)) != {dict}:
        return None
    return rows if _READ_ALIKE.issuperset(map(type, chain.from_iterable(map(dict.values, rows)))) else None


def _by_scanning(lines: Sequence[bytes]) -> list[Any] | None:
    """The rows, each read without a look for white space around it; None where a line holds more, or no object."""
    rows = []
    for line in lines:
        text = line.decode()
        row, end = _SCAN(text, 0)
        if text[end:] not in ("\n", "") or type(row) is not dict:
            return None
        rows.append(row)
    return rows


def _one_by_one(lines: Sequence[bytes], first: int) -> Rows:
    found: list[tuple[int, object]] = []
    refused: dict[int, str] = {}
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        try:
            found.append((number, _ROW.decode(line.decode().strip())))
        except json.JSONDecodeError as error:
            refused[number] = f"not JSON: {error.msg} at column {error.colno}"
        except (ValueError, RecursionError) as error:
            refused[number] = f"not JSON: {error}"
    return _rows(found, refused)


def _rows(found: Iterable[tuple[int, object]], refused: dict[int, str]) -> Rows:
    kept: dict[int, Mapping[str, Any]] = {}
    for number, row in found:
        if isinstance(row, Mapping):
            kept[number] = row
        else:
            refused[number] = f"a row is an object, not {row!r:.80}"
    return Rows(numbers=tuple(kept), rows=tuple(kept.values()), refused=refused)


def _orjson() -> Callable[[bytes], Any] | None:
    try:
        read: Callable[[bytes], Any] = import_module("orjson").loads
    except ImportError:
        return None
    return read


_ORJSON: Final = _orjson()
