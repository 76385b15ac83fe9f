"""A trial: one execution of the agent on one case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.jsonvalue import JSON
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trajectory import Fault, Step, Trajectory

Origin = Literal["live", "replay", "shadow", "production"]
ORIGINS: tuple[Origin, ...] = ("live", "replay", "shadow", "production")

TrialKey = tuple[str, str, int]
"""Suite, case id, attempt: what makes a trial one of its kind within a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One execution of the agent on one case.

    ``attempt`` is the n-th trial of the case in its run (1…); ``retries`` counts the calls made again
    after an infrastructure error. ``at`` is the aware UTC instant at which the trial began.
    ``case_fingerprint`` and ``answer_digest`` are taken when the trial is made, and stay when redaction
    changes its texts.
    """

    id: str
    case: Case
    trajectory: Trajectory
    origin: Origin = "live"
    attempt: int = 1
    retries: int = 0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    scores: tuple[Score, ...] = ()
    case_fingerprint: str = ""
    answer_digest: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "case_fingerprint", self.case_fingerprint or self.case.fingerprint)
        object.__setattr__(self, "answer_digest", self.answer_digest or self.trajectory.content_digest)
        object.__setattr__(self, "scores", tuple(self.scores))
        if self.origin not in ORIGINS:
            message = f"the origin of a trial is one of {', '.join(ORIGINS)}, not {self.origin!r}"
            raise InvalidValue(message)
        if self.attempt < 1 or self.retries < 0:
            message = (
                f"trial {self.id!r}: attempts count from 1 and retries from 0, not {self.attempt} and {self.retries}"
            )
            raise InvalidValue(message)
        if self.at.tzinfo is None:
            message = f"the time of trial {self.id!r} has no time zone; times are aware UTC"
            raise InvalidValue(message)
        names = [score.metric for score in self.scores]
        if len(set(names)) != len(names):
            message = f"trial {self.id!r} has two scores of one metric: {', '.join(sorted(names))}"
            raise InvalidValue(message)

    @property
    def key(self) -> TrialKey:
        """Suite, case id and attempt."""
        return (self.case.suite, self.case.id, self.attempt)

    @property
    def output(self) -> JSON:
        """What the agent answered, unchanged; None where it erred."""
        return self.trajectory.output

    @property
    def error(self) -> Fault | None:
        """Why there is no output, or None."""
        return self.trajectory.error

    @property
    def cached(self) -> bool:
        """Whether it was kept from an earlier run, and no call was made for it."""
        return self.trajectory.cached

    @property
    def calls(self) -> tuple[Step, ...]:
        """The agent's tool calls in order; raises NotRecorded where it reported no steps."""
        return self.trajectory.calls

    def called(self, tool: str) -> bool:
        """Whether the agent called the tool; raises NotRecorded where it reported no steps."""
        return any(step.name == tool for step in self.calls)

    def score(self, metric: str) -> Score | None:
        """The score of that metric, or None where it was not asked."""
        return next((score for score in self.scores if score.metric == metric), None)

    def with_scores(self, scores: Iterable[Score]) -> Trial:
        """The same trial with these scores beside its own; a later score of a metric replaces the earlier."""
        joined = {score.metric: score for score in (*self.scores, *scores)}
        return replace(self, scores=tuple(joined[name] for name in sorted(joined)))
