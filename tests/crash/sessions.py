"""Kills sessions of pytest at random points, lets them go on, and compares: ``python -m tests.crash.sessions 150``.

A call is finished when the agent has logged it aside, the last thing that it does. What is finished at the kill must be
in the journal, but for the calls that were under way then: the log is written before the agent returns.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_agenteval.cli import main as command
from pytest_agenteval.store.journal import kept_trials

CASES = 40
CONCURRENCY = 4
"""Calls under way at once: as many may be finished, and not yet written, when the kill comes."""

_CONFTEST = """
import os, time, pytest

@pytest.fixture(scope="session")
def agent():
    log = os.open(os.environ["CALLS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def shop(text):
        time.sleep(0.01)
        os.write(log, f"{text}\\n".encode())
        return "never" if int(text) % 8 == 0 else "within 30 days"

    return shop
"""
_TEST = f"""
from pytest_agenteval import *

@agent_cases([Case(id=f"c{{n}}", input=str(n), expect={{"contains": ["30 days"]}}) for n in range({CASES})],
             metrics=["success"])
def test_refund(trial, case):
    pass
"""
_SETTINGS = """
[tool.pytest-agenteval]
owner = "Dana Reyes <dana@example.org>"
[tool.pytest-agenteval.suites.refunds.gate]
success = { margin = 0.2 }
"""
_WORDS = ("-q", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "--agent-eval", "--agent-eval-concurrency")


@dataclass(kw_only=True)
class Counts:
    kills: int = 0
    kills_of_resumes: int = 0
    finished: int = 0
    lost: int = 0
    under_way: int = 0
    doubled: int = 0
    torn: int = 0
    called_again: int = 0
    called_in_vain: int = 0
    already_sealed: int = 0
    other_verdicts: int = 0


class Project:
    """A project whose undisturbed run is green, and known."""

    def __init__(self, root: Path) -> None:
        self.root, self.calls = root, root / "calls.log"
        (root / "suites" / "refunds").mkdir(parents=True)
        (root / "pyproject.toml").write_text(_SETTINGS)
        (root / "conftest.py").write_text(_CONFTEST)
        (root / "suites" / "refunds" / "test_refunds.py").write_text(_TEST)
        self.begin().communicate()
        command(["--root", str(root), "baseline", "approve", "refunds", "--reason", "good", "--by", "Dana"])
        self.undisturbed = self.outcome(self.begin())

    def begin(self, *words: str, workers: int = 0) -> subprocess.Popen[str]:
        """A session in a group of its own."""
        spread = ["-n", str(workers)] if workers else []
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *_WORDS, str(CONCURRENCY), *spread, *words],
            cwd=self.root,
            env={**os.environ, "CALLS": str(self.calls)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def outcome(self, session: subprocess.Popen[str]) -> tuple[int, dict[str, str], dict[str, tuple[int, float]]]:
        """Exit code, verdicts and values of a session, when it is over."""
        session.communicate(timeout=120)
        found = json.loads((self.root / ".agenteval" / "verdict.json").read_text("utf-8"))
        verdicts = {one["metric"]: one["outcome"] for one in found["verdicts"]}
        kept = ("success", "error_rate")
        values = {one["metric"]: (one["n"], one["value"]) for one in found["estimates"] if one["metric"] in kept}
        return session.returncode, verdicts, values

    def logged(self) -> Counter[str]:
        """How often each question was answered."""
        return Counter(self.calls.read_text("utf-8").split()) if self.calls.exists() else Counter()

    def journal(self, run: str) -> tuple[Counter[str], int]:
        """How often each question is in the journals of the run, and how many lines are torn."""
        found: Counter[str] = Counter()
        torn, folder = 0, self.root / ".agenteval" / "runs" / run
        for file in folder.glob("journal-*.jsonl"):
            for line in file.read_bytes().splitlines(keepends=True):
                try:
                    record: dict[str, Any] = json.loads(line)
                except ValueError:
                    torn += 1
                    continue
                if record["event"] == "called":
                    found[record["trial"]["case"]["input"]] += 1
        assert set(found) == {str(trial.case.input) for trial in kept_trials(folder).values()}
        return found, torn

    def is_sealed(self, run: str) -> bool:
        return any(self.root.glob(f"history/*/run-{run}.jsonl.gz"))


def end(session: subprocess.Popen[str], number: signal.Signals, *, all_of_it: bool) -> None:
    """Send the signal to the session, or to all its processes, and wait for them."""
    if all_of_it:
        os.killpg(session.pid, number)
    else:
        session.send_signal(number)
    session.communicate(timeout=60)


def disturb(
    project: Project,
    run: str,
    chance: random.Random,
    counts: Counts,
    *,
    workers: int,
    number: signal.Signals,
    last: int = CASES,
) -> int:
    """Begin a run, kill it, let it go on, and count what is not as it should be; gives the first exit code.

    The kill comes after at most ``last`` calls and a little more.
    """
    project.calls.unlink(missing_ok=True)
    session = project.begin("--agent-eval-run-id", run, workers=workers)
    wanted = chance.randint(1, last)
    while sum(project.logged().values()) < wanted and session.poll() is None:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.02 if wanted < CASES else 0.2))
    alone = number == signal.SIGTERM or (workers and chance.random() < 0.5)
    end(session, number, all_of_it=not alone)
    counts.kills += 1
    under_way = counts.under_way
    compare(project, run, counts)
    while chance.random() < 0.2 and not project.is_sealed(run):
        resumed = project.begin("--agent-eval-resume", run, workers=workers)
        assert resumed.stdout is not None
        while (line := resumed.stdout.readline()) and "resuming run" not in line:
            pass
        time.sleep(chance.uniform(0, 0.05))
        end(resumed, signal.SIGKILL, all_of_it=True)
        counts.kills_of_resumes += 1
        compare(project, run, counts)
    if project.is_sealed(run):
        counts.already_sealed += 1
    else:
        outcome = project.outcome(project.begin("--agent-eval-resume", run, workers=workers))
        counts.other_verdicts += outcome != project.undisturbed
        under_way = counts.under_way - under_way
        compare(project, run, counts)
        logged = project.logged()
        again = sum(logged.values()) - len(logged)
        counts.called_again += again
        counts.called_in_vain += max(0, again - under_way) + CASES - len(logged)
    return session.returncode


def compare(project: Project, run: str, counts: Counts) -> None:
    """Compare what the agent logged with the journals: finished calls that are not there, and those there twice."""
    # Workers whose controller was killed end at their next message; the run goes on only when they are gone.
    logged, (kept, torn) = project.logged(), project.journal(run)
    missing = [text for text in logged if text not in kept]
    counts.finished += len(logged)
    counts.under_way += len(missing)
    counts.lost += max(0, len(missing) - CONCURRENCY)
    counts.doubled += sum(count > 1 for count in kept.values())
    counts.torn += torn


def main(kills: int, seed: int, *, share_of_workers: float = 0.2) -> Counts:
    chance, counts = random.Random(seed), Counts()
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        for turn in range(kills):
            workers = 2 if turn < kills * share_of_workers else 0
            disturb(project, f"k{turn}", chance, counts, workers=workers, number=signal.SIGKILL)
    return counts


if __name__ == "__main__":
    began = time.monotonic()
    found = main(int(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns())
    sys.stdout.write(f"{json.dumps({**asdict(found), 'minutes': round((time.monotonic() - began) / 60, 1)})}\n")
    sys.exit(bool(found.lost or found.doubled or found.called_in_vain or found.other_verdicts))
