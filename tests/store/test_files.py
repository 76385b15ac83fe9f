"""Files are whole or not there, and a lock says who holds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.store.files import (
    append_line,
    create_atomically,
    exclusive,
    gzipped,
    safe_name,
    write_atomically,
)
from tests.store.rows import payloads

APPENDER = """
import pathlib, sys
from pytest_agenteval.store.files import append_line
for number in range(25):
    append_line(pathlib.Path(sys.argv[1]), sys.argv[2] * 3000)
"""
HOLDER = """
import pathlib, sys, time
from pytest_agenteval.store.files import exclusive
with exclusive(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_holds_the_content_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert names_in(path.parent) == ["file.json"]


def test_a_write_that_fails_leaves_the_old_file_and_names_path_and_cause(tmp_path: Path) -> None:
    (tmp_path / "file.json").mkdir()
    with pytest.raises(IntegrityError, match=r"file\.json could not be written: Is a directory\. Make room"):
        write_atomically(tmp_path / "file.json", b"one")
    assert names_in(tmp_path) == ["file.json"]


def test_a_full_disk_is_an_integrity_error_and_the_old_file_stands(tmp_path: Path) -> None:
    limited = """
import pathlib, resource, signal, sys
from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.store.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomically(pathlib.Path(sys.argv[1]), b"x" * 10_000)
except IntegrityError as error:
    print(error)
"""
    path = tmp_path / "file.json"
    write_atomically(path, b"old")
    said = subprocess.run([sys.executable, "-c", limited, str(path)], check=True, capture_output=True, text=True)
    assert "file.json could not be written: File too large" in said.stdout
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["file.json"]


def test_a_file_that_is_made_once_is_never_overwritten(tmp_path: Path) -> None:
    assert create_atomically(tmp_path / "file", b"one")
    assert not create_atomically(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"one"
    assert names_in(tmp_path) == ["file"]


def test_four_processes_that_append_leave_every_line_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    commands = [[sys.executable, "-c", APPENDER, str(path), letter] for letter in "abcd"]
    for process in [subprocess.Popen(command) for command in commands]:
        assert process.wait(60) == 0
    lines = [line for line in path.read_text().split("\n") if line]
    assert sorted(lines) == sorted(letter * 3000 for letter in "abcd" for _ in range(25))


def test_a_line_after_a_torn_one_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"torn')
    append_line(path, "whole")
    assert path.read_bytes() == b'{"torn\nwhole\n'


def test_a_lock_that_is_held_says_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(IntegrityError, match=rf"is held by process {holder.pid} on .+ since 2.+Z"),
            exclusive(path, wait=0.1),
        ):
            pass
        assert holder.stdin is not None
        holder.stdin.close()
        with exclusive(path, wait=30):
            pass
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["refunds", "refunds[gpt-4o]", "a.b_c-1", "x" * 120])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(("row", "name"), payloads("path"), ids=[row for row, _ in payloads("path")])
def test_a_hostile_name_stays_in_its_folder(row: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "inside" / safe_name(name)
    write_atomically(path, b"x")
    assert names_in(tmp_path) == ["inside"]
    assert names_in(tmp_path / "inside") == [path.name]
    assert path.name != name


@given(st.text(), st.text())
def test_names_are_short_plain_and_tell_texts_apart(one: str, other: str) -> None:
    name = safe_name(one)
    assert 0 < len(name.encode("ascii")) <= 120
    assert not name.startswith(".")
    assert not {"/", "\\", "\0"} & set(name)
    assert (name == safe_name(other)) == (one == other)


def test_a_name_of_halves_of_characters_is_made_plain() -> None:
    assert safe_name("\ud800").isascii()


@given(st.binary())
def test_compressing_twice_gives_the_same_bytes(content: bytes) -> None:
    assert gzipped(content) == gzipped(content)
