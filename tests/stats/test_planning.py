from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agenteval.stats import (
    adjust_pvalues,
    cases_needed_pass,
    mcnemar,
    paired_bounds,
    paired_t_bounds,
    paired_t_pvalue,
    policy_detectable_effect,
    sign_flip_pvalue,
    tango_bounds,
)
from pytest_agenteval.stats.planning import Levels, cases_to_find, cases_to_pass, passing, power, smallest_drop
from pytest_agenteval.stats.population import Design, Drop, Graded, Look, PassFail, Population
from pytest_agenteval.stats.scatter import Scatter
from pytest_agenteval.stats.simulation import (
    drop_pvalues,
    excludes_margin,
    holm,
    mcnemar_pvalues,
    regressed,
    sums_of,
)

TWO_LOOKS = Design(cases=200, attempts=1, screen=3, held_back=3)
LEVELS = Levels(margin=0.02, first=0.05)
FLIPPING = Scatter.of_flips(0.1)
GRADES = Scatter(level=0.8, between=0.02, within=0.02)
POPULATIONS: list[Population] = [PassFail.assumed(FLIPPING), Graded(scatter=GRADES)]


def looks(population: Population, design: Design, size: float = 0.0, how: str = "all") -> list[Look]:
    return population.looks(design, Drop(size=size, mechanism=how), 4_000, np.random.default_rng(1))  # type: ignore[arg-type]  # one of the two words


# Tests of many at once.

GAINS = st.lists(st.integers(-3, 3), min_size=2, max_size=40)


@given(GAINS)
def test_each_p_value_is_that_of_one_by_one(gains: list[int]) -> None:
    row = np.array([gains])
    sums = sums_of(row, 1 / 3)
    each = [gain / 3 for gain in gains]
    t = paired_t_pvalue([0.0] * len(each), each)
    found = drop_pvalues(row, sums, one_value_each=False, alike=False)[0]
    assert found == pytest.approx(t, rel=1e-9)
    alike = drop_pvalues(row, sums, one_value_each=False, alike=True)[0]
    few = sum(gain != 0 for gain in gains) < 20
    assert alike == pytest.approx(sign_flip_pvalue(each) if few and t < 0.1 else t, rel=1e-9)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mid_p_values_are_those_of_one_by_one(won: int, lost: int) -> None:
    assert mcnemar_pvalues(np.array([won]), np.array([lost]))[0] == pytest.approx(
        mcnemar(won, lost, alternative="less"), rel=1e-9
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_one_by_one(pvalues: list[float]) -> None:
    assert holm(np.array([pvalues]))[0].tolist() == pytest.approx(adjust_pvalues(pvalues, "holm"))


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=20, max_size=200), st.floats(0.01, 0.3))
def test_a_margin_is_excluded_where_the_bound_lies_above_it(gains: list[int], margin: float) -> None:
    row, n = np.array([gains]), len(gains)
    sums = sums_of(row, 1.0)
    lower = tango_bounds(gains.count(1), gains.count(-1), n)[0]
    if abs(lower + margin) > 1e-9:
        assert excludes_margin(sums, margin, one_value_each=True)[0] == (lower > -margin)
    each = [float(gain) for gain in gains]
    assert excludes_margin(sums, margin, one_value_each=False)[0] == (paired_bounds(each)[0] > -margin)
    bounds = paired_t_bounds(each)
    unbounded = excludes_margin(sums, margin, one_value_each=False, width=None)[0]
    assert unbounded == (bounds is not None and bounds[0] > -margin)


def test_a_drop_of_just_the_margin_or_above_the_level_blocks_nothing() -> None:
    assert not regressed(np.array([0.001]), np.array([-0.02]), 0.05, 0.02)[0]
    assert not regressed(np.array([0.0501]), np.array([-0.5]), 0.05, 0.02)[0]
    assert regressed(np.array([0.05]), np.array([-0.021]), 0.05, 0.02)[0]


# What scatters.


def test_cases_that_never_flipped_are_no_proof_that_none_does() -> None:
    never = Scatter.of_pass_fail([(6, 6)] * 50 + [(6, 0)] * 10)
    assert 0 < never.flips < 0.01
    assert 0 < Scatter.of_pass_fail([(6, 6)] * 60).level < 1


def test_one_value_a_case_splits_the_variance_in_halves() -> None:
    one = Scatter.of_pass_fail([(1, 1)] * 80 + [(1, 0)] * 20)
    assert one.between == pytest.approx(one.within)
    graded = Scatter.of_values([[0.1], [0.9], [0.5]])
    assert graded.between == pytest.approx(graded.within) == pytest.approx(0.08)
    assert Scatter.of_values([[0.4]]).within == 0


