"""The command's words and options."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from pytest_agenteval.cli import baseline, capture, gate, history, merge, plan, quarantine, report, rescore, verdict
from pytest_agenteval.model.visible import visible
from pytest_agenteval.pipeline import exits

PARTS = (baseline, plan, quarantine, report, capture, history, gate, merge, rescore, verdict)
"""The parts of the command, in the order in which the help shows them."""


class _Parser(argparse.ArgumentParser):
    """Of words it does not know it says so by the project's own table: argparse's 2 means interrupted there."""

    def error(self, message: str) -> NoReturn:
        """End with the usage, the message and exit code 4."""
        self.print_usage(sys.stderr)
        self.exit(exits.USAGE, f"pytest-agenteval: {visible(message)}\n")


class _Version(argparse.Action):
    """Looks the version up when it is asked: to find out how it is done takes a fifth of the command's start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """End with the version."""
        from importlib import metadata

        parser.exit(message=f"pytest-agenteval {metadata.version('pytest-agenteval')}\n")


def parser() -> argparse.ArgumentParser:
    """The parser of the command and all its parts."""
    top = _Parser(
        prog="pytest-agenteval",
        description="Baselines, history, reports and captured cases of pytest --agent-eval.",
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and end")
    top.add_argument("--root", type=Path, default=Path(), help="the project's folder (default: this one)")
    parts = top.add_subparsers(required=True, metavar="COMMAND")
    for part in PARTS:
        part.add_to(parts)
    return top
