from __future__ import annotations

from itertools import product
from random import Random
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm, permutation_test, ttest_1samp, wilcoxon

from pytest_agenteval.stats import (
    MIN_PAIRS_FOR_T_BOUNDS,
    equivalent,
    mcnemar,
    paired_bounds,
    paired_t_bounds,
    paired_t_pvalue,
    sign_flip_pvalue,
    tango_bounds,
    tost_pvalue,
    wilcoxon_pratt,
)
from pytest_agenteval.stats.paired import Alternative

ALTERNATIVES = st.sampled_from(get_args(Alternative))
CHANGES = st.integers(0, 60)
TABLES = st.tuples(CHANGES, CHANGES, st.integers(0, 300)).map(lambda t: (t[0], t[1], sum(t) + 1))
DIFFS = st.lists(st.integers(-8, 8).map(lambda eighth: eighth / 8), min_size=1, max_size=60)
FEW_DIFFS = st.lists(st.integers(-8, 8).map(lambda eighth: eighth / 8), min_size=1, max_size=10)


# McNemar


@given(CHANGES, CHANGES, ALTERNATIVES)
def test_mcnemar_exact_agrees_with_scipy(b: int, c: int, alternative: Alternative) -> None:
    assume(b + c > 0)
    oracle = binomtest(b, b + c, 0.5, alternative).pvalue
    assert mcnemar(b, c, "exact", alternative) == pytest.approx(oracle, rel=1e-10)


@given(CHANGES, CHANGES)
def test_mcnemar_mid_p_counts_half_of_what_was_seen(b: int, c: int) -> None:
    assume(b + c > 0)
    oracle = binom.cdf(b, b + c, 0.5) - binom.pmf(b, b + c, 0.5) / 2
    assert mcnemar(b, c, "mid-p", "less") == pytest.approx(oracle, rel=1e-9)


@given(CHANGES, CHANGES, st.sampled_from(["mid-p", "exact"]), ALTERNATIVES)
def test_a_mcnemar_p_value_lies_above_0_and_reaches_1(b: int, c: int, method: str, alternative: Alternative) -> None:
    assert 0.0 < mcnemar(b, c, method, alternative) <= 1.0  # type: ignore[arg-type]  # drawn


@given(CHANGES, CHANGES, st.sampled_from(["less", "two-sided"]))
def test_mid_p_is_never_above_the_exact_p(b: int, c: int, alternative: Alternative) -> None:
    assert mcnemar(b, c, "mid-p", alternative) <= mcnemar(b, c, "exact", alternative)


@given(CHANGES, CHANGES)
def test_swapping_the_runs_swaps_the_sides_of_mcnemar(b: int, c: int) -> None:
    assert mcnemar(b, c, alternative="less") == mcnemar(c, b, alternative="greater")
    assert mcnemar(b, c) == mcnemar(c, b)


@given(CHANGES, CHANGES)
def test_one_more_lost_case_is_never_weaker_evidence_of_a_loss(b: int, c: int) -> None:
    assert mcnemar(b, c + 1, alternative="less") <= mcnemar(b, c, alternative="less")


def test_nothing_changed_proves_nothing() -> None:
    assert mcnemar(0, 0) == mcnemar(0, 0, "exact", "less") == 1.0


@pytest.mark.parametrize(("changed", "can_reject"), [(3, False), (4, True)])
def test_under_four_changes_mid_p_cannot_reach_five_percent(changed: int, can_reject: bool) -> None:
    assert (mcnemar(0, changed, "mid-p", "less") <= 0.05) is can_reject


# Paired t


@given(DIFFS, st.floats(-0.5, 0.5), ALTERNATIVES)
def test_the_paired_t_p_value_agrees_with_scipy(diffs: list[float], margin: float, alternative: Alternative) -> None:
    assume(len(set(diffs)) > 1)
    oracle = ttest_1samp(diffs, -margin, alternative=alternative).pvalue
    got = paired_t_pvalue([0.0] * len(diffs), diffs, margin, alternative)
    assert got == pytest.approx(oracle, rel=1e-7, abs=1e-12)


