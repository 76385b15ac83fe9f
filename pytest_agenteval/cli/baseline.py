"""``baseline``: approve, show, compare and list the approved references."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import actor, say, shown, workspace_of
from pytest_agenteval.errors import BaselineError
from pytest_agenteval.model.baseline import Baseline, Renewal
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.pipeline import exits, words

if TYPE_CHECKING:
    from pytest_agenteval.cli.saying import Parts


_NOTHING_HELD_BACK = (
    "one attempt a case: nothing is held back, so the gate cannot confirm a drop by a second look. "
    "Six attempts are best: pytest --agent-eval --agent-eval-repeats 6"
)


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("baseline", help="approve, show, compare and list baselines")
    acts = part.add_subparsers(required=True, metavar="ACT")
    approve_ = acts.add_parser("approve", help="make a run's values the approved reference")
    approve_.add_argument("suite", nargs="?", help="the suite whose values are approved")
    approve_.add_argument("--metric", action="append", default=[], help="approve this metric (again and again)")
    approve_.add_argument("--reason", required=True, help="why it is good enough")
    approve_.add_argument("--run", help="the run to take (default: the suite's last whole one)")
    approve_.add_argument("--by", help="who approves (default: git's user, else the login name)")
    approve_.add_argument("--accept-drop", action="store_true", help="values below the former baseline are meant")
    approve_.add_argument("--in-ci", action="store_true", help="allow it although CI is set")
    approve_.add_argument("--loosening", action="store_true", help="approve what the last run found looser than --base")
    approve_.add_argument("--base", metavar="REF", help="with --loosening: the base that the run was judged by")
    approve_.add_argument("--owner", default="", help="with --loosening: who answers (default: the base's owner)")
    approve_.add_argument("--expires", type=int, default=30, metavar="DAYS", help="with --loosening: for how long")
    approve_.set_defaults(act=approve)
    show_ = acts.add_parser("show", help="one baseline, with who approved it and why")
    show_.add_argument("suite")
    show_.add_argument("--metric")
    show_.set_defaults(act=show)
    diff_ = acts.add_parser("diff", help="a run against the baselines, case by case")
    diff_.add_argument("suite")
    diff_.add_argument("--run", help="the run to compare (default: the suite's last whole one)")
    diff_.set_defaults(act=diff)
    acts.add_parser("list", help="all baselines").set_defaults(act=list_baselines)


def approve(options: argparse.Namespace) -> int:
    """``baseline approve``."""
    from pytest_agenteval.app.approve import Request, broken_limits
    from pytest_agenteval.app.approve import approve as approve_baselines

    if os.environ.get("CI") and not options.in_ci:
        message = "CI is set, and a baseline is approved by a person: run it at your desk, or add --in-ci"
        raise BaselineError(message)
    if options.loosening:
        return _approve_loosening(options)
    if options.suite is None:
        message = "name the suite: pytest-agenteval baseline approve SUITE; or say --loosening --base REF"
        raise BaselineError(message)
    request = Request(
        suite=options.suite,
        by=options.by or actor(options.root),
        reason=options.reason,
        at=datetime.now(UTC),
        metrics=tuple(options.metric),
        run=options.run,
        accept_drop=options.accept_drop,
    )
    workspace = workspace_of(options)
    approved = approve_baselines(workspace, request)
    # A recording cannot be asked again, whatever is held back.
    live = {run.id for run in workspace.history.runs(options.suite) if run.mode == "live"}
    for baseline in approved:
        say(
            f"approved {_headline(baseline)}",
            f"  {shown(workspace.baselines.path(baseline.suite, baseline.metric))}",
            *(f"  it is proven to lie {broken}: the gate stays red" for broken in broken_limits(baseline)),
            *([] if baseline.held_back or baseline.approval.run not in live else [f"  {_NOTHING_HELD_BACK}"]),
        )
    return exits.OK


def _approve_loosening(options: argparse.Namespace) -> int:
    from pytest_agenteval.app.allow import Allowance, allow

    if not options.base or options.suite is not None:
        message = "--loosening approves all that a run found looser than a base: name it by --base REF, and no suite"
        raise BaselineError(message)
    wanted = Allowance(
        base=options.base,
        by=options.by or actor(options.root),
        reason=options.reason,
        at=datetime.now(UTC),
        owner=options.owner,
        days=options.expires,
    )
    path, approval = allow(workspace_of(options), wanted)
    say(
        *(f"approved {one.suite}/{one.metric}: {one.words}" for one in approval.loosenings),
        f"  {shown(path)}, until {approval.expires:%Y-%m-%d}, {approval.owner} answers",
        "Merge this file first and by itself; audit/ stays with your change:",
        *(f"  {line}" for line in _merged_first(shown(path), options.base)),
    )
    return exits.OK


def _merged_first(file: str, base: str) -> tuple[str, ...]:
    return (
        "git add -A && git commit -m 'My change, and the approval that it needs'",
        f"git switch -c approval {base}",
        f"git checkout '@{{-1}}' -- {file}",
        "git commit -m 'Approve a loosening'  # have its owner review this branch, and merge it",
        f"git switch - && git merge {base}  # once it is merged (and fetched): it counts from here",
    )


def show(options: argparse.Namespace) -> int:
    """``baseline show``."""
    baselines = workspace_of(options).baselines
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
            *(f"  {_ancestor_words(one)}" for one in reversed(baseline.lineage)),
        )
    return exits.OK


def diff(options: argparse.Namespace) -> int:
    """``baseline diff``."""
    from pytest_agenteval.app.approve import measured_of
    from pytest_agenteval.pipeline.compare import compare

    workspace = workspace_of(options)
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
    workspace = workspace_of(options)
    lines = [_headline(baseline) for baseline in workspace.baselines.all()]
    say(*lines or [f"no baseline in {workspace.settings.path('baselines')}"])
    return exits.OK


def _agent_words(agent: AgentIdentity) -> str:
    told = {name: getattr(agent, name) for name in ("name", "version", "model", "prompt", "tools")}
    return ", ".join(f"{name} {value}" for name, value in told.items() if value) or "not told"


def _ancestor_words(one: Renewal) -> str:
    approval = one.approval
    change = "" if one.delta is None else f"; its successor came to {one.delta:+.4f}"
    return f"before: {words.number(one.value)} over {one.n} cases, {approval.at:%Y-%m-%d} by {approval.by}{change}"


def _headline(baseline: Baseline) -> str:
    return f"{baseline.suite}/{baseline.metric}: {words.value_words(baseline.estimate)}"
