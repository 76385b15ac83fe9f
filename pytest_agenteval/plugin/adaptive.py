"""Adaptive repeats: items of attempts that are not needed any more are skipped, with that reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest

from pytest_agenteval.app.adaptive import AdaptiveRepeats, Settled
from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.runs import Job, Plan
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.plugin import distribution
from pytest_agenteval.plugin.session import JOB_OF
from pytest_agenteval.store.files import write_atomically

REPEATS = pytest.StashKey[AdaptiveRepeats]()
"""What the process that judges knows of a run that has adaptive repeats."""


class Judging(Protocol):
    """Who has the trials, and can judge some of them."""

    @property
    def plan(self) -> Plan | None:
        """What will run, once it is known."""

    @property
    def trials(self) -> Mapping[TrialKey, Trial]:
        """Those that have come in."""

    def judged_by(self, plan: Plan, trials: Sequence[Trial]) -> Judged:
        """Judge these by a plan of their own."""


def settled_file(folder: Path) -> Path:
    """Where the controller tells its workers what is settled; on another machine they do not see it."""
    return folder / "settled.json"


class Watching:
    """In the process that judges: sees each item that is over, and keeps what is settled by them."""

    def __init__(self, config: pytest.Config, judging: Judging, workspace: Workspace, folder: Path) -> None:
        self._config, self._judging, self._workspace = config, judging, workspace
        self._file = settled_file(folder) if distribution.distributes(config) else None

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count an item when it is taken down: then its trial has come in."""
        repeats = self._repeats()
        if repeats is None:
            return
        data = getattr(report, "agenteval", None)
        if data is not None and report.failed:
            repeats.failed(data if isinstance(data, Trial) else decode(Trial, data))
        if report.when == "teardown" and repeats.over(report.nodeid) and self._file is not None:
            with suppress(IntegrityError):  # then the workers skip nothing, and all stays right
                write_atomically(self._file, json.dumps(encode(repeats.settled)).encode())

    def _repeats(self) -> AdaptiveRepeats | None:
        stash = self._config.stash
        if REPEATS not in stash and (plan := self._judging.plan) is not None:
            stash[REPEATS] = AdaptiveRepeats(plan, self._judging.trials, self._judging.judged_by, self._workspace)
        return stash.get(REPEATS, None)


class Skipping:
    """In a process that runs items: leaves out those that are not needed, before anything is set up for them."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._config = config
        self._file = settled_file(folder) if distribution.is_worker(config) else None
        self._read: tuple[int, Settled] = (0, Settled())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Ask before each attempt but the first; those beyond the cap are of a second look."""
        job = item.stash.get(JOB_OF, None)
        if job is not None and 1 < job.attempt <= job.cap and (reason := self._settled().why_not(job.key)):
            raise pytest.skip.Exception(reason, _use_item_location=True)

    def needs(self, job: Job) -> bool:
        """Whether the attempt is wanted, as far as can be known."""
        return not self._settled().why_not(job.key)

    def _settled(self) -> Settled:
        if self._file is None:
            repeats = self._config.stash.get(REPEATS, None)
            return repeats.settled if repeats else Settled()
        with suppress(OSError, ValueError):  # not there yet
            at = self._file.stat().st_mtime_ns
            if at != self._read[0]:
                self._read = (at, decode(Settled, json.loads(self._file.read_text("utf-8"))))
        return self._read[1]
