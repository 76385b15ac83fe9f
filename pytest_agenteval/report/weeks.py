"""From the history to the view: each suite's newest week beside the last week before it that has a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.codec import near
from pytest_agenteval.model.quarantine import standing
from pytest_agenteval.model.run import Run, WeekValue
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.pipeline.aggregate import Measured
from pytest_agenteval.report.against import Verdicts, verdicts_of
from pytest_agenteval.report.calendar import monday_of, weeks_between, weeks_from
from pytest_agenteval.report.drawn import (
    ByWeek,
    Drawn,
    GateTable,
    Reference,
    draw,
    reference_of,
    without_folder,
)
from pytest_agenteval.report.past import SuiteRun, by_case, case_changes
from pytest_agenteval.report.repeats import repeats_of
from pytest_agenteval.report.slices import slices_of
from pytest_agenteval.report.view import MOST_READ, CaseChange, MetricView, SuiteView, SystemChange, WeekReport
from pytest_agenteval.report.wording import as_week_verdict
from pytest_agenteval.store.baselines import Baselines
from pytest_agenteval.store.history import History
from pytest_agenteval.store.history.excerpt import SuiteExcerpt
from pytest_agenteval.store.quarantine import Quarantines

MOST_WEEKS = 52
"""A sparkline goes back no further."""


def week_report(
    history: History,
    baselines: Baselines,
    *,
    now: datetime,
    week: str | None = None,
    suites: Sequence[str] | None = None,
    owner: str = "",
    gate_of: GateTable = lambda _suite: {},
    quarantines: Quarantines | None = None,
) -> WeekReport:
    """The view of a week: all suites, or those named (``refunds`` also names ``refunds[gpt]``).

    Without ``week`` each suite is shown in its newest week that has a whole run; with it, in its newest
    week up to that one. It is compared with the last week before that has one. Raises HistoryError on a
    week that there is not, and on a suite of which the history has no whole run.
    """
    if week is not None:
        monday_of(week)
    by_suite = _chosen(_by_suite(history.week_values(until=week)), suites)
    runs = {run.id: run for run in history.runs()}
    drawn = [draw(history, runs, suite, by_week) for suite, by_week in by_suite.items()]
    references = [reference_of(suite, baselines, gate_of(suite.suite), quarantines) for suite in drawn]
    shown = week or max((suite.this.week for suite in drawn), default=None)
    verdicts = verdicts_of(drawn, references)
    views = [
        replace(_suite_view(suite, reference, verdicts, str(shown)), quarantine=standing(reference.quarantined, now))
        for suite, reference in zip(drawn, references, strict=True)
    ]
    problems = [without_folder(text, history.root) for text in history.problems()]
    problems += _never_whole(list(runs.values()), by_suite, suites)
    return WeekReport(
        week=shown, generated=now.astimezone(UTC), owner=owner, suites=tuple(views), problems=tuple(problems)
    )


def _by_suite(values: Sequence[WeekValue]) -> dict[str, dict[str, dict[str, WeekValue]]]:
    found: dict[str, dict[str, dict[str, WeekValue]]] = {}
    for value in values:
        found.setdefault(value.suite, {}).setdefault(value.week, {})[value.estimate.metric] = value
    return found


def _chosen(by_suite: Mapping[str, ByWeek], named: Sequence[str] | None) -> Mapping[str, ByWeek]:
    if named is None:
        return by_suite
    for name in named:
        if not any(_names(name, suite) for suite in by_suite):
            message = f"the history has no whole run of suite {name!r} up to that week{near(name, list(by_suite))}"
            raise HistoryError(message)
    return {suite: found for suite, found in by_suite.items() if any(_names(name, suite) for name in named)}


def _names(name: str, suite: str) -> bool:
    return name in (suite, suite.partition("[")[0])


def _suite_view(drawn: Drawn, reference: Reference, verdicts: Verdicts, report_week: str) -> SuiteView:
    this, last = drawn.this, drawn.last
    judged = [one.verdict for one in verdicts.since.values()] if last else list(verdicts.gate.values())
    moved = {
        case
        for verdict in judged
        if verdict.suite == drawn.suite and verdict.comparison
        for cases in (verdict.comparison.lost, verdict.comparison.won)
        for case in cases[:MOST_READ]
    }
    now, problem = this.some(moved)
    before, last_problem = last.some(moved) if last else (SuiteExcerpt(), "")
    unread = (without_folder(text, this.history.root) for text in (problem, last_problem) if text)
    metrics = (_metric_view(drawn, metric, reference, verdicts, (before, now)) for metric in sorted(this.estimates))
    return SuiteView(
        suite=drawn.suite,
        report_week=report_week,
        week=this.week,
        last_week=last.week if last else None,
        gap_weeks=weeks_between(last.week, this.week) if last else (),
        run=this.run,
        last_run=last.run if last else None,
        system=_system(now.agents, now.agents),
        changes=_changed(_system(before.agents, now.agents)) + _versions(last, this) if last else (),
        metrics=tuple(metrics),
        vanished=tuple(sorted(last.estimates.keys() - this.estimates.keys())) if last else (),
        repeats=repeats_of(drawn, reference),
        problems=(*reference.problems, *unread),
    )


def _metric_view(
    drawn: Drawn, metric: str, reference: Reference, verdicts: Verdicts, excerpts: tuple[SuiteExcerpt, SuiteExcerpt]
) -> MetricView:
    key = (drawn.suite, metric)
    spec, compared, gate = drawn.this.spec(metric), verdicts.since.get(key), verdicts.gate.get(key)
    fell: tuple[CaseChange, ...] = ()
    rose: tuple[CaseChange, ...] = ()
    verdict = None
    before, now = (by_case(excerpt.trials) for excerpt in excerpts)
    baseline = reference.baselines.get(metric)
    if compared is not None:
        verdict = as_week_verdict(compared.verdict, drawn.last.week if drawn.last else "", compared.margin)
        if verdict.comparison is not None:
            fell, rose = case_changes(spec, verdict.comparison, (compared.before, before), (compared.now, now))
    elif drawn.last is None and gate is not None and gate.comparison is not None and baseline is not None:
        # In its first week a suite has moved from its baseline, which keeps values and no answers.
        approved = Measured(suite=drawn.suite, spec=spec, estimate=baseline.estimate, cases=baseline.screen)
        fell, rose = case_changes(spec, gate.comparison, (approved, {}), (drawn.this.measured(metric), now))
    return MetricView(
        spec=spec,
        this=drawn.this.estimates[metric],
        last=drawn.last.estimates.get(metric) if drawn.last else None,
        bar=reference.bar(metric),
        gates=metric in reference.gating,
        against_last=verdict.comparison if verdict else None,
        verdict_vs_last=verdict,
        improved=verdicts.improved(key),
        baseline=baseline,
        against_baseline=gate.comparison if gate else None,
        verdict_vs_baseline=gate,
        weeks=_weeks(drawn, metric),
        why_missing=excerpts[1].reasons.get(metric, ""),
        fell=fell,
        rose=rose,
        slices=slices_of(drawn, metric, reference, verdicts),
    )


def _weeks(drawn: Drawn, metric: str) -> tuple[tuple[str, float | None], ...]:
    """Each calendar week's value; values of another version of the metric are not set beside this one's."""
    version = drawn.this.estimates[metric].metric_version
    found = {
        week: values[metric].estimate.value
        for week, values in drawn.by_week.items()
        if metric in values and values[metric].estimate.metric_version == version
    }
    return tuple((week, found.get(week)) for week in weeks_from(min(found), drawn.this.week)[-MOST_WEEKS:])


_SYSTEM = ("name", "version", "model", "prompt", "tools")


def _system(before: Sequence[AgentIdentity], now: Sequence[AgentIdentity]) -> tuple[SystemChange, ...]:
    """What is known of the agents on both sides, field by field; what neither side tells is left out."""
    sides = [
        SystemChange(what=name if name != "name" else "agent", before=_joined(before, name), now=_joined(now, name))
        for name in _SYSTEM
    ]
    return tuple(side for side in sides if side.before or side.now)


def _joined(agents: Sequence[AgentIdentity], name: str) -> str:
    return ", ".join(sorted({value for agent in agents if (value := getattr(agent, name))}))


def _changed(system: Sequence[SystemChange]) -> tuple[SystemChange, ...]:
    return tuple(side for side in system if side.before != side.now)


def _versions(last: SuiteRun, this: SuiteRun) -> tuple[SystemChange, ...]:
    """The metrics that were measured by another version in the week before."""
    both = sorted(this.estimates.keys() & last.estimates.keys())
    sides = [(name, last.spec(name).version, this.spec(name).version) for name in both]
    return tuple(
        SystemChange(what=f"metric {name}", before=f"version {old}", now=f"version {new}")
        for name, old, new in sides
        if old != new
    )


def _never_whole(runs: Sequence[Run], by_suite: Mapping[str, object], named: Sequence[str] | None) -> list[str]:
    """Suites of which only a part ever ran: they have no week, and are told all the same."""
    partial = sorted({suite for run in runs for suite in run.partial} - by_suite.keys())
    return [
        f"Of suite {suite} only a part ever ran, so it has no week"
        for suite in partial
        if named is None or any(_names(name, suite) for name in named)
    ]
