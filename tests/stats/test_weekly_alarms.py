from __future__ import annotations

import math
from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, norm, poisson, t

from pytest_agenteval.stats import (
    cusum_limit,
    cusum_path,
    ewma_path,
    midp_z,
    sr_detector_path,
    weekly_alarms,
    weekly_alarms_of_means,
)
from pytest_agenteval.stats.monitor import LEAST_HISTORY, MOST_HISTORY, SHIFTS, DetectorName

CASES = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
RATES = st.floats(0.01, 0.99)
WEEKS = st.lists(st.tuples(st.integers(0, 15), st.integers(15, 200)), max_size=30)
CALM = [5, 4, 6, 5, 5, 4, 6, 5, 5, 4, 6, 5]
HUNDREDS = [100] * 12


# One week


@given(CASES, RATES)
def test_the_z_of_a_count_agrees_with_scipy(case: tuple[int, int], rate: float) -> None:
    x, n = case
    above = binom.sf(x, n, rate) + binom.pmf(x, n, rate) / 2
    below = binom.cdf(x, n, rate) - binom.pmf(x, n, rate) / 2
    oracle = norm.isf(above) if above < below else norm.ppf(below)
    assume(abs(oracle) < 37.0)
    assert midp_z(x, n, rate) == pytest.approx(oracle, rel=1e-6, abs=1e-6)


@given(st.integers(0, 60), st.floats(0.5, 50.0))
def test_the_z_of_events_per_unit_agrees_with_scipy(x: int, expected: float) -> None:
    above = poisson.sf(x, expected) + poisson.pmf(x, expected) / 2
    below = poisson.cdf(x, expected) - poisson.pmf(x, expected) / 2
    oracle = norm.isf(above) if above < below else norm.ppf(below)
    assert midp_z(x, 10.0, expected / 10.0, "poisson") == pytest.approx(oracle, abs=1e-6)


@given(CASES, RATES)
def test_counting_passes_is_the_mirror_of_counting_errors(case: tuple[int, int], rate: float) -> None:
    x, n = case
    assert midp_z(n - x, n, 1.0 - rate) == pytest.approx(-midp_z(x, n, rate), abs=1e-6)


@given(st.integers(1, 200), RATES)
def test_one_more_error_is_never_a_better_week(n: int, rate: float) -> None:
    z = [midp_z(x, n, rate) for x in range(n + 1)]
    assert z == sorted(z)


def test_a_week_far_out_is_told_from_one_farther_out() -> None:
    z = [midp_z(x, 2000, 0.05) for x in (200, 250, 300, 400)]
    assert z == sorted(set(z))
    assert z[-1] > 20.0
    assert midp_z(2000, 2000, 0.001) == pytest.approx(38.47, abs=0.01)


# The detector


@given(st.lists(st.floats(-50, 50), max_size=30))
def test_evidence_is_never_below_zero_and_always_finite(z: list[float]) -> None:
    assert all(0.0 <= evidence <= 1e300 for evidence in sr_detector_path(z))


@pytest.mark.parametrize("shift", SHIFTS)
def test_the_mean_evidence_after_t_quiet_weeks_is_t(shift: float) -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    chances = weights / weights.sum()
    paths = product(range(15), repeat=3)
    mean = math.fsum(chances[list(p)].prod() * sr_detector_path(nodes[list(p)].tolist(), [shift])[-1] for p in paths)
    assert mean == pytest.approx(3.0, rel=1e-4)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=10), st.floats(0.01, 2.0))
def test_a_worse_last_week_is_more_evidence(z: list[float], worse: float) -> None:
    assert sr_detector_path([*z[:-1], z[-1] + worse])[-1] > sr_detector_path(z)[-1]


# Weeks of a rate


@pytest.mark.parametrize("weeks", range(LEAST_HISTORY + 1))
def test_the_first_eight_weeks_are_learned_from_and_never_alarm(weeks: int) -> None:
    found = weekly_alarms([0, 90, 5, 100, 0, 50, 100, 99][:weeks], HUNDREDS[:weeks][:8])
    assert found["learning"] is (weeks < LEAST_HISTORY)
    assert found["alarms"] == []
    assert found["z"] == [None] * min(weeks, 8)


