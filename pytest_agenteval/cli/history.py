"""``history``: show the runs and what changed from week to week, and take recordings in."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import registry_of, say, workspace_of
from pytest_agenteval.model.codec import parse_time
from pytest_agenteval.model.run import week_of
from pytest_agenteval.pipeline import exits, words

if TYPE_CHECKING:
    from pytest_agenteval.cli.saying import Parts
    from pytest_agenteval.store.history.steps import WeekStep


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("history", help="show the history, or take recordings in")
    acts = part.add_subparsers(required=True, metavar="ACT")
    acts.add_parser("list", help="the runs, week by week").set_defaults(act=list_history)
    weeks = acts.add_parser("weeks", help="each metric week by week: its value, its change, the cases that moved")
    weeks.add_argument("--suite", help="only this suite; with a parameter as in 'refunds[gpt]'")
    weeks.add_argument("--metric", help="only this metric")
    weeks.set_defaults(act=list_weeks)
    bring = acts.add_parser("import", help="score recordings in bulk and keep them at their own dates")
    bring.add_argument("files", nargs="+", type=Path, metavar="RECORDING")
    bring.add_argument("--suite", required=True, help="the suite; with a parameter as in 'refunds[gpt]'")
    bring.add_argument("--metric", action="append", default=[], help="score by this metric (default: success)")
    bring.add_argument("--at", help="the time of the recording, where it tells none itself")
    bring.add_argument("--origin", choices=("replay", "shadow", "production"), default="replay")
    bring.set_defaults(act=import_recordings)


def list_history(options: argparse.Namespace) -> int:
    """``history list``."""
    history = workspace_of(options).history
    for run in history.runs():
        part = f"  (only a part of {', '.join(run.partial)})" if run.partial else ""
        other = f"  (candidate {run.candidate})" if run.candidate else ""
        aside = f"  ({run.aside})" if run.aside else ""
        say(f"{week_of(run.started)}  {run.id}  {run.mode}{other}{part}{aside}")
    problems = history.problems()
    say(*(f"not read: {problem}" for problem in problems))
    return exits.OK


def list_weeks(options: argparse.Namespace) -> int:
    """``history weeks``."""
    steps = workspace_of(options).history.week_steps(options.suite, options.metric)
    rows = [_HEADER, *map(_cells, steps)] if steps else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    say(*("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows))
    return exits.OK


_HEADER = ("suite", "week", "metric", "value", "change", "better", "worse", "of")


def _cells(step: WeekStep) -> tuple[str, ...]:
    value = step.value
    change = "" if step.change is None else f"{step.change:+.4f}"
    moved = ("" if count is None else str(count) for count in (step.better, step.worse, step.common))
    return (value.suite, value.week, value.estimate.metric, words.number(value.estimate.value), change, *moved)


def import_recordings(options: argparse.Namespace) -> int:
    """``history import``."""
    from pytest_agenteval.app.importing import Import, import_recording

    workspace = workspace_of(options)
    registry = registry_of(workspace)
    for file in options.files:
        wanted = Import(
            file=file,
            suite=options.suite,
            metrics=tuple(options.metric) or ("success",),
            at=parse_time(options.at) if options.at else None,
            origin=options.origin,
        )
        finished = import_recording(workspace, registry, wanted)
        run = finished.run
        trials = words.counted(len(finished.trials), "trial")
        say(f"{week_of(run.started)}  {run.id}  {options.suite}: {trials} of {file.name}")
    return exits.OK
