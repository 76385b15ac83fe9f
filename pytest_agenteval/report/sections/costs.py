"""What a suite costs: time, tokens, money, and whatever else has no bounds. Shown, not judged by week."""

from __future__ import annotations

from pytest_agenteval.model.blocks import Block, Heading, Paragraph
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.report.sections.summary import metric_table
from pytest_agenteval.report.view import SuiteView


def costs(view: SuiteView) -> list[Block]:
    """The table of the metrics without bounds."""
    unbounded = [metric for metric in view.metrics if metric.spec.range is None]
    table = metric_table(view, unbounded, f"{view.suite}: in brackets the 95 % interval of a value")
    cached = view.run.cached.get(view.suite)
    if cached:
        told = f"{counted(cached, 'trial')} came from the cache: no call was made, and no time measured."
        table = [*table, Paragraph(text=told)]
    return [Heading(text="Cost and latency"), *table] if table else []