@given(WEEKS, st.integers(0, 30), st.sampled_from(["shiryaev-roberts", "cusum"]))
def test_what_was_said_of_a_week_stays_said(weeks: list[tuple[int, int]], cut: int, detector: DetectorName) -> None:
    counts, sizes = [x for x, _ in weeks], [n for _, n in weeks]
    whole, part = (
        weekly_alarms(counts[:upto], sizes[:upto], detector=detector) for upto in (len(weeks), min(cut, len(weeks)))
    )
    assert whole["z"][:cut] == part["z"]
    assert whole["evidence"][:cut] == part["evidence"]
    assert [place for place in whole["alarms"] if place < cut] == part["alarms"]


@given(WEEKS)
def test_falling_passes_alarm_in_the_weeks_of_rising_errors(weeks: list[tuple[int, int]]) -> None:
    sizes = [n for _, n in weeks]
    errors = weekly_alarms([x for x, _ in weeks], sizes)
    passes = weekly_alarms([n - x for x, n in weeks], sizes, harmful="down")
    assert errors["alarms"] == passes["alarms"]
    assert [z for z in errors["z"] if z is not None] == pytest.approx(
        [z for z in passes["z"] if z is not None], abs=1e-6
    )


def test_a_week_is_judged_by_the_history_its_size_and_what_the_history_cannot_tell() -> None:
    found = weekly_alarms([*CALM, 9], [*HUNDREDS, 150])
    rate = (sum(CALM) + 0.5) / 1201
    z = midp_z(9, 150, rate) / math.sqrt(1 + 1 / 12)  # these weeks vary less than chance alone would have them
    assert found["centre"] == pytest.approx(rate)
    assert found["z"][-1] == pytest.approx(norm.isf(t.sf(z, 11)))


def test_weeks_that_vary_by_themselves_widen_their_own_limits() -> None:
    restless = [1, 12, 2, 11, 1, 13, 2, 10, 1, 12, 2, 11]
    calm = weekly_alarms([*CALM, 14], [*HUNDREDS, 100])["z"][-1]
    wide = weekly_alarms([*restless, 14], [*HUNDREDS, 100])["z"][-1]
    assert calm is not None
    assert wide is not None
    assert wide < calm / 2


def test_a_lasting_rise_is_found_and_the_detector_starts_again() -> None:
    found = weekly_alarms([*CALM, *[15] * 8], [*HUNDREDS, *[100] * 8])
    assert len(found["alarms"]) >= 2
    [first, second, *_] = found["alarms"]
    assert first < second <= first + 6
    assert found["centre"] == pytest.approx((sum(CALM) + 0.5) / 1201)
    after = found["evidence"][first + 1]
    assert after == pytest.approx(sr_detector_path([found["z"][first + 1] or 0.0])[0])


def test_one_week_far_out_alarms_by_itself() -> None:
    found = weekly_alarms([*CALM, 40], [*HUNDREDS, 100], arl=1e9)
    assert found["alarms"] == [12]
    evidence = found["evidence"][12]
    assert evidence is not None
    assert evidence < 1e9


def test_an_alarm_stops_the_history_from_growing() -> None:
    weeks = [*CALM[:8], 40, 5, 5, 5, 5, 5]
    found = weekly_alarms(weeks, [100] * 14)
    assert found["alarms"][0] == 8
    assert found["centre"] == pytest.approx((sum(CALM[:8]) + 0.5) / 801)


def test_the_history_is_complete_after_twelve_weeks() -> None:
    found = weekly_alarms([*CALM, *CALM], [*HUNDREDS, *[120] * 12])
    assert found["centre"] == pytest.approx((sum(CALM[:MOST_HISTORY]) + 0.5) / 1201)


def test_a_small_week_joins_the_next_and_a_missing_one_is_told() -> None:
    found = weekly_alarms([*CALM, 1, 0, 8], [*HUNDREDS, 9, 0, 100])
    joined = weekly_alarms([*CALM, 9], [*HUNDREDS, 109])
    assert found["z"][12:] == [None, None, joined["z"][12]]
    assert found["missing"] == [13]


@pytest.mark.parametrize("variation", [0.0, 0.25])
def test_while_nothing_changes_alarms_are_a_year_apart(variation: float) -> None:
    chance = np.random.default_rng(3)
    years = alarms = 0.0
    for _ in range(40):
        rates = np.full(116, 0.05)
        if variation:
            parts = 0.05 * (0.05 * 0.95 / (variation * 0.05) ** 2 - 1.0)
            rates = chance.beta(parts, parts * 19.0, 116)
        found = weekly_alarms(chance.binomial(500, rates).tolist(), [500] * 116)
        alarms += len(found["alarms"])
        years += sum(z is not None for z in found["z"]) / 52
    assert alarms / years <= 1.0 + 3.0 / math.sqrt(years)


