"""The command: each part of it, its words, and the code it ends with."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.cli import main
from pytest_agenteval.store.casefiles import read_cases
from tests.app.projects import CLOCK, cases, gate, project, run, write

Output = pytest.CaptureFixture[str]
EVERY_COMMAND = (
    ("baseline", "approve", "refunds", "--reason", "good", "--by", "Dana"),
    ("baseline", "show", "refunds"),
    ("baseline", "diff", "refunds"),
    ("baseline", "list"),
    ("report",),
    ("history", "list"),
    ("history", "weeks"),
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with a whole run."""
    made = project(tmp_path, gate("success = { floor = 0.5, margin = 0.05 }"))
    run(made, cases(4, 2), repeats=2)
    return made


def ask(workspace: Workspace, *words: str) -> int:
    return main(["--root", str(workspace.settings.root), *words])


def approve(workspace: Workspace, *more: str) -> int:
    return ask(workspace, "baseline", "approve", "refunds", "--reason", "good", "--by", "Dana", *more)


def test_approve_says_what_and_where(workspace: Workspace, capsys: Output) -> None:
    assert approve(workspace) == 0
    out = capsys.readouterr().out
    assert out.startswith("approved refunds/success: 0.6667 [")
    assert str(workspace.baselines.path("refunds", "success")) in out


def test_show_tells_the_bar_the_attempts_and_the_approval(workspace: Workspace, capsys: Output) -> None:
    approve(workspace)
    approve(workspace, "--metric", "latency_seconds")
    capsys.readouterr()
    assert ask(workspace, "baseline", "show", "refunds", "--metric", "success") == 0
    out = capsys.readouterr().out
    assert "  floor 0.5, margin 0.0500" in out
    assert "  6 cases, 1 attempt for the screen, 1 held back" in out
    assert "  approved by Dana on " in out
    assert out.rstrip().endswith(": good")
    assert ask(workspace, "baseline", "show", "refunds") == 0
    assert capsys.readouterr().out.count("approved by Dana") == 2


def test_diff_tells_case_by_case_what_changed(workspace: Workspace, capsys: Output) -> None:
    approve(workspace)
    judged = run(
        workspace, [*cases(5, 0), *cases(0, 0, *["new"] * 8)[6:]], lambda text: "no" if text == "q1" else "yes"
    )
    capsys.readouterr()
    assert ask(workspace, "baseline", "diff", "refunds") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"run {judged.finished.run.id} against the baselines of refunds"
    assert lines[1].startswith("success: from 1.0000 to 0.7500, on 4 common cases -0.2500 [")
    assert lines[2:] == [
        "  lost: c001",
        "  edited: c004",
        "  added: c006",
        "  added: c007",
        "  removed: c005",
    ]


def test_diff_never_compares_two_versions_of_a_metric(workspace: Workspace, capsys: Output) -> None:
    approve(workspace)
    path = workspace.baselines.path("refunds", "success")
    path.write_text(path.read_text().replace('"name": "success"', '"name": "success", "version": 7'))
    capsys.readouterr()
    assert ask(workspace, "baseline", "diff", "refunds") == 0
    [_, line] = capsys.readouterr().out.splitlines()
    assert line.startswith("success: the baseline was measured by version 7, and the run by version 1;")


def test_list_tells_every_baseline_or_that_there_is_none(workspace: Workspace, capsys: Output) -> None:
    assert ask(workspace, "baseline", "list") == 0
    assert capsys.readouterr().out == f"no baseline in {workspace.settings.path('baselines')}\n"
    approve(workspace)
    capsys.readouterr()
    assert ask(workspace, "baseline", "list") == 0
    assert capsys.readouterr().out.startswith("refunds/success: 0.6667 [")


def test_report_tells_both_pages(workspace: Workspace, capsys: Output, tmp_path: Path) -> None:
    assert ask(workspace, "report", "--suite", "refunds", "--output", str(tmp_path / "page")) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "page.html"), str(tmp_path / "page.md")]
    assert (tmp_path / "page.md").is_file()


