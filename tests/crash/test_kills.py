"""What is finished is kept, whatever ends the process; `make crash` does the same a thousand times."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.crash.sessions import CASES, CONCURRENCY, Counts, Project, disturb

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has been run undisturbed; each test kills a run of its own there."""
    return Project(tmp_path_factory.mktemp("killed"))


def test_no_trial_and_no_segment_is_lost_or_doubled_when_their_writer_is_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.store", "40"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    counts: dict[str, Any] = json.loads(done.stdout)
    assert (counts["kills"], counts["lost"], counts["doubled"], counts["unreadable"]) == (40, 0, 0, 0)
    assert counts["acknowledged"] > 0
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("workers", "number", "codes"),
    [
        (0, signal.SIGKILL, {-9}),
        (2, signal.SIGKILL, {-9}),
        (0, signal.SIGTERM, {143}),
        (2, signal.SIGINT, {2}),
    ],
    ids=["killed", "killed-under-xdist", "terminated", "interrupted-under-xdist"],
)
def test_a_session_that_is_ended_goes_on_to_the_verdict_of_an_undisturbed_one(
    project: Project, workers: int, number: signal.Signals, codes: set[int]
) -> None:
    for times in range(3):  # a run that was done before the signal came, on a busy machine, says nothing
        counts = Counts()
        run = f"{number.name}-{workers}-{times}"
        chance = random.Random(f"{run}, not at the end")
        code = disturb(project, run, chance, counts, workers=workers, number=number, last=CASES // 2)
        if not counts.already_sealed:
            break
    assert code in codes
    assert (counts.lost, counts.doubled, counts.called_in_vain, counts.other_verdicts) == (0, 0, 0, 0)
    assert counts.finished > 0
    assert counts.already_sealed == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 2)], ids=["SIGTERM", "SIGINT"])
def test_who_ends_a_session_is_told_that_nothing_was_judged_and_how_to_go_on(
    project: Project, number: signal.Signals, code: int
) -> None:
    project.calls.unlink(missing_ok=True)
    run = f"told-{number.name}"
    session = project.begin("--agent-eval-run-id", run)
    while sum(project.logged().values()) < CASES // 4:
        assert session.poll() is None
    session.send_signal(number)
    said, _ = session.communicate(timeout=60)
    assert session.returncode == code
    assert f"interrupted: gate not judged. Go on: pytest --agent-eval --agent-eval-resume {run}" in said
    verdict = json.loads((project.root / ".agenteval" / "verdict.json").read_text("utf-8"))
    assert (verdict["exit_code"], verdict["verdicts"], verdict["partial"]) == (code, [], ["refunds"])
    kept, _ = project.journal(run)
    assert len(set(project.logged()) - set(kept)) <= CONCURRENCY  # what was under way is let go
    assert not project.is_sealed(run)
