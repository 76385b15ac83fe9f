from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics import (
    attack_resisted,
    error_rate,
    metric,
    pass_at_k,
    pass_hat_k,
    score_trial,
    success,
)
from tests.metrics.trials import calls, faulty, trial

MET: dict[str, Any] = {
    "output": "total 7",
    "contains": ["total"],
    "excludes": "sorry",
    "regex": r"\d",
    "number": 7,
    "calls": ["add"],
    "forbidden_tools": ["drop"],
}
UNMET: dict[str, Any] = {
    "output": "total 8",
    "contains": ["sum"],
    "excludes": "total",
    "regex": "^x",
    "number": 8,
    "calls": ["add", "add"],
    "forbidden_tools": ["add"],
}


@given(verdict=st.booleans())
def test_a_recorded_verdict_decides_whatever_is_expected(verdict: bool) -> None:
    score = score_trial(success, trial("x", expect={"output": "y"}, recorded={"success": verdict}))
    assert score.value is verdict


def test_a_recorded_verdict_that_is_none_is_a_metric_error() -> None:
    score = score_trial(success, trial(recorded={"success": "yes"}))
    assert (score.value, score.reason) == (
        None,
        "metric error: recorded.success is 'yes'; a verdict is true or false",
    )


@given(unmet=st.sets(st.sampled_from(sorted(MET))))
def test_success_is_every_expectation_met_and_names_those_that_are_not(unmet: set[str]) -> None:
    expect = MET | {key: UNMET[key] for key in unmet}
    score = score_trial(success, trial("total 7", expect=expect, steps=calls("add")))
    assert score.value is not bool(unmet)
    named: Any = score.evidence.get("unmet", [])
    assert set(named) == unmet


def test_json_expectations_count_too() -> None:
    expect = {"schema": {"required": ["a"]}, "fields": {"a": 1}}
    assert score_trial(success, trial('{"a": 1}', expect=expect)).value is True
    assert score_trial(success, trial('{"a": 2}', expect=expect)).evidence == {"unmet": ["fields"]}


def test_a_case_that_expects_nothing_is_not_evaluated() -> None:
    score = score_trial(success, trial(expect={"note": "nothing to check"}))
    assert score.value is None
    assert score.reason.startswith("the case expects nothing of ")


def test_one_unmet_expectation_decides_though_another_cannot_be_evaluated() -> None:
    score = score_trial(success, trial("no", expect={"output": "yes", "calls": ["add"]}))
    assert score.value is False


def test_an_expectation_that_cannot_be_evaluated_leaves_success_without_a_value() -> None:
    score = score_trial(success, trial("yes", expect={"output": "yes", "calls": ["add"]}))
    assert (score.value, score.reason) == (None, "calls: needs steps, which the trajectory does not have")


def test_the_case_may_ask_for_another_mode_of_its_calls() -> None:
    expect = {"calls": ["b", "a"], "calls_mode": "set"}
    assert score_trial(success, trial(expect=expect, steps=calls("a", "b"))).value is True
    assert score_trial(success, trial(expect=expect | {"calls_mode": "exact"}, steps=calls("a", "b"))).value is False
    unknown = score_trial(success, trial(expect=expect | {"calls_mode": "any"}, steps=calls("a")))
    assert "calls_mode" in unknown.reason
    assert unknown.value is None


def test_an_agent_that_erred_did_not_succeed() -> None:
    assert score_trial(success, faulty(recorded={"success": True})).value == 0


@given(verdict=st.booleans())
def test_an_attack_that_succeeded_was_not_resisted(verdict: bool) -> None:
    assert score_trial(attack_resisted, trial(recorded={"attack_succeeded": verdict})).value is not verdict
    assert score_trial(attack_resisted, trial(recorded={"attack_resisted": verdict})).value is verdict


def test_an_attack_is_resisted_where_nothing_forbidden_was_called_or_said() -> None:
    expect = {"forbidden_tools": ["send_money"], "excludes": ["IBAN"], "output": "not looked at"}
    assert score_trial(attack_resisted, trial("done", expect=expect, steps=calls("read"))).value is True
    assert score_trial(attack_resisted, trial("my IBAN", expect=expect, steps=calls("read"))).value is False
    assert score_trial(attack_resisted, trial("done", expect=expect, steps=calls("send_money"))).value is False


def test_without_an_attack_there_is_nothing_to_resist() -> None:
    assert score_trial(attack_resisted, trial(expect={"output": "done"})).value is None


@given(output=st.text())
def test_error_rate_counts_agent_errors_and_nothing_else(output: str) -> None:
    assert score_trial(error_rate, trial(output)).value is False
    assert score_trial(error_rate, faulty()).value is True
    assert score_trial(error_rate, faulty("infrastructure")).value is None


@given(k=st.integers(1, 99), verdict=st.booleans())
def test_pass_k_metrics_take_the_value_of_success_and_their_own_aggregate(k: int, verdict: bool) -> None:
    for made, name in ((pass_at_k(k), f"pass_at_{k}"), (pass_hat_k(k, of="success"), f"pass_hat_{k}")):
        score = score_trial(made, trial(recorded={"success": verdict}))
        assert (made.spec.name, made.spec.aggregate, score.metric, score.value) == (name, name, name, verdict)


def test_pass_k_metrics_may_be_of_another_binary_metric() -> None:
    polite = metric(kind="binary", name="polite")(lambda trial: True)
    assert pass_hat_k(2, of=polite).spec.name == "polite_pass_hat_2"
    assert score_trial(pass_hat_k(2, of=polite), trial()).value is True


@pytest.mark.parametrize(
    ("k", "of"),
    [(0, "success"), (1.5, "success"), (True, "success"), (2, "sucess"), (2, "token_f1"), (2, "error_rate")],
)
def test_pass_k_metrics_of_what_cannot_pass_are_refused(k: Any, of: str) -> None:
    with pytest.raises(MetricError):
        pass_at_k(k, of=of)


def test_an_agent_error_counts_as_no_pass() -> None:
    assert score_trial(pass_hat_k(2), faulty()).value == 0
