"""``merge``: judge the shards of one run as its whole."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import registry_of, say, workspace_of
from pytest_agenteval.model.run import week_of

if TYPE_CHECKING:
    from pytest_agenteval.cli.saying import Parts


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("merge", help="judge the shards of one run, of several machines, as its whole")
    part.add_argument("folder", nargs="+", type=Path, metavar="FOLDER", help="what the jobs left: .agenteval/runs/ID")
    part.add_argument("--run-id", metavar="ID", help="the run, where the folders hold shards of several")
    part.add_argument(
        "--gate", choices=("merge", "release"), help="as --agent-eval-gate (default: what the shards had)"
    )
    part.add_argument("--base", metavar="REF", help="judge by the bars at the merge base, as --agent-eval-base")
    part.add_argument("-v", "--verbose", action="store_true", help="name every failing trial")
    part.set_defaults(act=merge)


def merge(options: argparse.Namespace) -> int:
    """``merge``."""
    from pytest_agenteval.app.judging import estimates_by_suite
    from pytest_agenteval.app.merging import merge as merge_shards
    from pytest_agenteval.app.shards import notes, read_shards
    from pytest_agenteval.app.summary import gate_lines, measured_lines

    workspace = workspace_of(options)
    shards = read_shards(options.folder, Path(workspace.settings.root).resolve(), options.run_id)
    say(f"run {shards.run.id} of {week_of(shards.run.started)}", *notes(shards))
    judged = merge_shards(workspace, shards, gate=options.gate, base_ref=options.base)
    for suite, estimates in estimates_by_suite(judged).items():
        say(*(line.text for line in measured_lines(judged, suite, estimates, verbose=options.verbose)))
    details = f"details in {workspace.settings.work}/verdict.json"
    say(*(line.text for line in gate_lines(judged, judged.code, details)))
    registry_of(workspace).observe("agenteval_run_judged", run=judged.finished.run, verdicts=judged.verdicts)
    return judged.code
