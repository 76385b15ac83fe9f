"""The command's words and options."""

from __future__ import annotations

import argparse
import sys
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from pytest_agenteval.cli import commands
from pytest_agenteval.model.visible import visible
from pytest_agenteval.pipeline import exits


class _Parser(argparse.ArgumentParser):
    """Of words it does not know it says so by the project's own table: argparse's 2 means interrupted there."""

    def error(self, message: str) -> NoReturn:
        """End with the usage, the message and exit code 4."""
        self.print_usage(sys.stderr)
        self.exit(exits.USAGE, f"pytest-agenteval: {visible(message)}\n")


def parser() -> argparse.ArgumentParser:
    """The parser of the command and all its parts."""
    top = _Parser(
        prog="pytest-agenteval",
        description="Baselines, history, reports and captured cases of pytest --agent-eval.",
    )
    top.add_argument("--version", action="version", version=f"pytest-agenteval {metadata.version('pytest-agenteval')}")
    top.add_argument("--root", type=Path, default=Path(), help="the project's folder (default: this one)")
    parts = top.add_subparsers(required=True, metavar="COMMAND")
    _baseline(parts.add_parser("baseline", help="approve, show, compare and list baselines"))
    _report(parts.add_parser("report", help="render the week-over-week report"))
    _capture(parts.add_parser("capture", help="make a case of a production failure"))
    _history(parts.add_parser("history", help="show the history, or take recordings in"))
    return top


def _baseline(part: argparse.ArgumentParser) -> None:
    acts = part.add_subparsers(required=True, metavar="ACT")
    approve = acts.add_parser("approve", help="make a run's values the approved reference")
    approve.add_argument("suite")
    approve.add_argument("--metric", action="append", default=[], help="approve this metric (again and again)")
    approve.add_argument("--reason", required=True, help="why it is good enough")
    approve.add_argument("--run", help="the run to take (default: the suite's last whole one)")
    approve.add_argument("--by", help="who approves (default: git's user, else the login name)")
    approve.add_argument("--in-ci", action="store_true", help="allow it although CI is set")
    approve.set_defaults(act=commands.approve)
    show = acts.add_parser("show", help="one baseline, with who approved it and why")
    show.add_argument("suite")
    show.add_argument("--metric")
    show.set_defaults(act=commands.show)
    diff = acts.add_parser("diff", help="a run against the baselines, case by case")
    diff.add_argument("suite")
    diff.add_argument("--run", help="the run to compare (default: the suite's last whole one)")
    diff.set_defaults(act=commands.diff)
    acts.add_parser("list", help="all baselines").set_defaults(act=commands.list_baselines)


def _report(part: argparse.ArgumentParser) -> None:
    part.add_argument("--week", help="an ISO week like 2026-W47 (default: the newest there is)")
    part.add_argument("--suite", action="append", default=[], help="only this suite (again and again)")
    part.add_argument("--output", type=Path, help="path of both pages without ending (default: reports/WEEK)")
    part.set_defaults(act=commands.report)


def _capture(part: argparse.ArgumentParser) -> None:
    part.add_argument("source", metavar="TRIAL|FILE.jsonl:LINE")
    part.add_argument("--failure-mode", required=True, metavar="FM-NNN", help="the failure mode it shows")
    part.add_argument("--expect", action="append", default=[], metavar="KEY=VALUE", help="what would be right")
    part.add_argument("--reason", required=True, help="what went wrong")
    part.add_argument("--suite", help="the suite it belongs to (default: that of the trial)")
    part.add_argument("--id", dest="case_id", help="the case's id (default: made of failure mode and input)")
    part.add_argument("--file", help="the case file of the suite (default: the only one)")
    part.add_argument("--tag", action="append", default=[], help="a tag, such as must_pass")
    part.add_argument("--by", help="who captures (default: git's user, else the login name)")
    part.set_defaults(act=commands.capture)


def _history(part: argparse.ArgumentParser) -> None:
    acts = part.add_subparsers(required=True, metavar="ACT")
    acts.add_parser("list", help="the runs, week by week").set_defaults(act=commands.list_history)
    bring = acts.add_parser("import", help="score recordings in bulk and keep them at their own dates")
    bring.add_argument("files", nargs="+", type=Path, metavar="RECORDING")
    bring.add_argument("--suite", required=True, help="the suite; with a parameter as in 'refunds[gpt]'")
    bring.add_argument("--metric", action="append", default=[], help="score by this metric (default: success)")
    bring.add_argument("--at", help="the time of the recording, where it tells none itself")
    bring.add_argument("--origin", choices=("replay", "shadow", "production"), default="replay")
    bring.set_defaults(act=commands.import_recordings)
