"""``--agent-eval-base``: what a whole session says of a change that lowers its own bar."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_agenteval.cli import main
from tests.plugin.sessions import PYPROJECT, Project, Session
from tests.store.repositories import commit, git, repository

IGNORED = {".gitignore": ".agenteval/\nhistory/\n__pycache__/\n.pytest_cache/\n"}
TESTS = """
from pytest_agenteval import *
import pytest

@agent_cases([Case(id=f"c{n}", input=f"q{n}", expect={"contains": ["30 days"]}) for n in range(6)], metrics=["success"])
def test_it(trial): ...
"""
FLOOR = "success = { floor = 0.4 }"


def with_base(project: Project) -> Project:
    """Two suites with approved baselines on ``main``; ``change`` is one harmless commit ahead."""
    for suite in ("refunds", "billing"):
        project.put(f"suites/{suite}/test_{suite}.py", TESTS)
    project.gate(FLOOR)
    assert project.run(workers=0).code == 10  # no baseline yet
    assert project.approve() == 0
    assert project.approve("billing", "--metric", "success") == 0
    repository(project.root, IGNORED)
    commit(project.root, {"README.md": "a shop\n"})
    return project


@pytest.fixture
def shop(project: Project) -> Project:
    return with_base(project)


def by_base(project: Project, *more: str, workers: int | None = None) -> Session:
    return project.run("--agent-eval-base", "main", *more, workers=workers)


def test_a_change_that_leaves_its_bar_alone_is_green_and_tells_the_base(project: Project) -> None:
    session = by_base(with_base(project))
    assert session.code == 0, session.text
    assert session.verdict["base"] == git(project.root, "rev-parse", "main")
    assert "loosenings" not in session.verdict or session.verdict["loosenings"] == []


def test_a_lowered_floor_is_loosened_and_red(both: Project) -> None:
    project = with_base(both)
    project.gate("success = { floor = 0.1 }")
    session = by_base(project)
    assert (session.code, session.verdicts["refunds/success"]) == (10, "loosened")
    assert "floor in the settings: 0.4 in the base, 0.1 here" in session.text
    assert "by the base's bar:" in session.text
    assert [one["guard"] for one in session.verdict["loosenings"]] == ["floor"]


def settings(project: Project, line: str) -> None:
    project.setting(line, "tool.pytest.ini_options")


def skipped_module(project: Project) -> None:
    project.put("suites/billing/test_billing.py", f"import pytest\npytest.skip('x', allow_module_level=True)\n{TESTS}")


def conftest(project: Project, source: str) -> None:
    file = project.root / "conftest.py"
    file.write_text(f"{file.read_text('utf-8')}\n{source}\n", "utf-8")


DESELECT = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "c5" not in item.name]
"""
EXPECT_FAILURE = """
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xfail(reason="flaky"))
"""

GETTING_ROUND: dict[str, tuple[Callable[[Project], None], int, str]] = {
    "testpaths": (lambda p: settings(p, 'testpaths = ["suites/refunds"]'), 10, "billing/*"),
    "a path in addopts": (lambda p: settings(p, 'addopts = "suites/refunds"'), 10, "billing/*"),
    "--ignore in addopts": (lambda p: settings(p, 'addopts = "--ignore=suites/billing"'), 10, "billing/*"),
    "-k in addopts": (lambda p: settings(p, 'addopts = "-k c1"'), 11, ""),
    "--deselect in addopts": (
        lambda p: settings(p, 'addopts = "--deselect suites/billing/test_billing.py::test_it"'),
        10,
        "billing/*",
    ),
    "python_files": (lambda p: settings(p, 'python_files = ["test_refunds.py"]'), 10, "billing/*"),
    "norecursedirs": (lambda p: settings(p, 'norecursedirs = ["billing"]'), 10, "billing/*"),
    "collect_ignore in a conftest": (
        lambda p: conftest(p, 'collect_ignore = ["suites/billing/test_billing.py"]'),
        10,
        "billing/*",
    ),
    "a conftest that drops items": (lambda p: conftest(p, DESELECT), 11, ""),
    "a module that skips itself": (skipped_module, 10, "billing/*"),
    "a mark that skips": (
        lambda p: p.put("suites/billing/test_billing.py", TESTS.replace("@agent", "@pytest.mark.skip\n@agent")),
        10,
        "billing/*",
    ),
    "a conftest that expects failures": (lambda p: conftest(p, EXPECT_FAILURE), 10, "*/*"),
    "replay in addopts": (lambda p: settings(p, 'addopts = "--agent-eval-agent shop:better"'), 10, "*/*"),
    "a part is meant in addopts": (lambda p: settings(p, 'addopts = "--agent-eval-partial"'), 4, ""),
    "a setting of the suites' folder": (
        lambda p: p.setting('suite_folder = "nowhere"'),
        10,
        "refunds/*",
    ),
}


