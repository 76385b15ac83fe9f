"""While a run goes on: a terminal's last line says how far it is; elsewhere a line does so now and then."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from pytest_agenteval.plugin import progress
from tests.plugin.sessions import Project
from tests.quiet import QUIET

SLOW = """
import time, pytest
from pytest_agenteval import Step, Trajectory

def shop(text):
    time.sleep(0.35)
    return Trajectory(output="within 30 days", steps=[Step(kind="model", tokens_in=900, cost_usd=0.25)])

@pytest.fixture(scope="session")
def agent():
    return shop
"""

LINE = re.compile(r"\x1b7\x1b\[20;1H\x1b\[2K(.*?)\x1b8")
SET_APART = "\x1bD\x1b[A\x1b7\x1b[1;19r\x1b8"
GIVEN_BACK = "\x1b7\x1b[r\x1b[20;1H\x1b[2K\x1b8"


def on_a_terminal(root: Path, *arguments: str, **environment: str) -> str:
    """What pytest writes on a terminal of 20 rows and 100 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 100, 0, 0))
    words = [sys.executable, "-m", "pytest", *QUIET, "--agent-eval", "--agent-eval-concurrency", "2", *arguments]
    env = {**os.environ, "TERM": "xterm", **environment}
    process = subprocess.Popen(words, cwd=root, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(ours, 65536):
            written += part
    os.close(ours)
    process.wait()
    return written.decode()


@pytest.fixture
def slow(project: Project) -> Project:
    project.agent(SLOW)
    project.cases("a", "b", "c", "d", "e")
    return project


def test_a_terminal_s_last_line_tells_how_far_the_run_is_and_nothing_else_is_touched(slow: Project) -> None:
    written = on_a_terminal(slow.root)
    lines = LINE.findall(written)
    assert lines[0] == "agent evaluation: 0 of 5, 2 in flight"
    assert re.fullmatch(r"agent evaluation: 4 of 5, 1 in flight, success 1\.00, \d\.\d\d usd, [\d,]+ tokens", lines[-1])
    assert written.count(SET_APART) == written.count(GIVEN_BACK) == 1
    rest = LINE.sub("", written).replace(SET_APART, "").replace(GIVEN_BACK, "")
    assert not re.findall("\x1b[^[]|\x1b\\[[^m]*[^m0-9;]", rest)
    plain = re.sub("\x1b\\[[0-9;]*m", "", rest)
    assert re.search(r"\nsuites/refunds/test_refunds\.py \.\.\.\.\. +\[100%\]\r\ngate ", plain)


def test_a_quiet_terminal_one_of_ci_and_a_debugger_s_have_no_such_line(slow: Project) -> None:
    slow.cases("a")
    for arguments, environment in ((["-q"], {}), ([], {"CI": "1"}), (["--pdb"], {}), ([], {"TERM": "dumb"})):
        written = on_a_terminal(slow.root, *arguments, **environment)
        assert "[1;19r" not in written
        assert "agent evaluation: " not in written


@pytest.mark.parametrize("verbosity", ["-v", ""])
def test_elsewhere_a_line_stands_between_those_of_pytest(
    both: Project, verbosity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_BETWEEN_LINES", 0.0)
    both.cases("a", "b", "wrong")
    session = both.run(*filter(None, [verbosity]))
    told = [line for line in session.result.outlines if line.startswith("agent evaluation: ")]
    found = [re.findall(r"(\d) of 3.*, success (\d\.\d\d)", line) for line in told]
    assert [done for [(done, _)] in found] == ["1", "2", "3", "3"]  # once more at the end
    assert found[-1] == [("3", "0.67")]
    assert not [line for line in session.result.outlines if "agent evaluation: " in line[1:]]
    an_item = r"c\d\] PASSED|PASSED .*c\d\]" if verbosity else r"^(suites/refunds/test_refunds\.py )?\."
    assert len([line for line in session.result.outlines if re.search(an_item, line)]) == 3


def test_a_short_run_and_a_quiet_one_print_no_such_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.cases("a")
    assert "agent evaluation: " not in project.run().text
    monkeypatch.setattr(progress, "_BETWEEN_LINES", 0.0)
    assert "agent evaluation: " not in project.run("-q").text
    project.test("def test_plain(): pass")
    assert "agent evaluation: " not in project.run().text
