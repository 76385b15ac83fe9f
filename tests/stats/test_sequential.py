from __future__ import annotations

import math
from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from pytest_agenteval.stats import alpha_spending, eprocess_mixture, spending_increments, sprt_decision
from pytest_agenteval.stats.sequential import SpendingKind

LOOKS = st.lists(st.integers(1, 100), min_size=1, max_size=8, unique=True).map(lambda x: [i / 100 for i in sorted(x)])
KINDS = st.sampled_from(["obrien-fleming", "pocock"])
LEVELS = st.sampled_from([0.001, 0.01, 0.05])
SIDES = st.sampled_from(["up", "down"])
SCORES = st.lists(st.integers(0, 8).map(lambda eighth: eighth / 8), max_size=30)


@given(LOOKS, LEVELS)
def test_obrien_fleming_levels_agree_with_scipy(looks: list[float], alpha: float) -> None:
    oracle = 2.0 * norm.sf(norm.isf(alpha / 2.0) / np.sqrt(looks))
    assert alpha_spending(looks, alpha) == pytest.approx(oracle, rel=1e-9)


@given(LOOKS, LEVELS, KINDS)
def test_the_levels_of_all_looks_add_up_to_the_level_of_the_last(
    looks: list[float], alpha: float, kind: SpendingKind
) -> None:
    levels = spending_increments(looks, alpha, kind)
    assert all(level > 0.0 for level in levels)
    assert math.fsum(levels) == pytest.approx(alpha_spending(looks, alpha, kind)[-1], abs=1e-15)
    assert math.fsum(levels) <= alpha * (1.0 + 1e-12)


@pytest.mark.parametrize("kind", ["obrien-fleming", "pocock"])
def test_a_single_look_at_the_end_has_the_whole_level(kind: SpendingKind) -> None:
    assert alpha_spending([1.0], 0.05, kind) == pytest.approx([0.05], abs=1e-15)


@pytest.mark.parametrize("fractions", [[], [0.0, 1.0], [0.5, 0.5], [0.5, 0.2], [0.5, 1.2]])
def test_looks_that_do_not_rise_to_the_end_are_refused(fractions: list[float]) -> None:
    with pytest.raises(ValueError, match="fractions"):
        alpha_spending(fractions)


@given(st.integers(0, 200), st.integers(0, 200))
def test_one_more_success_is_never_weaker_evidence_of_the_good_rate(passed: int, failed: int) -> None:
    now = sprt_decision(passed, failed, 0.85, 0.92)
    assert sprt_decision(passed + 1, failed, 0.85, 0.92)["llr"] > now["llr"]
    assert sprt_decision(passed, failed + 1, 0.85, 0.92)["llr"] < now["llr"]
    reached = {"good": now["llr"] > now["upper"], "bad": now["llr"] < now["lower"], "continue": True}
    assert reached[now["decision"]]


def test_before_the_first_case_nothing_is_decided() -> None:
    assert sprt_decision(0, 0, 0.85, 0.92)["decision"] == "continue"


def test_the_errors_of_the_ratio_test_are_as_asked() -> None:
    limits = sprt_decision(0, 0, 0.85, 0.92)
    win, loss = sprt_decision(1, 0, 0.85, 0.92)["llr"], sprt_decision(0, 1, 0.85, 0.92)["llr"]
    draws = np.random.default_rng(1).random((2000, 1500))
    for rate, wrong in ((0.85, "upper"), (0.92, "lower")):
        walk = np.cumsum(np.where(draws < rate, win, loss), axis=1)
        up, down = walk > limits["upper"], walk < limits["lower"]
        first = {
            "upper": np.where(up.any(axis=1), up.argmax(axis=1), 9999),
            "lower": np.where(down.any(axis=1), down.argmax(axis=1), 9999),
        }
        other = {"upper": "lower", "lower": "upper"}[wrong]
        assert (first[wrong] < first[other]).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize(("p0", "p1", "alpha"), [(0.9, 0.9, 0.05), (0.9, 0.8, 0.05), (0.8, 0.9, 0.96)])
def test_rates_and_errors_that_ask_nothing_are_refused(p0: float, p1: float, alpha: float) -> None:
    with pytest.raises(ValueError, match=r"p0|alpha \+ beta"):
        sprt_decision(1, 1, p0, p1, alpha=alpha)


def mean_evidence(null: float, side: Literal["up", "down"], rate: float) -> float:
    """Over all runs of eight values that are 1 with this probability."""
    return math.fsum(
        eprocess_mixture(values, null, side)[-1] * rate ** sum(values) * (1.0 - rate) ** (8 - sum(values))
        for values in product((0, 1), repeat=8)
    )


@pytest.mark.parametrize("null", [0.1, 0.5, 0.85])
@pytest.mark.parametrize("side", ["up", "down"])
def test_evidence_has_mean_one_at_the_edge_of_the_null_and_less_within(
    null: float, side: Literal["up", "down"]
) -> None:
    within = null * 0.8 if side == "up" else 1.0 - (1.0 - null) * 0.8
    assert mean_evidence(null, side, null) == pytest.approx(1.0)
    assert mean_evidence(null, side, within) < 1.0


def test_peeking_at_the_evidence_rejects_a_true_null_at_most_as_often_as_stated() -> None:
    draws = (np.random.default_rng(2).random((400, 100)) < 0.3).astype(float)
    alarms = sum(max(eprocess_mixture(row.tolist(), 0.3, "up")) >= 20.0 for row in draws)
    assert alarms / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


@given(SCORES, st.sampled_from([0.25, 0.5]), SIDES)
def test_evidence_against_one_side_is_the_mirror_of_the_other(
    values: list[float], null: float, side: Literal["up", "down"]
) -> None:
    other: Literal["up", "down"] = "down" if side == "up" else "up"
    mirrored = eprocess_mixture([-value for value in values], -null, other, low=-1.0, high=0.0)
    assert eprocess_mixture(values, null, side) == pytest.approx(mirrored)


@given(SCORES.filter(bool), st.integers(0, 7))
def test_a_higher_last_value_is_more_evidence_of_a_high_mean(values: list[float], eighth: int) -> None:
    lower, higher = [*values, eighth / 8], [*values, (eighth + 1) / 8]
    assert eprocess_mixture(lower, 0.5, "up")[-1] < eprocess_mixture(higher, 0.5, "up")[-1]
    assert eprocess_mixture(lower, 0.5, "up")[:-1] == eprocess_mixture(values, 0.5, "up")


def test_overwhelming_evidence_stays_a_finite_number() -> None:
    assert math.isfinite(eprocess_mixture([1.0] * 5000, 0.01, "up")[-1])
    assert eprocess_mixture([0.0] * 5000, 0.01, "up")[-1] >= 0.0


@pytest.mark.parametrize(("values", "null"), [([0.5], 1.0), ([1.5], 0.5)])
def test_values_and_nulls_outside_the_range_are_refused(values: list[float], null: float) -> None:
    with pytest.raises(ValueError, match="correct low and high"):
        eprocess_mixture(values, null, "up")