@given(st.integers(1, 40), st.sampled_from([-0.1, 0.25]), ALTERNATIVES)
def test_equal_differences_are_judged_as_by_flipping_signs(n: int, diff: float, alternative: Alternative) -> None:
    base = [0.3 + 0.01 * case for case in range(n)]
    got = paired_t_pvalue(base, [score + diff for score in base], alternative=alternative)
    toward = {"less": diff < 0, "greater": diff > 0, "two-sided": True}[alternative]
    assert got == (min(1.0, (2 if alternative == "two-sided" else 1) / 2**n) if toward else 1.0)


@pytest.mark.parametrize("alternative", get_args(Alternative))
def test_scores_that_differ_by_rounding_alone_prove_nothing(alternative: Alternative) -> None:
    assert paired_t_pvalue([0.3] * 9, [0.1 + 0.2] * 9, alternative=alternative) == 1.0


# Sign flips


@given(FEW_DIFFS, ALTERNATIVES)
def test_sign_flips_agree_with_every_pattern_counted(diffs: list[float], alternative: Alternative) -> None:
    observed = sum(diffs)
    sums = [sum(s * d for s, d in zip(signs, diffs, strict=True)) for signs in product((1, -1), repeat=len(diffs))]
    extreme = {
        "less": sum(total <= observed for total in sums),
        "greater": sum(total >= observed for total in sums),
        "two-sided": sum(abs(total) >= abs(observed) for total in sums),
    }[alternative]
    assert sign_flip_pvalue(diffs, alternative) == extreme / len(sums)


def test_sign_flips_agree_with_scipy() -> None:
    diffs = np.array([0.02, -0.31, -0.11, 0.07, -0.45, -0.23, 0.01, -0.2, -0.19, 0.05, -0.03])
    oracle = permutation_test((diffs,), np.mean, permutation_type="samples", alternative="less", n_resamples=2**11)
    assert sign_flip_pvalue(diffs.tolist()) == pytest.approx(oracle.pvalue)


@given(st.lists(st.integers(-8, 8).map(lambda tenth: tenth / 10), min_size=1, max_size=40), st.randoms())
def test_sign_flips_have_the_same_bits_in_every_order(diffs: list[float], chance: Random) -> None:
    assert sign_flip_pvalue(chance.sample(diffs, len(diffs)), seed=3) == sign_flip_pvalue(diffs, seed=3)


@given(FEW_DIFFS, ALTERNATIVES, st.integers(0, 5))
def test_cases_without_a_difference_do_not_change_a_sign_flip_p(
    diffs: list[float], alternative: Alternative, unchanged: int
) -> None:
    assert sign_flip_pvalue([*diffs, *[0.0] * unchanged], alternative) == sign_flip_pvalue(diffs, alternative)


def test_sums_that_differ_by_rounding_alone_are_ties() -> None:
    assert sign_flip_pvalue([-0.1, -0.2, 0.3]) == sign_flip_pvalue([-1.0, -2.0, 3.0]) == 5 / 8


@pytest.mark.parametrize("alternative", get_args(Alternative))
def test_no_difference_at_all_proves_nothing(alternative: Alternative) -> None:
    assert sign_flip_pvalue([0.0, 0.0], alternative) == 1.0


def test_twelve_differences_are_enumerated_and_thirteen_drawn() -> None:
    assert sign_flip_pvalue([-1.0] * 12) == 1 / 2**12
    assert sign_flip_pvalue([-1.0] * 13) * 10_000 == pytest.approx(2, abs=1)
    assert sign_flip_pvalue([-1.0] * 13) != 1 / 2**13


@pytest.mark.parametrize("alternative", ["less", "two-sided"])
def test_drawn_sign_flips_come_near_the_t_test(alternative: Alternative) -> None:
    diffs = [0.3, -0.5, -0.2, -0.4, 0.1, -0.6, 0.25, -0.15, -0.35, 0.05, -0.45, 0.2, -0.1, 0.15] * 3
    t = paired_t_pvalue([0.0] * len(diffs), diffs, alternative=alternative)
    assert sign_flip_pvalue(diffs, alternative, seed=1) == pytest.approx(t, abs=0.01)


