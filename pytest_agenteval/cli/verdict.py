"""``verdict``: whether CI may rely on what the last run said."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import say, shown, workspace_of

if TYPE_CHECKING:
    from pytest_agenteval.cli.saying import Parts

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("verdict", help="check the verdict of the last run")
    acts = part.add_subparsers(required=True, metavar="ACT")
    check_ = acts.add_parser("check", help="exit 0 only where the verdict is sound, whole and green")
    check_.add_argument("--run-id", metavar="ID", help="the run that it must be of")
    check_.add_argument("--max-age", type=duration, metavar="AGE", help="how old at most: 90s, 15m, 1h, 2d")
    check_.add_argument("--expect-cases", type=int, metavar="N", help="how many cases at least were run")
    check_.add_argument(
        "--base", metavar="REF", help="the base by which it must have been judged, as --agent-eval-base"
    )
    check_.add_argument("--file", type=Path, help="the file (default: .agenteval/verdict.json)")
    check_.set_defaults(act=check)


def check(options: argparse.Namespace) -> int:
    """``verdict check``."""
    from pytest_agenteval.app.verdictcheck import Demand, check_verdict

    workspace = workspace_of(options)
    demand = Demand(
        now=datetime.now(UTC),
        run=options.run_id,
        max_age=options.max_age,
        expect_cases=options.expect_cases,
        file=options.file,
        base=options.base,
    )
    found = check_verdict(workspace, demand)
    file = shown(demand.file or workspace.verdict_file)
    # What was looked at reads like praise where something was found.
    told = found.sentence.partition(": ")[0] if found.findings else found.sentence
    what = f" {told}" if told else ""
    say(f"{file}: {'not green' if found.findings else 'green'}, exit code {found.code}:{what}".removesuffix(":"))
    say(*(f"  [{finding.code}] {finding.text}" for finding in found.findings))
    return found.code


def duration(text: str) -> timedelta:
    """A span of time from words like 90s, 15m, 1h and 2d.

    >>> duration("90s")
    datetime.timedelta(seconds=90)
    """
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        message = f"{text!r} is no age; write 90s, 15m, 1h or 2d"
        raise argparse.ArgumentTypeError(message)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