def test_history_list_tells_what_each_run_was(workspace: Workspace, capsys: Output) -> None:
    run(workspace, cases(1), partial=["refunds"])
    run(workspace, cases(1), candidate="gpt")
    (workspace.history.root / "2026-W48" / "run-torn.jsonl.gz").write_bytes(b"torn")
    assert ask(workspace, "history", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("2026-W48  20261124T") for line in lines[:3])
    assert lines[1].endswith("live  (only a part of refunds)")
    assert lines[2].endswith("live  (candidate gpt)")
    assert lines[3].startswith("not read: ")
    assert "run-torn.jsonl.gz" in lines[3]


def test_history_weeks_tells_each_value_and_what_moved(workspace: Workspace, capsys: Output) -> None:
    run(workspace, cases(4, 2), lambda _: "yes", repeats=2, started=CLOCK.now() + timedelta(weeks=1))
    assert ask(workspace, "history", "weeks", "--metric", "success") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["suite", "week", "metric", "value", "change", "better", "worse", "of"],
        ["refunds", "2026-W48", "success", "0.6667"],
        ["refunds", "2026-W49", "success", "1.0000", "+0.3333", "2", "0", "6"],
    ]
    assert ask(workspace, "history", "weeks", "--suite", "none") == 0
    assert capsys.readouterr().out == ""


def test_history_import_takes_recordings_in(workspace: Workspace, tmp_path: Path, capsys: Output) -> None:
    head = {"schema": "agenteval-recording/1"}
    rows = ({"case": "a", "input": "q", "trajectory": {"output": "yes"}},)
    file = write(tmp_path / "old.jsonl", head, *rows)
    words = ("history", "import", str(file), "--suite", "billing")
    assert ask(workspace, *words) == 4
    assert "give --at" in capsys.readouterr().err
    more = ("--at", "2026-07-24T10:00:00Z", "--metric", "error_rate", "--origin", "production")
    assert ask(workspace, *words, *more) == 0
    assert capsys.readouterr().out.startswith("2026-W30  20260724T100000-")
    assert ask(workspace, *words, *more) == 4
    assert "a run's segment is written once" in capsys.readouterr().err
    assert ask(workspace, *words, "--at", "yesterday") == 4
    assert "'yesterday' is not an ISO 8601 time" in capsys.readouterr().err


def test_capture_writes_a_case_and_says_what_comes_next(workspace: Workspace, tmp_path: Path, capsys: Output) -> None:
    file = write(tmp_path / "suites/refunds/cases/cases.jsonl", {"id": "known", "input": "q"})
    log = write(tmp_path / "log.jsonl", {"input": "send money"})
    words = ("capture", f"{log}:1", "--failure-mode", "FM-013", "--expect", "calls=lookup", "--reason", "no check")
    more = ("--suite", "refunds", "--id", "no-check", "--file", "cases.jsonl", "--tag", "must_pass", "--by", "Dana")
    assert ask(workspace, *words, *more) == 0
    assert capsys.readouterr().out.splitlines() == [
        "captured refunds/no-check for FM-013",
        f"  {file}:2",
        "The next pytest --agent-eval runs it.",
    ]
    _, placed = read_cases(file, "refunds")
    assert (placed.case.id, placed.case.expect, placed.case.must_pass) == ("no-check", {"calls": ["lookup"]}, True)
    assert ask(workspace, *words, *more) == 4
    assert "already has this case (no-check)" in capsys.readouterr().err


# Codes.


