"""The audit log is a chain: what was altered is named, and nothing is added to it then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.model.jsonvalue import canonical
from pytest_agenteval.store.audit import Audit
from tests.store.rows import change


@pytest.fixture
def log(tmp_path: Path) -> Audit:
    audit = Audit(tmp_path / "audit" / "changes.jsonl")
    for reason in ("one", "two", "three"):
        audit.append(change(reason))
    return audit


def test_changes_come_back_in_order_and_chained(log: Audit) -> None:
    records = log.records()
    assert [record.change for record in records] == [change(reason) for reason in ("one", "two", "three")]
    assert [record.seq for record in records] == [1, 2, 3]
    assert [record.previous for record in records] == ["", records[0].hash, records[1].hash]


def test_the_hash_can_be_made_by_anyone_from_the_line(log: Audit) -> None:
    for line in log.path.read_text().splitlines():
        row = json.loads(line)
        told = row.pop("hash")
        assert hashlib.sha256(canonical(row).encode()).hexdigest() == told


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert Audit(tmp_path / "none.jsonl").records() == []


@pytest.mark.parametrize(
    ("alter", "line", "why"),
    [
        (lambda lines: [lines[0], lines[1].replace(b"two", b"2nd"), lines[2]], 2, "altered"),
        (lambda lines: [lines[0], lines[2]], 2, "does not follow"),
        (lambda lines: [lines[1], lines[0], lines[2]], 1, "does not follow"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], 2, "does not follow"),
        (lambda lines: [line + b"\r" for line in lines], 1, "rewritten"),
        (lambda lines: [lines[0], b"{", lines[2]], 2, "not a record"),
        (lambda lines: [lines[0], b"[]", lines[2]], 2, "not a record"),
        (lambda lines: [lines[0], b'{"seq":2}', lines[2]], 2, "not a record"),
    ],
    ids=["text", "deleted", "swapped", "doubled", "line ends", "cut", "list", "no change"],
)
def test_tampering_is_named_with_its_line_and_stops_appending(
    log: Audit, alter: Callable[[list[bytes]], list[bytes]], line: int, why: str
) -> None:
    lines = log.path.read_bytes().splitlines()
    log.path.write_bytes(b"".join(one + b"\n" for one in alter(lines)))
    before = log.path.read_bytes()
    with pytest.raises(IntegrityError, match=rf"changes\.jsonl:{line}: .*{why}"):
        log.append(change("four"))
    assert log.path.read_bytes() == before


def test_a_torn_tail_is_refused(log: Audit) -> None:
    log.path.write_bytes(log.path.read_bytes() + b'{"seq"')
    with pytest.raises(IntegrityError, match=r":4: .*torn.*restore the file from git"):
        log.append(change("four"))


def test_two_branches_that_were_joined_are_told_what_to_do(log: Audit) -> None:
    other = Audit(log.path.with_name("other.jsonl"))
    other.path.write_bytes(b"".join(line + b"\n" for line in log.path.read_bytes().splitlines()[:2]))
    other.append(change("theirs"))
    log.path.write_bytes(log.path.read_bytes() + other.path.read_bytes().splitlines()[2] + b"\n")
    with pytest.raises(IntegrityError, match=r"approve again: git checkout origin/main -- audit baselines"):
        log.records()


@given(data=st.data())
def test_no_flipped_bit_is_overlooked(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    audit = Audit(tmp_path_factory.mktemp("flip") / "changes.jsonl")
    for reason in ("one", "two"):
        audit.append(change(reason))
    content = bytearray(audit.path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    audit.path.write_bytes(content)
    with pytest.raises(IntegrityError):
        audit.records()
