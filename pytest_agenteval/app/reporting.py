"""The week-over-week report of a project, as one HTML page and one Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import HistoryError
from pytest_agenteval.report.page import page_of
from pytest_agenteval.report.render import render_html, render_markdown
from pytest_agenteval.report.weeks import week_report
from pytest_agenteval.store.files import write_atomically


def render_report(
    workspace: Workspace,
    registry: Registry,
    *,
    now: datetime,
    week: str | None = None,
    suites: Sequence[str] = (),
    output: Path | None = None,
) -> list[Path]:
    """Render both pages and give their paths: ``reports/WEEK.html`` and ``.md``, or ``output`` with each ending.

    The user's templates go before the built-in ones. Raises HistoryError where no whole run is there to show.
    """
    settings = workspace.settings
    view = week_report(
        workspace.history,
        workspace.baselines,
        now=now,
        week=week,
        suites=suites or None,
        owner=settings.owner,
        gate_of=settings.gate_of,
        quarantines=workspace.quarantines,
    )
    if view.week is None:
        message = f"{settings.path('history')} holds no whole run; make one: pytest --agent-eval"
        raise HistoryError(message)
    page = page_of(view, registry.sections())
    templates = settings.path("templates")
    folder = templates if templates.is_dir() else None
    stem = output or settings.path("reports") / view.week
    pages = {".html": render_html(page, folder), ".md": render_markdown(page, folder)}
    for ending, text in pages.items():
        write_atomically(stem.with_name(stem.name + ending), text.encode("utf-8", "replace"))
    return [stem.with_name(stem.name + ending) for ending in pages]
