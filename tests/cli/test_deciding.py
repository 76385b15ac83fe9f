"""``verdict check``, ``gate`` and ``rescore``: what they say, and the code they end with."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_agenteval.app.verdictfile import write_verdict
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.cli import main
from pytest_agenteval.cli.verdict import duration
from tests.app.projects import cases, gate, project, run
from tests.app.test_judging import approved

Output = pytest.CaptureFixture[str]
NO = "no"


def ask(workspace: Workspace, *words: str) -> int:
    return main(["--root", str(workspace.settings.root), *words])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with an approved baseline."""
    made = project(tmp_path, gate("success = { floor = 0.5, margin = 0.05 }"))
    run(made, cases(50, 10))
    approved(made)
    return made


def judged(workspace: Workspace, answer: str = "yes") -> str:
    """The id of a run that has just ended, whose verdict is written."""
    found = run(workspace, cases(60), lambda _: answer, ended=datetime.now(UTC))
    write_verdict(found, found.code, "merge", workspace)
    return found.finished.run.id


def test_a_green_verdict_is_told_in_one_sentence(workspace: Workspace, capsys: Output) -> None:
    run_id = judged(workspace)
    assert ask(workspace, "verdict", "check", "--run-id", run_id, "--max-age", "1h", "--expect-cases", "60") == 0
    [line] = capsys.readouterr().out.splitlines()
    assert "verdict.json: green, exit code 0: run " in line
    assert line.endswith(
        "over 60 cases and 2 verdicts: its file, its causes, the scores in the history, "
        "the baselines and the audit log were looked at"
    )


def test_a_red_verdict_is_told_with_each_fault_and_its_code(workspace: Workspace, capsys: Output) -> None:
    judged(workspace, NO)
    assert ask(workspace, "verdict", "check", "--expect-cases", "61") == 10
    first, few, red = capsys.readouterr().out.splitlines()
    assert "verdict.json: not green, exit code 10: run " in first
    assert first.endswith("over 60 cases and 2 verdicts")
    assert few == "  [11] it is of 60 cases, and 61 are expected. Bring the cases back, or say how many there are now"
    assert red.startswith("  [10] the run ended with exit code 10: refunds/success: ")


def test_a_verdict_that_is_not_there_is_12(workspace: Workspace, capsys: Output) -> None:
    assert ask(workspace, "verdict", "check", "--file", "nowhere.json") == 12
    assert capsys.readouterr().out == (
        "nowhere.json: not green, exit code 12\n"
        "  [12] there is no nowhere.json: no run has come to its end. Run pytest --agent-eval\n"
    )


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("2d", timedelta(days=2)),
    ],
)
def test_an_age_is_a_number_and_a_unit(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1.5h", "1h30m", "1 h", "1w", "9999999s"])
def test_another_age_is_refused(text: str, workspace: Workspace, capsys: Output) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)
    with pytest.raises(SystemExit) as end:
        ask(workspace, "verdict", "check", f"--max-age={text}")
    assert end.value.code == 4
    assert "write 90s, 15m, 1h or 2d" in capsys.readouterr().err


def test_gate_prints_what_a_session_prints_and_leaves_the_verdict_alone(workspace: Workspace, capsys: Output) -> None:
    run_id = judged(workspace)
    before = workspace.verdict_file.read_bytes()
    assert ask(workspace, "gate", run_id) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"run {run_id} of 2026-W48, judged anew in merge mode"
    assert lines[1] == "refunds: 60 trials"
    assert lines[2].split() == ["metric", "cases", "value", "95", "%", "interval", "verdict"]
    assert lines[-1] == "gate: 1 inconclusive, 1 pass; exit code 0; asserts are no part of it, and verdict.json stays"
    assert workspace.verdict_file.read_bytes() == before


def test_gate_ends_with_the_code_that_other_limits_give(workspace: Workspace, capsys: Output) -> None:
    run_id = run(workspace, cases(50, 10)).finished.run.id
    assert ask(workspace, "gate", run_id, "--set", "success.floor=0.95") == 10
    assert "refunds/success: below_floor: " in capsys.readouterr().out
    assert ask(workspace, "gate", run_id, "--set", "success.floor=0.8", "--mode", "release") == 11
    assert ask(workspace, "gate", run_id, "--set", "success.flor=0.8") == 4
    assert ask(workspace, "gate", "nothing") == 4


def test_gate_tells_what_looser_limits_alone_would_have_said(workspace: Workspace, capsys: Output) -> None:
    run_id = run(workspace, cases(50, 10)).finished.run.id
    assert ask(workspace, "gate", run_id[:-2], "--set", "success.margin=0.3") == 10
    assert "by these limits alone: pass (from " in capsys.readouterr().out


def test_gate_names_every_failing_trial_where_asked(workspace: Workspace, capsys: Output) -> None:
    run_id = run(workspace, cases(50, 10)).finished.run.id
    ask(workspace, "gate", run_id)
    assert capsys.readouterr().out.count("no success on") == 3
    ask(workspace, "gate", run_id, "-v")
    assert capsys.readouterr().out.count("no success on") == 10


def test_rescore_shows_both_estimates_and_names_the_new_run(workspace: Workspace, capsys: Output) -> None:
    run_id = run(workspace, cases(50, 10)).finished.run.id
    assert ask(workspace, "rescore", run_id, "--metric", "success", "--metric", "contains") == 0
    first, contains, success, week, step = capsys.readouterr().out.splitlines()
    new = step.rpartition(" ")[2]
    assert first == f"2026-W48  {new}  {run_id} scored anew"
    assert contains.startswith("  refunds/contains: not measured → 0.8333 [")
    assert contains.endswith("60 scores differ")
    assert success.startswith("  refunds/success: 0.8333 [")
    assert success.endswith(" over 60 cases; 0 scores differ")
    assert week == "The week keeps the stored scores."
    assert ask(workspace, "gate", new) == 0
    capsys.readouterr()
    ask(workspace, "history", "list")
    assert f"{new}  rescored  (run {run_id} scored anew)" in capsys.readouterr().out


def test_rescore_stands_for_the_week_where_asked(workspace: Workspace, capsys: Output) -> None:
    run_id = run(workspace, cases(50, 10)).finished.run.id
    assert ask(workspace, "rescore", run_id, "--metric", "contains", "--stands") == 0
    assert "It stands for its week." in capsys.readouterr().out
    assert ask(workspace, "rescore", run_id, "--metric", "contians") == 4


def test_the_verdict_file_is_json_that_another_program_can_read(workspace: Workspace) -> None:
    judged(workspace)
    found = json.loads(workspace.verdict_file.read_text("utf-8"))
    assert (found["cases"], found["exit_code"], set(found["baselines"])) == (60, 0, {"refunds/success"})
