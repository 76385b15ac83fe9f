"""What changed in the system between the two weeks: agent, model, prompt, tools, metric versions."""

from __future__ import annotations

from pytest_agenteval.model.blocks import Block, Cell, Column, Heading, Paragraph, Table
from pytest_agenteval.model.visible import one_line
from pytest_agenteval.report.view import SuiteView
from pytest_agenteval.report.wording import NOTHING


def system(view: SuiteView) -> list[Block]:
    """The changes, or that nothing known has changed; and what the agent is."""
    known = ", ".join(f"{side.what} {one_line(side.now)}" for side in view.system if side.now)
    about = [Paragraph(text=f"What ran: {known}.", tone="quiet")] if known else []
    if view.last_week is None:
        return [Heading(text="The system"), *about] if about else []
    if not view.changes:
        told = "Nothing that the agent tells of itself has changed." if known else "The agent tells nothing of itself."
        return [Heading(text="What changed in the system"), Paragraph(text=told), *about]
    rows = tuple(
        (
            Cell(text=change.what),
            Cell(text=one_line(change.before) or NOTHING),
            Cell(text=one_line(change.now) or NOTHING),
        )
        for change in view.changes
    )
    columns = (Column(title="What"), Column(title=view.last_week), Column(title=view.week))
    table = Table(caption=f"{view.suite}: what is not as it was", columns=columns, rows=rows)
    return [Heading(text="What changed in the system"), table]
