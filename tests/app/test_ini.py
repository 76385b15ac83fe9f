"""What pytest is set to is read from its files as pytest would read them."""

from __future__ import annotations

import pytest

from pytest_agenteval.app.ini import Ini, lies_in, read_ini

TOML = '[tool.pytest.ini_options]\naddopts = "-q --agent-eval-mode replay"\ntestpaths = ["suites"]\n'


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": TOML},
        {"pyproject.toml": '[tool.pytest]\naddopts = ["--agent-eval-mode=replay"]\n'},
        {"pytest.toml": '[pytest]\naddopts = ["--agent-eval-mode", "replay", "-q"]\n'},
        {"pytest.ini": "[pytest]\naddopts = --agent-eval-mode replay\n"},
        {"tox.ini": "[tox]\nx = 1\n[pytest]\naddopts = --agent-eval-mode replay %(x)s\n"},
        {"setup.cfg": "[tool:pytest]\naddopts =\n    -q\n    --agent-eval-mode replay\n"},
    ],
    ids=lambda files: str(next(iter(files))),
)
def test_our_options_among_addopts_are_found_with_their_values(files: dict[str, str]) -> None:
    assert read_ini(files.get).ours == ("--agent-eval-mode=replay",)


@pytest.mark.parametrize("name", ["pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"])
@pytest.mark.parametrize("text", ["", "[pytest]\n"])
def test_a_file_of_pytests_own_counts_though_it_is_empty(name: str, text: str) -> None:
    assert read_ini({name: text, "pyproject.toml": TOML}.get) == Ini()
    assert read_ini({"tox.ini": "[tox]\n", "setup.cfg": "", "pyproject.toml": TOML}.get).ours


def test_an_option_without_a_value_stands_alone() -> None:
    assert Ini(addopts=("--agent-eval-partial", "-q", "--agent-eval")).ours == ("--agent-eval-partial", "--agent-eval")


def test_the_first_file_that_sets_anything_counts() -> None:
    both = {"pytest.ini": "[pytest]\naddopts = -q\n", "pyproject.toml": TOML}
    assert read_ini(both.get).ours == ()


@pytest.mark.parametrize("text", ["", "[tool.other]\n", "not toml [", "[tool]\npytest = 3\n"])
def test_without_settings_pytest_has_its_defaults(text: str) -> None:
    assert read_ini({"pyproject.toml": text, "tox.ini": "[", "pytest.ini": "[other]\n"}.get) == Ini()


def test_quotes_that_are_not_closed_are_words_as_they_stand() -> None:
    assert read_ini({"pytest.ini": '[pytest]\naddopts = -k "a\n'}.get).addopts == ("-k", '"a')


@pytest.mark.parametrize(
    ("path", "collected"),
    [
        ("suites/a/test_a.py", True),
        ("suites/a/a_test.py", True),
        ("suites/a/helper.py", False),
        ("elsewhere/test_a.py", False),
        ("suites/build/test_a.py", False),
        ("suites/.hidden/test_a.py", False),
    ],
)
def test_files_that_pytest_would_not_read_are_no_tests(path: str, collected: bool) -> None:
    assert read_ini({"pyproject.toml": TOML}.get).collects(path) is collected


def test_paths_on_the_command_line_go_before_those_of_the_settings() -> None:
    ini = read_ini({"pyproject.toml": TOML}.get)
    assert ini.collects("elsewhere/test_a.py", ["elsewhere"])
    assert not ini.collects("suites/a/test_a.py", ["elsewhere"])


def test_everything_lies_in_the_root() -> None:
    assert lies_in("a/b", ".")
    assert lies_in("a/b", "./a/")
    assert not lies_in("ab", "a")


@pytest.mark.parametrize(
    ("path", "place", "lies"),
    [
        ("suites/a/test_a.py", "suites/*", True),
        ("suites/a", "suites/[ab]/", True),
        ("suites/a/x/test_a.py", "suites/**/test_*.py", True),
        ("suites/test_a.py", "suites/**", True),
        ("suites/a/test_a.py", "suites/*.py", False),
        ("suites", "suites/*", False),
        ("other/a", "suites/*", False),
    ],
)
def test_places_may_be_patterns_as_in_testpaths(path: str, place: str, lies: bool) -> None:
    assert lies_in(path, place) is lies
