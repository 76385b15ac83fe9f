"""The trials of one process of a run: made by the engine, scored, redacted, and kept in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

from pytest_agenteval.app.isolation import kept_apart
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.runs import Job, RunOptions, run_folder
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.app.targets import Targets
from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.errors import CaseError
from pytest_agenteval.metrics.scoring import score_trial
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.pipeline.budget import Budget, Meter
from pytest_agenteval.pipeline.clock import Clock
from pytest_agenteval.pipeline.coming import Order, Source, State
from pytest_agenteval.pipeline.faults import fault_of
from pytest_agenteval.pipeline.heard import Heard
from pytest_agenteval.pipeline.rates import Rates
from pytest_agenteval.pipeline.run import Engine
from pytest_agenteval.pipeline.tries import CallLimits
from pytest_agenteval.stats import stable_seed
from pytest_agenteval.store.journal import Journal, kept_trials
from pytest_agenteval.store.redaction import Redaction, SafeTrial

if TYPE_CHECKING:
    from pytest_agenteval.agents.isolated import IsolatedAgent
    from pytest_agenteval.app.cached import CachedAnswers


class NotCalled(Exception):  # it is no error: the run was told to stop here
    """No trial was made, since the budget is spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """An item to come: its job, and where its agent comes from if that is known before its turn."""

    job: Job
    source: Source | None = None


class _Adapted(NamedTuple):
    """What a fixture gave, as an agent: the same one for all items that are given it, whatever their suites."""

    fixture: object = None
    isolation: str = ""
    agent: Agent | None = None


