"""The life of one run: its plan, its trials one by one, and their journal."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Literal

from pytest_agenteval.app.registry import ALWAYS_MEASURED, Registry, origin_of
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.app.targets import Targets
from pytest_agenteval.contracts import Agent, Call, Metric
from pytest_agenteval.errors import CaseError
from pytest_agenteval.metrics.scoring import score_trial
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.run import Rounds, Run
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.pipeline.looks import GateMode
from pytest_agenteval.pipeline.run import CallLimits, Clock, Engine
from pytest_agenteval.stats import stable_seed
from pytest_agenteval.store.journal import Journal
from pytest_agenteval.store.redaction import Redaction, SafeTrial


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line asks of a run. ``paths`` are those that it names, from the project's root; () is all."""

    mode: Literal["live", "replay"] = "live"
    gate: GateMode = "merge"
    agent: str | None = None
    repeats: int | None = None
    record: bool = False
    partial_is_meant: bool = False
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One item of a run: an attempt of an agent at a case, and the metrics that its test asks for.

    ``cap`` is how many attempts there may be where the test's repeats are adaptive, else 0.
    """

    suite: str
    case: Case
    attempt: int = 1
    metrics: tuple[Metric, ...] = ()
    cap: int = 0

    @property
    def key(self) -> TrialKey:
        """Suite, case id and attempt; items with the same key share the trial."""
        return (self.suite, self.case.id, self.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a process collected: the keys of its trials, the metrics, what is partial, what is wrong.

    ``shares`` maps each item to the trial it belongs to, so that xdist deals whole trials. ``looks_again``
    names the suites whose agent can be asked a second time: their tests leave the asking to us. ``origins``
    has the file in which each metric is defined, the empty text for a built-in one. ``adaptive`` has the most
    attempts a case of each suite whose repeats are adaptive, ``items`` suite, case, attempt and cap of its items.

    What was seen in between adds ``rounds`` and ``not_needed``, the keys of planned trials that do not count; and
    to a plan of one suite alone ``others``, how many comparisons the run has beside its own.
    """

    planned: tuple[tuple[str, str, str], ...] = ()
    specs: Mapping[str, MetricSpec] = field(default_factory=dict)
    partial: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    shares: Mapping[str, str] = field(default_factory=dict)
    looks_again: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    adaptive: Mapping[str, int] = field(default_factory=dict)
    items: Mapping[str, tuple[str, str, str, str]] = field(default_factory=dict)
    rounds: Mapping[str, Rounds] = field(default_factory=dict)
    not_needed: tuple[tuple[str, str, str], ...] = ()
    others: int = 0

    def keys(self) -> set[TrialKey]:
        """The planned trials that count."""
        counting = set(self.planned) - set(self.not_needed)
        return {(suite, case, int(attempt)) for suite, case, attempt in counting}


def plan_of(
    jobs: Mapping[str, Job],
    *,
    partial: Iterable[str] = (),
    problems: Iterable[str] = (),
    looks_again: Iterable[str] = (),
) -> Plan:
    """The plan of the items (by node id) that will run. Two metrics of one name must be the same."""
    specs: dict[str, MetricSpec] = {}
    origins: dict[str, str] = {}
    seen: set[int] = set()
    wrong = list(problems)
    for job in jobs.values():
        for metric in job.metrics:
            if specs.setdefault(metric.spec.name, metric.spec) != metric.spec:
                wrong.append(f"two metrics of this run are named {metric.spec.name!r} but differ. Rename one of them")
            if id(metric) not in seen:
                seen.add(id(metric))
                origins[metric.spec.name] = origins.get(metric.spec.name) or origin_of(metric)
    adaptive = adaptive_suites(jobs.values())
    return Plan(
        planned=tuple(sorted({(job.suite, job.case.id, str(job.attempt)) for job in jobs.values()})),
        specs=dict(sorted(specs.items())),
        partial=tuple(sorted(set(partial))),
        problems=tuple(dict.fromkeys(wrong)),
        shares={node: _share(job, adaptive) for node, job in jobs.items()},
        looks_again=tuple(sorted(set(looks_again))),
        origins=origins,
        adaptive=adaptive,
        items={
            node: (job.suite, job.case.id, str(job.attempt), str(job.cap))
            for node, job in jobs.items()
            if job.suite in adaptive
        },
    )


def adaptive_suites(jobs: Iterable[Job]) -> dict[str, int]:
    """The most attempts a case of each suite that has a test whose repeats are adaptive."""
    found: dict[str, int] = {}
    for job in jobs:
        if job.cap:
            found[job.suite] = max(job.cap, found.get(job.suite, 0))
    return dict(sorted(found.items()))


def _share(job: Job, adaptive: Container[str]) -> str:
    """What goes to one worker: a case with all its attempts, or a single one where the next may not be needed."""
    return digest([job.suite, job.case.id, *([job.attempt] if job.suite in adaptive else [])])


def new_run_id(clock: Clock) -> str:
    """A run's id: the UTC second and six random digits, so that ids sort by time and never meet."""
    return f"{clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def versions() -> dict[str, str]:
    """The versions of this project and of Python, by name; a run keeps them."""
    return {"pytest-agenteval": metadata.version("pytest-agenteval"), "python": platform.python_version()}


