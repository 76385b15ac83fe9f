"""Each gating metric over the cases of a tag: an average can hide that one kind of request broke."""

from __future__ import annotations

from pytest_agenteval.model.blocks import Block, Cell, Column, Fold, Heading, Paragraph, Table
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Comparison
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.report import wording
from pytest_agenteval.report.view import MetricView, SliceView, SuiteView

MOST_SHOWN = 30
"""Slices of a metric that are shown."""


def slices(view: SuiteView) -> list[Block]:
    """What fell, and a table a metric, open where something fell; nothing of a suite without tags."""
    sliced = [metric for metric in view.metrics if metric.slices]
    if not sliced:
        return []
    blocks: list[Block] = [Heading(text="Slices by tag"), _told(sliced)]
    for metric in sorted(sliced, key=lambda one: not _has_news(one)):
        table = _table(view, metric)
        title = f"Show {metric.spec.name} in {counted(len(table.rows), 'slice')}"
        blocks.append(table if _has_news(metric) else Fold(title=title, blocks=(table,)))
    return blocks


def _has_news(metric: MetricView) -> bool:
    return any(one.fell or one.fails_its_gate for one in metric.slices)


def _told(sliced: list[MetricView]) -> Paragraph:
    fallen = [(metric.spec.name, one.tag) for metric in sliced for one in metric.slices if one.fell]
    if fallen:
        said = "; ".join(f"{metric} fell on the cases tagged {tag}" for metric, tag in fallen[:MOST_SHOWN])
        more = f"; and {len(fallen) - MOST_SHOWN:,} more" if len(fallen) > MOST_SHOWN else ""
        return Paragraph(text=f"Against the baseline, {said}{more}.", tone="bad")
    if any(one.finding for metric in sliced for one in metric.slices):
        return Paragraph(text="No slice is shown to have fallen from the baseline.")
    return Paragraph(text="There is no baseline to compare with, so nothing is said of what fell.")


def _table(view: SuiteView, metric: MetricView) -> Table:
    shown, total = metric.slices[:MOST_SHOWN], len(metric.slices)
    numeric = ("Cases", view.week, view.last_week or "Week before", "Difference")
    columns = [Column(title="Tag"), *(Column(title=title, numeric=True) for title in numeric)]
    rows = [_numbers(one, metric.spec) for one in shown]
    if any(one.finding or one.verdict for one in metric.slices):
        columns.append(Column(title="Against the baseline"))
        rows = [(*row, _baseline(one, metric.spec)) for row, one in zip(rows, shown, strict=True)]
    more = f"; {MOST_SHOWN} of {total:,} slices, {total - MOST_SHOWN:,} more" if total > MOST_SHOWN else ""
    caption = f"{view.suite} · {metric.spec.name} on the cases of each tag, the worst first{more}"
    return Table(caption=caption, columns=tuple(columns), rows=tuple(rows))


def _numbers(one: SliceView, spec: MetricSpec) -> tuple[Cell, ...]:
    found = one.against_last
    before = found.reference if found and found.delta is not None else None
    return (
        Cell(text=one.tag),
        Cell(text=f"{one.this.n:,}"),
        Cell(text=wording.number(one.this.value, spec), note=wording.between(one.this.low, one.this.high, spec)),
        Cell(text=wording.number(before.value, spec)) if before else Cell(text=wording.NOTHING, tone="quiet"),
        Cell(text=wording.signed(found.delta, spec), note=_bounds(found, spec))
        if found
        else Cell(text=wording.NOTHING),
    )


def _bounds(found: Comparison, spec: MetricSpec) -> str:
    return wording.between(found.low, found.high, spec, sign=True)


def _baseline(one: SliceView, spec: MetricSpec) -> Cell:
    """The gate's word of a slice that gates for itself, else whether it fell; with the difference beneath."""
    found = one.finding.comparison if one.finding else one.verdict.comparison if one.verdict else None
    note = f"{wording.signed(found.delta, spec)} {_bounds(found, spec)}".strip() if found else ""
    if one.verdict is not None:
        word = wording.outcome_word(one.verdict)
        own = "gates for itself; it fell" if one.fell else "gates for itself"
        return Cell(text=word, note=f"{own}; {note}" if note else own, tone=wording.outcome_tone(one.verdict))
    if one.finding is None:
        return Cell(text=wording.NOTHING, note="no baseline to compare with", tone="quiet")
    if one.fell:
        return Cell(text="fell", note=f"{note}; q = {one.finding.q_value or 0.0:.2g}", tone="bad")
    return Cell(text="not shown to have fallen", note=note, tone="quiet")
