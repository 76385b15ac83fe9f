"""The trials of one process of a run: made by the engine, scored, redacted, and kept in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

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
from pytest_agenteval.store.journal import Journal
from pytest_agenteval.store.redaction import Redaction, SafeTrial

if TYPE_CHECKING:
    from pytest_agenteval.agents.isolated import IsolatedAgent


class NotCalled(Exception):  # it is no error: the run was told to stop here
    """No trial was made, since the budget is spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """An item to come: its job, and where its agent comes from if that is known before its turn."""

    job: Job
    source: Source | None = None


class Trials:
    """Makes, scores and keeps the trials of one process of a run; one of ``processes`` that share what is allowed.

    ``due`` says whether a job may be called ahead of its item by now.
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
        self._journal = Journal(run_folder(settings, run.id), name)
        self._jobs: dict[str, Job] = {}
        self._orders: dict[TrialKey, Order] = {}
        self._safe: dict[TrialKey, SafeTrial] = {}
        self._adapted: dict[str, tuple[object, Agent]] = {}
        self._apart: dict[Source, IsolatedAgent] = {}

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
        self._engine.expect(order for order in new if order.source is not None)

    def serve(self, source: Source, job: Job, agent: object) -> None:
        """This is the agent of that source: its trials may be made ahead of their items."""
        served = self._agent(job, agent)
        if self._settings.isolation_of(job.suite) != "none" and served.origin == "live":
            self._apart[source] = cast("IsolatedAgent", served)
        self._engine.serve(source, served)

    def drain(self, source: Source) -> None:
        """The agent of that source goes down: nothing of it is under way when this returns."""
        self._engine.drain(source)
        apart = self._apart.pop(source, None)
        if apart is not None:
            self._adapted = {suite: known for suite, known in self._adapted.items() if known[1] is not apart}
            apart.close()

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
        scores = [self._redaction.score(score_trial(metric, trial)) for metric in job.metrics]
        safe = SafeTrial(self._safe[job.key].with_scores(scores))
        self._journal.scored(safe, scores)
        self._registry.observe("agenteval_trial_scored", trial=safe)
        return safe

    def succeeded(self, job: Job) -> bool:
        """Whether nothing says that the finished trial fell short of its case, whatever metrics the test asks for."""
        trial = self.finished(job)
        assert trial is not None  # the caller has looked
        value = score_trial(self._registry.metric("success"), trial).value
        return value is None or bool(value)

    def close(self) -> None:
        """End the threads and close the journal."""
        self._engine.close()
        self._journal.close()

    # The engine's book.

    def known(self, order: Order) -> Trial | None:
        """A trial that need not be made, since there is one."""

    def keep(self, order: Order, trial: Trial) -> None:
        """Write a trial down as soon as it is made."""
        self._safe[trial.key] = safe = self._redaction.trial(trial)
        self._journal.called(safe)

    def needed(self, order: Order) -> bool:
        """Whether the order may be called ahead by now."""
        return self.due(self._jobs[order.id])

    def _ordered(self, job: Job, source: Source | None) -> Order:
        order_id = f"{self._run.id}-{digest([job.suite, job.case.id, job.attempt], length=8)}"
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
        known = self._adapted.get(job.suite)
        if known is None or known[0] is not fixture:
            agent = kept_apart(adapt(fixture), job.suite, self._settings)
            self._adapted[job.suite] = known = (fixture, agent)
        return known[1]


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
        meter=Meter((options.budget or Budget()).share(processes), clock),
        rates=Rates(requests and requests / processes, tokens and tokens / processes),
        book=book,
    )