@pytest.mark.parametrize("name", GETTING_ROUND)
def test_what_changes_which_tests_run_is_red(name: str, shop: Project) -> None:
    change, code, loosened = GETTING_ROUND[name]
    shop.put("shop.py", "def better(text): return 'within 30 days'\n")
    change(shop)
    session = by_base(shop)
    assert session.code == code, session.text
    if loosened:
        assert session.verdicts[loosened] == "loosened", session.text


RED_SHOP = """
def pytest_configure(config):
    config.option.agent_eval_base = None
"""


def check(root: Path, *words: str) -> int:
    return main(["--root", str(root), "verdict", "check", *words])


def test_a_conftest_cannot_take_away_the_base_that_was_typed(project: Project) -> None:
    project = with_base(project)
    conftest(project, RED_SHOP)
    project.gate("success = { floor = 0.1 }")
    for words in (("--agent-eval-base", "main"), ("--agent-eval-base=main",)):
        session = project.run(*words)
        assert (session.code, session.verdicts["refunds/success"]) == (10, "loosened")


def test_verdict_check_by_a_base_wants_a_run_that_was_judged_by_it(
    shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert by_base(shop).code == 0
    assert check(shop.root, "--base", "main") == 0
    assert check(shop.root, "--base", "HEAD") == 4
    shop.setting('addopts = "--agent-eval-base=main"', "tool.pytest.ini_options")
    conftest(shop, RED_SHOP)
    assert shop.run().code == 0
    assert check(shop.root, "--base", "main") == 12
    assert "its run was judged without a base, and main is" in capsys.readouterr().out


def test_verdict_check_by_a_base_judges_the_scores_by_its_bars(
    shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.gate("success = { floor = 0.4, slices = [] }\nerror_rate = { ceiling = 0.9 }")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pytest_agenteval.app.loosened.loosenings", lambda _base, _head: ())
        assert by_base(shop).code == 0
    assert check(shop.root) == 0
    capsys.readouterr()
    assert check(shop.root, "--base", "main") == 12
    assert "its scores judged anew are not (refunds/error_rate: loosened" in capsys.readouterr().out


def test_an_audit_log_that_does_not_verify_leaves_a_red_verdict(
    shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.root / "audit/changes.jsonl").write_bytes(b"{}\n")
    session = shop.run()
    assert (session.code, session.causes) == (12, [12])
    assert check(shop.root) == 12
    assert "the audit log does not verify" in capsys.readouterr().out


ASSERTS = """
class TestAlso:
    @agent_cases([Case(id=f"c{n}", input=f"q{n}", expect={"contains": ["30 days"]}) for n in range(6)])
    def test_it(self, trial): assert "days" in str(trial.output)
"""
EXCUSING = {
    "skip": "    @pytest.mark.skip\n",
    "skipif": "    @pytest.mark.skipif(True, reason='x')\n",
    "xfail": "    @pytest.mark.xfail\n",
    "not run": "    @pytest.mark.xfail(run=False)\n",
}


@pytest.mark.parametrize(
    ("name", "workers"), [*((name, 0) for name in (*EXCUSING, "in the body")), ("xfail", 2), ("in the body", 2)]
)
def test_a_test_that_shares_its_trials_and_is_excused_is_red(name: str, workers: int, project: Project) -> None:
    file = "suites/refunds/test_refunds.py"
    with_base(project)
    git(project.root, "checkout", "-q", "main")
    # Its namesake may fail: that is no leave for the one in the class.
    tests = TESTS.replace("@agent", "@pytest.mark.xfail\n@agent")
    commit(project.root, {file: tests + ASSERTS})
    git(project.root, "checkout", "-q", "-B", "later")
    commit(project.root, {"README.md": "x"})
    assert by_base(project).code == 0
    excused = ASSERTS.replace("    @agent", f"{EXCUSING.get(name, '')}    @agent")
    if name == "in the body":
        excused = ASSERTS.replace("assert ", "pytest.skip('x'); assert ")
    project.put(file, tests + excused)
    session = by_base(project, workers=workers)
    assert (session.code, session.verdicts.get("*/*")) == (10, "loosened"), session.text
    assert f"test {file}::TestAlso::test_it" in session.text


def test_a_command_line_that_names_one_suite_asks_for_that_suite_alone(shop: Project) -> None:
    assert by_base(shop, "suites/refunds").code == 0
    shop.gate("success = { floor = 0.1 }")
    assert by_base(shop, "suites/refunds").code == 10


def test_an_xfail_that_stands_in_the_base_is_no_loosening(project: Project) -> None:
    with_base(project)
    git(project.root, "checkout", "-q", "main")
    commit(project.root, {"suites/billing/test_billing.py": TESTS.replace("@agent", "@pytest.mark.xfail\n@agent")})
    git(project.root, "checkout", "-q", "-B", "later")
    commit(project.root, {"README.md": "x"})
    assert by_base(project).code == 0


def test_without_a_repository_a_run_by_a_base_ends_with_4_and_the_line_to_type(project: Project) -> None:
    project.cases("q0")
    session = by_base(project)
    assert session.code == 4
    assert "Type: git clone URL" in session.text


def test_a_shallow_clone_ends_with_4_and_the_fetch_line(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    git(shop.root, "clone", "-q", "--depth", "1", f"file://{shop.root}", "shallow")
    monkeypatch.chdir(shop.root / "shallow")
    session = shop.run("--agent-eval-base", "origin/main", "--rootdir", str(shop.root / "shallow"))
    assert session.code == 4
    assert "git fetch --unshallow, or set fetch-depth: 0 in the checkout step" in session.text


@pytest.mark.parametrize(
    ("ref", "line"), [("HEAD", "--agent-eval-base HEAD~1"), ("origin/main", "git fetch origin +refs/heads/main")]
)
def test_a_base_that_cannot_be_had_ends_with_4_and_the_line_to_type(shop: Project, ref: str, line: str) -> None:
    session = shop.run("--agent-eval-base", ref)
    assert session.code == 4
    assert line in session.text


def test_a_base_without_agent_eval_is_refused(project: Project) -> None:
    session = project.run("--agent-eval-base", "main", flag="")
    assert session.code == 4
    assert "add --agent-eval" in session.text


def approve(root: Path, *words: str) -> int:
    return main(["--root", str(root), "baseline", "approve", "--loosening", "--reason", "agreed", *words])


def test_an_approval_that_is_merged_first_lets_the_change_through(
    shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    lower = f"{PYPROJECT}\n[tool.pytest-agenteval.suites.refunds.gate]\nsuccess = {{ floor = 0.1 }}\n"
    shop.put("pyproject.toml", lower)
    baseline = shop.root / "baselines/refunds/success.json"
    baseline.write_text(baseline.read_text("utf-8").replace('"floor": 0.4', '"floor": 0.1'), "utf-8")
    assert by_base(shop).code == 10
    capsys.readouterr()
    assert approve(shop.root, "--base", "main", "--by", "Dana") == 0
    said = capsys.readouterr().out
    assert "approved refunds/success: floor in the settings: 0.4 in the base, 0.1 here" in said
    assert "Dana Reyes <dana@example.org> answers" in said
    [file] = (shop.root / "baselines/approvals").iterdir()
    assert "only an approval in the base counts" in by_base(shop).text

    git(shop.root, "stash", "-q")  # the change itself waits
    git(shop.root, "checkout", "-q", "main")
    commit(shop.root, {}, "the approval")
    assert json.loads(file.read_text("utf-8"))["owner"] == "Dana Reyes <dana@example.org>"
    git(shop.root, "checkout", "-q", "-B", "change")
    commit(shop.root, {"pyproject.toml": lower})
    baseline.write_text(baseline.read_text("utf-8").replace('"floor": 0.4', '"floor": 0.1'), "utf-8")
    session = by_base(shop)
    assert session.code == 0, session.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name it by --base REF, and no suite"),
        (("--base", "nowhere"), "there is no commit 'nowhere'"),
        (("--base", "main"), "the last run was judged without a base"),
        (("refunds", "--base", "main"), "name it by --base REF, and no suite"),
    ],
)
def test_an_approval_of_nothing_known_is_refused(
    shop: Project, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.run()
    assert approve(shop.root, *words) == 4
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--expires", "91"), "an approval is good for 1 to 90 days"),
        (("--expires", "0"), "an approval is good for 1 to 90 days"),
        (("--owner", " "), "Name who answers for it by --owner"),
        (("--reason", " "), "Name who answers for it by --owner, and why by --reason"),
    ],
)
def test_an_approval_without_end_owner_or_reason_is_refused(
    shop: Project, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.gate("success = { floor = 0.1 }")
    by_base(shop)
    assert approve(shop.root, "--base", "main", *words) == 4
    assert said in capsys.readouterr().err


def test_a_run_that_found_nothing_looser_leaves_nothing_to_approve(
    shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    by_base(shop)
    assert approve(shop.root, "--base", "main") == 4
    assert "there is nothing to approve" in capsys.readouterr().err


def typed(root: Path, line: str) -> None:
    """Type a line of a shell, as it was printed."""
    about = {f"GIT_{who}_{what}": "dana@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["bash", "-ec", line], cwd=root, capture_output=True, text=True, check=False, env={**os.environ, **about}
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("renewed", [False, True], ids=["settings alone", "with a renewed baseline"])
def test_the_approval_that_is_printed_goes_through_line_by_line(
    renewed: bool, shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.gate("success = { floor = 0.1 }")
    if renewed:
        assert shop.run().code == 10
        assert shop.approve() == 0
    typed(shop.root, "git add -A && git commit -m 'A lower floor'")
    assert by_base(shop).code == 10
    capsys.readouterr()
    assert approve(shop.root, "--base", "main", "--by", "Dana") == 0
    printed = capsys.readouterr().out.split("audit/ stays with your change:\n")[1].splitlines()
    assert len(printed) == 5
    for line in printed[:4]:
        typed(shop.root, line)
    assert git(shop.root, "show", "--stat", "--format=").count("baselines/approvals/") == 1
    assert "1 file changed" in git(shop.root, "show", "--stat", "--format=")
    typed(shop.root, "git branch -f main approval")  # it is reviewed and merged
    typed(shop.root, printed[4])
    session = by_base(shop)
    assert session.code == 0, session.text
    assert check(shop.root, "--base", "main") == 0
    typed(shop.root, "git switch main && git merge change && git switch -c next && git commit --allow-empty -m next")
    assert by_base(shop).code == 0
