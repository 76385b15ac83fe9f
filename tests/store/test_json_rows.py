"""Rows of JSON lines are the same however they are read, and a line that is none is named."""

from __future__ import annotations

import gzip
import json
import sys
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.store import rows as module
from pytest_agenteval.store.rows import AT_ONCE, given_rows, read_rows

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ROWS = st.dictionaries(st.text(), VALUES | st.lists(VALUES, max_size=3), max_size=3)
BROKEN = [b"{", b"[1]", b"7", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": 1}{"b": 2}', b'{"a": 1},', b"\xff", b'{"a":' * 9]


def read(path: Path, content: bytes) -> tuple[list[tuple[int, Any]], dict[int, str]]:
    path.write_bytes(content)
    blocks = list(read_rows(path))
    refused = dict(chain.from_iterable(block.refused.items() for block in blocks))
    return [pair for block in blocks for pair in zip(block.numbers, block.rows, strict=True)], refused


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, max_size=5), ends=st.sampled_from([b"\n", b"\r\n", b" \n"]))
def test_every_row_is_read_as_it_was_written(tmp_path: Path, rows: list[Any], ends: bytes) -> None:
    content = b"".join(json.dumps(row).encode() + ends for row in rows)
    assert read(tmp_path / "rows.jsonl", content) == (list(enumerate(rows, 1)), {})


@pytest.mark.parametrize("broken", BROKEN)
def test_a_line_that_is_no_row_is_refused_and_all_others_are_read(tmp_path: Path, broken: bytes) -> None:
    found, refused = read(tmp_path / "rows.jsonl", b'{"a": 1}\n\n' + broken + b'\n{"a": 2}')
    assert found == [(1, {"a": 1}), (4, {"a": 2})]
    assert list(refused) == [3]


def test_whole_numbers_of_any_size_are_exact(tmp_path: Path) -> None:
    [(_, row)], _ = read(tmp_path / "rows.jsonl", b'{"a": 123456789012345678901234567890}')
    assert row == {"a": 123456789012345678901234567890}


def test_a_quick_reader_of_others_is_used_for_what_it_reads_alike(tmp_path: Path, monkeypatch: Any) -> None:
    def as_orjson(line: bytes) -> Any:
        return json.loads(line, parse_int=lambda text: int(text) if len(text) < 20 else float(text))

    monkeypatch.setattr(module, "_ORJSON", as_orjson)
    large = 2**70
    found, _ = read(tmp_path / "rows.jsonl", b'{"a": 1}\n' * AT_ONCE + f'{{"a": {large}}}\n[1]\n'.encode())
    assert found[-1] == (AT_ONCE + 1, {"a": large})
    assert type(found[-1][1]["a"]) is int


@pytest.mark.parametrize("quick", [None, SimpleNamespace(loads=json.loads)])
def test_the_quick_reader_is_found_where_it_is_installed(monkeypatch: Any, quick: Any) -> None:
    monkeypatch.setitem(sys.modules, "orjson", quick)
    assert module._orjson() is (quick and json.loads)


def test_lines_are_numbered_through_all_blocks_of_a_compressed_file(tmp_path: Path) -> None:
    lines = [b'{"a": 1}\n'] * (2 * AT_ONCE) + [b"{\n"]
    found, refused = read(tmp_path / "rows.jsonl.gz", gzip.compress(b"".join(lines)))
    assert [number for number, _ in found] == list(range(1, 2 * AT_ONCE + 1))
    assert list(refused) == [2 * AT_ONCE + 1]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="cannot be read"):
        list(read_rows(tmp_path / "missing.jsonl"))
    with pytest.raises(InvalidValue, match="cannot be read"):
        read(tmp_path / "rows.jsonl.gz", gzip.compress(b"{}\n")[:-4])


def test_rows_that_are_there_are_given_on_and_what_is_no_object_is_refused() -> None:
    [block] = given_rows([{"a": 1}, 7])
    assert (block.numbers, block.rows, list(block.refused)) == ((1,), ({"a": 1},), [2])
