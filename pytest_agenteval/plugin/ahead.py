"""Tells the engine which trials the coming items will ask for, and while which agent is up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import pytest

from pytest_agenteval.app.runs import Job
from pytest_agenteval.app.trials import Coming, Trials
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.coming import Source
from pytest_agenteval.plugin.session import JOB_OF, PLAN
from pytest_agenteval.plugin.sources import Sources


class Ahead:
    """What is to come in this process, and which agents are up.

    ``is_mine`` says whether the case of a share runs in this process, ``needed`` whether an attempt is still wanted.
    """

    def __init__(self, trials: Trials, is_mine: Callable[[str], bool], needed: Callable[[Job], bool]) -> None:
        self._trials, self._is_mine, self._needed = trials, is_mine, needed
        self.sources = Sources()
        self._source_of: dict[pytest.Item, Source] = {}
        self._up: dict[object, object] = {}
        self._shared: dict[tuple[Source, int], dict[str, object]] = {}
        self._left: Counter[tuple[str, int]] = Counter()
        trials.due = self._is_due

    def expect(self, items: Sequence[pytest.Item]) -> None:
        """These run next, in this order."""
        self._source_of = self.sources.of(items)
        shares = items[0].config.stash[PLAN].shares if items else {}
        with_job = [(item, item.stash[JOB_OF]) for item in items if JOB_OF in item.stash]
        mine = [(item, job) for item, job in with_job if self._is_mine(shares.get(item.nodeid, ""))]
        if self._trials.differ_by_suite:
            for item, job in mine:
                if item in self._source_of:
                    origin, instance = self._source_of[item]
                    self._source_of[item] = ((job.suite, origin), instance)
        self._left.update((job.suite, job.attempt) for _, job in mine if job.cap)
        self._trials.expect(Coming(job=job, source=self._source_of.get(item)) for item, job in mine)

    def shared_with(self, item: pytest.Function) -> dict[str, object] | None:
        """The values of the fixtures that the item shares with others, if all that it needs is up and it has no own."""
        source, needs = self._source_of.get(item), self.sources.needs(item)
        if source is None or needs is None or self._up.get(source[0]) != source[1]:
            return None
        return self._shared.get((source, id(needs)))

    def begin(self, item: pytest.Function, job: Job) -> None:
        """The item is set up: what it shares with those to come is up, so they may be called."""
        source, needs = self._source_of.get(item), self.sources.needs(item)
        if source is None or needs is None:
            return
        if needs.shared is not None and (source, id(needs)) not in self._shared:
            self._shared[source, id(needs)] = {name: item.funcargs[name] for name in needs.shared}
        if self._up.get(source[0]) == source[1]:
            return
        self._up[source[0]] = source[1]
        self._end_with(item, source)
        self._trials.serve(source, job, item.funcargs["agent"])

    def _end_with(self, item: pytest.Function, source: Source) -> None:
        """Whatever of it goes down first ends it; these run before the finalizers that were there."""
        end = partial(self._end, source)
        for name in item.fixturenames:
            for definition in getattr(item, "_fixtureinfo").name2fixturedefs.get(name, ())[-1:]:  # noqa: B009  # private
                if definition.scope != "function":
                    definition.addfinalizer(end)

    def count(self, trials: Iterable[Trial]) -> None:
        """Count what other processes of the run have spent on these."""
        self._trials.count(trials)

    def over(self, job: Job) -> None:
        """The item of the job is over."""
        if job.cap:
            self._left[job.suite, job.attempt] -= 1
        self._trials.pass_by(job)

    def _end(self, source: Source) -> None:
        if self._up.get(source[0]) == source[1]:
            del self._up[source[0]]
            self._shared = {key: values for key, values in self._shared.items() if key[0] != source}
            self._trials.drain(source)

    def _is_due(self, job: Job) -> bool:
        """Of adaptive repeats, only when the attempts before are over: they may show that it is not needed."""
        if not job.cap or job.attempt == 1:
            return True
        before = (self._left[job.suite, attempt] for attempt in range(1, job.attempt))
        return not any(count > 0 for count in before) and self._needed(job)
