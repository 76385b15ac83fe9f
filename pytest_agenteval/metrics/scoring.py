"""From a metric and a trial to a Score: the one way, on which nothing a metric does can crash a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from numbers import Real
from operator import attrgetter

from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import AgentEvalError, InfrastructureError, MetricError, NotRecorded
from pytest_agenteval.model.jsonvalue import JSON, canonical
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import Fault
from pytest_agenteval.model.trial import Trial

_LONGEST_REASON = 500
_ROUNDING = 1e-9


def score_trial(metric: Metric, trial: Trial) -> Score:
    """The metric's score of the trial.

    An agent's error is the worst value of a bounded metric (unless its ``on_agent_error`` says otherwise).
    Without a value, and with the reason: an infrastructure error, something that the metric needs and the
    trial has not, None returned, an exception, and a value that is no finite number in the metric's range.
    """
    unasked = _score_unasked(metric.spec, trial)
    if unasked is not None:
        return unasked
    try:
        return as_score(metric.spec, metric(trial))
    except Exception as error:  # noqa: BLE001  # a user's metric may raise anything; the run goes on
        return failed(metric.spec, error)


def _score_unasked(spec: MetricSpec, trial: Trial) -> Score | None:
    """What can be said without the metric, or None where it must be asked."""
    fault = trial.error
    if fault is not None and fault.kind == "infrastructure":
        return _missing(spec, f"infrastructure error: {fault.type}: {fault.message}")
    if fault is not None and spec.on_agent_error != "ask":
        return _erred(spec, fault)
    absent = [need for need in spec.needs if _reader(need)(trial) is None]
    if not absent:
        return None
    reason = f"needs {absent[0]}, which {_owner(absent[0])} does not have"
    if absent[0] == "seconds" and trial.cached:
        reason = "from the cache: no time was measured"
    return _score(spec, None, reason, {"needs": absent[0]})


def _erred(spec: MetricSpec, fault: Fault) -> Score:
    reason = f"agent error: {fault.type}: {fault.message}"[:_LONGEST_REASON]
    # Who answered nothing stated no confidence: there is no pair for a calibration error.
    value = spec.worst if spec.on_agent_error == "fail" and spec.aggregate != "ece" else None
    return _score(spec, value, reason, {"agent_error": fault.type})


@cache
def _reader(need: str) -> Callable[[Trial], object]:
    """How what a metric needs is read off a trial; taken apart once, since a run asks it of every trial."""
    kind, _, key = need.partition(".")
    if kind == "expect":
        return lambda trial: trial.case.expect.get(key)
    if kind == "recorded":
        return lambda trial: trial.trajectory.recorded.get(key)
    return attrgetter(f"trajectory.{need}")


def _owner(need: str) -> str:
    return "the case" if need.startswith("expect.") else "the trajectory"


def failed(spec: MetricSpec, error: Exception) -> Score:
    """The score where the metric, or what was made of its value, raised an error."""
    if isinstance(error, NotRecorded):
        return _missing(spec, str(error) or "not recorded")
    if isinstance(error, InfrastructureError):
        return _missing(spec, f"infrastructure error: {error}")
    if isinstance(error, AgentEvalError):  # its message says all
        return _missing(spec, f"metric error: {error}")
    return _missing(spec, f"metric error: {type(error).__name__}: {error}")


def as_score(spec: MetricSpec, judged: object) -> Score:
    """What a metric returned as its score. Raises MetricError where it is no value that the metric may have."""
    if judged is None:
        return _missing(spec, "not evaluated")
    if spec.aggregate == "ece":
        _refuse_without_pair(spec, judged)
    if not isinstance(judged, Score):
        return _score(spec, _value(spec, judged))
    canonical(judged.evidence)  # raises where a record could not hold it
    value = None if judged.value is None else _value(spec, judged.value)
    return _score(spec, value, judged.reason, judged.evidence)


def _refuse_without_pair(spec: MetricSpec, judged: object) -> None:
    """A calibration error is made of pairs, not of values: without them a whole run could not be judged."""
    evidence = judged.evidence if isinstance(judged, Score) else {}
    stated, correct = evidence.get("confidence"), evidence.get("correct")
    is_pair = isinstance(stated, int | float) and 0 <= stated <= 1 and correct in (0, 1)
    if not is_pair and not (isinstance(judged, Score) and judged.value is None):
        message = (
            f"{spec.name} has the aggregate ece: return a Score whose evidence holds 'confidence' (0 to 1) and "
            f"'correct' (0 or 1), not {evidence!r:.80}"
        )
        raise MetricError(message)


def _value(spec: MetricSpec, judged: object) -> float | bool:
    """The value as a float or bool. Raises MetricError where it is no finite number in the range."""
    if judged is True or judged is False:
        return judged if spec.range is None else _in_range(spec, judged, *spec.range)
    if callable(item := getattr(judged, "item", None)):
        judged = item()  # a number of numpy
    if not isinstance(judged, Real):  # bool is one
        kind = type(judged).__name__
        message = f"{spec.name} returned {judged!r:.80}, a {kind}; return a number, a bool, None or a Score"
        raise MetricError(message)
    value = judged if isinstance(judged, bool) else float(judged)
    if not math.isfinite(value):
        message = f"{spec.name} returned {value!r}; return a finite number, or None where there is no value"
        raise MetricError(message)
    return value if spec.range is None else _in_range(spec, value, *spec.range)


def _in_range(spec: MetricSpec, value: float | bool, low: float, high: float) -> float | bool:
    allowed = value in (low, high) if spec.kind == "binary" else low - _ROUNDING <= value <= high + _ROUNDING
    if not allowed:
        between = "or" if spec.kind == "binary" else "to"
        message = f"{spec.name} returned {value!r}, outside its range of {low:g} {between} {high:g}"
        raise MetricError(message)
    return value if isinstance(value, bool) else min(max(value, low), high)


def _missing(spec: MetricSpec, reason: str) -> Score:
    return _score(spec, None, reason[:_LONGEST_REASON])


def _score(
    spec: MetricSpec, value: float | bool | None, reason: str = "", evidence: Mapping[str, JSON] | None = None
) -> Score:
    return Score(metric=spec.name, metric_version=spec.version, value=value, reason=reason, evidence=evidence or {})
