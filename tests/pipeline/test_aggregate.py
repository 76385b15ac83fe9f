"""From trials to one number: each aggregate, its interval, and what has no value."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval import stats
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.aggregate import bounds_of, is_binary, measure, measure_all
from tests.pipeline.measures import BINARY, BOUNDED, COST, binary, measured, trials

P50 = MetricSpec(name="latency_seconds", kind="unbounded", range=None, better="lower", aggregate="p50")
P95 = MetricSpec(name="latency_seconds", kind="unbounded", range=None, better="lower", aggregate="p95")
HAT = MetricSpec(name="pass_hat_2", kind="binary", aggregate="pass_hat_2")
AT_2 = MetricSpec(name="pass_at_2", kind="binary", aggregate="pass_at_2")
ECE = MetricSpec(name="calibration", better="lower", aggregate="ece")

ids = st.text("abcde", min_size=1, max_size=3)
unit = st.floats(0, 1)
bits = st.sampled_from([0.0, 1.0])


def tables(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, list[float | None]]]:
    return st.dictionaries(ids, st.lists(values | st.none(), min_size=1, max_size=4), min_size=1, max_size=8)


def test_a_mean_is_that_of_the_means_of_the_cases() -> None:
    found = measured({"a": [1.0, 0.5], "b": [0.25]}, BOUNDED).estimate
    assert (found.n, found.value, found.method) == (2, 0.5, "t")
    limits = stats.mean_ci([0.75, 0.25], 0.95, bounds=(0.0, 1.0))
    assert (found.low, found.high) == (limits["lo"], limits["hi"])


def test_a_proportion_has_wilsons_interval() -> None:
    found = measured(binary(77, 20)).estimate
    low, high = stats.proportion_ci(77, 97)
    assert (found.n, found.value, found.low, found.high) == (97, 77 / 97, low, high)
    assert found.method == "wilson"
    assert f"{found.low:.4f} {found.high:.4f}" == "0.7029 0.8624"


def test_repeats_of_one_case_count_as_less_than_cases_of_their_own() -> None:
    repeated = measured({f"c{n}": [1.0, 1.0, 1.0] if n < 8 else [0.0, 0.0, 0.0] for n in range(10)}).estimate
    apart = measured(binary(24, 6)).estimate
    assert repeated.method == "wilson, effective n"
    assert repeated.value == apart.value
    assert repeated.low is not None
    assert apart.low is not None
    assert repeated.low < apart.low


def test_a_single_case_is_told_with_an_interval_that_says_little() -> None:
    one = measured({"a": [1.0]}).estimate
    assert (one.n, one.value, one.high) == (1, 1.0, 1.0)
    assert one.low is not None
    assert one.low < 0.25


@pytest.mark.parametrize(("values", "spec"), [([0.02], COST), ([0.5], BOUNDED), ([1.0, 1.0], BINARY)])
def test_a_single_case_without_a_spread_to_see_has_no_ends(values: list[float], spec: MetricSpec) -> None:
    found = measured({"a": values}, spec).estimate
    assert (found.n, found.value, found.low, found.high) == (1, values[0], None, None)


def test_a_quantile_is_taken_over_all_attempts_with_ends_at_observed_values() -> None:
    values: dict[str, list[float | None]] = {f"c{n:03}": [float(n)] for n in range(1, 101)}
    found = measured(values, P50).estimate
    limits = stats.quantile_ci([float(n) for n in range(1, 101)], 0.5, 0.95)
    assert (found.value, found.method) == (50.5, "order statistics")
    assert (found.low, found.high) == (limits["lower_rank"], limits["upper_rank"])


def test_a_high_quantile_of_few_cases_has_no_upper_end() -> None:
    found = measured({f"c{n}": [float(n)] for n in range(10)}, P95).estimate
    assert found.value is not None
    assert found.high is None


def test_an_estimate_between_two_ranks_lies_in_its_interval_all_the_same() -> None:
    found = measured({"a": [1.0], "b": [2.0]}, replace(P95, aggregate="p99")).estimate
    assert (found.low, found.value, found.high) == (1.99, 1.99, None)


def test_repeats_do_not_narrow_the_interval_of_a_quantile_by_themselves() -> None:
    once = measured({f"c{n:03}": [float(n)] for n in range(60)}, P50).estimate
    thrice = measured({f"c{n:03}": [float(n)] * 3 for n in range(60)}, P50).estimate
    assert (once.low, once.high) == (thrice.low, thrice.high)


@pytest.mark.parametrize(
    ("spec", "expected"), [(HAT, (1.0 + 1 / 3 + 0.0) / 3), (AT_2, (1.0 + 1.0 + 2 / 3) / 3)], ids=["hat", "at"]
)
def test_pass_k_counts_the_attempts_of_each_case(spec: MetricSpec, expected: float) -> None:
    found = measured({"a": [1.0, 1.0, 1.0], "b": [1.0, 1.0, 0.0], "c": [0.0, 0.0, 1.0]}, spec)
    assert found.estimate.value == pytest.approx(expected)
    assert found.estimate.n == 3
    assert all(len(case.values) == 1 and case.answers == () for case in found.cases.values())


@pytest.mark.parametrize("spec", [HAT, AT_2], ids=["hat", "at"])
def test_pass_k_is_undefined_for_a_case_of_fewer_attempts(spec: MetricSpec) -> None:
    found = measured({"a": [1.0, 1.0], "b": [1.0], "c": [1.0, None]}, spec)
    assert set(found.cases) == {"a"}
    assert found.not_evaluated == {"b": "1 of the 2 attempts needed", "c": "1 of the 2 attempts needed"}
    assert (found.estimate.n, found.estimate.n_not_evaluated) == (1, 2)


def test_the_calibration_error_is_taken_from_what_the_scores_tell() -> None:
    told = [(0.9, True), (0.9, True), (0.9, False), (0.2, False)]
    made = [
        trial.with_scores([Score(metric="calibration", value=0.0, evidence={"confidence": sure, "correct": right})])
        for trial, (sure, right) in zip(trials(binary(4, 0), ECE), told, strict=True)
    ]
    found = measure("s", ECE, made).estimate
    assert found.value == pytest.approx(stats.ece([c for c, _ in told], [float(r) for _, r in told], closed="right"))
    assert (found.low, found.high, found.method) == (None, None, "ece, 10 bins")


def test_a_case_without_any_value_is_not_evaluated_with_the_reason_of_its_first_attempt() -> None:
    found = measured({"a": [1.0], "b": [None, None], "c": [None, 1.0]})
    assert set(found.cases) == {"a", "c"}
    assert found.not_evaluated == {"b": "the judge was down"}
    assert found.missing_share == pytest.approx(1 / 3)
    assert found.not_asked == frozenset()


def test_nothing_measured_is_no_estimate_and_not_zero() -> None:
    found = measured({"a": [None]})
    assert (found.estimate.n, found.estimate.value, found.estimate.low) == (0, None, None)
    assert found.missing_share == 1.0
    assert bounds_of(found, confidence=0.9) == (None, None)
    nothing = measure("s", BINARY, [])
    assert (nothing.estimate.n, nothing.missing_share) == (0, 0.0)


def needing(trial: Trial, need: str) -> Trial:
    lacking = Score(metric="success", value=None, reason=f"needs {need}", evidence={"needs": need})
    return trial.with_scores([lacking])


def test_a_case_without_the_expectation_does_not_ask_and_a_trajectory_without_the_steps_is_missing() -> None:
    first, second, *rest = trials(binary(10, 0))
    found = measure("s", BINARY, [needing(first, "expect.calls"), needing(second, "steps"), *rest])
    assert found.not_asked == {"c0000"}
    assert found.estimate.n_not_evaluated == 2
    assert found.missing_share == pytest.approx(1 / 9)


def test_trials_that_were_never_asked_do_not_count() -> None:
    asked, other = trials(binary(1, 0)), trials({"x": [1.0]}, BOUNDED)
    assert measure("s", BINARY, [*asked, *other]).estimate.n == 1
    both = measure_all("s", {"success": BINARY, "f1": BOUNDED}, [*asked, *other])
    assert [(one.spec.name, one.estimate.n) for one in both] == [("f1", 1), ("success", 1)]


def test_the_values_of_a_case_stand_beside_the_digests_of_its_answers() -> None:
    made = trials({"a": [1.0, None, 0.0]})
    [case] = measure("s", BINARY, made).cases.values()
    assert case.values == (1.0, 0.0)
    assert case.answers == (made[0].answer_digest, made[2].answer_digest)
    assert case.fingerprint == made[0].case.fingerprint


@pytest.mark.parametrize(("spec", "values"), [(BINARY, bits), (BOUNDED, unit), (COST, unit), (P50, unit), (HAT, bits)])
@given(data=st.data())
def test_the_interval_holds_the_estimate_and_stays_in_the_range(
    spec: MetricSpec, values: st.SearchStrategy[float], data: st.DataObject
) -> None:
    found = measured(data.draw(tables(values)), spec).estimate
    assert (found.value is None) == (found.n == 0)
    for end in (found.low, found.high):
        if end is not None and spec.range is not None:
            assert spec.range[0] <= end <= spec.range[1]


@pytest.mark.parametrize(("spec", "values"), [(BINARY, bits), (BOUNDED, unit), (P95, unit), (HAT, bits)])
@given(data=st.data(), seed=st.integers(0, 999))
def test_the_order_of_the_trials_changes_not_a_bit(
    spec: MetricSpec, values: st.SearchStrategy[float], data: st.DataObject, seed: int
) -> None:
    made = trials(data.draw(tables(values)), spec)
    shuffled = list(made)
    random.Random(seed).shuffle(shuffled)
    assert measure("s", spec, shuffled) == measure("s", spec, made)


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_higher_confidence_gives_a_wider_interval(right: int, wrong: int) -> None:
    found = measured(binary(right + 1, wrong))
    narrow, wide = bounds_of(found, confidence=0.5), bounds_of(found, confidence=0.99)
    assert narrow[0] is not None
    assert narrow[1] is not None
    assert wide[0] is not None
    assert wide[1] is not None
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


def test_an_ece_has_no_bounds() -> None:
    made = trials(binary(1, 0), ECE)[0].with_scores(
        [Score(metric="calibration", value=0.0, evidence={"confidence": 0.5, "correct": True})]
    )
    assert bounds_of(measure("s", ECE, [made]), confidence=0.9) == (None, None)


def test_values_are_binary_where_each_is_zero_or_one() -> None:
    assert is_binary(measured(binary(1, 1)).cases.values())
    assert not is_binary(measured({"a": [0.5]}).cases.values())
    assert math.isclose(measured({"a": [0.5]}).estimate.value or 0, 0.5)
