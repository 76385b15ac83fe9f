"""The tries that one trial takes: when to ask again, and what the trial is in the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic

from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.clock import Clock
from pytest_agenteval.pipeline.faults import TimeLimit, fault_of, is_passing

_GIVES_UP_AFTER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """How long a trial may take, and how often a failing provider is asked again.

    ``infrastructure`` names further exceptions (``package.Error``) that are the provider's and not the
    agent's. The wait doubles from ``backoff`` seconds; a provider's Retry-After goes first, and no wait
    is longer than ``longest_wait``.
    """

    seconds: float = 60.0
    retries: int = 2
    backoff: float = 0.5
    longest_wait: float = 30.0
    infrastructure: tuple[str, ...] = ()


class Reach:
    """Whether the provider answers: one that was down for several trials in a row is asked once a trial."""

    def __init__(self) -> None:
        self._unreached = 0

    @property
    def is_lost(self) -> bool:
        """Whether it is not worth asking twice."""
        return self._unreached >= _GIVES_UP_AFTER

    def note(self, *, down: bool) -> None:
        """Note how a trial ended."""
        self._unreached = self._unreached + 1 if down else 0


class Tries:
    """One trial under way."""

    def __init__(self, agent: Agent, call: Call, limits: CallLimits, clock: Clock, reach: Reach) -> None:
        self._agent, self._call, self._limits, self._reach = agent, call, limits, reach
        self._allowed = 0 if reach.is_lost else limits.retries
        self.call, self.at, self.retries = call, clock.now(), 0
        self.begun = 0.0
        self._error: Exception | None = None
        self.trajectory: Trajectory | None = None

    def begin(self) -> Call:
        """What the agent is asked now. Raises what the agent raises when it is asked for its wording."""
        asked = self._agent.asked(self._call)
        self.at = self._agent.begun(self._call) or self.at
        if asked is not self._call.case:
            self.call = replace(self._call, case=asked)
        self.begun = monotonic()
        return self.call

    def answered(self, trajectory: Trajectory) -> None:
        """The agent answered."""
        if self._agent.origin == "live" and (trajectory.seconds is None or trajectory.cached):
            took = trajectory.seconds
            # What an agent says now is not from our cache, whatever it says.
            trajectory = replace(trajectory, seconds=monotonic() - self.begun if took is None else took, cached=False)
        self.trajectory = trajectory

    def failed(self, error: Exception) -> float | None:
        """How many seconds to wait before asking again; None where this is the end of it."""
        self._error = error
        failure = self._failure(error)
        assert failure.error is not None  # that is what it is
        if failure.error.kind == "infrastructure" and is_passing(error) and self.retries < self._allowed:
            self.retries += 1
            return self._wait(error)
        self.trajectory = failure
        return None

    def cut_short(self) -> None:
        """No further try is granted: the last failure stands."""
        assert self._error is not None  # a first try has failed
        self._allowed = self.retries = self.retries - 1
        self.failed(self._error)

    def trial(self, trial_id: str) -> Trial:
        """The finished trial."""
        assert self.trajectory is not None  # answered, or failed for good
        return self._trial(trial_id, self.trajectory)

    def given_up(self, trial_id: str) -> Trial:
        """The trial of an agent that may still answer some day, and is not waited for."""
        return self._trial(trial_id, self._failure(TimeLimit(self._limits.seconds)))

    def _trial(self, trial_id: str, trajectory: Trajectory) -> Trial:
        self._reach.note(down=trajectory.error is not None and trajectory.error.kind == "infrastructure")
        return Trial(
            id=trial_id,
            case=self.call.case,
            trajectory=trajectory,
            origin=self._agent.origin,
            attempt=self._call.attempt,
            retries=self.retries,
            at=self.at,
        )

    def _failure(self, error: Exception) -> Trajectory:
        # A time-out took at least its limit: latency must not look better for it.
        limit = self._limits.seconds if isinstance(error, TimeLimit) else None
        fault = fault_of(error, self._limits.infrastructure)
        return Trajectory(error=fault, agent=self._agent.identity, seconds=limit)

    def _wait(self, error: Exception) -> float:
        wait: float = self._limits.backoff * 2 ** (self.retries - 1)
        asked = getattr(error, "retry_after", None)
        if isinstance(asked, int | float) and asked >= 0:
            wait = float(asked)
        return min(wait, self._limits.longest_wait)
