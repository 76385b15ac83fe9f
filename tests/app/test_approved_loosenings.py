"""What the base allows counts, and what it does not allow is judged by the base's own bar and baseline."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.model.verdict import Outcome, Verdict
from tests.app import bars
from tests.app.bars import SETTINGS, SUITE, Edit, approve_in_base, baseline, both, in_json, judged, swap
from tests.store.repositories import commit, git, put

FIRST = swap(SETTINGS, "success = { margin = 0.05 }", "success = { margin = 0.05, floor = 0.8 }")
IN_BASELINE = in_json(baseline("success"), lambda data: data["bar"].update(floor=0.8))
LOWER = swap(SETTINGS, "floor = 0.8", "floor = 0.6")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A floor of 0.8 stands in the settings and in the baseline of ``main``."""
    root = bars.template(tmp_path_factory.mktemp("template") / "repo")
    put(root, {SETTINGS: bars.APPROVED})
    both(FIRST, IN_BASELINE)(root)
    return merged(root)


@pytest.fixture
def repo(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "repo", symlinks=True)


def merged(root: Path) -> Path:
    """What stands here is merged, and the branch goes on."""
    commit(root, {}, "merged")
    git(root, "branch", "-q", "-f", "main", "HEAD")
    commit(root, {}, "ahead")
    return root


def success(root: Path) -> Verdict:
    [found] = [one for one in judged(root).verdicts if (one.suite, one.metric) == ("refunds", "success")]
    return found


def wrong(share: int) -> Any:
    """An agent that fails one of so many cases."""
    count = iter(range(10_000))
    return lambda _text: "no" if next(count) % share == 0 else "thanks, within 30 days"


def test_a_floor_that_is_lowered_in_the_settings_alone_is_told_with_the_verdict_by_the_bases_floor(repo: Path) -> None:
    LOWER(repo)
    found = success(repo)
    assert found.outcome is Outcome.LOOSENED
    assert "; by the base's bar: inconclusive (from 1.0000 to 1.0000" in found.message
    assert "the settings are looser" not in found.message


def test_by_the_bases_bar_its_floor_is_meant(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "shop", wrong(2))
    both(LOWER, swap(SETTINGS, "margin = 0.05", "margin = 0.9"))(repo)
    assert "by the base's bar: below_floor" in success(repo).message
    assert "break floor 0.8" in success(repo).message


def test_an_approved_floor_counts_though_the_baseline_has_another(repo: Path, tmp_path: Path) -> None:
    twin = shutil.copytree(repo, tmp_path / "twin", symlinks=True)
    LOWER(repo)
    approve_in_base(twin, judged(repo))
    LOWER(twin)
    green = judged(twin)
    assert (green.code, green.loosenings) == (0, ())
    assert success(twin).outcome is not Outcome.LOOSENED
    merged(twin)
    assert judged(twin).code == 0  # and goes on counting for the next change
    swap(SETTINGS, "floor = 0.6", "floor = 0.5")(twin)
    assert judged(twin).code == 10


