"""What is missing: weeks without a run, metrics that are gone, cases that differ, what cannot be read."""

from __future__ import annotations

from pytest_agenteval.model.blocks import Block, Card, Heading, Item
from pytest_agenteval.model.visible import one_line
from pytest_agenteval.pipeline.words import counted, named
from pytest_agenteval.report.calendar import weeks_from
from pytest_agenteval.report.view import MetricView, SuiteView


def gaps(view: SuiteView) -> list[Block]:
    """A list of what is missing; nothing where nothing is."""
    items = [
        *_weeks(view),
        *_case_set(view),
        *_values(view),
        *(Item(head="Unreadable", text=text) for text in view.problems),
    ]
    return (
        [Heading(text="Gaps and problems"), Card(title="To know", items=tuple(items), tone="unsure")] if items else []
    )


def _weeks(view: SuiteView) -> list[Item]:
    items = []
    if not view.is_current:
        since = ", ".join(weeks_from(view.week, view.report_week)[1:][:_MOST_NAMED])
        items.append(Item(head="No run this week", text=f"the last run was in {view.week}; none in {since}"))
    if view.gap_weeks:
        missing = ", ".join(view.gap_weeks[:_MOST_NAMED]) + (" and more" if len(view.gap_weeks) > _MOST_NAMED else "")
        text = f"{view.week} is compared with {view.last_week}; no run in {missing}"
        items.append(Item(head=counted(len(view.gap_weeks), "week") + " without a run", text=text))
    if view.vanished:
        text = f"{', '.join(view.vanished)}: measured in {view.last_week}, and not in {view.week}"
        items.append(Item(head="Measures that are gone", text=text))
    return items


_MOST_NAMED = 12


def _case_set(view: SuiteView) -> list[Item]:
    """How the set of cases changed: the widest change that any metric saw."""
    found = [metric.against_last for metric in view.metrics if metric.against_last]
    sets = {
        "Cases added": {case for one in found for case in one.added},
        "Cases removed": {case for one in found for case in one.removed},
        "Cases edited": {case for one in found for case in one.edited},
    }
    return [
        Item(head=f"{head}: {len(those)}", text=named(tuple(sorted(those)))) for head, those in sets.items() if those
    ]


def _values(view: SuiteView) -> list[Item]:
    missing = [metric for metric in view.metrics if metric.this.n_not_evaluated]
    return [Item(head=f"{one.spec.name} not evaluated", text=_without_value(one)) for one in missing]


def _without_value(metric: MetricView) -> str:
    estimate = metric.this
    total = counted(estimate.n + estimate.n_not_evaluated, "case")
    why = f" (the first: {one_line(metric.why_missing)})" if metric.why_missing else ""
    return f"{estimate.n_not_evaluated:,} of {total} have no value{why}"