def test_a_doubled_rate_is_found_within_four_weeks_nine_times_in_ten() -> None:
    chance = np.random.default_rng(4)
    found = 0
    for _ in range(60):
        counts = [*chance.binomial(500, 0.05, 12).tolist(), *chance.binomial(500, 0.1, 4).tolist()]
        found += bool([place for place in weekly_alarms(counts, [500] * 16)["alarms"] if place >= 12])
    assert found >= 54


@pytest.mark.parametrize(("counts", "sizes"), [([1.5], [20]), ([3], [2]), ([1], [-5]), ([1, 1], [20])])
def test_counts_that_cannot_be_are_refused(counts: list[int], sizes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"counts|sizes|zip"):
        weekly_alarms(counts, sizes)


# Other kinds of numbers, other detectors


def test_the_unit_of_work_does_not_matter_to_events_per_unit() -> None:
    counts = [*CALM, 14]
    hours = weekly_alarms(counts, [40.0] * 13, kind="poisson")
    minutes = weekly_alarms(counts, [2400.0] * 13, kind="poisson")
    assert minutes["z"][-1] == pytest.approx(hours["z"][-1])
    assert minutes["centre"] == pytest.approx((sum(CALM) + 0.5) / 28800)


def test_a_week_without_work_is_missing_for_events_too() -> None:
    found = weekly_alarms([*CALM, 0, 14], [*[40.0] * 12, 0.0, 40.0], kind="poisson")
    assert found["missing"] == [12]
    assert found["z"][12] is None
    assert found["z"][13] is not None


def test_means_of_a_score_alarm_where_they_fall() -> None:
    means = [0.8, 0.82, 0.79, 0.81, 0.8, 0.78, None, 0.81, 0.8, 0.8, 0.6, 0.79]
    errors: list[float | None] = [0.02] * 12
    assert weekly_alarms_of_means(means, errors, harmful="down")["alarms"] == [10]
    assert weekly_alarms_of_means(means, errors, harmful="up")["alarms"] == []
    assert weekly_alarms_of_means(means, errors)["missing"] == [6]


def test_a_mean_without_an_error_is_refused() -> None:
    with pytest.raises(ValueError, match=r"errors is 0\.0"):
        weekly_alarms_of_means([0.5], [0.0])


@pytest.mark.parametrize("detector", get_args(DetectorName))
def test_each_detector_shows_its_own_path_and_limit(detector: DetectorName) -> None:
    found = weekly_alarms([*CALM, 6, 7, 5, 6], [100] * 16, detector=detector)
    z = [week for week in found["z"] if week is not None]
    path, limit = {
        "shiryaev-roberts": (sr_detector_path(z), 52.0),
        "cusum": (cusum_path(z), cusum_limit(0.5, 52.0)),
        "ewma": (ewma_path(z), found["limit"]),
    }[detector]
    assert [week for week in found["evidence"] if week is not None] == pytest.approx(path)
    assert found["limit"] == limit
    assert found["alarms"] == []


def test_an_ewma_of_quiet_weeks_alarms_once_in_as_many_weeks_as_stated() -> None:
    limit = weekly_alarms([], [], detector="ewma")["limit"]
    z = np.random.default_rng(5).standard_normal((2000, 1000))
    state, alive, weeks = np.zeros(2000), np.ones(2000, dtype=bool), np.zeros(2000)
    for week in range(1000):
        state = 0.8 * state + 0.2 * z[:, week]
        weeks += alive
        alive &= state <= limit
    assert weeks.mean() == pytest.approx(52.0, rel=0.06)


def test_a_cusum_of_quiet_weeks_alarms_once_in_as_many_weeks_as_stated() -> None:
    limit = weekly_alarms([], [], detector="cusum")["limit"]
    z = np.random.default_rng(6).standard_normal((2000, 1000))
    state, alive, weeks = np.zeros(2000), np.ones(2000, dtype=bool), np.zeros(2000)
    for week in range(1000):
        state = np.maximum(0.0, state + z[:, week] - 0.5)
        weeks += alive
        alive &= state <= limit
    assert weeks.mean() == pytest.approx(52.0, rel=0.06)
