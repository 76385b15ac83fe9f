"""What a run is asked to do: its options, its jobs, and the plan of them all."""

from __future__ import annotations

import platform
import re
import secrets
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Literal

from pytest_agenteval.app.registry import ALWAYS_MEASURED, Registry, origin_of
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import SettingsError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.run import Rounds
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trial import TrialKey
from pytest_agenteval.pipeline.budget import Budget
from pytest_agenteval.pipeline.clock import Clock
from pytest_agenteval.pipeline.looks import GateMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of the parts into which the cases of a run are dealt, each for a machine of its own."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"shard {self.number} of {self.of}"

    def cases(self, cases: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """The cases (suite and id) of this shard: all are dealt in turn in canonical order, the same everywhere."""
        return frozenset(sorted(set(cases))[self.number - 1 :: self.of])


def parse_shard(text: str) -> Shard:
    """The shard that is written like ``2/5``. Raises SettingsError.

    >>> str(parse_shard("2/5"))
    'shard 2 of 5'
    """
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        message = f"{text!r} is no shard; write 1/5, 2/5 … 5/5 for five of them"
        raise SettingsError(message)
    return Shard(number=int(match[1]), of=int(match[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line asks of a run.

    ``cache`` is whether answers of earlier runs may stand for calls, ``stops_early`` whether it ends at a failure;
    ``paths`` are those that are named, from the project's root; () is all of it. ``shard`` is the part of the run that
    this session makes, if it does not make the whole.
    """

    mode: Literal["live", "replay"] = "live"
    gate: GateMode = "merge"
    agent: str | None = None
    repeats: int | None = None
    record: bool = False
    partial_is_meant: bool = False
    concurrency: int | None = None
    budget: Budget | None = None
    cache: bool = False
    stops_early: bool = False
    paths: tuple[str, ...] = ()
    shard: Shard | None = None


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
    to a plan of one suite alone ``others``, how many comparisons the run has beside its own. The plan of a shard is
    that of the whole run; its ``cases_digest`` is made of all that is asked, for shards to be known as parts of one.
    ``n_kept`` trials are there already, where a run goes on.
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
    cases_digest: str = ""
    n_kept: int = 0

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


def run_folder(settings: Settings, run_id: str) -> Path:
    """Where the journals of a run lie until it is sealed."""
    return settings.path("work") / "runs" / run_id
