"""What each part of the command does: one use case each, and its result in words."""

from __future__ import annotations

import argparse
import getpass
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import BaselineError
from pytest_agenteval.model.baseline import Baseline
from pytest_agenteval.model.codec import parse_time
from pytest_agenteval.model.run import week_of
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.model.visible import visible
from pytest_agenteval.pipeline import exits, words


def say(*lines: str) -> None:
    """Print lines in which nothing can act."""
    for line in lines:
        sys.stdout.write(f"{visible(line)}\n")


def approve(options: argparse.Namespace) -> int:
    """``baseline approve``."""
    from pytest_agenteval.app.approve import Request
    from pytest_agenteval.app.approve import approve as approve_baselines

    if os.environ.get("CI") and not options.in_ci:
        message = "CI is set, and a baseline is approved by a person: run it at your desk, or add --in-ci"
        raise BaselineError(message)
    request = Request(
        suite=options.suite,
        by=options.by or _actor(options.root),
        reason=options.reason,
        at=datetime.now(UTC),
        metrics=tuple(options.metric),
        run=options.run,
    )
    workspace = _workspace(options)
    for baseline in approve_baselines(workspace, request):
        say(
            f"approved {_headline(baseline)}",
            f"  {_shown(workspace.baselines.path(baseline.suite, baseline.metric))}",
        )
    return exits.OK


def show(options: argparse.Namespace) -> int:
    """``baseline show``."""
    baselines = _workspace(options).baselines
    names = [options.metric] if options.metric else baselines.metrics(options.suite)
    found = [baseline for name in names if (baseline := baselines.read(options.suite, name)) is not None]
    if not found:
        of_metric = f" of {options.metric}" if options.metric else ""
        message = f"suite {options.suite!r} has no baseline{of_metric}. Make one by baseline approve"
        raise BaselineError(message)
    for baseline in found:
        approval = baseline.approval
        repeats = max((len(one.values) for one in baseline.screen.values()), default=0)
        held = max((len(one.values) for one in baseline.held_back.values()), default=0)
        cases, attempts = words.counted(len(baseline.screen), "case"), words.counted(repeats, "attempt")
        say(
            _headline(baseline),
            f"  {words.bar_words(baseline.bar)}, margin {words.number(baseline.bar.margin)}",
            f"  {cases}, {attempts} for the screen, {held} held back",
            f"  agent {_agent_words(baseline.agent)}",
            f"  approved by {approval.by} on {approval.at:%Y-%m-%d} from run {approval.run}: {approval.reason}",
        )
    return exits.OK


def diff(options: argparse.Namespace) -> int:
    """``baseline diff``."""
    from pytest_agenteval.app.approve import measured_of
    from pytest_agenteval.pipeline.compare import compare

    workspace = _workspace(options)
    run_id, measured = measured_of(workspace, options.suite, options.run)
    say(f"run {run_id} against the baselines of {options.suite}")
    for one in measured:
        baseline = workspace.baselines.read(options.suite, one.spec.name)
        if baseline is None:
            continue
        if baseline.spec.version != one.spec.version:
            versions = f"version {baseline.spec.version}, and the run by version {one.spec.version}"
            say(f"{one.spec.name}: the baseline was measured by {versions}; the two cannot be compared")
            continue
        found = compare(baseline.screen, baseline.estimate, one, margin=baseline.bar.margin)
        say(f"{one.spec.name}: {words.comparison_words(found)}")
        for word in ("lost", "won", "edited", "added", "removed", "regraded"):
            say(*(f"  {word}: {case}" for case in getattr(found, word)))
    return exits.OK


def list_baselines(options: argparse.Namespace) -> int:
    """``baseline list``."""
    workspace = _workspace(options)
    lines = [_headline(baseline) for baseline in workspace.baselines.all()]
    say(*lines or [f"no baseline in {workspace.settings.path('baselines')}"])
    return exits.OK


def report(options: argparse.Namespace) -> int:
    """``report``."""
    from pytest_agenteval.app.reporting import render_report

    workspace = _workspace(options)
    paths = render_report(
        workspace,
        _registry(workspace),
        now=datetime.now(UTC),
        week=options.week,
        suites=options.suite,
        output=options.output,
    )
    say(*map(_shown, paths))
    return exits.OK


def capture(options: argparse.Namespace) -> int:
    """``capture``."""
    from pytest_agenteval.app.capture import Capture, parse_expectations
    from pytest_agenteval.app.capture import capture as capture_case

    wanted = Capture(
        source=options.source,
        failure_mode=options.failure_mode,
        expect=parse_expectations(options.expect),
        reason=options.reason,
        by=options.by or _actor(options.root),
        at=datetime.now(UTC),
        suite=options.suite,
        case_id=options.case_id,
        file=options.file,
        tags=tuple(options.tag),
    )
    workspace = _workspace(options)
    case, place = capture_case(workspace, _registry(workspace), wanted)
    say(
        f"captured {case.suite}/{case.id} for {case.failure_mode}",
        f"  {_shown(place)}",
        "The next pytest --agent-eval runs it.",
    )
    return exits.OK


def list_history(options: argparse.Namespace) -> int:
    """``history list``."""
    history = _workspace(options).history
    for run in history.runs():
        part = f"  (only a part of {', '.join(run.partial)})" if run.partial else ""
        other = f"  (candidate {run.candidate})" if run.candidate else ""
        say(f"{week_of(run.started)}  {run.id}  {run.mode}{other}{part}")
    problems = history.problems()
    say(*(f"not read: {problem}" for problem in problems))
    return exits.OK


def import_recordings(options: argparse.Namespace) -> int:
    """``history import``."""
    from pytest_agenteval.app.importing import Import, import_recording

    workspace = _workspace(options)
    registry = _registry(workspace)
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


def _workspace(options: argparse.Namespace) -> Workspace:
    return Workspace.at(options.root.resolve())


def _registry(workspace: Workspace) -> Registry:
    return Registry(modules=workspace.settings.plugins, root=workspace.settings.root)


def _agent_words(agent: AgentIdentity) -> str:
    told = {name: getattr(agent, name) for name in ("name", "version", "model", "prompt", "tools")}
    return ", ".join(f"{name} {value}" for name, value in told.items() if value) or "not told"


def _shown(path: Path | str) -> str:
    """The path as seen from here, if it lies below."""
    return str(path).removeprefix(f"{Path.cwd()}{os.sep}")


def _headline(baseline: Baseline) -> str:
    return f"{baseline.suite}/{baseline.metric}: {words.value_words(baseline.estimate)}"


def _actor(root: Path) -> str:
    """Git's user, else who is logged in."""
    asked: Iterable[str] = ("user.name", "user.email")
    found = [_git(root, "config", name) for name in asked]
    name, email = found
    return f"{name} <{email}>" if name and email else name or getpass.getuser()


def _git(root: Path, *words_: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words_], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
