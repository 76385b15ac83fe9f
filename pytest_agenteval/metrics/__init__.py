"""``@metric`` and the built-in metrics, a module a family. Names are loaded when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_agenteval.contracts import Metric
    from pytest_agenteval.metrics.confidence import brier, ece
    from pytest_agenteval.metrics.cost import (
        cost_usd,
        latency_p95_seconds,
        latency_seconds,
        log_latency_seconds,
        slower_than,
        tokens,
    )
    from pytest_agenteval.metrics.declare import FunctionMetric, metric
    from pytest_agenteval.metrics.outcome import (
        attack_resisted,
        error_rate,
        pass_at_k,
        pass_hat_k,
        success,
    )
    from pytest_agenteval.metrics.safety import no_personal_data, no_secrets
    from pytest_agenteval.metrics.scoring import score_trial
    from pytest_agenteval.metrics.structured import fields_equal, json_schema, json_valid
    from pytest_agenteval.metrics.text import (
        contains,
        exact,
        excludes,
        number_close,
        regex,
        similarity,
        token_f1,
    )
    from pytest_agenteval.metrics.tools import forbidden_tools, repeated_calls, steps, tool_calls

__all__ = [
    "FunctionMetric",
    "attack_resisted",
    "brier",
    "built_in_metric",
    "built_in_metrics",
    "contains",
    "cost_usd",
    "ece",
    "error_rate",
    "exact",
    "excludes",
    "fields_equal",
    "forbidden_tools",
    "json_schema",
    "json_valid",
    "latency_p95_seconds",
    "latency_seconds",
    "log_latency_seconds",
    "metric",
    "no_personal_data",
    "no_secrets",
    "number_close",
    "pass_at_k",
    "pass_hat_k",
    "regex",
    "repeated_calls",
    "score_trial",
    "similarity",
    "slower_than",
    "steps",
    "success",
    "token_f1",
    "tokens",
    "tool_calls",
]

_NAMES_BY_MODULE = {
    "confidence": ("brier", "ece"),
    "cost": ("cost_usd", "latency_p95_seconds", "latency_seconds", "log_latency_seconds", "slower_than", "tokens"),
    "declare": ("FunctionMetric", "metric"),
    "outcome": ("attack_resisted", "error_rate", "pass_at_k", "pass_hat_k", "success"),
    "safety": ("no_personal_data", "no_secrets"),
    "scoring": ("score_trial",),
    "structured": ("fields_equal", "json_schema", "json_valid"),
    "text": ("contains", "exact", "excludes", "number_close", "regex", "similarity", "token_f1"),
    "tools": ("forbidden_tools", "repeated_calls", "steps", "tool_calls"),
}
_MODULE_OF = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}


def built_in_metrics() -> tuple[Metric, ...]:
    """The built-in metrics that go by their name alone, ordered by it.

    >>> [metric.spec.name for metric in built_in_metrics()][:3]
    ['attack_resisted', 'brier', 'contains']
    """
    from pytest_agenteval.metrics import confidence, cost, declare, outcome, safety, structured, text, tools

    families = (confidence, cost, outcome, safety, structured, text, tools)
    plain = {
        found for family in families for found in vars(family).values() if isinstance(found, declare.FunctionMetric)
    }
    made = {cost.cost_usd(), *(tools.tool_calls(mode) for mode in tools.MODES)}
    return tuple(sorted(plain | made, key=lambda found: found.spec.name))


def built_in_metric(name: str) -> Metric:
    """The built-in metric of that name. Raises MetricError, with the near match, where there is none."""
    from pytest_agenteval.errors import MetricError
    from pytest_agenteval.model.codec import near

    family = _MODULE_OF.get(name)
    found: Any = getattr(import_module(f"{__name__}.{family}"), name) if family else None
    if hasattr(found, "spec") and found.spec.name == name:
        made: Metric = found  # no other family needs to be loaded
        return made
    known = {found.spec.name: found for found in built_in_metrics()}
    if name not in known:
        message = f"there is no built-in metric {name!r}{near(name, list(known))}"
        raise MetricError(message)
    return known[name]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