class Trials:
    """Makes, scores and keeps the trials of one process of a run; one of ``processes`` that share what is allowed.

    What the journals of the run hold when they begin is not made again: a run that goes on, or a worker in the place of
    one that crashed. ``due`` says whether a job may be called ahead of its item by now.
    """

    def __init__(
        self,
        run: Run,
        settings: Settings,
        registry: Registry,
        options: RunOptions,
        *,
        clock: Clock,
        name: str = "main",
        processes: int = 1,
    ) -> None:
        self._run, self._settings, self._registry, self._clock = run, settings, registry, clock
        self.due: Callable[[Job], bool] = lambda _: True
        self._engine = _engine(settings, options, clock, processes, self)
        self._targets = Targets(settings, registry, options.mode, options.agent)
        self._redaction = Redaction(registry.redactors())
        self._folder = run_folder(settings, run.id)
        self._journal = Journal(self._folder, name)
        self.cached = _cached(settings) if options.cache else None
        self._is_closed = False
        self._jobs: dict[str, Job] = {}
        self._orders: dict[TrialKey, Order] = {}
        self._safe: dict[TrialKey, SafeTrial] = {}
        self._scored: dict[TrialKey, tuple[Score, ...]] = {}
        self._served: dict[Source, _Adapted] = {}
        self._adapted = _Adapted()
        self._apart: dict[Source, IsolatedAgent] = {}

    @property
    def differ_by_suite(self) -> bool:
        """Whether one fixture may stand for several agents, each of its own suite."""
        isolation = self._settings.isolation
        return self._targets.given or any(
            (one.isolation or isolation) != isolation for one in self._settings.suites.values()
        )

    @property
    def replaces_the_fixture(self) -> bool:
        """Whether the command line names the agent, so that the user's fixture is not set up."""
        return self._targets.given

    @property
    def n_under_way(self) -> int:
        """How many calls are under way."""
        return self._engine.n_under_way

    def redacted(self, text: str) -> str:
        """The text as it may be shown."""
        return self._redaction.text(text)

    def make_agent(self, suite: str) -> None:
        """Make the suite's agent now, where the command line names one. Raises AgentTargetError, RecordingError."""
        self._targets.agent_for(suite)

    def expect(self, coming: Iterable[Coming]) -> None:
        """What will be asked for, in the order of the items; items of one trial share it."""
        new = [self._ordered(one.job, one.source) for one in coming if one.job.key not in self._orders]
        self._engine.expect(order for order in new if order.source is not None and order.id not in self._kept)

    def serve(self, source: Source, job: Job, agent: object) -> None:
        """This is the agent of that source: its trials may be made ahead of their items."""
        served = self._agent(job, agent)
        self._served[source] = _Adapted(agent, self._settings.isolation_of(job.suite), served)
        if self._settings.isolation_of(job.suite) != "none" and served.origin == "live":
            self._apart[source] = cast("IsolatedAgent", served)
        self._engine.serve(source, served)

    def drain(self, source: Source) -> None:
        """The agent of that source goes down: nothing of it is under way when this returns."""
        self._engine.drain(source)
        self._served.pop(source, None)
        apart = self._apart.pop(source, None)
        if apart is not None:
            self._adapted = _Adapted()
            apart.close()

    def count(self, trials: Iterable[Trial]) -> None:
        """Count what other processes of the run have spent on these: it leaves less to spend here."""
        self._engine.meter.count(trials)

    def pass_by(self, job: Job) -> None:
        """The item of the job is over, whether or not it asked for its trial."""
        order = self._orders.get(job.key)
        if order is not None:
            self._engine.pass_by(order)

    def trial(self, job: Job, agent: object) -> Trial:
        """The trial of the job; made at the first call, the same one for all items that share it.

        Raises NotCalled where the budget is spent, and what kept the trial from being written down.
        """
        order = self._orders.get(job.key) or self._ordered(job, None)
        if order.state is State.WAITING and (kept := self._kept_of(job)) is not None:
            self._scored[job.key] = kept.scores
            self._safe[job.key] = order.trial = SafeTrial(replace(kept, scores=()))
            order.state = State.OVER
        self._engine.take(order, self._agent(job, agent))
        if order.trial is None:
            raise NotCalled(order.refused)
        return order.trial

    def finished(self, job: Job) -> Trial | None:
        """The trial of the job if there is one yet."""
        order = self._orders.get(job.key)
        return None if order is None else order.trial

    def heard(self, job: Job) -> Heard | None:
        """What the agent printed and logged during the call of the job."""
        order = self._orders.get(job.key)
        return None if order is None else order.heard

    def record(self, job: Job, agent: object, answer: object) -> Trial:
        """The trial of a test that called its agent itself and hands over what came of it.

        Raises CaseError where the attempt has a trial: the scores of two would be joined as if they were one.
        """
        from pytest_agenteval.agents import adapt
        from pytest_agenteval.agents.callable import as_trajectory

        if self.finished(job) is not None:
            message = (
                f"attempt {job.attempt} of case {job.case.id!r} has a trial already, and a second was handed over. "
                f"Call record_trial once, and give this test cases that no other test of suite {job.suite!r} has"
            )
            raise CaseError(message)
        identity = adapt(agent).identity if callable(agent) else AgentIdentity()
        try:
            trajectory = as_trajectory(answer, identity)
        except Exception as error:  # noqa: BLE001  # what is handed over may be anything
            trajectory = Trajectory(error=fault_of(error), agent=identity)
        order = self._ordered(job, None)
        trial = Trial(id=order.id, case=job.case, trajectory=trajectory, attempt=job.attempt, at=self._clock.now())
        order.trial, order.state = trial, State.OVER
        self.keep(order, trial)
        return trial

    def score(self, job: Job) -> SafeTrial:
        """Score the finished trial by the job's metrics, redact what they say, and write it to the journal."""
        trial = self.finished(job)
        assert trial is not None  # the caller has looked
        scores = self._scores_kept(job)
        if scores is None:
            scores = [self._redaction.score(score_trial(metric, trial)) for metric in job.metrics]
            self._journal.scored(self._safe[job.key], scores)
        safe = SafeTrial(self._safe[job.key].with_scores(scores))
        self._registry.observe("agenteval_trial_scored", trial=safe)
        return safe

    def succeeded(self, job: Job) -> bool:
        """Whether nothing says that the finished trial fell short of its case, whatever metrics the test asks for."""
        trial = self.finished(job)
        assert trial is not None  # the caller has looked
        value = score_trial(self._registry.metric("success"), trial).value
        return value is None or bool(value)

    def n_kept(self, jobs: Iterable[Job]) -> int:
        """How many trials of the jobs the run has already."""
        return len({job.key for job in jobs if self._kept_of(job) is not None})

    def close(self) -> None:
        """End the threads and close the journal; once. Raises IntegrityError where it is not seen to the disk."""
        if self._is_closed:
            return
        self._is_closed = True
        self._engine.close()
        if self.cached is not None:
            self.cached.close()
        self._journal.close()

    # The engine's book.

    def known(self, order: Order) -> Trial | None:
        """A trial that need not be made, since there is one."""
        return None if self.cached is None else self.cached.known(order)

    def keep(self, order: Order, trial: Trial) -> None:
        """Write a trial down as soon as it is made."""
        self._safe[trial.key] = safe = self._redaction.trial(trial)
        self._journal.called(safe)
        if self.cached is not None:
            self.cached.keep(order, trial, safe)

    def needed(self, order: Order) -> bool:
        """Whether the order may be called ahead by now."""
        return self.due(self._jobs[order.id])

    @cached_property
    def _kept(self) -> Mapping[str, SafeTrial]:
        return kept_trials(self._folder)

    def _kept_of(self, job: Job) -> SafeTrial | None:
        """The trial of the job, if the run has it and the case is still the same."""
        kept = self._kept.get(self._order_id(job)) if self._kept else None
        return kept if kept is not None and kept.key == job.key else None

    def _scores_kept(self, job: Job) -> list[Score] | None:
        """The scores of a kept trial, where they are all that the job's metrics ask for."""
        known = {(score.metric, score.metric_version): score for score in self._scored.get(job.key, ())}
        found = [known.get((metric.spec.name, metric.spec.version)) for metric in job.metrics]
        scores = [score for score in found if score is not None]
        return scores if known and len(scores) == len(found) else None

    def _order_id(self, job: Job) -> str:
        """The same for the same question, in whatever process of the run it is asked."""
        asked = [job.suite, job.case.id, job.attempt, job.case.fingerprint]
        return f"{self._run.id}-{digest(asked, length=12)}"

    def _ordered(self, job: Job, source: Source | None) -> Order:
        order_id = self._order_id(job)
        seed = stable_seed([job.suite, job.case.id, str(job.attempt)])
        self._jobs[order_id] = job
        order = Order(order_id, Call(case=job.case, attempt=job.attempt, seed=seed), source)
        self._orders[job.key] = order
        return order

    def _agent(self, job: Job, fixture: object) -> Agent:
        """The agent of the job: what the command line names, or else what the fixture gave."""
        from pytest_agenteval.agents import adapt

        named = self._targets.agent_for(job.suite)
        if named is not None:
            return named
        isolation = self._settings.isolation_of(job.suite)
        for known in (self._adapted, *self._served.values()):
            if known.agent is not None and known.fixture is fixture and known.isolation == isolation:
                return known.agent
        agent = kept_apart(adapt(fixture), job.suite, self._settings)
        self._adapted = _Adapted(fixture, isolation, agent)
        return agent


def _cached(settings: Settings) -> CachedAnswers:
    from pytest_agenteval.app.cached import CachedAnswers

    return CachedAnswers(settings)


def _engine(settings: Settings, options: RunOptions, clock: Clock, processes: int, book: Trials) -> Engine:
    """An engine that takes its share of what all processes of the run are allowed."""
    concurrency = max((options.concurrency or settings.concurrency) // processes, 1)
    requests, tokens = settings.requests_per_minute, settings.tokens_per_minute
    return Engine(
        CallLimits(seconds=settings.agent_timeout, retries=settings.retries, infrastructure=settings.infrastructure),
        clock,
        concurrency=concurrency,
        # Who wants to stop at a failure does not want to pay for what comes after it.
        window=concurrency if options.stops_early else None,
        meter=Meter(options.budget or Budget(), clock, processes),
        rates=Rates(requests and requests / processes, tokens and tokens / processes),
        book=book,
    )
