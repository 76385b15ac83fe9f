"""``--agent-eval-resume``: a run that was cut off goes on under its own id; what it has is not called again."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from pytest_agenteval.app.runs import run_folder
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import InvalidValue, UsageError
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.run import Run
from pytest_agenteval.store.files import refusals_of
from pytest_agenteval.store.journal import journals_of, refuse_while_under_way

RUN_FILE: Final = "run.json"
_ENDS_WITHIN = 30.0
"""Seconds that the processes of a run that was cut off are given to end: a worker may be in the middle of a call."""

_ANEW = "Run anew, without --agent-eval-resume"


def note_run(folder: Path, run: Run) -> None:
    """Write down which run the folder is of, before its first call. Raises IntegrityError."""
    file = folder / RUN_FILE
    with refusals_of(file, "written"):
        if not file.exists():
            file.write_text(json.dumps(encode(run)), "utf-8")


def resumed(workspace: Workspace, asked: str, run: Run) -> Run:
    """The run that goes on: the one of that id, or with "" the latest that was cut off, in place of the new ``run``.

    Raises UsageError where there is none, where it is sealed, or where it was another kind of run; IntegrityError
    where a process of it is still there.
    """
    before = _named(workspace, asked) if asked else _latest(workspace)
    for what, then, now in (
        ("versions", before.versions, run.versions),
        ("--agent-eval-mode", before.mode, run.mode),
        ("--agent-eval-agent", before.candidate, run.candidate),
    ):
        if then != now:
            message = (
                f"run {before.id} was begun with other {what}: {_told(then)}, and this session has {_told(now)}; "
                f"half a run of each would be no run. Give it what it had, or run anew, without --agent-eval-resume"
            )
            raise UsageError(message)
    folder = run_folder(workspace.settings, before.id)
    refuse_while_under_way(folder, _ENDS_WITHIN)
    _forget_the_session(folder)
    return replace(run, id=before.id, started=before.started)


def refuse_begun(workspace: Workspace, run_id: str) -> None:
    """Raise UsageError where a run of that id was begun: a new one would be mixed with it."""
    if journals_of(run_folder(workspace.settings, run_id)) and not workspace.history.has(run_id):
        message = (
            f"--agent-eval-run-id {run_id}: this run was begun and cut off. Go on with it: "
            f"--agent-eval-resume {run_id}, or name another"
        )
        raise UsageError(message)


def _named(workspace: Workspace, run_id: str) -> Run:
    if workspace.history.has(run_id):
        message = (
            f"run {run_id} came to its end, and the history has it: nothing of it is left to do. "
            f"Judge it again: pytest-agenteval gate {run_id}"
        )
        raise UsageError(message)
    found = _begun(workspace).get(run_id)
    if found is None:
        known = ", ".join(sorted(_unsealed(workspace))) or "none"
        message = (
            f"--agent-eval-resume {run_id}: there is no such run to go on with; cut off were: {known}. "
            f"Name one of them, or none for the latest; paths of tests stand before the option"
        )
        raise UsageError(message)
    return found


def _latest(workspace: Workspace) -> Run:
    unsealed = _unsealed(workspace)
    if not unsealed:
        message = f"there is no run to go on with in {workspace.settings.path('work') / 'runs'}. {_ANEW}"
        raise UsageError(message)
    return max(unsealed.values(), key=lambda run: (run.started, run.id))


def _unsealed(workspace: Workspace) -> dict[str, Run]:
    return {name: run for name, run in _begun(workspace).items() if not workspace.history.has(name)}


def _begun(workspace: Workspace) -> dict[str, Run]:
    """By id, the runs that have a journal."""
    found: dict[str, Run] = {}
    for file in (workspace.settings.path("work") / "runs").glob(f"*/{RUN_FILE}"):
        with suppress(OSError, UnicodeDecodeError, InvalidValue):  # cut off while it was written: before any call
            run = decode(Run, parse(file.read_bytes().decode()))
            if journals_of(file.parent):
                found[run.id] = run
    return found


def _forget_the_session(folder: Path) -> None:
    """Remove what the workers of the session that was cut off told each other."""
    with refusals_of(folder, "cleared"):
        for name in ("collected-*.json", "dealt.json", "settled.json"):
            for file in folder.glob(name):
                file.unlink()


def _told(what: object) -> str:
    return ", ".join(f"{name} {one}" for name, one in what.items()) if isinstance(what, dict) else f"{what!r}"
