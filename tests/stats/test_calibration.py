from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.stats import (
    aurc,
    brier_score,
    ece,
    ece_if_calibrated,
    ece_l2_debiased,
    log_loss,
    murphy_decomposition,
    proportion_ci,
    reliability_table,
)

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=60)
LUMPY = st.lists(st.tuples(st.sampled_from([0.5, 0.7, 0.9, 0.95, 1.0]), st.integers(0, 1)), min_size=1, max_size=150)
SCHEMES = st.sampled_from(["width", "mass"])


@given(ANSWERS, SCHEMES, st.integers(1, 12), st.randoms(use_true_random=False))
def test_calibration_has_the_same_bits_in_every_order(
    answers: list[tuple[float, int]], scheme: str, bins: int, chance: Random
) -> None:
    stated, right = zip(*answers, strict=True)
    again, right_again = zip(*chance.sample(answers, len(answers)), strict=True)
    one = ece(stated, right, bins, scheme)  # type: ignore[arg-type]  # drawn
    assert ece(again, right_again, bins, scheme) == one  # type: ignore[arg-type]  # drawn
    assert brier_score(again, right_again) == brier_score(stated, right)
    assert 0.0 <= one <= 1.0


@given(ANSWERS, SCHEMES)
def test_one_bin_compares_the_mean_confidence_with_the_accuracy(answers: list[tuple[float, int]], scheme: str) -> None:
    stated, right = np.array(answers).T
    gap = abs(stated.mean() - right.mean())
    assert ece(stated.tolist(), right.tolist(), 1, scheme) == pytest.approx(gap, abs=1e-12)  # type: ignore[arg-type]  # drawn


@given(ANSWERS, SCHEMES)
def test_finer_bins_never_hide_what_one_bin_shows(answers: list[tuple[float, int]], scheme: str) -> None:
    stated, right = zip(*answers, strict=True)
    assert ece(stated, right, 8, scheme) >= ece(stated, right, 1, scheme) - 1e-12  # type: ignore[arg-type]  # drawn


@pytest.mark.parametrize(("closed", "expected"), [("left", 0.7 / 3), ("right", 1.1 / 3)])
def test_an_edge_belongs_to_the_bin_that_is_closed_there(closed: str, expected: float) -> None:
    # At 0.5 the answer joins 0.9 (left-closed: gaps -.5 and .9 in one bin) or 0.3 (right-closed).
    got = ece([0.3, 0.5, 0.9], [0, 1, 0], 2, closed=closed)  # type: ignore[arg-type]  # a parameter
    assert got == pytest.approx(expected)


@pytest.mark.parametrize("closed", ["left", "right"])
def test_confidences_of_nothing_and_everything_have_a_bin(closed: str) -> None:
    assert ece([0.0, 1.0], [0, 1], closed=closed) == 0.0  # type: ignore[arg-type]  # a parameter


def test_right_closed_bins_have_the_edges_that_published_figures_rest_on() -> None:
    just_above = 0.30000000000000004
    assert ece([just_above, 0.25], [1, 0], closed="right") == pytest.approx(abs(0.25 + just_above - 1) / 2)


def test_bins_of_equal_mass_give_the_first_ones_what_is_left_over() -> None:
    stated, right = [0.1, 0.2, 0.6, 0.8, 0.9], [0, 1, 0, 1, 1]
    chunks = np.array_split(np.array(stated) - np.array(right), 2)
    assert ece(stated, right, 2, "mass") == pytest.approx(sum(abs(chunk.sum()) for chunk in chunks) / 5)


@given(ANSWERS)
def test_the_brier_score_is_the_mean_square(answers: list[tuple[float, int]]) -> None:
    stated, right = np.array(answers).T
    assert brier_score(stated.tolist(), right.tolist()) == pytest.approx(((stated - right) ** 2).mean())


@given(ANSWERS)
def test_the_log_loss_is_that_of_the_confidence_given_to_what_happened(answers: list[tuple[float, int]]) -> None:
    stated, right = np.array(answers).T
    given_to_it = np.clip(np.where(right == 1, stated, 1 - stated), 1e-6, 1 - 1e-6)
    assert log_loss(stated.tolist(), right.tolist()) == pytest.approx(-np.log(given_to_it).mean())


def test_a_certainty_that_was_wrong_costs_much_and_not_everything() -> None:
    assert log_loss([1.0], [0]) == pytest.approx(6 * math.log(10))