@pytest.mark.parametrize(
    "words",
    [
        ("baseline", "approve", "billing", "--reason", "x"),
        ("baseline", "approve", "refunds", "--reason", "x", "--metric", "sucess"),
        ("baseline", "approve", "refunds", "--reason", "x", "--run", "nonsense"),
        ("baseline", "show", "refunds"),
        ("baseline", "show", "refunds", "--metric", "success"),
        ("baseline", "diff", "billing"),
        ("report", "--week", "2026-W99"),
        ("report", "--week", "last"),
        ("capture", "01JD", "--failure-mode", "FM-1", "--reason", "x"),
        ("capture", "x.jsonl:1", "--failure-mode", "FM-1", "--reason", "x", "--expect", "novalue"),
        ("history", "import", "missing.jsonl", "--suite", "refunds"),
    ],
)
def test_what_the_user_can_mend_is_4_on_standard_error_without_a_traceback(
    workspace: Workspace, words: tuple[str, ...], capsys: Output
) -> None:
    assert ask(workspace, *words) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pytest-agenteval: ")
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("baseline",),
        ("baseline", "aprove", "refunds"),
        ("baseline", "approve", "refunds"),
        ("baseline", "list", "--nonsense"),
        ("history", "import", "--suite", "x"),
        ("history", "import", "f", "--suite", "x", "--origin", "lab"),
        ("--root",),
    ],
)
def test_words_that_the_command_does_not_know_are_4_with_the_usage(words: tuple[str, ...], capsys: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 4
    assert capsys.readouterr().err.startswith("usage: pytest-agenteval")


@pytest.mark.parametrize("words", [(), *((words[0],) for words in EVERY_COMMAND), ("capture",)])
def test_help_is_no_error(words: tuple[str, ...], capsys: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*words, "--help"])
    assert caught.value.code == 0
    assert "usage: pytest-agenteval" in capsys.readouterr().out


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=lambda words: "-".join(words[:2]))
def test_broken_settings_are_4_whatever_is_asked(workspace: Workspace, words: tuple[str, ...], capsys: Output) -> None:
    file = Path(workspace.settings.root) / "pyproject.toml"
    file.write_text("[tool.pytest-agenteval]\nownr = 'x'\n", "utf-8")
    assert ask(workspace, *words) == 4
    assert "unknown key 'ownr' in a Settings; did you mean 'owner'?" in capsys.readouterr().err


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=lambda words: "-".join(words[:2]))
def test_every_command_has_a_project_by_root(workspace: Workspace, words: tuple[str, ...], tmp_path: Path) -> None:
    if words[1:2] in (("show",), ("diff",)):
        approve(workspace)
    assert ask(workspace, *words) == 0
    assert {path.name for path in tmp_path.iterdir()} >= {"history", "pyproject.toml"}


def test_without_root_the_project_is_this_folder(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(workspace.settings.root)
    assert main(["history", "list"]) == 0
    assert capsys.readouterr().out.startswith("2026-W48")


def test_what_does_not_verify_is_12(workspace: Workspace, capsys: Output) -> None:
    workspace.audit.path.parent.mkdir()
    workspace.audit.path.write_text("{}\n", "utf-8")
    assert approve(workspace) == 12
    assert "the audit log does not verify" in capsys.readouterr().err


def test_a_baseline_is_not_approved_where_ci_is_set_but_by_an_explicit_word(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("CI", "true")
    assert approve(workspace) == 4
    assert "CI is set, and a baseline is approved by a person" in capsys.readouterr().err
    assert workspace.baselines.all() == []
    assert approve(workspace, "--in-ci") == 0
    assert len(workspace.baselines.all()) == 1


# Who approves.


def actor(workspace: Workspace) -> str:
    assert ask(workspace, "baseline", "approve", "refunds", "--reason", "x") == 0
    [made] = workspace.baselines.all()
    return made.approval.by


def test_who_approves_is_gits_user(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for count, key, value in ((0, "user.name", "Dana Reyes"), (1, "user.email", "dana@example.org")):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{count}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{count}", value)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    assert actor(workspace) == "Dana Reyes <dana@example.org>"


def test_without_git_it_is_who_is_logged_in(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("LOGNAME", "dana")
    assert actor(workspace) == "dana"


def test_nothing_that_is_told_can_act_in_a_terminal(workspace: Workspace, capsys: Output) -> None:
    run(workspace, cases(1), candidate="gpt\x1b[2J")
    assert ask(workspace, "history", "list") == 0
    assert ask(workspace, "baseline", "show", "evil\x1b[2J") == 4
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "gpt\\x1b[2J" in out


def test_the_command_is_a_module_and_a_script_of_the_distribution(workspace: Workspace) -> None:
    program = "import sys; from pytest_agenteval.cli import main; sys.exit(main())"
    words = ("--root", str(workspace.settings.root), "baseline", "show", "refunds")
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("pytest-agenteval: suite 'refunds' has no baseline")
