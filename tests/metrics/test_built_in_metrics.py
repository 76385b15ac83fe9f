from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_agenteval.metrics
from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics import built_in_metric, built_in_metrics, score_trial
from tests.metrics.trials import calls, hostile, trial

LOADED = """
import json, sys
before = set(sys.modules)
import pytest_agenteval.metrics as metrics
metrics.built_in_metrics()
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
METRICS = {metric.spec.name: metric for metric in built_in_metrics()}
EVERYTHING = {
    "output": "x",
    "contains": "x",
    "excludes": "y",
    "regex": "x",
    "number": 1,
    "schema": {},
    "fields": {"a": 1},
    "calls": ["a"],
    "forbidden_tools": ["b"],
}
ANY_OUTPUT = st.recursive(
    st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_the_metrics_that_go_by_a_name_are_these() -> None:
    assert sorted(METRICS) == [
        "attack_resisted",
        "brier",
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
        "no_personal_data",
        "no_secrets",
        "number_close",
        "regex",
        "repeated_calls",
        "similarity",
        "steps",
        "success",
        "token_f1",
        "tokens",
        "tool_calls",
        "tool_calls_set",
        "tool_calls_subsequence",
        "tool_calls_subset",
        "tool_calls_superset",
    ]


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_each_metric_says_what_it_is_and_which_way_is_better(metric: Metric) -> None:
    assert f"{metric.spec.better} is better" in (metric.__doc__ or "")
    assert metric.spec.unit


def test_loading_all_metrics_loads_the_standard_library_alone() -> None:
    answer = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    assert set(json.loads(answer.stdout)) - sys.stdlib_module_names == {"pytest_agenteval"}


def test_every_public_name_is_there() -> None:
    assert all(hasattr(pytest_agenteval.metrics, name) for name in pytest_agenteval.metrics.__all__)
    assert not hasattr(pytest_agenteval.metrics, "no_such_metric")


def test_an_unknown_metric_is_refused_with_the_near_match() -> None:
    with pytest.raises(MetricError, match="'tool_cals'; did you mean 'tool_calls'"):
        built_in_metric("tool_cals")


@given(output=ANY_OUTPUT)
def test_no_output_makes_a_metric_crash_or_leave_it_without_a_value(output: object) -> None:
    one = trial(output, expect=EVERYTHING, steps=calls("a"), confidence=0.5, seconds=1.0)
    unknown = {name for name, metric in METRICS.items() if score_trial(metric, one).value is None}
    assert unknown == {"cost_usd", "tokens"}


@pytest.mark.parametrize("text", hostile("huge").values(), ids=hostile("huge"))
def test_a_huge_output_is_scored_like_any_other(text: str) -> None:
    one = trial(text, expect=EVERYTHING, steps=calls("a"))
    for name in (
        "contains",
        "regex",
        "number_close",
        "token_f1",
        "similarity",
        "json_valid",
        "no_secrets",
        "no_personal_data",
    ):
        assert score_trial(METRICS[name], one).value is not None, name