def test_what_the_approved_floor_excludes_is_red(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = shutil.copytree(repo, tmp_path / "twin", symlinks=True)
    LOWER(repo)
    approve_in_base(twin, judged(repo))
    LOWER(twin)
    monkeypatch.setattr(bars, "shop", lambda _text: "no")
    assert "break floor 0.6" in success(twin).message or success(twin).outcome is Outcome.REGRESSED


def test_beside_an_approved_floor_a_lowered_baseline_is_judged_by_the_bases(repo: Path, tmp_path: Path) -> None:
    twin = shutil.copytree(repo, tmp_path / "twin", symlinks=True)
    LOWER(repo)
    approve_in_base(twin, judged(repo))

    def halved(data: dict[str, Any]) -> None:
        for row in list(data["cases"].values())[:9]:
            row["screen"] = [0]

    both(LOWER, in_json(baseline("success"), halved))(twin)
    found = success(twin)
    assert found.outcome is Outcome.LOOSENED
    assert "by the base's bar: inconclusive (from 1.0000 to 1.0000, on " in found.message


# Attempts


def told(root: Path) -> list[tuple[str, str, str]]:
    return [(one.what, one.before, one.after) for one in judged(root).loosenings]


CONSTANT = both(
    swap(SUITE, "WRITTEN = [", "ATTEMPTS = 2\nWRITTEN = ["),
    swap(SUITE, "tone, length], repeats=2)", "tone, length], repeats=ATTEMPTS)"),
)
ONE_LEFT: Edit = both(
    swap(SUITE, "@agent_cases(WRITTEN, load_cases", "@agent_cases(WRITTEN[:1], load_cases"),
    swap(SUITE, "tone, length], repeats=2)", "tone, length], repeats=1)"),
    swap(
        SUITE,
        "def test_refunds(trial): ...",
        'def test_refunds(trial): ...\n\n\n@agent_cases(WRITTEN[1:], metrics=["success", "contains", tone, length], '
        "repeats=2)\ndef test_one(trial): ...",
    ),
)


def test_attempts_behind_a_constant_of_the_module_are_seen(repo: Path) -> None:
    CONSTANT(repo)
    merged(repo)
    assert judged(repo).code == 0
    swap(SUITE, "ATTEMPTS = 2", "ATTEMPTS = 1")(repo)
    assert ("attempts at case 'c00'", "2", "1") in told(repo)


def test_fewer_attempts_at_most_cases_are_seen_behind_one_that_keeps_them(repo: Path) -> None:
    ONE_LEFT(repo)
    found = told(repo)
    assert ("attempts at case 'c00'", "2", "1") in found
    assert not [one for one in found if "bye" in one[0]]


def test_fewer_attempts_at_generated_cases_are_seen(repo: Path) -> None:
    swap(SUITE, 'metrics=["success"], repeats=2)', 'metrics=["success"], repeats=1)')(repo)
    assert {what for what, _, _ in told(repo)} == {f"attempts at case 'made-{n}'" for n in range(4)}


# A judge's helper


def test_a_judge_below_src_that_a_function_imports_counts(repo: Path) -> None:
    both(
        swap(SUITE, "return is_polite(", "from shop.judges import kind\n    return kind(1) and is_polite("),
        swap(
            SETTINGS,
            "[tool.pytest-agenteval]",
            '[tool.pytest.ini_options]\npythonpath = ["lib"]\n[tool.pytest-agenteval]',
        ),
    )(repo)
    put(repo, {"lib/shop/judges.py": "def kind(answer):\n    return True\n", "lib/shop/__init__.py": ""})
    (repo / "suites/refunds/shop").symlink_to("../../lib/shop")  # so that this process can import it
    merged(repo)
    assert judged(repo).code == 0
    swap("lib/shop/judges.py", "return True", "return 1 == 1")(repo)
    assert "source" in {one.guard for one in judged(repo).loosenings}


# Options of ours in addopts


@pytest.mark.parametrize(
    "edit",
    [
        swap(SETTINGS, '"-q --agent-eval-gate=release"', '"-q"'),
        swap(SETTINGS, "=release", "=merge"),
        bars.written("pytest.ini", ""),
    ],
    ids=["removed", "changed", "hidden by an empty file"],
)
def test_an_option_that_addopts_no_longer_bring_is_a_loosening(edit: Edit, repo: Path) -> None:
    swap(
        SETTINGS,
        "[tool.pytest-agenteval]",
        '[tool.pytest.ini_options]\naddopts = "-q --agent-eval-gate=release"\n[tool.pytest-agenteval]',
    )(repo)
    merged(repo)
    assert judged(repo).loosenings == ()
    edit(repo)
    assert ("--agent-eval-gate=release in addopts", "set", "none") in told(repo)
