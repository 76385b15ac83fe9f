"""What the gate says of one metric, and the comparison that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.estimate import Estimate


class Outcome(StrEnum):
    """The gate's words, in the order in which the first that holds is taken."""

    LOOSENED = "loosened"
    BELOW_FLOOR = "below_floor"
    INCOMPARABLE = "incomparable"
    REGRESSED = "regressed"
    NO_BASELINE = "no_baseline"
    INCONCLUSIVE = "inconclusive"
    PASS = "pass"


class Reason(StrEnum):
    """Why a verdict is not a plain pass."""

    NONE = ""
    TOO_FEW = "too few"
    FLOOR = "floor"
    NOT_CONFIRMED = "not confirmed"
    NOT_LOOKED = "no second look"
    MISSING = "missing"
    CASE_SET = "case set changed"
    PARTIAL = "partial"
    METRIC_VERSION = "metric version"
    METRIC_CHANGED = "metric changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One metric of a run against a reference, paired by case.

    ``before`` and ``now`` are the means over the pairs, ``delta`` is their difference, in the metric's own
    direction; ``low`` and ``high`` are its one-sided bounds, each at the level of the pass test. ``lost`` and
    ``won`` name the cases that fell and rose, ``edited`` those whose input or expectation changed, ``regraded``
    those whose answer is the same while its score is not. ``cases_needed`` further cases, or
    ``repeats_needed`` attempts a case, would let a run that changed nothing pass.
    """

    stage: Literal["screen", "confirmation"] = "screen"
    reference: Estimate
    current: Estimate
    n_pairs: int
    before: float | None = None
    now: float | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    test: str = ""
    lost: tuple[str, ...] = ()
    won: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    regraded: tuple[str, ...] = ()
    n_same_answers: int = 0
    cases_needed: int | None = None
    repeats_needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFinding:
    """One metric over the cases of one tag, told and not gating.

    ``q_value`` is the p-value of a drop, corrected by Benjamini and Hochberg over all slices of the run;
    ``fell`` says that the drop is likely real (q at most .10) and larger than the margin.
    """

    tag: str
    estimate: Estimate
    comparison: Comparison
    q_value: float | None = None
    fell: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says of one metric in one suite; every outcome but pass names the next step.

    ``slice`` is the tag of a slice that gates for itself, empty for the whole suite. ``comparison`` is the
    first look; where it showed a drop, ``confirmation`` is the second one, and ``confirmed`` says whether
    that showed it too. ``slices`` are told beside the metric.
    """

    suite: str
    metric: str
    slice: str = ""
    outcome: Outcome
    reason: Reason = Reason.NONE
    confirmed: bool = False
    estimate: Estimate | None = None
    comparison: Comparison | None = None
    confirmation: Comparison | None = None
    slices: tuple[SliceFinding, ...] = ()
    message: str
    next_step: str = ""

    def __post_init__(self) -> None:
        if self.outcome is not Outcome.PASS and not self.next_step:
            message = f"the verdict {self.outcome} of {self.name} must name the next step"
            raise InvalidValue(message)

    @property
    def name(self) -> str:
        """'refunds/success', of a slice that gates 'refunds/success[vip]'."""
        return f"{self.suite}/{self.metric}[{self.slice}]" if self.slice else f"{self.suite}/{self.metric}"
