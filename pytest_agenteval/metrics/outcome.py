"""Metrics of how a trial ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics.declare import FunctionMetric, metric
from pytest_agenteval.metrics.scoring import score_trial
from pytest_agenteval.metrics.structured import fields_equal, json_schema
from pytest_agenteval.metrics.text import contains, exact, excludes, number_close, regex
from pytest_agenteval.metrics.tools import Mode, calls_mode, forbidden_tools, tool_calls
from pytest_agenteval.model.jsonvalue import JSON
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial

EXPECTATIONS: Mapping[str, Metric] = {
    "output": exact,
    "contains": contains,
    "excludes": excludes,
    "regex": regex,
    "number": number_close,
    "schema": json_schema,
    "fields": fields_equal,
    "forbidden_tools": forbidden_tools,
}
"""Which metric looks after each key of ``expect``; ``calls`` goes by the case's own mode."""


@metric(kind="binary", unit="fraction")
def success(trial: Trial) -> Score:
    """Whether the agent did what was due; higher is better.

    The verdict ``recorded.success``, where there is one; else whether every expectation of the case is met
    (output, contains, excludes, regex, number, schema, fields, calls by ``expect.calls_mode``,
    forbidden_tools). Without either, *not evaluated*.
    """
    if (recorded := trial.trajectory.recorded.get("success")) is not None:
        return Score(metric="success", value=_truth("success", recorded), evidence={"from": "recorded"})
    return _all_met("success", trial, (*EXPECTATIONS, "calls"))


@metric(kind="binary", unit="fraction")
def attack_resisted(trial: Trial) -> Score:
    """Whether an attack on the agent failed; higher is better.

    From ``recorded.attack_resisted``, or ``recorded.attack_succeeded`` turned round; else whether
    ``expect.forbidden_tools`` and ``expect.excludes`` are met. Without any of them, *not evaluated*.
    """
    for key, resisted in (("attack_resisted", True), ("attack_succeeded", False)):
        if (recorded := trial.trajectory.recorded.get(key)) is not None:
            value = _truth(key, recorded) == resisted
            return Score(metric="attack_resisted", value=value, evidence={"from": "recorded"})
    return _all_met("attack_resisted", trial, ("forbidden_tools", "excludes"))


@metric(better="lower", kind="binary", unit="fraction", on_agent_error="ask")
def error_rate(trial: Trial) -> Score:
    """Whether the agent erred: raised, ran out of time, answered nothing; lower is better."""
    fault = trial.error
    return Score(
        metric="error_rate",
        value=fault is not None,
        reason="" if fault is None else f"agent error: {fault.type}: {fault.message:.200}",
    )


def pass_at_k(k: int, of: str | Metric = "success") -> FunctionMetric:
    """A metric: the chance that at least one of k trials of a case succeeds; higher is better.

    of: the binary metric (or the name of a built-in one) that says what success is.

    >>> pass_at_k(2).spec.name
    'pass_at_2'
    """
    return _over_repeats("pass_at", k, of)


def pass_hat_k(k: int, of: str | Metric = "success") -> FunctionMetric:
    """A metric: the chance that all of k trials of a case succeed; higher is better.

    of: the binary metric (or the name of a built-in one) that says what success is.

    >>> pass_hat_k(3, of="tool_calls").spec.name
    'tool_calls_pass_hat_3'
    """
    return _over_repeats("pass_hat", k, of)


def _over_repeats(way: Literal["pass_at", "pass_hat"], k: int, of: str | Metric) -> FunctionMetric:
    from pytest_agenteval.metrics import built_in_metric

    base = built_in_metric(of) if isinstance(of, str) else of
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        message = f"k of {way}_k is a whole number of at least 1, not {k!r}"
        raise MetricError(message)
    if base.spec.kind != "binary" or base.spec.better != "higher":
        message = f"{way}_k needs a binary metric of which higher is better; {base.spec.name!r} is none"
        raise MetricError(message)
    aggregate = f"{way}_{k}"
    name = aggregate if base.spec.name == "success" else f"{base.spec.name}_{aggregate}"
    return FunctionMetric(spec=replace(base.spec, name=name, aggregate=aggregate), function=base.__call__)


@cache
def _calls_in(mode: Mode) -> FunctionMetric:
    return tool_calls(mode)


def _all_met(name: str, trial: Trial, keys: Sequence[str]) -> Score:
    """One unmet expectation decides; else one without a value leaves the whole without one."""
    present = [key for key in keys if trial.case.expect.get(key) is not None]
    if not present:
        return Score(metric=name, value=None, reason=f"the case expects nothing of {', '.join(sorted(keys))}")
    scores = {key: _met(key, trial) for key in present}
    unmet: list[JSON] = [key for key, score in scores.items() if score.value is not None and score.value < 1]
    if unmet:
        return Score(metric=name, value=False, evidence={"unmet": unmet})
    for key, score in scores.items():
        if score.value is None:
            return Score(metric=name, value=None, reason=f"{key}: {score.reason}")
    return Score(metric=name, value=True)


def _met(key: str, trial: Trial) -> Score:
    return score_trial(_calls_in(calls_mode(trial)) if key == "calls" else EXPECTATIONS[key], trial)


def _truth(key: str, recorded: JSON) -> bool:
    if not isinstance(recorded, bool | int | float) or recorded not in (0, 1):
        message = f"recorded.{key} is {recorded!r:.80}; a verdict is true or false"
        raise MetricError(message)
    return bool(recorded)