def with_always_measured(metrics: Sequence[Metric | str], registry: Registry) -> tuple[Metric, ...]:
    """The metrics that a test names, and those that are scored on every trial."""
    named = [registry.metric(one) for one in (*metrics, *ALWAYS_MEASURED)]
    return tuple({metric.spec.name: metric for metric in named}.values())


class Trials:
    """Makes, scores and keeps the trials of one process of a run."""

    def __init__(
        self,
        run: Run,
        settings: Settings,
        registry: Registry,
        options: RunOptions,
        *,
        clock: Clock,
        name: str = "main",
    ) -> None:
        self._run, self._registry, self._options = run, registry, options
        limits = CallLimits(
            seconds=settings.agent_timeout, retries=settings.retries, infrastructure=settings.infrastructure
        )
        self._engine = Engine(limits, clock)
        self._targets = Targets(settings, registry, options.mode, options.agent)
        self._redaction = Redaction(registry.redactors())
        self._journal = Journal(run_folder(settings, run.id), name)
        self._finished: dict[TrialKey, Trial] = {}
        self._safe: dict[TrialKey, SafeTrial] = {}
        self._adapted: tuple[object, Agent] | None = None

    @property
    def replaces_the_fixture(self) -> bool:
        """Whether the command line names the agent, so that the user's fixture is not set up."""
        return self._targets.given

    def redacted(self, text: str) -> str:
        """The text as it may be shown."""
        return self._redaction.text(text)

    def make_agent(self, suite: str) -> None:
        """Make the suite's agent now, where the command line names one. Raises AgentTargetError, RecordingError."""
        self._targets.agent_for(suite)

    def trial(self, job: Job, agent: object) -> Trial:
        """The trial of the job; made at the first call, the same one for all items that share it."""
        if job.key not in self._finished:
            seed = stable_seed([job.suite, job.case.id, str(job.attempt)])
            call = Call(case=job.case, attempt=job.attempt, seed=seed)
            self._keep(job, self._engine.trial(self._id_of(job), self._agent(job, agent), call))
        return self._finished[job.key]

    def finished(self, job: Job) -> Trial | None:
        """The trial of the job if there is one yet."""
        return self._finished.get(job.key)

    def record(self, job: Job, agent: object, answer: object) -> Trial:
        """The trial of a test that called its agent itself and hands over what came of it.

        Raises CaseError where the attempt has a trial: the scores of two would be joined as if they were one.
        """
        from pytest_agenteval.agents import adapt
        from pytest_agenteval.agents.callable import CallableAgent

        if job.key in self._finished:
            message = (
                f"attempt {job.attempt} of case {job.case.id!r} has a trial already, and a second was handed over. "
                f"Call record_trial once, and give this test cases that no other test of suite {job.suite!r} has"
            )
            raise CaseError(message)
        identity = adapt(agent).identity if callable(agent) else AgentIdentity()
        handed_over = CallableAgent(_HandedOver(answer=answer, identity=identity), judged=True)
        trial = self._engine.trial(self._id_of(job), handed_over, Call(case=job.case, attempt=job.attempt))
        # How long the agent took is known to the test alone: that the answer was handed over at once says nothing.
        told = getattr(answer, "seconds", None) is not None
        trajectory = trial.trajectory if told else replace(trial.trajectory, seconds=None)
        self._keep(job, replace(trial, trajectory=trajectory))
        return self._finished[job.key]

    def score(self, job: Job) -> SafeTrial:
        """Score the finished trial by the job's metrics, redact what they say, and write it to the journal."""
        trial = self._finished[job.key]
        scores = [self._redaction.score(score_trial(metric, trial)) for metric in job.metrics]
        safe = SafeTrial(self._safe[job.key].with_scores(scores))
        self._journal.scored(safe)
        self._registry.observe("agenteval_trial_scored", trial=safe)
        return safe

    def succeeded(self, job: Job) -> bool:
        """Whether nothing says that the finished trial fell short of its case, whatever metrics the test asks for."""
        value = score_trial(self._registry.metric("success"), self._finished[job.key]).value
        return value is None or bool(value)

    def close(self) -> None:
        """End the threads and close the journal."""
        self._engine.close()
        self._journal.close()

    def _agent(self, job: Job, fixture: object) -> Agent:
        """The agent of the job: what the command line names, or else what the fixture gave."""
        from pytest_agenteval.agents import adapt

        named = self._targets.agent_for(job.suite)
        if named is not None:
            return named
        if self._adapted is None or self._adapted[0] is not fixture:
            self._adapted = (fixture, adapt(fixture))
        return self._adapted[1]

    def _keep(self, job: Job, trial: Trial) -> None:
        self._finished[job.key] = trial
        self._safe[job.key] = safe = self._redaction.trial(trial)
        self._journal.called(safe)

    def _id_of(self, job: Job) -> str:
        return f"{self._run.id}-{digest([job.suite, job.case.id, job.attempt], length=8)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _HandedOver:
    """An agent that was called already."""

    answer: object
    identity: AgentIdentity

    def __call__(self, _input: object) -> object:
        return self.answer


def run_folder(settings: Settings, run_id: str) -> Path:
    """Where the journals of a run lie until it is sealed."""
    return settings.path("work") / "runs" / run_id