def test_drawn_sign_flips_are_never_zero_and_follow_the_seed() -> None:
    assert sign_flip_pvalue([-1.0] * 70) == 1 / 10_000
    mixed = [0.3, -0.5, -0.2, -0.4] * 5
    assert sign_flip_pvalue(mixed, seed=1) == sign_flip_pvalue(mixed, seed=1)
    assert sign_flip_pvalue(mixed, seed=1) != sign_flip_pvalue(mixed, seed=2)


def test_a_drawn_p_value_is_the_same_on_every_machine_and_numpy() -> None:
    assert sign_flip_pvalue([0.3, -0.5, -0.2, -0.4] * 5, seed=1) == 0.0089


# Signed ranks


@given(DIFFS, ALTERNATIVES)
def test_signed_ranks_with_pratts_zeros_agree_with_scipy(diffs: list[float], alternative: Alternative) -> None:
    assume(any(diffs))
    oracle = wilcoxon(diffs, zero_method="pratt", correction=False, method="approx", alternative=alternative)
    got = wilcoxon_pratt([0.0] * len(diffs), diffs, alternative)
    assert got == pytest.approx(oracle.pvalue, rel=1e-9)


@given(st.lists(st.integers(-8, 8).map(lambda tenth: tenth / 10), min_size=1, max_size=40), st.randoms())
def test_signed_ranks_have_the_same_bits_in_every_order(diffs: list[float], chance: Random) -> None:
    zeros = [0.0] * len(diffs)
    assert wilcoxon_pratt(zeros, chance.sample(diffs, len(diffs))) == wilcoxon_pratt(zeros, diffs)


@given(DIFFS)
def test_swapping_the_runs_swaps_the_sides_of_signed_ranks(diffs: list[float]) -> None:
    zeros = [0.0] * len(diffs)
    assert wilcoxon_pratt(zeros, diffs, "less") == wilcoxon_pratt(diffs, zeros, "greater")
    assert wilcoxon_pratt(zeros, diffs) == wilcoxon_pratt(diffs, zeros)


def test_differences_that_differ_by_rounding_alone_share_a_rank() -> None:
    rounded = wilcoxon_pratt([0.1, 0.3, 0.5], [0.2, 0.2, 0.4])
    assert rounded == wilcoxon_pratt([1, 3, 5], [2, 2, 4])
    assert wilcoxon_pratt([0.3] * 5, [0.1 + 0.2] * 5) == 1.0


# No change


@given(st.lists(st.floats(-1, 1), min_size=30, max_size=60), st.floats(0.01, 1.0))
def test_no_change_is_shown_where_the_interval_lies_within_the_margin(diffs: list[float], margin: float) -> None:
    assume(max(diffs) - min(diffs) > 1e-3)
    bounds = paired_t_bounds(diffs, 0.05)
    assert bounds is not None
    assume(min(abs(abs(bound) - margin) for bound in bounds) > 1e-6)
    assert equivalent(diffs, margin) is (-margin < bounds[0] and bounds[1] < margin)
    assert equivalent(diffs, margin) is (tost_pvalue(diffs, margin) <= 0.05)


@given(DIFFS, st.floats(0.1, 2.0))
def test_a_wider_margin_is_never_harder_to_keep_and_sides_do_not_matter(diffs: list[float], margin: float) -> None:
    assert tost_pvalue(diffs, margin * 2.0) <= tost_pvalue(diffs, margin) + 1e-12
    assert tost_pvalue([-diff for diff in diffs], margin) == pytest.approx(tost_pvalue(diffs, margin))


def test_few_cases_promise_nothing_about_no_change() -> None:
    assert equivalent([0.0] * (MIN_PAIRS_FOR_T_BOUNDS - 1), 0.5) is None


# Bounds


@given(TABLES)
def test_swapping_the_runs_mirrors_tangos_bounds(table: tuple[int, int, int]) -> None:
    b, c, n = table
    lower, upper = tango_bounds(b, c, n)
    assert tango_bounds(c, b, n) == (-upper, -lower)


