"""A project in a real git repository, a change to it, and what the gate says of the change: without pytest."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

from pytest_agenteval.app.approve import Request, approve
from pytest_agenteval.app.base import read_base
from pytest_agenteval.app.judging import Judged, judge_run, seal
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.runs import Job, RunOptions, new_run_id, plan_of, with_always_measured
from pytest_agenteval.app.trials import Trials
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.loosening import LooseningApproval
from pytest_agenteval.model.run import Run
from pytest_agenteval.plugin.collect import CaseReader
from pytest_agenteval.store.approvals import write_approval
from tests.app.projects import AT, CLOCK
from tests.store.repositories import commit, git, put, repository

SUITE = "suites/refunds/test_refunds.py"
CASES = "suites/refunds/cases/requests.jsonl"
RUBRIC = "suites/refunds/rubric.md"
HELPER = "suites/refunds/politeness.py"
BILLING = "suites/billing/test_billing.py"
SETTINGS = "pyproject.toml"

TEST = '''
from pathlib import Path

from politeness import is_polite
from pytest_agenteval import Case, agent_cases, load_cases, metric

RUBRIC = (Path(__file__).parent / "rubric.md").read_text()


@metric(better="higher", unit="fraction")
def tone(trial):
    """Whether the answer is polite."""
    return is_polite(str(trial.output), RUBRIC.split())


@metric(better="lower", unit="characters", range=None)
def length(trial):
    return len(str(trial.output))


WRITTEN = [
    Case(id="hello", input="hello", expect={"contains": ["30 days"]}, tags=["must_pass"]),
    Case(id="bye", input="bye", expect={"contains": ["30 days"]}, tags=["fr"]),
]


@agent_cases(WRITTEN, load_cases("requests.jsonl"), metrics=["success", "contains", tone, length], repeats=2)
def test_refunds(trial): ...


@agent_cases([Case(id=f"made-{n}", input=f"made {n}", expect={"contains": ["days"]}) for n in range(4)],
             metrics=["success"], repeats=2)
def test_made(trial): ...
'''

APPROVED = """
[tool.pytest-agenteval]
owner = "Dana <dana@example.org>"
infrastructure = ["shop.Down"]

[tool.pytest-agenteval.suites.refunds.gate]
success = { margin = 0.05 }
contains = { floor = 0.2 }
tone = { margin = 0.1 }
length = { margin = 3 }

[tool.pytest-agenteval.suites.billing.gate]
success = {}
"""

TIGHTER = (
    APPROVED.replace("success = { margin = 0.05 }", 'success = { margin = 0.05, floor = 0.5, slices = ["fr"] }')
    .replace("length = { margin = 3 }", "length = { ceiling = 200 }")
    .replace("tone = { margin = 0.1 }", "tone = {}")
    .replace("contains = { floor = 0.2 }", "contains = {}")
    + "error_rate = { ceiling = 0.02 }\n"
)
"""The settings have become stricter since the baselines were approved."""

FILES = {
    ".gitignore": ".agenteval/\nhistory/\n__pycache__/\n",
    SUITE: TEST,
    CASES: "".join(
        json.dumps({"id": f"c{n:02}", "input": f"q{n}", "expect": {"contains": ["30 days"]}, "tags": ["fr"] * (n < 6)})
        + "\n"
        for n in range(14)
    ),
    RUBRIC: "thanks please\n",
    HELPER: '"""What is polite."""\n\n\ndef is_polite(text, words):\n    return any(word in text for word in words)\n',
    BILLING: dedent("""
        from pytest_agenteval import Case, agent_cases

        @agent_cases([Case(id="b0", input="invoice", expect={"contains": ["days"]}),
                      Case(id="b1", input="bill", expect={"contains": ["days"]})], metrics=["success"])
        def test_billing(trial): ...
    """),
    SETTINGS: APPROVED,
}

Edit = Callable[[Path], None]


def shop(text: str) -> str:
    """The agent: always the same, whatever the change does to its bar."""
    return "no" if "wrong" in text else "thanks, within 30 days"


def template(root: Path) -> Path:
    """The repository: ``main`` has the approved baselines, ``change`` is one harmless commit ahead."""
    repository(root, FILES)
    workspace = Workspace.at(root)
    assert seal(judged(root, ref=None), workspace) == []
    for suite in ("refunds", "billing"):
        approve(workspace, Request(suite=suite, by="Dana", reason="good", at=AT))
    git(root, "checkout", "-q", "main")
    commit(root, {SETTINGS: TIGHTER}, "baselines")
    git(root, "checkout", "-q", "-B", "change")
    commit(root, {"README.md": "A shop.\n"})
    shutil.rmtree(root / "history")
    shutil.rmtree(root / ".git" / "hooks")
    return root


def judged(root: Path, *, ref: str | None = "main", options: RunOptions | None = None) -> Judged:
    """Run the working tree's agent tests, and judge them by the base."""
    options = options or RunOptions()
    workspace, registry = Workspace.at(root), Registry()
    base = None if ref is None else read_base(workspace, ref, options)
    with _importable(root):
        jobs, excused = _collected(workspace, registry)
        run = Run(id=new_run_id(CLOCK), started=CLOCK.now())
        trials = Trials(run, workspace.settings, registry, options, clock=CLOCK)
        kept = []
        for job in jobs.values():
            trials.trial(job, shop)
            kept.append(trials.score(job))
        trials.close()
    return judge_run(run, _joined(kept), plan_of(jobs), workspace, options, base=base, excused=excused)


