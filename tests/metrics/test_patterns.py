from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics import patterns

FORKED = """
import os, sys
from pytest_agenteval.metrics.patterns import pattern_found
assert pattern_found("a", "a")
pid = os.fork()
if pid == 0:
    os._exit(0 if pattern_found("b", "b") and not pattern_found("a", "b") else 1)
_, status = os.waitpid(pid, 0)
assert pattern_found("c", "c")  # the parent's process still answers
sys.exit(os.waitstatus_to_exitcode(status))
"""


def process_of_patterns() -> subprocess.Popen[str]:
    assert patterns.pattern_found("a", "a")
    process = patterns._CHILD._process
    assert process is not None
    return process


def test_one_process_is_kept_for_many_patterns() -> None:
    assert process_of_patterns() is process_of_patterns()


def test_a_process_that_died_is_begun_again() -> None:
    died = process_of_patterns()
    died.kill()
    died.wait()
    assert process_of_patterns() is not died


def test_a_process_that_dies_while_it_is_asked_is_named_as_the_cause() -> None:
    process = process_of_patterns()
    threading.Timer(0.3, process.kill).start()
    with pytest.raises(MetricError, match="its process ended with code -9"):
        patterns.pattern_found("(x+x+)+y", "x" * 45)


def test_a_forked_process_begins_one_of_its_own() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], check=True, env=dict(os.environ))


def test_no_process_is_left_when_python_ends() -> None:
    source = (
        "from pytest_agenteval.metrics import patterns\n"
        "patterns.pattern_found('a', 'a')\n"
        "print(patterns._CHILD._process.pid)"
    )
    answer = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True)
    assert not answer.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(answer.stdout), 0)


def test_lone_surrogates_pass_through() -> None:
    assert patterns.pattern_found("\ud800", "x\ud800")