@given(TABLES)
def test_tangos_bounds_enclose_the_change_and_have_width(table: tuple[int, int, int]) -> None:
    b, c, n = table
    lower, upper = tango_bounds(b, c, n)
    assert -1.0 <= lower < (b - c) / n < upper <= 1.0


@given(TABLES)
def test_tangos_bounds_solve_the_score_equation(table: tuple[int, int, int]) -> None:
    b, c, n = table
    lower, _ = tango_bounds(b, c, n, 0.05)
    linear = -b - c + (2 * n - b + c) * lower
    rate = (np.sqrt(linear**2 + 8 * n * c * lower * (1 - lower)) - linear) / (4 * n)
    score = (b - c - n * lower) / np.sqrt(n * (2 * rate + lower * (1 - lower)))
    assert score == pytest.approx(norm.isf(0.05), rel=1e-5)


@given(TABLES)
def test_one_more_lost_case_lowers_tangos_bounds_and_a_stricter_level_widens_them(
    table: tuple[int, int, int],
) -> None:
    b, c, n = table
    lower, upper = tango_bounds(b, c, n + 1)
    lost_lower, lost_upper = tango_bounds(b, c + 1, n + 1)
    strict_lower, strict_upper = tango_bounds(b, c, n + 1, 0.01)
    assert lost_lower < lower
    assert lost_upper < upper
    assert strict_lower < lower < upper < strict_upper


@pytest.mark.parametrize(("b", "c", "lower", "upper"), [(0, 5, -1.0, -0.298), (5, 0, 0.298, 1.0)])
def test_where_every_case_changed_one_bound_is_the_end(b: int, c: int, lower: float, upper: float) -> None:
    assert tango_bounds(b, c, 5) == pytest.approx((lower, upper), abs=1e-3)


@given(st.integers(1, 2000), st.sampled_from([0.01, 0.025, 0.05]))
def test_both_bounds_agree_where_nothing_changed(n: int, alpha: float) -> None:
    square = norm.isf(alpha) ** 2
    assert paired_bounds([0.0] * n, alpha) == pytest.approx(tango_bounds(0, 0, n, alpha), abs=1e-12)
    assert paired_bounds([0.0] * n, alpha)[1] == pytest.approx(square / (n + square))


@given(DIFFS, st.randoms(use_true_random=False))
def test_stabilised_bounds_enclose_the_mean_and_ignore_order(diffs: list[float], chance: Random) -> None:
    lower, upper = paired_bounds(diffs)
    assert -1.0 <= lower <= sum(diffs) / len(diffs) + 1e-12
    assert sum(diffs) / len(diffs) - 1e-12 <= upper <= 1.0
    assert paired_bounds(chance.sample(diffs, len(diffs))) == (lower, upper)
    assert paired_bounds([-diff for diff in diffs]) == pytest.approx((-upper, -lower), abs=1e-15)


@given(DIFFS, st.sampled_from([0.25, 2.0, 64.0]))
def test_stabilised_bounds_scale_with_the_metric(diffs: list[float], factor: float) -> None:
    scaled = paired_bounds([diff * factor for diff in diffs], value_range=factor)
    assert scaled == pytest.approx([bound * factor for bound in paired_bounds(diffs)], rel=1e-9, abs=1e-12)


@given(st.lists(st.floats(-5, 5), min_size=30, max_size=60))
def test_the_t_bound_is_where_the_t_test_turns(diffs: list[float]) -> None:
    assume(max(diffs) - min(diffs) > 1e-3)
    bounds = paired_t_bounds(diffs, 0.05)
    assert bounds is not None
    lower, upper = bounds
    zeros = [0.0] * len(diffs)
    assert paired_t_pvalue(zeros, diffs, -lower, "greater") == pytest.approx(0.05, rel=1e-6)
    assert paired_t_pvalue(zeros, diffs, -upper, "less") == pytest.approx(0.05, rel=1e-6)


def test_few_pairs_or_equal_differences_give_no_t_bound() -> None:
    assert paired_t_bounds([0.1, -0.1] * 14 + [0.0]) is None
    assert paired_t_bounds([0.1] * MIN_PAIRS_FOR_T_BOUNDS) is None
