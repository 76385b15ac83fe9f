"""From the history to the view: each suite's newest week beside the last week before it that has a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pytest_agenteval.errors import BaselineError, HistoryError
from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.codec import near
from pytest_agenteval.model.run import Run, WeekValue
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.model.verdict import Outcome, Verdict
from pytest_agenteval.pipeline.aggregate import Measured
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.gate import ERROR_RATE, Gated, Policy, effective_bar, judge
from pytest_agenteval.report.calendar import monday_of, weeks_between, weeks_from
from pytest_agenteval.report.past import SuiteRun, Trials, case_changes
from pytest_agenteval.report.view import CaseChange, MetricView, SuiteView, SystemChange, WeekReport
from pytest_agenteval.report.wording import as_week_verdict
from pytest_agenteval.store.baselines import Baselines
from pytest_agenteval.store.history import History

MOST_WEEKS = 52
"""A sparkline goes back no further."""

GateTable = Callable[[str], Mapping[str, Bar]]
"""By suite, the metrics that gate, each with its bar."""

_Key = tuple[str, str]
_ByWeek = Mapping[str, Mapping[str, WeekValue]]


def week_report(
    history: History,
    baselines: Baselines,
    *,
    now: datetime,
    week: str | None = None,
    suites: Sequence[str] | None = None,
    owner: str = "",
    gate_of: GateTable = lambda _suite: {},
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
    drawn = [_draw(history, runs, suite, by_week) for suite, by_week in by_suite.items()]
    references = [_reference(suite, baselines, gate_of(suite.suite)) for suite in drawn]
    shown = week or max((suite.this.week for suite in drawn), default=None)
    forward, backward = _against_last(drawn, references)
    against_baseline = _against_baseline(drawn, references)
    views = [
        _suite_view(suite, reference, str(shown), forward, backward, against_baseline)
        for suite, reference in zip(drawn, references, strict=True)
    ]
    problems = [_without_folder(text, history.root) for text in history.problems()]
    problems += _never_whole(list(runs.values()), by_suite, suites)
    return WeekReport(
        week=shown, generated=now.astimezone(UTC), owner=owner, suites=tuple(views), problems=tuple(problems)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A suite as it was drawn from the history: this week's run, the one before, and every week's values."""

    suite: str
    this: SuiteRun
    last: SuiteRun | None
    by_week: _ByWeek

    def pairs(self) -> list[tuple[Measured, Measured]]:
        """(last, this) of each metric that has a value per case, and bounds."""
        if self.last is None:
            return []
        names = sorted(self.this.estimates.keys() & self.last.estimates.keys())
        judged = [name for name in names if is_paired(spec := self.this.spec(name)) and spec.range is not None]
        return [(self.last.measured(name), self.this.measured(name)) for name in judged]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """What a suite is held against: baselines and bars by metric, and the baselines that cannot be read."""

    gating: frozenset[str]
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    bars: Mapping[str, tuple[Bar, str]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def bar(self, metric: str) -> Bar:
        """What is asked of the metric."""
        return self.bars[metric][0] if metric in self.bars else Bar()


def _by_suite(values: Sequence[WeekValue]) -> dict[str, dict[str, dict[str, WeekValue]]]:
    found: dict[str, dict[str, dict[str, WeekValue]]] = {}
    for value in values:
        found.setdefault(value.suite, {}).setdefault(value.week, {})[value.estimate.metric] = value
    return found


def _chosen(by_suite: Mapping[str, _ByWeek], named: Sequence[str] | None) -> Mapping[str, _ByWeek]:
    if named is None:
        return by_suite
    for name in named:
        if not any(_names(name, suite) for suite in by_suite):
            message = f"the history has no whole run of suite {name!r} up to that week{near(name, list(by_suite))}"
            raise HistoryError(message)
    return {suite: found for suite, found in by_suite.items() if any(_names(name, suite) for name in named)}


def _names(name: str, suite: str) -> bool:
    return name in (suite, suite.partition("[")[0])


def _draw(history: History, runs: Mapping[str, Run], suite: str, by_week: _ByWeek) -> _Drawn:
    *earlier, newest = sorted(by_week)

    def run_of(week: str) -> SuiteRun:
        values = by_week[week]
        run = runs[next(iter(values.values())).run]
        estimates = {name: value.estimate for name, value in values.items()}
        return SuiteRun(history=history, suite=suite, week=week, run=run, estimates=estimates)

    last = run_of(earlier[-1]) if earlier else None
    return _Drawn(suite=suite, this=run_of(newest), last=last, by_week=by_week)


def _reference(drawn: _Drawn, baselines: Baselines, table: Mapping[str, Bar]) -> _Reference:
    found, problems = {}, []
    for metric in baselines.metrics(drawn.suite):
        try:
            baseline = baselines.read(drawn.suite, metric)
        except BaselineError as error:
            problems.append(_without_folder(str(error), baselines.root))
            continue
        if baseline is not None:
            found[metric] = baseline
    gating = frozenset({*table, *found, ERROR_RATE})
    bars = {metric: effective_bar(table.get(metric), found.get(metric), metric) for metric in gating}
    return _Reference(gating=gating, baselines=found, bars=bars, problems=tuple(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """What the gate said, and what was measured on both sides of it."""

    verdict: Verdict
    before: Measured
    now: Measured
    margin: float | None


def _against_last(
    drawn: Sequence[_Drawn], references: Sequence[_Reference]
) -> tuple[dict[_Key, _Compared], dict[_Key, _Compared]]:
    """By suite and metric: this week held against the last, and the last against this one.

    The earlier run stands in the place of a baseline; a gain is real where going back would be a
    regression. Each direction is one family of Holm's.
    """
    sides = [
        (before, now, replace(reference.bar(now.spec.name), floor=None, ceiling=None), suite)
        for suite, reference in zip(drawn, references, strict=True)
        for before, now in suite.pairs()
    ]
    forward = [Gated(measured=now, bar=bar, baseline=_stand_in(before, suite)) for before, now, bar, suite in sides]
    backward = [Gated(measured=before, bar=bar, baseline=_stand_in(now, suite)) for before, now, bar, suite in sides]
    found = []
    for gated in (forward, backward):
        verdicts = judge(gated, Policy())
        found.append(
            {
                (verdict.suite, verdict.metric): _Compared(verdict=verdict, before=side[0], now=side[1], margin=one.margin)
                for verdict, side, one in zip(verdicts, sides, gated, strict=True)
            }
        )
    return found[0], found[1]


def _stand_in(measured: Measured, suite: _Drawn) -> Baseline:
    run = suite.this.run
    approval = Approval(by="the history", at=run.started, reason="the run of another week", run=run.id)
    return Baseline(
        suite=measured.suite,
        spec=measured.spec,
        bar=Bar(),
        screen=measured.cases,
        estimate=measured.estimate,
        approval=approval,
    )


def _against_baseline(drawn: Sequence[_Drawn], references: Sequence[_Reference]) -> dict[_Key, Verdict]:
    """The verdicts of the gate; what was one run is one family of Holm's, as when it ran."""
    by_run: dict[str, list[Gated]] = {}
    for suite, reference in zip(drawn, references, strict=True):
        for metric in sorted(reference.gating & suite.this.estimates.keys()):
            bar, loosened = reference.bars[metric]
            gated = Gated(
                measured=suite.this.measured(metric),
                bar=bar,
                baseline=reference.baselines.get(metric),
                loosened=loosened,
            )
            by_run.setdefault(suite.this.run.id, []).append(gated)
    verdicts = [verdict for gated in by_run.values() for verdict in judge(gated, Policy())]
    return {(verdict.suite, verdict.metric): verdict for verdict in verdicts}


def _suite_view(
    drawn: _Drawn,
    reference: _Reference,
    report_week: str,
    forward: Mapping[_Key, _Compared],
    backward: Mapping[_Key, _Compared],
    against_baseline: Mapping[_Key, Verdict],
) -> SuiteView:
    this, last = drawn.this, drawn.last
    mine = {metric: compared for (suite, metric), compared in forward.items() if suite == drawn.suite}
    changed = {
        case
        for one in mine.values()
        if one.verdict.comparison
        for case in (*one.verdict.comparison.lost, *one.verdict.comparison.won)
    }
    agents, trials, problem = this.some(changed)
    last_agents, last_trials, last_problem = last.some(changed) if last else ((), {}, "")
    metrics = []
    for metric in sorted(this.estimates):
        improved = _is_regression(backward.get((drawn.suite, metric)))
        view = _metric_view(drawn, metric, reference, mine.get(metric), (last_trials, trials), improved=improved)
        verdict = against_baseline.get((drawn.suite, metric))
        found = verdict.comparison if verdict else None
        metrics.append(replace(view, verdict_vs_baseline=verdict, against_baseline=found))
    return SuiteView(
        suite=drawn.suite,
        report_week=report_week,
        week=this.week,
        last_week=last.week if last else None,
        gap_weeks=weeks_between(last.week, this.week) if last else (),
        run=this.run,
        last_run=last.run if last else None,
        system=_system(agents, agents),
        changes=_changed(_system(last_agents, agents)) + _versions(last, this) if last else (),
        metrics=tuple(metrics),
        vanished=tuple(sorted(last.estimates.keys() - this.estimates.keys())) if last else (),
        problems=tuple(_without_folder(text, this.history.root) for text in (*reference.problems, problem, last_problem) if text),
    )


def _is_regression(compared: _Compared | None) -> bool:
    return compared is not None and compared.verdict.outcome is Outcome.REGRESSED


def _metric_view(
    drawn: _Drawn,
    metric: str,
    reference: _Reference,
    compared: _Compared | None,
    trials: tuple[Trials, Trials],
    *,
    improved: bool,
) -> MetricView:
    spec = drawn.this.spec(metric)
    fell: tuple[CaseChange, ...] = ()
    rose: tuple[CaseChange, ...] = ()
    verdict = None
    if compared is not None:
        verdict = as_week_verdict(compared.verdict, drawn.last.week if drawn.last else "", compared.margin)
        if verdict.comparison is not None:
            sides = (compared.before, trials[0]), (compared.now, trials[1])
            fell, rose = case_changes(spec, verdict.comparison, *sides)
    return MetricView(
        spec=spec,
        this=drawn.this.estimates[metric],
        last=drawn.last.estimates.get(metric) if drawn.last else None,
        bar=reference.bar(metric),
        gates=metric in reference.gating,
        against_last=verdict.comparison if verdict else None,
        verdict_vs_last=verdict,
        improved=improved,
        baseline=reference.baselines.get(metric),
        weeks=_weeks(drawn, metric),
        fell=fell,
        rose=rose,
    )


def _weeks(drawn: _Drawn, metric: str) -> tuple[tuple[str, float | None], ...]:
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


def _without_folder(message: str, root: Path) -> str:
    """The message with paths from the folder's name on: a page may be shown where the machine is no business."""
    return message.replace(f"{root.parent}{os.sep}", "")


def _never_whole(runs: Sequence[Run], by_suite: Mapping[str, object], named: Sequence[str] | None) -> list[str]:
    """Suites of which only a part ever ran: they have no week, and are told all the same."""
    partial = sorted({suite for run in runs for suite in run.partial} - by_suite.keys())
    return [
        f"Of suite {suite} only a part ever ran, so it has no week"
        for suite in partial
        if named is None or any(_names(name, suite) for name in named)
    ]
