from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import InfrastructureError
from pytest_agenteval.metrics import metric, score_trial
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial
from tests.metrics.trials import faulty, trial


def scored(judged: Any, **declared: Any) -> Score:
    """The score of a metric that returns this, whatever it is."""
    declaration: dict[str, Any] = {"name": "m", "version": 3} | declared
    return score_trial(metric(**declaration)(lambda _: judged), trial())


def raising(error: Exception) -> Callable[[Trial], float]:
    def judge(trial: Trial) -> float:
        raise error

    return judge


@given(value=st.floats(0, 1))
def test_a_number_in_range_is_the_value(value: float) -> None:
    assert scored(value).value == value


@given(
    st.one_of(
        st.floats(),
        st.integers(),
        st.none(),
        st.booleans(),
        st.text(),
        st.lists(st.integers()),
        st.binary(),
        st.complex_numbers(),
        st.decimals(),
        st.just(object()),
    )
)
def test_whatever_a_metric_returns_makes_a_score(judged: object) -> None:
    score = scored(judged)
    assert (score.metric, score.metric_version) == ("m", 3)
    assert score.reason if score.value is None else 0 <= score.value <= 1


def test_a_bool_stays_a_bool() -> None:
    assert scored(True).value is True


@pytest.mark.parametrize(
    ("judged", "value"), [(np.bool_(True), True), (np.float32(0.5), 0.5), (1, 1.0), (Fraction(1, 4), 0.25)]
)
def test_numbers_of_other_kinds_become_plain_ones(judged: object, value: float) -> None:
    score = scored(judged)
    assert score.value == value
    assert type(score.value) in (float, bool)


def test_none_is_not_evaluated() -> None:
    assert (scored(None).value, scored(None).reason) == (None, "not evaluated")


@pytest.mark.parametrize("judged", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_a_metric_error(judged: float) -> None:
    score = scored(judged, range=None)
    assert score.value is None
    assert "finite" in score.reason


@pytest.mark.parametrize("judged", ["0.9", [1], {"score": 1}, 1j])
def test_what_is_no_number_is_a_metric_error(judged: object) -> None:
    assert "metric error: m returned" in scored(judged).reason


@pytest.mark.parametrize("judged", [-0.1, 1.1, 2, Score(metric="m", value=7.0)])
def test_a_value_outside_the_range_is_a_metric_error_that_names_both(judged: object) -> None:
    score = scored(judged)
    assert score.value is None
    assert "outside its range of 0 to 1" in score.reason


def test_what_rounding_put_past_the_end_is_the_end() -> None:
    assert scored(1.0000000000000002).value == 1.0


def test_a_binary_metric_says_one_or_the_other() -> None:
    assert "outside its range of 0 or 1" in scored(0.5, kind="binary").reason


def test_an_unbounded_metric_may_say_any_finite_number() -> None:
    assert scored(-1e300, range=None).value == -1e300


def test_a_score_gets_the_name_and_version_of_its_metric() -> None:
    score = scored(Score(metric="other", value=0.5, metric_version=9, evidence={"why": "half"}))
    assert (score.metric, score.metric_version, score.evidence) == ("m", 3, {"why": "half"})


def test_evidence_that_no_record_could_hold_is_a_metric_error() -> None:
    unfit: Any = {"set": {1, 2}}
    assert "metric error: only texts, finite numbers" in scored(Score(metric="m", value=1.0, evidence=unfit)).reason


def test_an_exception_is_a_metric_error_and_never_a_zero() -> None:
    score = score_trial(metric(raising(KeyError("price"))), trial())
    assert (score.value, score.reason) == (None, "metric error: KeyError: 'price'")


def test_a_provider_that_failed_a_metric_is_an_infrastructure_error() -> None:
    score = score_trial(metric(raising(InfrastructureError("judge is down"))), trial())
    assert (score.value, score.reason) == (None, "infrastructure error: judge is down")


def test_calls_that_were_not_recorded_are_not_evaluated() -> None:
    @metric
    def looked_up(trial: Trial) -> bool:
        return trial.called("lookup")

    score = score_trial(looked_up, trial())
    assert score.value is None
    assert "reported no steps" in score.reason


@pytest.mark.parametrize(
    ("need", "owner"),
    [
        ("expect.calls", "the case"),
        ("recorded.success", "the trajectory"),
        ("steps", "the trajectory"),
        ("confidence", "the trajectory"),
        ("seconds", "the trajectory"),
        ("tokens", "the trajectory"),
    ],
)
def test_what_is_needed_and_missing_is_named(need: str, owner: str) -> None:
    assert scored(1.0, needs={need}).reason == f"needs {need}, which {owner} does not have"


@pytest.mark.parametrize(("better", "worst"), [("higher", 0.0), ("lower", 1.0)])
def test_an_agent_error_is_the_worst_value_of_a_bounded_metric(better: Any, worst: float) -> None:
    score = score_trial(metric(name="m", better=better, needs={"expect.x"})(lambda _: 0.5), faulty())
    assert score.value == worst
    assert score.reason == "agent error: TimeoutError: took more than 60 s"
    assert score.evidence == {"agent_error": "TimeoutError"}


@pytest.mark.parametrize("declared", [{"range": None}, {"on_agent_error": "missing"}])
def test_an_agent_error_has_no_value_where_there_is_no_worst_or_none_is_wanted(
    declared: dict[str, Any],
) -> None:
    score = score_trial(metric(name="m", **declared)(lambda _: 0.5), faulty())
    assert score.value is None
    assert score.reason.startswith("agent error: ")


def test_a_metric_that_wants_to_is_asked_even_of_an_agent_error() -> None:
    asked = metric(name="m", on_agent_error="ask")(lambda _: 0.5)
    assert score_trial(asked, faulty()).value == 0.5


@pytest.mark.parametrize("on_agent_error", ["fail", "missing", "ask"])
def test_an_infrastructure_error_is_never_a_score(on_agent_error: Any) -> None:
    score = score_trial(metric(name="m", on_agent_error=on_agent_error)(lambda _: 0.5), faulty("infrastructure"))
    assert (score.value, score.reason) == (None, "infrastructure error: TimeoutError: took more than 60 s")


def test_a_reason_is_cut_where_a_message_is_endless() -> None:
    assert len(score_trial(metric(raising(ValueError("x" * 10**6))), trial()).reason) <= 500
