"""``rescore``: score a stored run by other metrics."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import registry_of, say, workspace_of
from pytest_agenteval.model.run import week_of
from pytest_agenteval.pipeline import exits, words

if TYPE_CHECKING:
    from pytest_agenteval.app.rescore import Rescored
    from pytest_agenteval.cli.saying import Parts


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("rescore", help="score a stored run by other metrics, without calling an agent")
    part.add_argument("run", metavar="RUN", help="the run, as history list names it")
    part.add_argument(
        "--metric",
        action="append",
        required=True,
        help="a metric's name, module:function or file.py:function (again and again)",
    )
    part.add_argument("--stands", action="store_true", help="the new scores stand for the run's week")
    part.set_defaults(act=rescore)


def rescore(options: argparse.Namespace) -> int:
    """``rescore``."""
    from pytest_agenteval.app.rescore import Rescore
    from pytest_agenteval.app.rescore import rescore as rescore_run

    workspace = workspace_of(options)
    wanted = Rescore(run=options.run, metrics=tuple(options.metric), stands=options.stands)
    found = rescore_run(workspace, registry_of(workspace), wanted)
    run = found.anew.run
    say(f"{week_of(run.started)}  {run.id}  {found.stored.run.id} scored anew", *_lines(found))
    say("It stands for its week." if options.stands else "The week keeps the stored scores.")
    say(f"Judge it: pytest-agenteval gate {run.id}")
    return exits.OK


def _lines(found: Rescored) -> list[str]:
    """By suite and metric, the stored estimate, the new one, and of how many trials the score is another."""
    before = {(one.suite, one.metric): one for one in found.stored.estimates if not one.slice}
    lines = []
    for after in found.anew.estimates:
        if after.metric not in found.metrics:
            continue
        old = before.get((after.suite, after.metric))
        was = words.value_words(old) if old is not None else "not measured"
        changed = words.counted(found.changed.get((after.suite, after.metric), 0), "score differs", "scores differ")
        lines.append(f"  {after.suite}/{after.metric}: {was} → {words.value_words(after)}; {changed}")
    return lines
