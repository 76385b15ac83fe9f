"""A trajectory: what the agent did in a trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pytest_agenteval.errors import InvalidValue, NotRecorded
from pytest_agenteval.model.jsonvalue import JSON, digest

StepKind = Literal["message", "model", "tool", "retrieval"]
_Number = TypeVar("_Number", int, float)
FAULT_KINDS = ("agent", "infrastructure")
STEP_KINDS: tuple[StepKind, ...] = ("message", "model", "tool", "retrieval")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentIdentity:
    """Which agent it was: whatever of this is known; an empty text is *not told*."""

    name: str = ""
    version: str = ""
    model: str = ""
    prompt: str = ""
    tools: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why there is no output: the agent erred, or its infrastructure did; and the line it did so at, if known."""

    kind: Literal["agent", "infrastructure"]
    type: str
    message: str
    where: str = ""

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            message = f"a fault's kind is one of {', '.join(FAULT_KINDS)}, not {self.kind!r}"
            raise InvalidValue(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing the agent did. Seconds, tokens and cost are None where not known, never 0 for that."""

    kind: StepKind
    name: str = ""
    input: JSON = None
    output: JSON = None
    error: str | None = None
    seconds: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in STEP_KINDS:
            message = f"a step's kind is one of {', '.join(STEP_KINDS)}, not {self.kind!r}"
            raise InvalidValue(message)
        for name in ("seconds", "tokens_in", "tokens_out", "cost_usd"):
            _refuse_negative(f"{name} of step {self.name!r}", getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """What the agent did in a trial: its output or its fault, and the steps on the way.

    ``steps`` is None where the agent reports none; then nothing can be said of its calls. ``recorded``
    holds what somebody else has already found of this trajectory (a verdict of a benchmark, say). ``cached`` is
    whether it was kept from an earlier run: then no time was measured.
    """

    output: JSON = None
    error: Fault | None = None
    steps: tuple[Step, ...] | None = None
    agent: AgentIdentity = field(default_factory=AgentIdentity)
    confidence: float | None = None
    seconds: float | None = None
    recorded: Mapping[str, JSON] = field(default_factory=dict)
    cached: bool = False

    def __post_init__(self) -> None:
        if (self.output is None) == (self.error is None):
            message = "a trajectory has either an output or an error: give output=… (not None) or error=Fault(…)"
            raise InvalidValue(message)
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            message = f"a confidence lies in [0, 1], this one is {self.confidence!r}"
            raise InvalidValue(message)
        if self.steps is not None:
            object.__setattr__(self, "steps", tuple(self.steps))
        _refuse_negative("seconds of a trajectory", self.seconds)

    @property
    def calls(self) -> tuple[Step, ...]:
        """The tool calls in order. Raises NotRecorded where the agent reported no steps."""
        if self.steps is None:
            message = (
                "the agent reported no steps, so nothing can be said of its tool calls; "
                "return a Trajectory(output=…, steps=[Step(kind='tool', name=…, input=…)])"
            )
            raise NotRecorded(message)
        return tuple(step for step in self.steps if step.kind == "tool")

    @property
    def tokens(self) -> int | None:
        """Tokens in and out over all steps, or None where no step tells any."""
        return self._total(lambda step: _sum_known(step.tokens_in, step.tokens_out))

    @property
    def cost_usd(self) -> float | None:
        """Cost over all steps in US dollars, or None where no step tells any."""
        return self._total(lambda step: step.cost_usd)

    @property
    def content_digest(self) -> str:
        """Digest of what was said and done, times and costs left out: equal digests are equal answers."""
        steps = None if self.steps is None else [[s.kind, s.name, s.input, s.output, s.error] for s in self.steps]
        fault = None if self.error is None else [self.error.kind, self.error.type, self.error.message]
        return digest([self.output, fault, steps, self.confidence])

    def _total(self, of: Callable[[Step], _Number | None]) -> _Number | None:
        known = [value for step in self.steps or () if (value := of(step)) is not None]
        return sum(known[1:], known[0]) if known else None


def _sum_known(first: int | None, second: int | None) -> int | None:
    return None if first is None and second is None else (first or 0) + (second or 0)


def _refuse_negative(what: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        message = f"{what} must be a finite number of at least 0, or None where it is not known, not {value!r}"
        raise InvalidValue(message)