def approve_in_base(root: Path, found: Judged, *, days: int = 30) -> Path:
    """Merge an approval of what was found into ``main``, by itself, before the change is made."""
    path = approval_file(root, found, days=days)
    commit(root, {}, "an approval")
    git(root, "branch", "-q", "-f", "main", "HEAD")
    commit(root, {}, "up to date")
    return path


def approval_file(root: Path, found: Judged, *, days: int = 30) -> Path:
    """An approval, made as many days ago as it is good for where that is a negative number."""
    at = CLOCK.now() + timedelta(days=min(days, 0) - 1)
    approval = LooseningApproval(
        owner="Dana", reason="meant", at=at, expires=at + timedelta(days=abs(days)), loosenings=found.loosenings
    )
    change = Change(at=at, actor="Dana", action="loosening.approve", subject="refunds", reason="meant")
    workspace = Workspace.at(root)
    return write_approval(workspace.settings.path("baselines"), approval, change, workspace.audit)


def swap(path: str, old: str, new: str, *, count: int = -1) -> Edit:
    """Put one text in the place of another, which must be there."""

    def edit(root: Path) -> None:
        text = (root / path).read_text("utf-8")
        assert old in text, f"{old!r} is not in {path}"
        (root / path).write_text(text.replace(old, new, count), "utf-8")

    return edit


def matching(path: str, pattern: str, new: str, *, count: int = 0) -> Edit:
    def edit(root: Path) -> None:
        text, n = re.subn(pattern, new, (root / path).read_text("utf-8"), count=count)
        assert n, f"{pattern!r} matches nothing in {path}"
        (root / path).write_text(text, "utf-8")

    return edit


def written(path: str, text: str) -> Edit:
    return lambda root: put(root, {path: text})


def removed(path: str) -> Edit:
    def edit(root: Path) -> None:
        shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()

    return edit


def moved(path: str, to: str) -> Edit:
    def edit(root: Path) -> None:
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(root / to)

    return edit


def both(*edits: Edit) -> Edit:
    def edit(root: Path) -> None:
        for one in edits:
            one(root)

    return edit


def in_json(path: str, change: Callable[[dict[str, Any]], None]) -> Edit:
    def edit(root: Path) -> None:
        data = json.loads((root / path).read_text("utf-8"))
        change(data)
        (root / path).write_text(json.dumps(data), "utf-8")

    return edit


def baseline(metric: str, suite: str = "refunds") -> str:
    return f"baselines/{suite}/{metric}.json"


def _joined(trials: list[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for trial in trials:
        known = found.get(trial.key)
        found[trial.key] = trial if known is None else known.with_scores(trial.scores)
    return list(found.values())


def _collected(workspace: Workspace, registry: Registry) -> tuple[Mapping[str, Job], set[str]]:
    reader = CaseReader(workspace.settings)
    root = Path(workspace.settings.root)
    jobs, excused = {}, set()
    for file in sorted(root.glob("suites/**/test_*.py")):
        for name, test in vars(_loaded(file)).items():
            marks = {mark.name: mark for mark in getattr(test, "pytestmark", ())}
            if "agent_cases" not in marks:
                continue
            node = f"{file.relative_to(root).as_posix()}::{name}"
            excused |= {node} if "xfail" in marks else set()
            [mark] = marks["agent_cases"].args
            metrics = with_always_measured(mark.metrics, registry)
            for case in reader.cases(mark, file, node):
                for attempt in range(1, mark.repeats + 1):
                    jobs[f"{node}[{case.id}-{attempt}]"] = Job(
                        suite=case.suite, case=case, attempt=attempt, metrics=metrics
                    )
    return jobs, excused


def _loaded(file: Path) -> object:
    spec = importlib.util.spec_from_file_location(f"loaded_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def _importable(root: Path) -> Iterator[None]:
    """As pytest has it: the folders of the test files can be imported from, and no bytecode is written."""
    before, writes = set(sys.modules), sys.dont_write_bytecode
    folders = [str(root), *map(str, sorted((root / "suites").glob("*")))]
    sys.path[:0], sys.dont_write_bytecode = folders, True
    try:
        yield
    finally:
        del sys.path[: len(folders)]
        sys.dont_write_bytecode = writes
        for name in set(sys.modules) - before:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(root)):
                del sys.modules[name]