# Ties


@pytest.mark.parametrize("wrong", [0, 1, 4, 10])
def test_one_confidence_is_one_bin_however_many_are_asked_for(wrong: int) -> None:
    stated, right = [0.9] * 20, [0] * wrong + [1] * (20 - wrong)
    assert ece(stated, right, 10, "mass") == pytest.approx(abs(0.9 - (20 - wrong) / 20))
    assert len(reliability_table([0.9] * 90, [1] * 90)) == 1


@given(LUMPY)
def test_equal_confidences_share_a_bin_of_the_diagram_and_none_is_lost(answers: list[tuple[float, int]]) -> None:
    stated, right = zip(*answers, strict=True)
    table = reliability_table(stated, right)
    assert sum(row["n"] for row in table) == len(answers)
    assert all(low["highest"] < high["lowest"] for low, high in pairwise(table))
    assert len(table) == 1 or min(row["n"] for row in table) >= 30


@given(LUMPY, st.integers(1, 12))
def test_a_row_of_the_diagram_has_its_wilson_interval(answers: list[tuple[float, int]], bins: int) -> None:
    stated, right = zip(*answers, strict=True)
    for row in reliability_table(stated, right, bins, 0.9):
        inside = [outcome for level, outcome in answers if row["lowest"] <= level <= row["highest"]]
        assert row["accuracy"] == sum(inside) / len(inside)
        assert (row["lo"], row["hi"]) == proportion_ci(sum(inside), len(inside), confidence=0.9)
        assert row["lowest"] <= row["confidence"] <= row["highest"]


def test_the_diagram_has_ten_bins_from_three_hundred_answers_on() -> None:
    stated = [place / 400 for place in range(400)]
    assert [row["n"] for row in reliability_table(stated, [1, 0] * 200)] == [40] * 10
    assert [row["n"] for row in reliability_table(stated[:100], [1, 0] * 50)] == [34, 33, 33]
    assert [row["n"] for row in reliability_table(stated[:20], [1, 0] * 10)] == [20]


# What chance adds


@pytest.mark.parametrize("scheme", ["width", "mass"])
@pytest.mark.parametrize("n", [100, 300, 1000])
def test_a_perfectly_calibrated_score_shows_an_error_that_is_foreseen(scheme: str, n: int) -> None:
    chance = np.random.Generator(np.random.PCG64(n))
    seen, foreseen, debiased = [], [], []
    for _ in range(60):
        stated = chance.beta(8, 2, n)
        right = (chance.random(n) < stated).astype(int).tolist()
        seen.append(ece(stated.tolist(), right, 10, scheme))  # type: ignore[arg-type]  # a parameter
        foreseen.append(ece_if_calibrated(stated.tolist(), 10, scheme))  # type: ignore[arg-type]  # a parameter
        debiased.append(ece_l2_debiased(stated.tolist(), right))
    assert np.mean(foreseen) == pytest.approx(np.mean(seen), rel=0.12)
    assert abs(np.mean(debiased)) < 3 * np.std(debiased) / math.sqrt(60)


@pytest.mark.parametrize(("n", "known"), [(100, 0.072), (300, 0.044), (1000, 0.024), (5000, 0.011)])
def test_the_error_that_is_foreseen_falls_with_the_number_of_answers(n: int, known: float) -> None:
    stated = np.random.Generator(np.random.PCG64(n)).beta(8, 2, n)
    assert ece_if_calibrated(stated.tolist()) == pytest.approx(known, rel=0.12)


@given(ANSWERS, st.integers(1, 12), st.randoms(use_true_random=False))
def test_figures_of_calibration_have_the_same_bits_in_every_order(
    answers: list[tuple[float, int]], bins: int, chance: Random
) -> None:
    stated, right = zip(*answers, strict=True)
    again, right_again = zip(*chance.sample(answers, len(answers)), strict=True)
    for figure in (aurc, log_loss, murphy_decomposition, reliability_table):
        assert figure(again, right_again) == figure(stated, right)
    assert ece_if_calibrated(again, bins) == ece_if_calibrated(stated, bins)
    if len(answers) > 1:
        assert ece_l2_debiased(again, right_again, bins) == ece_l2_debiased(stated, right, bins)


