from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import norm

from pytest_agenteval.stats import (
    cusum_arl,
    cusum_limit,
    cusum_path,
    ewma_arl_two_sided,
    ewma_limit,
    ewma_path,
    laney_sigma_z,
    shewhart_limit,
)

WEEKS = st.lists(st.floats(-6, 6), max_size=40)
COUNTS = st.lists(st.integers(0, 30), min_size=2, max_size=20).filter(any)


def run_length_of_a_chain(edges: np.ndarray, drift: np.ndarray, spread: float, start: int) -> float:
    """Brook and Evans (1972): states between the edges, each start's next state normal around its drift."""
    moves = np.diff(norm.cdf((edges - drift[:, None]) / spread), axis=1)
    return float(np.linalg.solve(np.eye(len(drift)) - moves, np.ones(len(drift)))[start])


@pytest.mark.parametrize(("k", "h", "shift"), [(0.5, 2.26, 0.0), (0.5, 4.0, 0.5), (0.25, 6.0, 0.0), (1.0, 1.5, -0.5)])
def test_the_run_length_of_a_cusum_agrees_with_a_chain(k: float, h: float, shift: float) -> None:
    width = h / 399.5  # the first state is half as wide, and holds all below it
    middles = np.arange(400) * width
    edges = np.concatenate([[-np.inf], middles + width / 2.0])
    assert cusum_arl(k, h, shift) == pytest.approx(run_length_of_a_chain(edges, middles + shift - k, 1.0, 0), rel=2e-3)


@pytest.mark.parametrize(("lam", "limit", "shift"), [(0.1, 2.7, 0.0), (0.2, 2.0, 0.5), (1.0, 2.0, 0.0)])
def test_the_run_length_of_an_ewma_agrees_with_a_chain(lam: float, limit: float, shift: float) -> None:
    edge = limit * np.sqrt(lam / (2.0 - lam))
    edges = np.linspace(-edge, edge, 402)
    middles = (edges[1:] + edges[:-1]) / 2.0
    chain = run_length_of_a_chain(edges, (1.0 - lam) * middles + lam * shift, lam, 200)
    assert ewma_arl_two_sided(lam, limit, shift) == pytest.approx(chain, rel=2e-3)


@given(st.floats(3.5, 1000.0), st.sampled_from([0.25, 0.5]))
def test_the_limit_of_a_cusum_gives_the_run_length_asked_for(arl: float, k: float) -> None:
    assert cusum_arl(k, cusum_limit(k, arl)) == pytest.approx(arl, rel=1e-6)


@pytest.mark.parametrize(("lam", "arl"), [(0.1, 52.0), (0.2, 365.0)])
def test_the_limit_of_an_ewma_gives_the_run_length_asked_for(lam: float, arl: float) -> None:
    spread = np.sqrt(lam / (2.0 - lam))
    edges = np.linspace(-8.0 * spread, ewma_limit(lam, arl) * spread, 802)
    middles = (edges[1:] + edges[:-1]) / 2.0
    start = int(np.abs(middles).argmin())
    assert run_length_of_a_chain(edges, (1.0 - lam) * middles, lam, start) == pytest.approx(arl, rel=0.01)


@pytest.mark.parametrize("lam", [0.0, 1.5])
def test_a_weight_that_no_average_has_is_refused(lam: float) -> None:
    with pytest.raises(ValueError, match="lam is"):
        ewma_limit(lam, 52.0)


@pytest.mark.parametrize(("sides", "tail"), [(1, 1 / 52), (2, 1 / 104)])
def test_a_shewhart_limit_is_passed_once_in_so_many_weeks(sides: int, tail: float) -> None:
    assert norm.sf(shewhart_limit(52, sides)) == pytest.approx(tail)


@pytest.mark.parametrize("arl", [0.5, 1.0, float("inf"), float("nan")])
def test_a_run_length_that_no_chart_has_is_refused(arl: float) -> None:
    with pytest.raises(ValueError, match="arl is"):
        shewhart_limit(arl)


def test_alarms_more_frequent_than_any_limit_gives_are_refused() -> None:
    with pytest.raises(ValueError, match="even with no room at all"):
        cusum_limit(0.5, 2.0)


@given(WEEKS)
def test_a_moving_average_agrees_with_scipys_filter(z: list[float]) -> None:
    assert ewma_path(z, 0.2) == pytest.approx(lfilter([0.2], [1.0, -0.8], z) if z else [], abs=1e-12)


@given(WEEKS, st.floats(0.0, 2.0))
def test_a_cusum_is_its_random_walk_above_the_lowest_point_so_far(z: list[float], k: float) -> None:
    walk = np.concatenate([[0.0], np.cumsum(np.array(z) - k)])
    assert cusum_path(z, k) == pytest.approx((walk - np.minimum.accumulate(walk))[1:], abs=1e-9)
    assert all(total >= 0.0 for total in cusum_path(z, k))


@given(COUNTS)
def test_the_overdispersion_of_equal_weeks_is_that_of_an_individuals_chart(counts: list[int]) -> None:
    share = np.array(counts) / 31
    found = laney_sigma_z(counts, [31] * len(counts))
    ranges = np.abs(np.diff(share)).mean() / (2.0 / np.sqrt(np.pi))
    assert found["p_bar"] == pytest.approx(share.mean())
    assert found["sigma_z"] == pytest.approx(ranges / np.sqrt(share.mean() * (1.0 - share.mean()) / 31))


@pytest.mark.parametrize(("counts", "sizes"), [([0, 0], [9, 9]), ([9, 9], [9, 9]), ([3], [9])])
def test_a_chart_without_spread_is_refused(counts: list[int], sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="some spread"):
        laney_sigma_z(counts, sizes)
