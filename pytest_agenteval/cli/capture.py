"""``capture``: make a case of a production failure."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import actor, registry_of, say, shown, workspace_of
from pytest_agenteval.pipeline import exits

if TYPE_CHECKING:
    from pytest_agenteval.cli.saying import Parts


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("capture", help="make a case of a production failure")
    part.add_argument("source", metavar="TRIAL|FILE.jsonl:LINE")
    part.add_argument("--failure-mode", required=True, metavar="FM-NNN", help="the failure mode it shows")
    part.add_argument("--expect", action="append", default=[], metavar="KEY=VALUE", help="what would be right")
    part.add_argument("--reason", required=True, help="what went wrong")
    part.add_argument("--suite", help="the suite it belongs to (default: that of the trial)")
    part.add_argument("--id", dest="case_id", help="the case's id (default: made of failure mode and input)")
    part.add_argument("--file", help="the case file of the suite (default: the only one)")
    part.add_argument("--tag", action="append", default=[], help="a tag, such as must_pass")
    part.add_argument("--by", help="who captures (default: git's user, else the login name)")
    part.set_defaults(act=capture)


def capture(options: argparse.Namespace) -> int:
    """``capture``."""
    from pytest_agenteval.app.capture import Capture, parse_expectations
    from pytest_agenteval.app.capture import capture as capture_case

    wanted = Capture(
        source=options.source,
        failure_mode=options.failure_mode,
        expect=parse_expectations(options.expect),
        reason=options.reason,
        by=options.by or actor(options.root),
        at=datetime.now(UTC),
        suite=options.suite,
        case_id=options.case_id,
        file=options.file,
        tags=tuple(options.tag),
    )
    workspace = workspace_of(options)
    case, place = capture_case(workspace, registry_of(workspace), wanted)
    say(
        f"captured {case.suite}/{case.id} for {case.failure_mode}",
        f"  {shown(place)}",
        "The next pytest --agent-eval runs it.",
    )
    return exits.OK