@given(ANSWERS.filter(lambda answers: len(answers) > 1))
def test_the_debiased_error_of_one_bin_is_the_squared_gap_less_the_variance_of_the_mean(
    answers: list[tuple[float, int]],
) -> None:
    stated, right = np.array(answers).T
    expected = (stated.mean() - right.mean()) ** 2 - right.var(ddof=1) / len(right)
    assert ece_l2_debiased(stated.tolist(), right.tolist(), 1) == pytest.approx(expected, abs=1e-12)


# Parts and ranking


@given(ANSWERS)
def test_the_brier_score_is_reliability_less_resolution_and_uncertainty(answers: list[tuple[float, int]]) -> None:
    stated, right = zip(*answers, strict=True)
    parts = murphy_decomposition(stated, right)
    assert min(parts["reliability"], parts["resolution"], parts["uncertainty"]) >= 0.0
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    assert brier_score(stated, right) == pytest.approx(total, abs=1e-12)


@given(ANSWERS)
def test_the_area_under_the_risk_curve_is_the_mean_over_all_orders_of_the_ties(
    answers: list[tuple[float, int]],
) -> None:
    stated, right = zip(*answers, strict=True)
    blocks = {level: 1 - np.mean([y for x, y in answers if x == level]) for level in stated}
    risks = np.cumsum([blocks[level] for level in sorted(stated, reverse=True)]) / np.arange(1, len(answers) + 1)
    assert aurc(stated, right) == pytest.approx(risks.mean())


@given(ANSWERS)
def test_any_increasing_change_of_the_confidence_leaves_its_ranking(answers: list[tuple[float, int]]) -> None:
    stated, right = zip(*answers, strict=True)
    places = {level: place / 100 for place, level in enumerate(sorted(set(stated)))}
    assert aurc([places[level] for level in stated], right) == aurc(stated, right)


def test_a_confidence_that_ranks_nothing_shows_the_error_rate() -> None:
    assert aurc([0.8] * 10, [1] * 7 + [0] * 3) == pytest.approx(0.3)


# Stated confidence of two models on the SAT's reading part: confidence, answers, right ones
# (NoamMichael, Comparing-Confidence-in-LLMs, MIT, © 2025).
O3 = """
.35 1 0, .4 1 0, .45 1 0, .5499999999999999 1 1, .55 9 8, .6 9 9, .62 1 0, .63 1 1, .6499999999999999 1 1, .65 12 11,
.68 1 1, .7 24 24, .7000000000000001 5 5, .72 1 1, .75 48 47, .7500000000000001 1 1, .77 1 1, .7799999999999998 1 1,
.78 1 1, .79 1 1, .7999999999999998 5 5, .8 43 43, .81 1 1, .82 3 3, .8200000000000001 1 1, .83 3 3, .84 1 1, .85 24 24,
.86 1 1, .9 2 2"""
SONNET_4 = """
0 2 1, .25 3 1, .4 1 1, .5 3 3, .6 13 13, .65 5 4, .7 14 14, .7000000000000001 2 2, .75 15 14, .8 46 46, .85 45 45,
.9 21 21, .95 17 17, 1 19 18"""


@pytest.mark.parametrize(
    ("answers", "n", "error", "brier"), [(O3, 205, 0.2349, 0.0770), (SONNET_4, 206, 0.1701, 0.0620)]
)
def test_recorded_confidences_have_their_known_errors(answers: str, n: int, error: float, brier: float) -> None:
    rows = [(float(level), int(size), int(right)) for level, size, right in map(str.split, answers.split(","))]
    stated = [level for level, size, _ in rows for _ in range(size)]
    right = [outcome for _, size, hits in rows for outcome in [1] * hits + [0] * (size - hits)]
    assert len(stated) == n
    assert ece(stated, right, closed="right") == pytest.approx(error, abs=5e-5)
    assert brier_score(stated, right) == pytest.approx(brier, abs=5e-5)
    assert ece_if_calibrated(stated, closed="right") < 0.06


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ece([0.5], [1], 0), "bins is 0"),
        (lambda: ece([0.5], [1], scheme="fuzzy"), "known are: width, mass"),  # type: ignore[arg-type]  # on purpose
        (lambda: ece_l2_debiased([0.5], [1]), "1 values, 2 are needed"),
        (lambda: reliability_table([0.5], [1], level=95), "95 % is 0.95"),
        (lambda: ece_if_calibrated([1.5]), "outside"),
        (lambda: aurc([0.5], [1, 0]), "zip"),
    ],
)
def test_answers_that_are_none_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
