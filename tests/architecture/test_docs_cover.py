"""Each option, command, hook, setting and built-in metric is named in docs/."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import fields
from functools import cache

import pytest

import pytest_agenteval
from pytest_agenteval import errors
from pytest_agenteval.app.settings import Settings, SuiteSettings
from pytest_agenteval.metrics import built_in_metrics
from pytest_agenteval.metrics.outcome import EXPECTATIONS
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Outcome, Reason
from pytest_agenteval.pipeline import exits
from pytest_agenteval.store import casefiles
from tests.architecture.source import MODULES, PACKAGE, ROOT, Module

COMMAND = "import sys; from pytest_agenteval.cli import main; sys.exit(main())"
# One line a usage, and no colours: the texts are searched.
PLAIN = {"COLUMNS": "2000", "NO_COLOR": "1", "PYTHON_COLORS": "0"}


def said_by(*command: str) -> str:
    environment = os.environ | PLAIN
    answer = subprocess.run(
        [sys.executable, *command, "--help"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


@cache
def documentation(pages: str = "*.md") -> str:
    found = sorted((ROOT / "docs").rglob(pages))
    assert found
    return "\n".join(page.read_text(encoding="utf-8") for page in found)


def is_named(word: str, pages: str = "*.md") -> bool:
    """Whether the pages name a word, and not only a longer one that holds it."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", documentation(pages)) is not None


def missing(words: set[str], pages: str = "*.md") -> list[str]:
    return sorted(word for word in words if not is_named(word, pages))


@cache
def commands(*path: str) -> dict[str, str]:
    """Each command, such as `baseline approve`, with its help."""
    text = said_by("-c", COMMAND, *path)
    found = {" ".join(path): text} if path else {}
    for name in re.findall(r"^    ([a-z][\w-]*)  ", text, re.MULTILINE):
        if re.search(r"\b(COMMAND|ACT)\b \.\.\.", text):
            found |= commands(*path, name)
    return found


def decorated_with(module: Module, decorator: str) -> set[str]:
    return {
        function.name
        for function in module.functions
        for mark in function.decorator_list
        if ast.unparse(mark).partition("(")[0].rpartition(".")[2] == decorator
    }


def test_each_option_of_pytest_is_documented() -> None:
    options = set(re.findall(r"^ +(--agent-eval[\w-]*)", said_by("-m", "pytest"), re.MULTILINE))
    assert {"--agent-eval", "--agent-eval-mode"} <= options
    assert not missing(options, "options.md")


def test_each_command_is_documented() -> None:
    assert {"baseline approve", "report", "capture", "history import"} <= set(commands())
    assert not missing({f"pytest-agenteval {command}" for command in commands()} - GROUPS, "command.md")


GROUPS = {"pytest-agenteval baseline", "pytest-agenteval history", "pytest-agenteval quarantine"}
"""Commands that do nothing themselves."""


def test_each_option_of_each_command_is_documented() -> None:
    options = {option for text in commands().values() for option in re.findall(r"(?<![\w-])--[\w-]+", text)}
    assert {"--reason", "--origin"} <= options
    assert not missing(options - {"--help"}, "command.md")


def test_each_hook_is_documented() -> None:
    [specifications] = [module for module in MODULES if module.name == f"{PACKAGE}.hookspecs"]
    hooks = decorated_with(specifications, "hookspec")
    assert "agenteval_metrics" in hooks
    assert not missing(hooks, "hooks.md")


def test_each_built_in_metric_is_documented() -> None:
    metrics = {found.spec.name for found in built_in_metrics()} | {"pass_at_k", "pass_hat_k"}
    assert {"success", "tool_calls"} <= metrics
    assert not missing(metrics, "metrics.md")


def test_each_argument_of_a_metric_is_documented() -> None:
    assert not missing({field.name for field in fields(MetricSpec)}, "metrics.md")


def test_each_setting_is_documented() -> None:
    keys = {field.name for kind in (Settings, SuiteSettings, Bar) for field in fields(kind)}
    assert {"owner", "gate", "margin"} <= keys
    assert not missing(keys - {"root"}, "settings.md")  # the file's own folder, which nobody sets


def test_each_key_of_a_case_is_documented() -> None:
    keys = {*casefiles.KEYS, *casefiles.EXPECTATIONS, *EXPECTATIONS}
    assert not missing(keys, "case-files.md")


def test_each_outcome_reason_and_exit_code_is_documented() -> None:
    words = {outcome.value for outcome in Outcome} | {reason.value for reason in Reason}
    codes = {str(code) for code in exits.PRECEDENCE}
    in_words = {Reason.NONE.value, Reason.METRIC_VERSION.value, Reason.METRIC_CHANGED.value}
    assert not missing((words | codes) - in_words, "verdict-and-exit-codes.md")


def test_the_precedence_of_exit_codes_is_documented() -> None:
    assert " > ".join(map(str, (*exits.PRECEDENCE, exits.OK))) in documentation("verdict-and-exit-codes.md")


def test_each_error_is_documented() -> None:
    classes = {name for name, found in vars(errors).items() if isinstance(found, type)}
    assert not missing(classes, "errors.md")


def test_each_public_name_is_documented() -> None:
    assert not missing(set(pytest_agenteval.__all__))


@pytest.mark.parametrize(("word", "named"), [("--agent-eval", True), ("--agent-eva", False), ("agent-eval", False)])
def test_a_longer_word_does_not_stand_for_a_shorter_one(
    word: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.documentation", lambda _pages: "Use `--agent-eval`.")
    assert is_named(word) is named
