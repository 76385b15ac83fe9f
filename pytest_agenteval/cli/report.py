"""``report``: render the week-over-week report."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import registry_of, say, shown, workspace_of
from pytest_agenteval.pipeline import exits

if TYPE_CHECKING:
    from pytest_agenteval.cli.saying import Parts


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("report", help="render the week-over-week report")
    part.add_argument("--week", help="an ISO week like 2026-W47 (default: the newest there is)")
    part.add_argument("--suite", action="append", default=[], help="only this suite (again and again)")
    part.add_argument("--output", type=Path, help="path of both pages without ending (default: reports/WEEK)")
    part.set_defaults(act=report)


def report(options: argparse.Namespace) -> int:
    """``report``."""
    from pytest_agenteval.app.reporting import render_report

    workspace = workspace_of(options)
    paths = render_report(
        workspace,
        registry_of(workspace),
        now=datetime.now(UTC),
        week=options.week,
        suites=options.suite,
        output=options.output,
    )
    say(*map(shown, paths))
    return exits.OK
