"""The cases that newly fail and newly pass, each once, with what was answered before and now."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_agenteval.model.blocks import Block, Excerpt, Fold, Heading, Pair, Paragraph, Tone
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.report import wording
from pytest_agenteval.report.view import CaseChange, MetricView, SuiteView

MOST_SHOWN = 10
"""Cases of a metric whose answers are shown; no more than are read."""

_Told = tuple[CaseChange, list[str]]


def cases(view: SuiteView) -> list[Block]:
    """The cases that fell, then those that rose; nothing where no case moved."""
    blocks: list[Block] = []
    for fell in (True, False):
        moved = [(metric, changed) for metric in view.metrics if (changed := metric.fell if fell else metric.rose)]
        if moved:
            blocks += _moved(view, moved, fell=fell)
    return [Heading(text="Cases that changed"), *blocks] if blocks else []


def _moved(view: SuiteView, moved: list[tuple[MetricView, tuple[CaseChange, ...]]], *, fell: bool) -> list[Block]:
    told = "; ".join(f"{metric.spec.name}: {_count(metric, len(changed), fell=fell)}" for metric, changed in moved)
    pairs = [_pair(view, change, facts, fell=fell) for change, facts in _by_case(moved)]
    total = len({change.case for _, changed in moved for change in changed})
    those = "the case" if total == 1 else f"the {total:,} cases"
    shown = f"{len(pairs)} of {those}" if len(pairs) < total else those
    title = f"Show {shown} that {'fell' if fell else 'rose'}"
    return [
        Paragraph(text=f"{told}.", tone="bad" if fell else "good"),
        Fold(title=title, blocks=tuple(pairs)),
    ]


def _count(metric: MetricView, count: int, *, fell: bool) -> str:
    if metric.spec.kind != "binary":
        return f"{counted(count, 'case')} {'fell' if fell else 'rose'}"
    verb = ("fail" if fell else "pass") + ("s" if count == 1 else "")
    return f"{counted(count, 'case')} newly {verb}"


def _by_case(moved: Sequence[tuple[MetricView, tuple[CaseChange, ...]]]) -> list[_Told]:
    """Each case once, with the words of every metric that moved; the metrics that gate come first."""
    found: dict[str, _Told] = {}
    for metric, changed in sorted(moved, key=lambda one: not one[0].gates):
        for change in changed[:MOST_SHOWN]:
            values = (wording.number(value, metric.spec) for value in (change.before, change.now))
            found.setdefault(change.case, (change, []))[1].append(f"{metric.spec.name} {' → '.join(values)}")
    return list(found.values())


def _pair(view: SuiteView, change: CaseChange, facts: list[str], *, fell: bool) -> Pair:
    mode = [f"failure mode {change.failure_mode}"] if change.failure_mode else []
    tags = [f"tagged {', '.join(change.tags)}"] if change.tags else []
    then = f"Answered in {view.last_week}" if view.last_week else "As approved (a baseline keeps no answers)"
    tones: tuple[Tone, Tone] = ("good", "bad") if fell else ("bad", "good")
    return Pair(
        title=change.case,
        facts=(*facts, *mode, *tags, *([f"trial {change.trial}"] if change.trial else [])),
        asked=Excerpt(label="Asked", text=change.asked) if change.asked else None,
        before=Excerpt(label=then, text=change.said_before, tone=tones[0]),
        now=Excerpt(label=f"Answered in {view.week}", text=change.said_now, tone=tones[1]),
    )
