from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_agenteval.cli import main
from pytest_agenteval.cli.plan import about, duration
from tests.app.projects import cases, gate, project, run

Output = pytest.CaptureFixture[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose suite has a baseline of six attempts."""
    workspace = project(tmp_path, gate("success = { margin = 0.02 }"))
    run(workspace, cases(160, 40), repeats=6)
    assert main(["--root", str(tmp_path), "baseline", "approve", "refunds", "--reason", "good", "--by", "Dana"]) == 0
    return tmp_path


def said(root: Path, capsys: Output, *words: str) -> list[str]:
    capsys.readouterr()
    assert main(["--root", str(root), "plan", "refunds", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_plan_says_in_sentences_what_is_seen_and_what_it_takes(root: Path, capsys: Output) -> None:
    lines = said(root, capsys)
    assert lines[0] == "refunds: 200 cases × 1 attempt, 1 metric gates"
    assert lines[1].startswith("With 200 cases × 1, this gate finds a drop of ")
    assert lines[1].endswith(" points in success 8 times in 10; smaller ones mostly pass unseen.")
    assert lines[2] == (
        "  tolerated: 2.0 points; two runs disagree on under 1 % of the cases; a drop must show in two looks"
    )
    assert lines[3].startswith("To see a drop of 3.0 points: about ")
    assert lines[5].startswith("To pass when nothing changed (a loss of 2.0 points is then excluded): about ")
    assert lines[6].startswith("A run is 200 agent calls: under a second of the agent's time, going by run 2026")
    assert lines[7] == "A second look is up to 200 calls more; at most 5 in 100 harmless changes ask for one."


def test_plan_takes_other_cases_attempts_margins_and_chances(root: Path, capsys: Output) -> None:
    lines = said(root, capsys, "--cases", "1000", "--repeats", "3", "--margin", "0.05", "--power", "0.95")
    assert lines[0] == "refunds: 1,000 cases × 3 attempts, 1 metric gates"
    assert " 95 times in 100; " in lines[1]
    assert lines[2].startswith("  tolerated: 5.0 points; ")
    assert "3,000 agent calls" in lines[-2]
    assert said(root, capsys, "--metric", "success") == said(root, capsys)


def test_a_suite_that_sees_nothing_is_told_so(root: Path, capsys: Output) -> None:
    assert said(root, capsys, "--cases", "2")[1] == (
        "With 2 cases × 1, this gate does not find even a total loss of success 8 times in 10."
    )


def test_where_no_number_of_cases_is_enough_it_says_so(root: Path, capsys: Output) -> None:
    lines = said(root, capsys, "--margin", "0.0000001")
    assert any(line.endswith("more than a million cases.") for line in lines)


def test_a_suite_that_there_is_not_is_4_with_the_near_match(root: Path, capsys: Output) -> None:
    assert main(["--root", str(root), "plan", "refnds"]) == 4
    assert "did you mean 'refunds'?" in capsys.readouterr().err


def test_a_plan_of_a_thousand_cases_is_there_within_two_seconds_of_cpu(root: Path) -> None:
    script = (
        "import sys, time; from pytest_agenteval.cli import main; begun = time.process_time(); "
        f"main(['--root', {str(root)!r}, 'plan', 'refunds', '--cases', '1000']); "
        "sys.exit(time.process_time() - begun > 2)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("count", "told"), [(0, 0), (97, 97), (100, 100), (101, 110), (850, 850), (1041, 1100)])
def test_counts_are_rounded_up_to_two_digits(count: int, told: int) -> None:
    assert about(count) == told


def test_hours_are_not_told_in_minutes() -> None:
    assert [duration(seconds) for seconds in (60, 600, 36_000)] == ["60 seconds", "10 minutes", "10.0 hours"]
