"""Inner sessions: a small project, one run of pytest in it, and what the run left behind."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

# Kept loaded: pytester forgets what an inner run imported first, and a class loaded twice is two classes.
import pytest_agenteval.app.approve
import pytest_agenteval.app.capture
import pytest_agenteval.app.sight
import pytest_agenteval.cli.parser
import pytest_agenteval.plugin.begin
import pytest_agenteval.plugin.controller
import pytest_agenteval.plugin.idle
import pytest_agenteval.plugin.items
import pytest_agenteval.plugin.session
import pytest_agenteval.store.yamlcases  # noqa: F401
from pytest_agenteval.cli import main
from pytest_agenteval.metrics import built_in_metrics
from tests.quiet import QUIET

built_in_metrics()
import_module("xdist.dsession")  # kept loaded as well; untyped

PYPROJECT = """
[tool.pytest.ini_options]
markers = ["slow"]
[tool.pytest-agenteval]
owner = "Dana Reyes <dana@example.org>"
"""

CONFTEST = """
import pytest

def shop(text):
    if "crash" in text:
        raise ValueError("boom")
    if "down" in text:
        raise ConnectionError("no route")
    return "never" if "wrong" in text else "within 30 days"

@pytest.fixture(scope="session")
def agent():
    return shop
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What came of one inner session."""

    root: Path
    result: pytest.RunResult

    @property
    def code(self) -> int:
        return int(self.result.ret)

    @property
    def text(self) -> str:
        return self.result.stdout.str() + self.result.stderr.str()

    @property
    def verdict(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / ".agenteval" / "verdict.json").read_text("utf-8"))
        return found

    @property
    def verdicts(self) -> dict[str, str]:
        """By 'suite/metric' the outcome, with its reason behind a colon where there is one."""
        return {
            f"{one['suite']}/{one['metric']}": one["outcome"] + (f":{one['reason']}" if one.get("reason") else "")
            for one in self.verdict["verdicts"]
        }

    @property
    def causes(self) -> list[int]:
        return [cause["code"] for cause in self.verdict["causes"]]

    def estimate(self, metric: str, suite: str = "refunds") -> dict[str, Any]:
        [found] = [
            one
            for one in self.verdict["estimates"]
            if (one["suite"], one["metric"], one.get("slice", "")) == (suite, metric, "")
        ]
        return dict(found)

    @property
    def run(self) -> dict[str, Any]:
        return dict(records(self.root)[0])

    @property
    def trials(self) -> list[dict[str, Any]]:
        return records(self.root)[1:]

    def scores(self, case: str, attempt: int = 1) -> dict[str, Any]:
        [trial] = [one for one in self.trials if (one["case"]["id"], one.get("attempt", 1)) == (case, attempt)]
        return {score["metric"]: score["value"] for score in trial["scores"]}


def records(root: Path) -> list[dict[str, Any]]:
    """The lines of the history's newest segment."""
    newest = max(root.glob("history/*/*.jsonl.gz"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(line) for line in gzip.decompress(newest.read_bytes()).decode("utf-8").splitlines()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project to run pytest in. ``workers`` are xdist's; 0 is a plain session."""

    pytester: pytest.Pytester
    workers: int = 0

    @property
    def root(self) -> Path:
        return self.pytester.path

    def put(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), "utf-8")

    def setting(self, line: str, table: str = "tool.pytest-agenteval") -> None:
        """Add a line to a table of pyproject.toml."""
        file = self.root / "pyproject.toml"
        file.write_text(file.read_text("utf-8").replace(f"[{table}]", f"[{table}]\n{line}"), "utf-8")

    def gate(self, table: str, suite: str = "refunds") -> None:
        """Set the gate table of a suite."""
        self.put("pyproject.toml", f"{PYPROJECT}\n[tool.pytest-agenteval.suites.{suite}.gate]\n{dedent(table)}")

    def agent(self, source: str) -> None:
        """Another agent: the source of a conftest."""
        self.put("conftest.py", source)

    def test(self, source: str, path: str = "suites/refunds/test_refunds.py") -> None:
        self.put(path, "from pytest_agenteval import *\nimport pytest\n" + dedent(source))

    def cases(self, *inputs: str, metrics: str = "['success']", repeats: int = 1, body: str = "pass") -> None:
        """A test of these inputs, with ids c0, c1 …; each expects '30 days' in the answer."""
        made = "".join(
            f"    Case(id='c{n}', input={text!r}, expect={{'contains': ['30 days']}}),\n"
            for n, text in enumerate(inputs)
        )
        self.test(
            f"@agent_cases(\n{made}    metrics={metrics}, repeats={repeats})\n"
            f"def test_refund(trial, case):\n    {body}\n"
        )

    def run(self, *arguments: str, workers: int | None = None, flag: str = "--agent-eval") -> Session:
        """One session of pytest in this process (and xdist's workers)."""
        result = self.pytester.runpytest_inprocess(*self._arguments(arguments, workers, flag))
        return Session(root=self.root, result=result)

    def run_apart(self, *arguments: str, workers: int | None = None, flag: str = "--agent-eval") -> Session:
        """One session of pytest in a process of its own."""
        result = self.pytester.runpytest_subprocess(*self._arguments(arguments, workers, flag))
        return Session(root=self.root, result=result)

    def idle(self, *arguments: str) -> Session:
        """A session without the flag."""
        return self.run(*arguments, flag="", workers=0)

    def approve(self, suite: str = "refunds", *more: str) -> int:
        words = ["baseline", "approve", suite, "--reason", "good", "--by", "Dana", *more]
        return main(["--root", str(self.root), *words])

    def _arguments(self, arguments: tuple[str, ...], workers: int | None, flag: str) -> list[str]:
        count = self.workers if workers is None else workers
        spread = ("-n", str(count)) if count else ()
        return [*QUIET, *spread, *filter(None, [flag]), *arguments]
