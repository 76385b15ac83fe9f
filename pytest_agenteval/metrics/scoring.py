"""From a metric and a trial to a Score: the one way, on which nothing a metric does can crash a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real

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
    return _score_asked(metric, trial) if unasked is None else unasked


def _score_unasked(spec: MetricSpec, trial: Trial) -> Score | None:
    """What can be said without the metric, or None where it must be asked."""
    fault = trial.error
    if fault is not None and fault.kind == "infrastructure":
        return _missing(spec, f"infrastructure error: {fault.type}: {fault.message}")
    if fault is not None and spec.on_agent_error != "ask":
        return _erred(spec, fault)
    absent = [need for need in spec.needs if not _has(trial, need)]
    if not absent:
        return None
    reason = f"needs {absent[0]}, which {_owner(absent[0])} does not have"
    return _score(spec, None, reason, {"needs": absent[0]})


def _erred(spec: MetricSpec, fault: Fault) -> Score:
    reason = f"agent error: {fault.type}: {fault.message}"[:_LONGEST_REASON]
    # Who answered nothing stated no confidence: there is no pair for a calibration error.
    value = spec.worst if spec.on_agent_error == "fail" and spec.aggregate != "ece" else None
    return _score(spec, value, reason, {"agent_error": fault.type})


def _has(trial: Trial, need: str) -> bool:
    kind, _, key = need.partition(".")
    if kind == "expect":
        return trial.case.expect.get(key) is not None
    if kind == "recorded":
        return trial.trajectory.recorded.get(key) is not None
    return getattr(trial.trajectory, need) is not None


def _owner(need: str) -> str:
    return "the case" if need.startswith("expect.") else "the trajectory"


def _score_asked(metric: Metric, trial: Trial) -> Score:
    spec = metric.spec
    try:
        return _as_score(spec, metric(trial))
    except NotRecorded as error:
        return _missing(spec, str(error) or "not recorded")
    except InfrastructureError as error:
        return _missing(spec, f"infrastructure error: {error}")
    except AgentEvalError as error:  # its message says all
        return _missing(spec, f"metric error: {error}")
    except Exception as error:  # noqa: BLE001  # a user's metric may raise anything; the run goes on
        return _missing(spec, f"metric error: {type(error).__name__}: {error}")


def _as_score(spec: MetricSpec, judged: object) -> Score:
    if judged is None:
        return _missing(spec, "not evaluated")
    if spec.aggregate == "ece":
        _refuse_without_pair(spec, judged)
    if not isinstance(judged, Score):
        return _score(spec, _value(spec, judged))
    canonical(judged.evidence)  # raises where a record could not hold it
    value = None if judged.value is None else _value(spec, judged.value)
    return replace(judged, metric=spec.name, metric_version=spec.version, value=value)


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
