from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from pytest_agenteval.stats import (
    Reviewable,
    corrected_error_rate,
    hajek_rate,
    horvitz_thompson_total,
    lang_reiczigel_ci,
    review_sample,
    stratified_rate,
)

STRATUM = st.integers(0, 300).flatmap(
    lambda cases: st.integers(0, cases).flatmap(
        lambda reviewed: st.tuples(st.just(cases), st.just(reviewed), st.integers(0, reviewed))
    )
)
STRATA = st.lists(STRATUM, min_size=1, max_size=6).filter(lambda strata: any(cases for cases, _, _ in strata))
REVIEWED = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.05, 0.2, 0.5, 1.0])), min_size=1, max_size=40)
CASES = st.lists(
    st.builds(
        Reviewable,
        case=st.integers(0, 400).map("case-{}".format),
        severity=st.sampled_from([1.0, 2.0, 5.0]),
        confidence=st.floats(0, 1),
        earlier_reviews=st.integers(0, 9),
    ),
    max_size=40,
    unique_by=lambda case: case.case,
)


# Strata


@given(STRATA, st.sampled_from([0.5, 0.95]), st.randoms(use_true_random=False))
def test_a_stratified_rate_lies_in_its_interval_and_ignores_the_order_of_strata(
    strata: list[tuple[int, int, int]], confidence: float, chance: Random
) -> None:
    got = stratified_rate(strata, confidence)
    assert 0.0 <= got["lo"] <= got["rate"] <= got["hi"] <= 1.0
    assert stratified_rate(chance.sample(strata, len(strata)), confidence) == got


@given(STRATUM.filter(lambda stratum: stratum[1] > 0))
def test_one_stratum_is_the_plain_add_one_estimate(stratum: tuple[int, int, int]) -> None:
    _, n, k = stratum
    got, share = stratified_rate([stratum]), (k + 1) / (n + 2)
    half = norm.isf(0.025) * math.sqrt(share * (1 - share) / (n + 2))
    assert got["rate"] == pytest.approx(k / n)
    assert got["lo"] == pytest.approx(max(min(share - half, k / n), 0.0), abs=1e-12)
    assert got["hi"] == pytest.approx(min(max(share + half, k / n), 1.0), abs=1e-12)


@given(STRATA)
def test_counting_what_was_upheld_mirrors_the_stratified_rate(strata: list[tuple[int, int, int]]) -> None:
    got, upheld = stratified_rate(strata), stratified_rate([(cases, n, n - k) for cases, n, k in strata])
    assert (upheld["rate"], upheld["lo"]) == pytest.approx((1 - got["rate"], 1 - got["hi"]), abs=1e-12)


@given(STRATA, st.integers(0, 5))
def test_one_more_overruled_case_never_lowers_the_rate(strata: list[tuple[int, int, int]], place: int) -> None:
    cases, reviewed, overruled = strata[place % len(strata)]
    worse = list(strata)
    worse[place % len(strata)] = (cases, reviewed, min(overruled + 1, reviewed))
    assert stratified_rate(worse)["rate"] >= stratified_rate(strata)["rate"]


def test_a_stratum_that_nobody_looked_at_widens_the_interval_by_what_it_weighs() -> None:
    known = stratified_rate([(100, 100, 12)])
    half_known = stratified_rate([(100, 100, 12), (100, 0, 0)])
    assert half_known["hi"] - half_known["lo"] > 3 * (known["hi"] - known["lo"])


def test_the_stratified_interval_covers_where_the_share_of_the_reviewed_does_not() -> None:
    # 15 % of 1000 cases state low confidence, 40 % of them are wrong, and all are reviewed; of the others one in 20.
    chance = np.random.Generator(np.random.PCG64(1))
    held = naive = 0
    for _ in range(300):
        low = chance.binomial(1000, 0.15)
        wrong_low, seen = chance.binomial(low, 0.4), chance.binomial(1000 - low, 0.05)
        wrong_seen = chance.binomial(seen, 0.066)
        got = stratified_rate([(low, low, int(wrong_low)), (1000 - low, seen, int(wrong_seen))])
        held += got["lo"] <= 0.15 * 0.4 + 0.85 * 0.066 <= got["hi"]
        naive += abs((wrong_low + wrong_seen) / (low + seen) - 0.1161) < 0.05
    assert held / 300 >= 0.93
    assert naive == 0


# Known probabilities


@given(REVIEWED, st.randoms(use_true_random=False))
def test_weighted_rates_ignore_the_order_of_the_reviews(reviewed: list[tuple[int, float]], chance: Random) -> None:
    outcomes, probabilities = zip(*reviewed, strict=True)
    again, probabilities_again = zip(*chance.sample(reviewed, len(reviewed)), strict=True)
    assert hajek_rate(again, probabilities_again) == hajek_rate(outcomes, probabilities)
    assert horvitz_thompson_total(again, probabilities_again) == horvitz_thompson_total(outcomes, probabilities)
    assert 0.0 <= hajek_rate(outcomes, probabilities)["rate"] <= 1.0


