"""Runs made by hand, and the history and baselines that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_agenteval.contracts import Section
from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import AgentIdentity, Fault, Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.aggregate import measure, measure_all
from pytest_agenteval.report.page import Page, page_of
from pytest_agenteval.report.sections import built_in_sections
from pytest_agenteval.report.view import WeekReport
from pytest_agenteval.report.weeks import week_report
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.baselines import Baselines
from pytest_agenteval.store.history import History

NOW = datetime(2027, 1, 15, 9, 0, tzinfo=UTC)
SUCCESS = MetricSpec(name="success", kind="binary", unit="fraction")
GRADE = MetricSpec(name="grade", unit="fraction")
LATENCY = MetricSpec(
    name="latency_seconds", better="lower", unit="seconds", kind="unbounded", range=None, aggregate="p50"
)
COST = MetricSpec(name="cost_usd", better="lower", unit="USD", kind="unbounded", range=None)
AGENT = AgentIdentity(name="desk", version="1.4.0", model="small-2")


def trial(
    case: str,
    scores: Mapping[str, float | bool | Score | None],
    *,
    suite: str = "refunds",
    output: str = "Done.",
    error: str = "",
    asked: Any = "I want my money back",
    agent: AgentIdentity = AGENT,
    at: datetime = NOW,
    **of_case: Any,
) -> Trial:
    """A trial with these scores; ``error`` is the message of an agent error in place of the output."""
    fault = Fault(kind="agent", type="ValueError", message=error) if error else None
    trajectory = Trajectory(output=None if fault else output, error=fault, agent=agent)
    made = Trial(
        id=f"trial-{at:%Y%m%d}",
        case=Case(id=case, suite=suite, input=asked, **of_case),
        trajectory=trajectory,
        at=at,
    )
    return made.with_scores(
        value
        if isinstance(value, Score)
        else Score(metric=name, value=value, reason="" if value is not None else "no answer")
        for name, value in scores.items()
    )


def passing(n_cases: int, failing: Sequence[int] = (), **fields: Any) -> list[Trial]:
    """Trials of so many cases, of which those listed fail; what passes and fails answers otherwise."""
    return [
        trial(
            f"case-{n:03}",
            {"success": n not in failing},
            output=f"{'No' if n in failing else 'Yes'}, {n}",
            **fields,
        )
        for n in range(n_cases)
    ]


def finished(
    at: datetime,
    trials: Sequence[Trial],
    *,
    specs: Sequence[MetricSpec] = (SUCCESS,),
    partial: tuple[str, ...] = (),
) -> FinishedRun:
    """A run that started then, with its estimates."""
    by_name = {spec.name: spec for spec in specs}
    moved = [
        replace(
            one,
            at=at,
            scores=tuple(replace(score, metric_version=by_name[score.metric].version) for score in one.scores),
        )
        for one in sorted(trials, key=lambda one: one.key)
    ]
    suites = sorted({one.case.suite for one in moved})
    estimates = [
        measured.estimate
        for suite in suites
        for measured in measure_all(suite, by_name, [one for one in moved if one.case.suite == suite])
    ]
    run = Run(id=f"{at:%Y-%m-%dT%H}", started=at, specs=by_name, partial=partial)
    return FinishedRun(run=run, trials=moved, estimates=tuple(estimates))


def history(root: Path, *runs: FinishedRun) -> History:
    made = History(root / "history", root / "index.sqlite")
    for run in runs:
        made.append(run)
    return made


def baselines(root: Path) -> Baselines:
    return Baselines(root / "baselines", Audit(root / "audit.jsonl"))


def approve(root: Path, run: FinishedRun, suite: str, spec: MetricSpec, bar: Bar) -> Baselines:
    """The run's values become the baseline of the metric."""
    measured = measure(suite, spec, run.of_suite(suite))
    approval = Approval(by="Dana", at=run.run.started, reason="first release", run=run.run.id)
    change = Change(
        at=run.run.started,
        actor="Dana",
        action="baseline.approve",
        subject=f"{suite}/{spec.name}",
        reason="first",
    )
    store = baselines(root)
    store.write(
        Baseline(
            suite=suite,
            spec=spec,
            bar=bar,
            screen=measured.cases,
            estimate=measured.estimate,
            approval=approval,
        ),
        change,
    )
    return store


def report(root: Path, *runs: FinishedRun, **asked: Any) -> WeekReport:
    """The report of a history that has these runs."""
    return week_report(history(root, *runs), baselines(root), now=NOW, **asked)


def page(view: WeekReport, sections: Sequence[Section] | None = None) -> Page:
    return page_of(view, built_in_sections() if sections is None else sections)
