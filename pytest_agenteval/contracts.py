"""What a plug-in may hand in: protocols, and the call that an agent is given."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from pytest_agenteval.model.trial import Origin, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What an agent is asked: a case, the n-th attempt at it, and a seed that is stable for both."""

    case: Case
    attempt: int = 1
    seed: int = 0


@runtime_checkable
class Agent(Protocol):
    """An agent as the engine calls it; ``agents`` makes one of any callable, URL, command or recording.

    ``answer`` returns (or awaits) a Trajectory. It raises ``errors.InfrastructureError`` where its
    provider failed; any other exception is an error of the agent.
    """

    @property
    def identity(self) -> AgentIdentity:
        """What is known of the agent before it is called."""

    @property
    def origin(self) -> Origin:
        """``live``, or ``replay`` for a recording."""

    def asked(self, call: Call) -> Case:
        """The case as this agent is asked it; a recording may hold another wording."""

    def begun(self, call: Call) -> datetime | None:
        """When the trial began, where that is past: a recording knows; None for now."""

    def answer(self, call: Call) -> Trajectory | Awaitable[Trajectory]:
        """What the agent does on the case."""


class Metric(Protocol):
    """A named way to judge a trial. It keeps no state."""

    @property
    def spec(self) -> MetricSpec:
        """What is known of the metric without calling it."""

    def __call__(self, trial: Trial) -> float | bool | Score | None:
        """The trial's value; None where the trial does not have what the metric needs."""


class Redactor(Protocol):
    """Takes what must not be kept out of a text."""

    def __call__(self, text: str) -> str:
        """The text without it."""


class Section(Protocol):
    """A part of the report: it looks at a suite's view and says what to show."""

    @property
    def name(self) -> str:
        """Unique; also the name of its heading's anchor."""

    @property
    def order(self) -> int:
        """Sections are shown from the lowest to the highest."""

    def __call__(self, view: Any) -> Sequence[Any]:  # noqa: ANN401  # a report.view value, a floor above this one
        """The blocks to show; none for nothing to say."""
