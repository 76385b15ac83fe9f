"""Measure and print the table. All runs of one comparison alternate, so that noise meets them alike.

The unused plugin is measured twice: against the same environment with ``-p no:pytest_agenteval``, and against
an environment with pytest alone. Neither has Hypothesis, whose own plugin costs more than what is measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
CASES = 2000

UNRELATED = "def test_one():\n    assert 1 + 1 == 2\n"
PLAIN = f"""
import pytest

@pytest.mark.parametrize("number", range({CASES}), ids=[f"c{{n}}" for n in range({CASES})])
def test_plain(number):
    assert f"hello {{number}}" == f"hello {{number}}"
"""
AGENT = f"""
import pytest
from pytest_agenteval import Case, agent_cases

@pytest.fixture(scope="session")
def agent():
    return lambda text: text

CASES = [Case(id=f"c{{n}}", input=f"hello {{n}}", expect={{"output": f"hello {{n}}"}}) for n in range({CASES})]

@agent_cases(CASES, metrics=["exact"])
def test_agent(trial, case):
    assert trial.output == case.input
"""


def main() -> int:
    """Make the environments, measure, print."""
    words = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    words.add_argument("--starts", type=int, default=30, help="alternating starts of the unused plugin (30)")
    words.add_argument("--runs", type=int, default=5, help="alternating runs of the 2,000 cases (5)")
    options = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="agenteval-benchmark-") as folder:
        measure(Path(folder), options.starts, options.runs)
    return 0


def measure(folder: Path, starts: int, runs: int) -> None:
    """All comparisons in fresh environments below the folder."""
    alone = environment(folder / "alone", ["pytest"])
    ours = environment(folder / "ours", [str(ROOT)])
    unrelated = project(folder / "unrelated", UNRELATED)
    plain, agent = project(folder / "plain", PLAIN), project(folder / "agent", AGENT)
    say("| what | CPU seconds, median | against | CPU seconds, median | ratio |")
    say("|---|---|---|---|---|")
    off = ["-p", "no:pytest_agenteval"]
    compare(starts, "start, plugin unused", (ours, [], unrelated), "the same, switched off", (ours, off, unrelated))
    compare(starts, "start, plugin unused", (ours, [], unrelated), "pytest alone", (alone, [], unrelated))
    evaluated = (ours, ["--agent-eval", "--agent-eval-partial"], agent)
    compare(runs, f"{CASES} agent cases", evaluated, f"{CASES} plain asserts", (ours, off, plain))


Command = tuple[Path, Sequence[str], Path]


def compare(times: int, what: str, one: Command, against: str, other: Command) -> None:
    """Run both in turn, and print a row."""
    for command in (one, other):
        cpu_seconds(*command)  # once before, for the compiled files
    mine, theirs = [], []
    for _ in range(times):
        mine.append(cpu_seconds(*one))
        theirs.append(cpu_seconds(*other))
    first, second = statistics.median(mine), statistics.median(theirs)
    say(f"| {what} | {first:.3f} | {against} | {second:.3f} | {first / second:.3f} |")


def cpu_seconds(python: Path, options: Sequence[str], folder: Path) -> float:
    """CPU seconds, user and system, of one pytest session in the folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False)
    # The agent cases have no baseline: their run is red by intent, and all of it is done.
    if done.returncode not in (0, 10):
        raise SystemExit(done.stdout.decode() + done.stderr.decode())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def environment(folder: Path, packages: Sequence[str]) -> Path:
    """A new environment with these packages; gives its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True, capture_output=True)
    return python


def project(folder: Path, test: str) -> Path:
    """A project of one test file."""
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (folder / "test_it.py").write_text(test, "utf-8")
    return folder


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
