"""Each option, command, hook and built-in metric is named in docs/."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import cache

import pytest

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
def documentation() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").rglob("*.md")))


def is_named(word: str) -> bool:
    """Whether the pages name a word, and not only a longer one that holds it."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", documentation()) is not None


def missing(words: set[str]) -> list[str]:
    return sorted(word for word in words if not is_named(word))


@cache
def commands(*path: str) -> dict[str, str]:
    """Each command, such as `baseline approve`, with its help."""
    text = said_by("-c", COMMAND, *path)
    found = {" ".join(path): text} if path else {}
    if subcommands := re.search(r"\{([\w,-]+)\} \.\.\.", text):
        for name in subcommands[1].split(","):
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
    assert "--agent-eval" in options
    assert not missing(options)


def test_each_command_is_documented() -> None:
    assert {"baseline approve", "report", "capture"} <= set(commands())
    assert not missing({f"pytest-agenteval {command}" for command in commands()})


def test_each_option_of_each_command_is_documented() -> None:
    options = {option for text in commands().values() for option in re.findall(r"(?<![\w-])--[\w-]+", text)}
    assert "--reason" in options
    assert not missing(options - {"--help"})


def test_each_hook_is_documented() -> None:
    [specifications] = [module for module in MODULES if module.name == f"{PACKAGE}.hookspecs"]
    hooks = decorated_with(specifications, "hookspec")
    assert "agenteval_metrics" in hooks
    assert not missing(hooks)


def test_each_built_in_metric_is_documented() -> None:
    metrics = {
        name for module in MODULES if module.room == "metrics" for name in decorated_with(module, "metric")
    }
    assert {"success", "tool_calls"} <= metrics
    assert not missing(metrics)


@pytest.mark.parametrize(
    ("word", "named"), [("--agent-eval", True), ("--agent-eva", False), ("agent-eval", False)]
)
def test_a_longer_word_does_not_stand_for_a_shorter_one(
    word: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.documentation", lambda: "Use `--agent-eval`.")
    assert is_named(word) is named
