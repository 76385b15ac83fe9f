"""A baseline: the approved reference of one metric in one suite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trajectory import AgentIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What is asked of a metric: least and greatest acceptable value, and the loss that is tolerated.

    ``slices`` are tags: on the cases of each the margin is asked for itself.
    """

    floor: float | None = None
    ceiling: float | None = None
    margin: float | None = None
    slices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("floor", "ceiling", "margin"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                message = f"a {name} must be a finite number, not {value!r}"
                raise InvalidValue(message)
        if self.margin is not None and self.margin < 0:
            message = f"a margin is the loss that is tolerated, at least 0, not {self.margin!r}"
            raise InvalidValue(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who accepted a baseline, when, why, and from which run."""

    by: str
    at: datetime
    reason: str
    run: str

    def __post_init__(self) -> None:
        missing = [name for name in ("by", "reason", "run") if not getattr(self, name).strip()]
        if missing or self.at.tzinfo is None:
            message = (
                f"an approval names who, when (with a time zone), why and the run; missing: {missing or ['time zone']}"
            )
            raise InvalidValue(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A former baseline in the lineage of the present one.

    ``delta`` is what its successor won or lost against it on their common cases, in the metric's own
    points; None where they had none, or another version of the metric.
    """

    value: float | None
    n: int
    approval: Approval
    delta: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The approved reference of one metric in one suite, case by case.

    ``screen`` holds the values that a run is first compared with, ``held_back`` those kept for a second,
    independent look (empty where the baseline was made from fewer than two attempts). ``agent`` is what was
    known of the agent that made them. ``lineage`` are the baselines before this one, oldest first: many small
    losses, each tolerated, add up there.
    """

    suite: str
    spec: MetricSpec
    bar: Bar
    screen: Mapping[str, CaseScores]
    held_back: Mapping[str, CaseScores] = field(default_factory=dict)
    estimate: Estimate
    approval: Approval
    agent: AgentIdentity = field(default_factory=AgentIdentity)
    lineage: tuple[Renewal, ...] = ()

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self.spec.name
