"""A project in a folder, and whole runs in it, made by the parts that a session of pytest uses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_agenteval.app.judging import Judged, judge_run, seal
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.runs import Job, RunOptions, new_run_id, plan_of, with_always_measured
from pytest_agenteval.app.trials import Trials
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.contracts import Metric
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.run import FinishedRun, Run

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
OWNER = '[tool.pytest-agenteval]\nowner = "Dana <dana@example.org>"\n'


class Ticking:
    """A clock that goes on by a second whenever it is asked."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    async def pause(self, seconds: float) -> None:
        self.sleep(seconds)


CLOCK = Ticking()


def project(root: Path, settings: str = "") -> Workspace:
    """A project with these further settings."""
    (root / "pyproject.toml").write_text(OWNER + settings, "utf-8")
    return Workspace.at(root)


def gate(table: str, suite: str = "refunds") -> str:
    return f'\n[tool.pytest-agenteval.suites."{suite}".gate]\n{table}\n'


def shop(text: str) -> str:
    """An agent that answers 'yes', unless the question says what goes wrong."""
    if "crash" in text:
        raise ValueError(text)
    if "down" in text:
        raise ConnectionError(text)
    return "no" if "wrong" in text else "yes"


def cases(right: int, wrong: int = 0, *more: str, suite: str = "refunds") -> list[Case]:
    """Cases that expect 'yes', and of which ``wrong`` are answered otherwise."""
    inputs = [*(f"q{n}" for n in range(right)), *(f"wrong {n}" for n in range(wrong)), *more]
    return [Case(id=f"c{n:03}", input=text, suite=suite, expect={"contains": ["yes"]}) for n, text in enumerate(inputs)]


def run(
    workspace: Workspace,
    of: Sequence[Case],
    agent: object = shop,
    *,
    metrics: Sequence[str | Metric] = ("success",),
    repeats: int = 1,
    partial: Iterable[str] = (),
    options: RunOptions | None = None,
    skip: int = 0,
    **about: Any,
) -> Judged:
    """A run, judged and sealed, of which the last ``skip`` trials were never made."""
    registry, options = Registry(), options or RunOptions()
    jobs = {
        f"{case.suite}/{case.id}-{attempt}": Job(
            suite=case.suite, case=case, attempt=attempt, metrics=with_always_measured(metrics, registry)
        )
        for case in of
        for attempt in range(1, repeats + 1)
    }
    begun = Run(**{"id": new_run_id(CLOCK), "started": CLOCK.now(), **about})
    trials = Trials(begun, workspace.settings, registry, options, clock=CLOCK)
    kept = []
    for job in list(jobs.values())[: len(jobs) - skip]:
        trials.trial(job, agent)
        kept.append(trials.score(job))
    trials.close()
    judged = judge_run(begun, kept, plan_of(jobs, partial=partial), workspace, options)
    assert seal(judged, workspace) == []
    return judged


def finished(workspace: Workspace, of: Sequence[Case], agent: object = shop, **how: Any) -> FinishedRun:
    return run(workspace, of, agent, **how).finished


def outcomes(judged: Judged) -> dict[str, str]:
    """By metric the outcome, and its reason behind a colon where there is one."""
    return {one.metric: f"{one.outcome}:{one.reason}".rstrip(":") for one in judged.verdicts}


def write(path: Path, *rows: Any) -> Path:
    """A file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path
