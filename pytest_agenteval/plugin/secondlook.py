"""The second look: what the gate has doubts about is asked of the agent once more, before its fixtures go down."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest
from typing import Any, Protocol

import pytest
from _pytest.runner import runtestprotocol

from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.model.visible import visible
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.plugin import distribution, hearing
from pytest_agenteval.plugin.session import JOB_OF, PLAN

Doubts = Mapping[str, frozenset[str]]
"""By suite, the cases that are asked once more."""


class Judging(Protocol):
    """Who knows what is doubtful, and takes what is found."""

    @property
    def trials(self) -> Mapping[TrialKey, Trial]:
        """Those of the first look."""

    def doubts(self) -> Doubts:
        """The cases to ask once more."""

    def counts(self, suite: str, attempt: int) -> bool:
        """Whether the attempts of this number count: each look takes as many."""

    def take_again(self, trial: Trial) -> None:
        """Take a trial of the second look."""

    def refuse(self, report: pytest.TestReport) -> None:
        """Remember it if no trial was made for the report's item, since the budget is spent."""


def register(config: pytest.Config, judging: Judging, take_part: Callable[[], None]) -> None:
    """Register what takes the second look: where the items run, or under xdist at the controller."""
    second_look = SecondLook(config, judging)
    config.pluginmanager.register(second_look, "agenteval-second-look")
    where = AtTheController(second_look, take_part) if distribution.distributes(config) else Here(second_look)
    config.pluginmanager.register(where, "agenteval-second-look-when")


class Tail(pytest.Item):
    """Stands after the last item: pytest keeps the session's fixtures up for it."""

    def runtest(self) -> None:
        """Nothing is left to do."""


class SecondLook:
    """Runs the items of doubtful cases again, without their bodies, and hands over the trials."""

    def __init__(self, config: pytest.Config, judging: Judging) -> None:
        self._config, self._judging = config, judging
        self._looking = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self) -> bool | None:
        """Leave the bodies out: their asserts have been heard once."""
        return True if self._looking else None

    def doubts(self) -> Doubts:
        """The cases to ask once more."""
        return self._judging.doubts()

    def count_the_first(self) -> None:
        """What the workers have spent on the first look is not there to be spent once more."""
        ahead_of_items: Any = self._config.pluginmanager.get_plugin("agenteval-ahead")
        ahead_of_items.count(self._judging.trials.values())

    def look(self, items: Sequence[pytest.Item], doubts: Doubts, tail: pytest.Item | None = None) -> None:
        """Ask these once more; what goes wrong leaves its case without a second value."""
        chosen = [item for item in items if self._is_due(item, doubts)]
        last = max((item.stash[JOB_OF].attempt for item in items if JOB_OF in item.stash), default=0)
        self._tell(doubts)
        with self._without_bodies(), _as_attempts_after(last, chosen):
            ahead_of_items: Any = self._config.pluginmanager.get_plugin("agenteval-ahead")
            ahead_of_items.expect(chosen)
            ahead = [*chosen[1:], tail] if chosen else []
            for item, following in zip_longest(chosen, ahead):
                for report in runtestprotocol(item, log=False, nextitem=following):
                    self._judging.refuse(report)
                    data = getattr(report, "agenteval", None)
                    if data is not None:
                        self._judging.take_again(data if isinstance(data, Trial) else decode(Trial, data))

    def _is_due(self, item: pytest.Item, doubts: Doubts) -> bool:
        job = item.stash.get(JOB_OF, None)
        if job is None or job.case.id not in doubts.get(job.suite, ()):
            return False
        return self._judging.counts(job.suite, job.attempt)

    @contextmanager
    def _without_bodies(self) -> Generator[None]:
        self._looking = True
        try:
            yield
        finally:
            self._looking = False

    def _tell(self, doubts: Doubts) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and doubts:
            told = ", ".join(f"{counted(len(cases), 'case')} of {suite}" for suite, cases in sorted(doubts.items()))
            ends_in_letters = reporter.currentfspath is None and self._config.get_verbosity() <= 0  # -q, and xdist
            reporter.ensure_newline()
            if ends_in_letters:
                reporter.line("")
            reporter.write_line(visible(f"second look: a drop shows, so {told} are asked once more"))


@contextmanager
def _as_attempts_after(last: int, items: Sequence[pytest.Item]) -> Generator[None]:
    """The items' attempts are numbered on after those of the first look."""
    jobs = {item: item.stash[JOB_OF] for item in items}
    for item, job in jobs.items():
        item.stash[JOB_OF] = replace(job, attempt=last + job.attempt)
    try:
        yield
    finally:
        for item, job in jobs.items():
            item.stash[JOB_OF] = job


class Here:
    """The second look in the process that ran the items."""

    def __init__(self, second_look: SecondLook) -> None:
        self._second_look = second_look

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Put the tail after the last item."""
        if session.config.option.collectonly or not any(JOB_OF in item.stash for item in session.items):
            return (yield)
        tail = Tail.from_parent(session, name="second look")
        session.items.append(tail)
        try:
            return (yield)
        finally:
            session.items.remove(tail)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Look again at the tail; then it goes through pytest itself, which takes the fixtures down."""
        if not isinstance(item, Tail):
            return None
        self._second_look.look(item.session.items[:-1], self._second_look.doubts(), item)
        for report in runtestprotocol(item, log=False, nextitem=None):
            if report.failed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True


class AtTheController:
    """The second look under xdist: the controller collects the items itself, with an agent of its own."""

    def __init__(self, second_look: SecondLook, take_part: Callable[[], None]) -> None:
        self._second_look, self._take_part = second_look, take_part

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Look again when the workers are done."""
        result = yield
        doubts = {} if session.config.option.collectonly else self._second_look.doubts()
        if doubts:
            counted_before, plan_before = session.testscollected, session.config.stash.get(PLAN, None)
            self._take_part()
            hearing.listen(session.config)
            self._second_look.count_the_first()
            with _quiet(session.config):
                session.perform_collect()
            self._second_look.look(session.items, doubts)
            session.testscollected = counted_before
            if plan_before is None and PLAN in session.config.stash:
                del session.config.stash[PLAN]  # the workers' plan is the run's
        return result


@contextmanager
def _quiet(config: pytest.Config) -> Generator[None]:
    """Without pytest's line of what it collected, which the workers' has said."""
    verbose, config.option.verbose = config.option.verbose, -1
    try:
        yield
    finally:
        config.option.verbose = verbose
