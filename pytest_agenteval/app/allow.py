"""Approving what a change makes looser: a file that is merged first, by itself, and then counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pytest_agenteval.app.base import base_settings
from pytest_agenteval.app.verdictfile import read_verdict
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import BaselineError, InvalidValue
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.loosening import LONGEST_DAYS, Loosening, LooseningApproval
from pytest_agenteval.store.approvals import write_approval
from pytest_agenteval.store.gitbase import GitBase


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Who approves what the last run found looser than ``base``, why, and for how many days.

    ``owner`` answers for it; the empty text stands for the owner that the base's settings name.
    """

    base: str
    by: str
    reason: str
    at: datetime
    owner: str = ""
    days: int = 30


def allow(workspace: Workspace, wanted: Allowance) -> tuple[Path, LooseningApproval]:
    """Write the approval of all that the last run found looser; it counts once it stands in the base.

    Raises UsageError where the base cannot be had, IntegrityError where no run has a verdict to rely on, and
    BaselineError where that run was judged by another base, found nothing looser, or nobody answers for it.
    """
    root = Path(workspace.settings.root).resolve()
    git = GitBase.merge_base(root, wanted.base)
    found = read_verdict(workspace.verdict_file)
    run_again = f"Run: pytest --agent-eval --agent-eval-base {wanted.base}"
    if found.base != git.sha:
        judged_by = f"by the base {found.base[:12]}" if found.base else "without a base"
        message = f"the last run was judged {judged_by}, and {wanted.base} is {git.sha[:12]} now. {run_again}"
        raise BaselineError(message)
    if not found.loosenings:
        message = (
            f"the last run found nothing that is looser than in the base {git.sha[:12]}: there is nothing to approve"
        )
        raise BaselineError(message)
    settings = base_settings(git, root)
    approval = _approval(wanted, owner=wanted.owner or settings.owner, found=found.loosenings)
    change = Change(
        at=wanted.at,
        actor=wanted.by,
        action="loosening.approve",
        subject=", ".join(dict.fromkeys(f"{one.suite}/{one.metric}" for one in approval.loosenings)),
        reason=wanted.reason,
        after={one.digest: one.words for one in approval.loosenings},
    )
    return write_approval(settings.path("baselines"), approval, change, workspace.audit), approval


def _approval(wanted: Allowance, *, owner: str, found: tuple[Loosening, ...]) -> LooseningApproval:
    if not 0 < wanted.days <= LONGEST_DAYS:
        message = f"--expires {wanted.days}: an approval is good for 1 to {LONGEST_DAYS} days"
        raise BaselineError(message)
    try:
        return LooseningApproval(
            owner=owner,
            reason=wanted.reason,
            at=wanted.at,
            expires=wanted.at + timedelta(days=wanted.days),
            loosenings=found,
        )
    except InvalidValue as error:
        message = f"{error}. Name who answers for it by --owner, and why by --reason"
        raise BaselineError(message) from error
