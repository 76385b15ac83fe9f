"""``quarantine``: flaky cases that do not gate for a while, each with who mends it and until when."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import actor, say, shown, workspace_of
from pytest_agenteval.pipeline import exits

if TYPE_CHECKING:
    from pytest_agenteval.cli.saying import Parts


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("quarantine", help="keep measured flaky cases out of the gate for a while")
    acts = part.add_subparsers(required=True, metavar="ACT")
    add_ = acts.add_parser("add", help="quarantine a case that was measured flaky, or renew its quarantine")
    add_.add_argument("suite")
    add_.add_argument("case")
    add_.add_argument("--owner", required=True, help="who mends it")
    add_.add_argument("--until", required=True, metavar="YYYY-MM-DD", help="its last day, at most 90 days ahead")
    add_.add_argument("--reason", required=True, help="why it cannot be mended at once")
    add_.add_argument("--by", help="who quarantines (default: git's user, else the login name)")
    add_.set_defaults(act=add)
    remove_ = acts.add_parser("remove", help="let a case gate again")
    remove_.add_argument("suite")
    remove_.add_argument("case")
    remove_.add_argument("--reason", default="it gates again", help="why")
    remove_.add_argument("--by", help="who takes it out (default: git's user, else the login name)")
    remove_.set_defaults(act=remove)
    acts.add_parser("list", help="all quarantined cases").set_defaults(act=list_quarantined)


def add(options: argparse.Namespace) -> int:
    """``quarantine add``."""
    from pytest_agenteval.app.quarantine import Wanted, quarantine

    wanted = Wanted(
        suite=options.suite,
        case=options.case,
        owner=options.owner,
        until=options.until,
        reason=options.reason,
        by=options.by or actor(options.root),
        at=datetime.now(UTC),
    )
    workspace = workspace_of(options)
    known = any(one.case == options.case for one in workspace.quarantines.read(options.suite))
    done = "renewed the quarantine of" if known else "quarantined"
    entry = quarantine(workspace, wanted)
    say(
        f"{done} {options.suite}/{entry.case} until {entry.until}: it runs, and does not gate",
        f"  {entry.evidence}",
        f"  {shown(workspace.quarantines.path(options.suite))}",
    )
    return exits.OK


def remove(options: argparse.Namespace) -> int:
    """``quarantine remove``."""
    from pytest_agenteval.app.quarantine import release

    by = options.by or actor(options.root)
    workspace = workspace_of(options)
    release(workspace, options.suite, options.case, by=by, reason=options.reason, at=datetime.now(UTC))
    file = shown(workspace.quarantines.path(options.suite))
    say(f"{options.suite}/{options.case} gates again", f"  {file}")
    return exits.OK


def list_quarantined(options: argparse.Namespace) -> int:
    """``quarantine list``."""
    quarantines = workspace_of(options).quarantines
    now = datetime.now(UTC)
    lines = []
    for suite, entries in quarantines.all().items():
        for entry in entries:
            whose = entry.over if entry.expired(now) else entry.whose
            lines += [f"{suite}/{entry.case}: {whose}", f"  {entry.evidence}: {entry.reason}"]
    say(*lines or [f"no case in {shown(quarantines.root)}"])
    return exits.OK