def test_the_parts_of_the_variance_are_found_again() -> None:
    chance = np.random.default_rng(2)
    levels = chance.normal(0.6, 0.2, 4_000)
    values = levels[:, None] + chance.normal(0, 0.1, (4_000, 6))
    found = Scatter.of_values(values.tolist())
    assert (found.level, found.between, found.within) == pytest.approx((0.6, 0.04, 0.01), rel=0.06)
    assert found.unequal == pytest.approx(1, abs=0.05)
    noisy = levels[:, None] + chance.normal(0, 0.1, (4_000, 6)) * (chance.random((4_000, 1)) < 0.25)
    assert Scatter.of_values(noisy.tolist()).unequal == pytest.approx(4, rel=0.15)


@given(st.lists(st.integers(0, 6), min_size=20, max_size=60))
def test_a_population_keeps_the_mean_that_it_is_made_of(right: list[int]) -> None:
    counts = [(6, k) for k in right]
    scatter, made = Scatter.of_pass_fail(counts), PassFail.fitted(counts)
    assert made.shares.sum() == pytest.approx(1)
    assert made.level == pytest.approx(scatter.level, abs=0.06)


# What looks show.


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("how", ["all", "class"])
def test_looks_fall_by_the_drop_on_average(population: Population, how: str) -> None:
    for look in looks(population, TWO_LOOKS, 0.1, how):
        assert float(look.sums.delta.mean()) == pytest.approx(-0.1, abs=0.002)


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("attempts", [1, 3])
def test_without_a_drop_p_is_at_most_5_in_5_of_100_looks(population: Population, attempts: int) -> None:
    first, second = looks(population, Design(cases=100, attempts=attempts, screen=3, held_back=3))
    for look in (first, second):
        assert float((look.p <= 0.05).mean()) == pytest.approx(0.05, abs=0.015)
    assert abs(float(np.corrcoef(first.p, second.p)[0, 1])) < 0.06


def test_one_attempt_on_both_sides_is_tested_by_counts() -> None:
    [look] = looks(PassFail.assumed(FLIPPING), Design(cases=100))
    assert look.sums.won is not None
    assert look.sums.lost is not None
    assert look.p[0] == pytest.approx(mcnemar(int(look.sums.won[0]), int(look.sums.lost[0]), alternative="less"))


def test_a_class_that_broke_is_the_same_in_both_looks() -> None:
    first, second = looks(POPULATIONS[1], TWO_LOOKS, 0.1, "class")
    assert float(np.corrcoef(first.sums.delta, second.sums.delta)[0, 1]) > 0.5


# Plans.


@settings(max_examples=10, deadline=None)
@given(st.floats(0.02, 0.3), st.floats(1.05, 2.0))
def test_a_larger_drop_is_found_more_often(drop: float, more: float) -> None:
    population = POPULATIONS[0]
    assert power(population, TWO_LOOKS, LEVELS, drop * more) >= power(population, TWO_LOOKS, LEVELS, drop) - 0.03


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("cases", [50, 200, 1000])
@pytest.mark.parametrize(("attempts", "references"), [(1, (3, 3)), (3, (3, 3)), (1, (1,)), (5, (1,))])
def test_the_formula_is_near_the_simulation(
    population: Population, cases: int, attempts: int, references: tuple[int, ...]
) -> None:
    scatter = FLIPPING if isinstance(population, PassFail) else GRADES
    two = len(references) > 1
    design = Design(cases=cases, attempts=attempts, screen=references[0], held_back=references[1] if two else 0)
    levels = Levels(margin=0.02, first=0.05 if two else 0.01)
    alphas = [0.05, 0.05] if two else [0.01]
    found = policy_detectable_effect(
        scatter, cases, attempts=attempts, references=references, alphas=alphas, margin=0.02
    )
    assert found == pytest.approx(smallest_drop(population, design, levels), rel=0.1 if cases < 200 else 0.06)


def test_no_drop_is_found_where_even_a_total_loss_is_not() -> None:
    tiny = Design(cases=2)
    assert smallest_drop(POPULATIONS[0], tiny, LEVELS) is None
    assert smallest_drop(POPULATIONS[0], TWO_LOOKS, Levels(margin=0.99, first=0.05)) is None
    assert passing(POPULATIONS[0], tiny, LEVELS) == 0.0
    design = {"attempts": 1, "references": [3], "alphas": [0.01]}
    assert policy_detectable_effect(FLIPPING, 200, **design, margin=0.99) is None  # type: ignore[arg-type]  # by name


def test_a_drop_of_the_margin_is_found_by_no_number_of_cases() -> None:
    assert cases_to_find(POPULATIONS[0], TWO_LOOKS, LEVELS, 0.02) is None


def test_cases_for_a_pass_are_near_those_of_the_formula() -> None:
    design = Design(cases=1)
    sd = math.sqrt(FLIPPING.flips)
    assert cases_to_pass(POPULATIONS[0], design, LEVELS) == pytest.approx(cases_needed_pass(sd, 0.02), rel=0.12)
