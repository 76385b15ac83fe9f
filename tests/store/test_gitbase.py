"""The base is read by git alone, and never is another commit taken in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_agenteval.errors import UsageError
from pytest_agenteval.store import gitbase
from pytest_agenteval.store.gitbase import GitBase
from tests.store.repositories import commit, git, put, repository

FILES = {"pyproject.toml": "[tool.x]\n", "suites/a/b.txt": "b\r\n", "suites/ä ö.py": "agent_cases = 1\n"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template") / "repo"
    repository(root, FILES)
    commit(root, {"pyproject.toml": "[tool.y]\n", "suites/a/new.txt": "n"})
    return root


@pytest.fixture
def repo(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "repo", symlinks=True)


def refusal(root: Path, ref: str = "main") -> str:
    with pytest.raises(UsageError) as caught:
        GitBase.merge_base(root, ref)
    return str(caught.value)


def test_files_are_those_of_the_commit_and_not_of_the_working_tree(repo: Path) -> None:
    put(repo, {"suites/a/b.txt": "other", "suites/a/uncommitted.txt": "u"})
    base = GitBase.merge_base(repo, "main")
    assert base.sha == git(repo, "rev-parse", "main")
    assert base.files() == sorted(FILES)
    assert base.files("suites/a") == ["suites/a/b.txt"]
    assert base.show("pyproject.toml") == "[tool.x]\n"
    assert base.show("suites/a/b.txt") == "b\n"
    assert base.show("suites/ä ö.py") == "agent_cases = 1\n"
    assert base.show("suites/a/new.txt") is None


def test_files_that_hold_a_word_are_found_whatever_git_is_told_of_them(repo: Path) -> None:
    put(repo, {".gitattributes": "*.py binary\n", "suites/two.py": "agent_cases"})
    assert GitBase.merge_base(repo, "main").holding("agent_cases", ".py") == ["suites/ä ö.py"]
    assert GitBase.merge_base(repo, "main").holding("nowhere", ".py") == []


def test_a_project_in_a_folder_of_a_larger_repository_sees_its_own_files_alone(repo: Path) -> None:
    base = GitBase.merge_base(repo / "suites", "main")
    assert base.files() == ["a/b.txt", "ä ö.py"]
    assert base.show("a/b.txt") == "b\n"
    assert base.holding("agent_cases", ".py") == ["ä ö.py"]
    assert base.show("pyproject.toml") is None


def test_the_base_is_where_the_histories_part_and_not_the_tip_of_the_other_branch(repo: Path) -> None:
    first = git(repo, "rev-parse", "main")
    git(repo, "checkout", "-q", "main")
    commit(repo, {"pyproject.toml": "[tool.z]\n"})
    git(repo, "checkout", "-q", "change")
    assert GitBase.merge_base(repo, "main").sha == first


def test_a_link_is_no_file_of_the_base(repo: Path) -> None:
    git(repo, "checkout", "-q", "main")
    (repo / "link.txt").symlink_to("/etc/hostname")
    commit(repo, {})
    git(repo, "checkout", "-q", "-b", "later")
    commit(repo, {"x": "x"})
    base = GitBase.merge_base(repo, "main")
    assert base.show("link.txt") is None
    assert "link.txt" not in base.files()


def test_what_is_no_text_is_not_shown(repo: Path) -> None:
    git(repo, "checkout", "-q", "main")
    (repo / "blob.bin").write_bytes(b"\xff\xfe\x00")
    commit(repo, {})
    git(repo, "checkout", "-q", "-b", "later")
    commit(repo, {"x": "x"})
    assert GitBase.merge_base(repo, "main").show("blob.bin") is None


def test_the_environment_cannot_name_another_repository(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "/nowhere")
    assert GitBase.merge_base(repo, "main").show("pyproject.toml") == "[tool.x]\n"


def test_a_replaced_object_is_not_taken_for_the_base(repo: Path) -> None:
    git(repo, "replace", "main", "change")
    assert GitBase.merge_base(repo, "main").show("pyproject.toml") == "[tool.x]\n"


def test_a_shallow_clone_is_refused_with_the_fetch_line(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", "shallow")
    for ref in ("origin/main", "origin/change", "HEAD", "HEAD~1"):
        assert "Type: git fetch --unshallow, or set fetch-depth: 0 in the checkout step" in refusal(
            tmp_path / "shallow", ref
        )


def test_an_unknown_branch_of_the_remote_is_refused_with_the_fetch_line(repo: Path) -> None:
    said = refusal(repo, "origin/main")
    assert "there is no commit 'origin/main'" in said
    assert said.endswith("Type: git fetch origin +refs/heads/main:refs/remotes/origin/main")
    assert refusal(repo, "v1.0").endswith("Type: git fetch origin v1.0")


def test_a_branch_that_is_nearly_named_is_told(repo: Path) -> None:
    assert "; did you mean 'main'? Type: git fetch origin maim" in refusal(repo, "maim").replace("'?.", "'?")
    assert "did you mean" not in refusal(repo, "v1.0")


def test_an_option_in_place_of_a_commit_is_no_commit(repo: Path) -> None:
    assert "there is no commit '--all'" in refusal(repo, "--all")


def test_a_base_that_is_head_is_refused_and_the_commit_before_is_named(repo: Path) -> None:
    for ref in ("HEAD", "change"):
        said = refusal(repo, ref)
        assert said.endswith("name the commit before the push: --agent-eval-base HEAD~1")
        assert "Where nothing is committed on this branch yet, commit your change first" in said
    assert GitBase.merge_base(repo, "HEAD~1").sha == git(repo, "rev-parse", "main")


def test_a_branch_that_is_ahead_of_head_is_no_base(repo: Path) -> None:
    git(repo, "checkout", "-q", "main")
    assert "HEAD itself" in refusal(repo, "change")


def test_histories_that_never_met_have_no_base(repo: Path) -> None:
    git(repo, "checkout", "-q", "--orphan", "alone")
    commit(repo, {"alone.txt": "a"})
    assert "'main' and HEAD have no commit in common" in refusal(repo)


def test_a_folder_outside_any_repository_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path)
    assert "lies in no git repository" in said
    assert "Type: git clone URL" in said


def test_a_repository_of_another_user_is_refused_with_the_line_to_type(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gitbase._environment()
    monkeypatch.setattr(gitbase, "_environment", lambda: real | {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    assert refusal(repo).endswith(f"Type: git config --global --add safe.directory {repo}")


def test_a_machine_without_git_is_told_so(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo))
    assert "git cannot be run" in refusal(repo)


def test_an_object_that_is_lost_is_told_and_not_passed_over(repo: Path) -> None:
    name = git(repo, "rev-parse", "main:pyproject.toml")
    (repo / ".git" / "objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(UsageError, match="git cannot read the base"):
        GitBase.merge_base(repo, "main").show("pyproject.toml")