@given(REVIEWED)
def test_the_weighted_rate_is_the_weighted_mean_with_its_linearised_error(reviewed: list[tuple[int, float]]) -> None:
    outcomes, probabilities = np.array(reviewed).T
    weights = 1 / probabilities
    got = hajek_rate(outcomes.tolist(), probabilities.tolist())
    assert got["rate"] == pytest.approx(np.average(outcomes, weights=weights))
    if got["se"] is None:
        assert np.ptp(outcomes) == 0
    else:
        parts = weights * (outcomes - got["rate"]) / weights.sum()
        assert got["se"] == pytest.approx(np.std(parts, ddof=1) * math.sqrt(len(parts)))


def test_reviews_of_all_cases_weigh_alike() -> None:
    assert hajek_rate([1, 0, 0, 1], [1.0] * 4)["rate"] == 0.5
    assert horvitz_thompson_total([1, 0, 0, 1], [1.0] * 4) == 2.0


def test_one_review_gives_a_rate_without_an_error() -> None:
    assert hajek_rate([1], [0.5]) == {"rate": 1.0, "se": None}


# What to look at next


@given(CASES, st.integers(0, 45), st.randoms(use_true_random=False))
def test_the_review_sample_is_the_same_in_every_order_and_names_no_case_twice(
    cases: list[Reviewable], slots: int, chance: Random
) -> None:
    got = review_sample(cases, slots, ["run-1"])
    chosen = got.ranked + got.random
    assert review_sample(chance.sample(cases, len(cases)), slots, ["run-1"]) == got
    assert len(set(chosen)) == len(chosen) == min(slots, len(cases))


@given(CASES, st.integers(0, 45))
def test_no_case_left_to_chance_ranks_before_one_that_was_chosen(cases: list[Reviewable], slots: int) -> None:
    by_name = {case.case: (-case.severity, -case.confidence, case.earlier_reviews) for case in cases}
    got = review_sample(cases, slots, ["run-1"])
    others = [by_name[name] for name in by_name if name not in got.ranked]
    assert all(by_name[name] <= other for name in got.ranked for other in others)


@pytest.mark.parametrize(("slots", "at_random"), [(0, 0), (1, 1), (9, 1), (10, 1), (11, 2), (30, 3)])
def test_one_slot_in_ten_is_random(slots: int, at_random: int) -> None:
    cases = [Reviewable(f"case-{number}", 1.0, 0.5, 0) for number in range(99)]
    got = review_sample(cases, slots, ["run-1"])
    assert (len(got.ranked), len(got.random)) == (slots - at_random, at_random)


def test_each_case_left_over_is_as_likely_in_the_random_slots() -> None:
    cases = [Reviewable(f"case-{number:02}", 1.0, 1.0 - number / 99, 0) for number in range(29)]
    drawn = [name for seed in range(600) for name in review_sample(cases, 10, [f"run-{seed}"]).random]
    counts = [drawn.count(f"case-{number:02}") for number in range(9, 29)]
    assert sum(counts) == 600
    assert sum((count - 30) ** 2 / 30 for count in counts) < 43.8  # chi-square, 19 degrees, p = .001


# People who wave things through


@given(st.integers(30, 60), st.integers(40, 200))
def test_an_override_rate_is_corrected_by_what_people_catch(caught: int, overruled: int) -> None:
    got = corrected_error_rate(
        overruled=overruled, reviewed=1000, seeded_wrong=60, caught=caught, known_right=300, let_stand=299
    )
    assert got is not None
    assert got["rate"] == pytest.approx((overruled / 1000 - 1 / 300) / (caught / 60 - 1 / 300))
    assert got["lo"] <= got["rate"] <= got["hi"]
    limits = lang_reiczigel_ci(
        judge_pass=overruled,
        judged=1000,
        true_pass_labelled=60,
        judge_pass_of_those=caught,
        true_fail_labelled=300,
        judge_fail_of_those=299,
    )
    assert (got["lo"], got["hi"]) == limits


def test_people_who_catch_next_to_nothing_correct_nothing() -> None:
    got = corrected_error_rate(overruled=10, reviewed=1000, seeded_wrong=50, caught=6, known_right=300, let_stand=300)
    assert got is None


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stratified_rate([(10, 11, 0)]), r"reviewed of strata\[0\] is 11, it must lie in \[0, 10\]"),
        (lambda: stratified_rate([(10, 5, 0), (10, 5, 6)]), r"overruled of strata\[1\] is 6"),
        (lambda: stratified_rate([(0, 0, 0)]), "strata hold no case"),
        (lambda: hajek_rate([1], [None]), r"probabilities\[0\] is None: without a known chance"),
        (lambda: hajek_rate([1, 0], [0.5, 0.0]), r"probabilities\[1\] is 0.0"),
        (lambda: hajek_rate([], []), "0 values, 1 are needed"),
        (lambda: horvitz_thompson_total([1], [1.2]), "chance in"),
        (lambda: horvitz_thompson_total([1, 1], [0.5]), "zip"),
        (lambda: review_sample([Reviewable("a", math.nan, 0.5, 0)], 1, ["run-1"]), "nan"),
        (lambda: review_sample([Reviewable("a", 1, 0.5, 0)] * 2, 1, ["run-1"]), "a name twice"),
    ],
)
def test_reviews_that_are_none_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
