"""Each bounded metric: this week, the week before, the baseline, and what is proven of the difference."""

from __future__ import annotations

from pytest_agenteval.model.blocks import Block, Cell, Column, Heading, Sparkline, Table
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Outcome
from pytest_agenteval.pipeline.bar import ERROR_RATE
from pytest_agenteval.report import wording
from pytest_agenteval.report.view import MetricView, SuiteView

_LEAST_SPAN = 0.1
"""Share of a metric's range that a sparkline spans at least, so that noise does not look like news."""


def summary(view: SuiteView) -> list[Block]:
    """The table of metrics, and what vanished since the week before."""
    bounded = [metric for metric in view.metrics if metric.spec.range]
    bounded.sort(key=lambda metric: (metric.spec.name == ERROR_RATE, not metric.gates, metric.spec.name))
    note = (
        "in brackets the 95 % interval of a value; "
        "of a difference, its one-sided 95 % bounds over the cases of both weeks"
    )
    return [Heading(text="Results"), *metric_table(view, bounded, f"{view.suite}: {note}")]


def metric_table(view: SuiteView, metrics: list[MetricView], caption: str) -> list[Block]:
    """A row a metric; nothing where there is none."""
    if not metrics:
        return []
    numeric = (view.week, view.last_week or "Week before", "Difference")
    columns = [Column(title="Measure"), *(Column(title=title, numeric=True) for title in numeric)]
    rows = [_numbers(metric) for metric in metrics]
    if any(metric.spec.range for metric in metrics):
        columns.append(Column(title="Since then"))
        rows = [(*row, _since(metric, view)) for row, metric in zip(rows, metrics, strict=True)]
    if any(metric.verdict_vs_baseline for metric in metrics):
        columns.append(Column(title="Against the baseline"))
        rows = [(*row, _baseline(metric)) for row, metric in zip(rows, metrics, strict=True)]
    columns.append(Column(title="Weeks"))
    rows = [(*row, Cell(sparkline=_sparkline(metric))) for row, metric in zip(rows, metrics, strict=True)]
    return [Table(caption=caption, columns=tuple(columns), rows=tuple(rows))]


def _numbers(metric: MetricView) -> tuple[Cell, ...]:
    spec = metric.spec
    better = f"{spec.better} is better"
    apart, bounds = wording.difference(metric)
    return (
        Cell(text=spec.name, note=f"{spec.unit}, {better}" if spec.unit else better),
        _estimate(metric.this, spec),
        _estimate(metric.last, spec) if metric.last else _nothing(),
        Cell(text=apart, note=bounds),
    )


def _estimate(estimate: Estimate, spec: MetricSpec) -> Cell:
    return Cell(text=wording.number(estimate.value, spec), note=wording.estimate_note(estimate, spec))


def _nothing(note: str = "") -> Cell:
    return Cell(text=wording.NOTHING, note=note, tone="quiet")


def _since(metric: MetricView, view: SuiteView) -> Cell:
    verdict = metric.verdict_vs_last
    if verdict is None:
        return _nothing(_unjudged(metric, view))
    better = metric.standing == "better"
    note = "a real gain: to lose it again would be a regression" if better else verdict.message
    if verdict.comparison and verdict.comparison.delta is not None:
        note = f"{note}; {wording.move(verdict.comparison, metric.spec)}"
    # A gain may be proven although a few equal answers were scored otherwise; then that word says more.
    word = "better" if better and verdict.outcome is not Outcome.PASS else wording.outcome_word(verdict)
    return Cell(text=word, note=note, tone=wording.TONES[metric.standing])


def _unjudged(metric: MetricView, view: SuiteView) -> str:
    if view.last_week is None:
        return "the first week"
    return "not measured in the week before" if metric.last is None else "not compared case by case"


def _baseline(metric: MetricView) -> Cell:
    verdict = metric.verdict_vs_baseline
    if verdict is None:
        return _nothing("does not gate")
    note = ", ".join(wording.bar_words(metric))
    return Cell(text=wording.outcome_word(verdict), note=note, tone=wording.outcome_tone(verdict))


def _sparkline(metric: MetricView) -> Sparkline:
    spec = metric.spec
    known = [(week, value) for week, value in metric.weeks if value is not None]
    gaps = [week for week, value in metric.weeks if value is None]
    label = f"{spec.name} by week: no value"
    if known:
        first, last = known[0], known[-1]
        label = f"{spec.name} by week: {wording.number(first[1], spec)} in {first[0]}"
        label += f" to {wording.number(last[1], spec)} in {last[0]}" if len(known) > 1 else ""
    label += f"; no value in {', '.join(gaps)}" if gaps else ""
    span = _LEAST_SPAN * (spec.range[1] - spec.range[0] if spec.range else abs(known[-1][1]) if known else 0)
    level = metric.baseline.estimate.value if metric.baseline else None
    return Sparkline(points=metric.weeks, label=label, level=level, least_span=span)
