"""What the repeats tell: where the variance lies, which cases are flaky, and whose the quarantined ones are."""

from __future__ import annotations

import math

from pytest_agenteval.model.blocks import Block, Card, Cell, Column, Fold, Heading, Item, Paragraph, Table
from pytest_agenteval.pipeline.variance import attempts_words, percent
from pytest_agenteval.pipeline.words import counted, rounds_words
from pytest_agenteval.report import wording
from pytest_agenteval.report.view import MetricRepeats, SuiteView

MOST_SHOWN = 20
"""Flaky cases of a suite that are shown."""


def repeats(view: SuiteView) -> list[Block]:
    """What repeats left out and what varies, the flaky cases, the quarantined ones; nothing where there is none."""
    blocks = [*_adaptive(view), *_variance(view), *_flaky(view), *_fell(view), *_quarantined(view)]
    return [Heading(text="Repeats and flaky cases"), *blocks] if blocks else []


def _adaptive(view: SuiteView) -> list[Block]:
    """What adaptive repeats left out in the newest run."""
    if view.suite not in view.run.rounds:
        return []
    return [Paragraph(text=f"Adaptive repeats: {rounds_words(view.run.rounds[view.suite])}.")]


def _variance(view: SuiteView) -> list[Block]:
    if not view.repeats:
        return []
    judged = any(not one.spec.deterministic for one in view.repeats)
    titles = ("Between cases", "Two runs disagree on", *(["The judge alone"] if judged else []))
    columns = (Column(title="Measure"), *(Column(title=title, numeric=True) for title in titles))
    rows = tuple(_row(one)[: len(columns)] for one in view.repeats)
    caption = f"{view.suite} in {view.repeats[0].week}: where the variance of a single score comes from"
    return [Table(caption=caption, columns=columns, rows=rows)]


def _row(one: MetricRepeats) -> tuple[Cell, ...]:
    found = one.variance
    varies = "nothing varies" if found.between is not None else "one case alone has scores"
    share = Cell(text=wording.NOTHING, note=varies) if found.icc is None else Cell(text=percent(found.icc))
    return (
        Cell(text=one.spec.name, note=attempts_words(found.fewest, found.most)),
        share,
        _disagreement(one),
        _judge(one),
    )


def _disagreement(one: MetricRepeats) -> Cell:
    rate = one.variance.flake_rate
    if rate is None:
        return Cell(text=wording.NOTHING, note="no plain yes or no")
    return Cell(text=percent(rate), note="of the cases")


def _judge(one: MetricRepeats) -> Cell:
    if one.variance.judge is None:
        return Cell(text=wording.NOTHING, note="" if one.spec.deterministic else one.variance.no_judge)
    apart = wording.number(math.sqrt(one.variance.judge), one.spec)
    return Cell(text=apart, note="standard deviation on one and the same answer")


def _flaky(view: SuiteView) -> list[Block]:
    """The flaky cases, those by a metric that gates first; of the other cases, no more than what was seen."""
    if not view.repeats:
        return []
    found = [(metric, case) for metric in view.repeats for case in metric.flaky]
    if not found:
        repeated = [metric.variance for metric in view.repeats]
        seen = attempts_words(min(one.fewest for one in repeated), max(one.most for one in repeated))
        return [Paragraph(text=f"Each case looked stable in {seen}.")]
    whose = {one.case: one.whose for one in view.quarantine.held}
    rows = tuple(
        (Cell(text=case.case), Cell(text=metric.spec.name), Cell(text=case.words), Cell(text=whose.get(case.case, "")))
        for metric, case in found[:MOST_SHOWN]
    )
    columns = tuple(Column(title=title) for title in ("Case", "Measure", "Best value in", "Quarantined"))
    total = len({case.case for _, case in found})
    more = f"; the first {MOST_SHOWN} of {len(found):,} lines" if len(found) > MOST_SHOWN else ""
    table = Table(caption=f"{view.suite}: the flakiest first{more}", columns=columns, rows=rows)
    said = f"{counted(total, 'case')} {'is' if total == 1 else 'are'} flaky: the same case came out otherwise"
    return [Paragraph(text=f"{said} within one run."), Fold(title="Show them", blocks=(table,))]


def _fell(view: SuiteView) -> list[Block]:
    """Cases that fell from the baseline, each by its own repeats; no verdict rests on them."""
    found = [(metric, case) for metric in view.repeats for case in metric.fell]
    if not found:
        return []
    rows = tuple(
        (
            Cell(text=one.case),
            Cell(text=metric.spec.name),
            Cell(text=f"{one.before[0]} of {one.before[1]}"),
            Cell(text=f"{one.now[0]} of {one.now[1]}", tone="bad"),
        )
        for metric, one in found[:MOST_SHOWN]
    )
    columns = tuple(Column(title=title) for title in ("Case", "Measure", "Baseline", view.repeats[0].week))
    more = f"; the first {MOST_SHOWN} of {len(found):,} lines" if len(found) > MOST_SHOWN else ""
    caption = f"{view.suite}: cases that fell by their repeats alone, one in ten of them by chance at most{more}"
    return [Table(caption=caption, columns=columns, rows=rows)]


def _quarantined(view: SuiteView) -> list[Block]:
    """The cases that do not gate, after those that count again."""
    held, expired = view.quarantine.held, view.quarantine.expired
    told = [(one, one.over) for one in expired] + [(one, one.whose) for one in held]
    if not told:
        return []
    items = tuple(Item(head=one.case, text=f"{text}; {one.evidence}; {one.reason}") for one, text in told)
    return [Card(title=f"Quarantined, out of what gates: {counted(len(held), 'case')}", items=items, tone="unsure")]
