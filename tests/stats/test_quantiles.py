from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mstats, quantile_test

from pytest_agenteval.stats import quantile, quantile_ci

VALUES = st.lists(st.floats(0, 1e4), min_size=1, max_size=120)
LEVELS = st.sampled_from([0.05, 0.25, 0.5, 0.9, 0.95])


@given(VALUES, st.floats(0, 1))
def test_the_linear_quantile_is_numpys(values: list[float], p: float) -> None:
    assert quantile(values, p) == pytest.approx(np.quantile(values, p), rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(0, 1e4), min_size=2, max_size=60), LEVELS)
def test_the_harrell_davis_quantile_is_scipys(values: list[float], p: float) -> None:
    assert quantile(values, p, "harrell-davis") == pytest.approx(mstats.hdquantiles(values, [p])[0], rel=1e-9, abs=1e-9)


@given(VALUES, st.sampled_from(["linear", "harrell-davis"]), st.randoms(use_true_random=False))
def test_quantiles_rise_with_p_stay_in_the_values_and_ignore_order(
    values: list[float], method: str, chance: Random
) -> None:
    path = [quantile(values, p, method) for p in (0.0, 0.25, 0.5, 0.95, 1.0)]  # type: ignore[arg-type]  # drawn
    assert path == pytest.approx(sorted(path), rel=1e-12)
    assert path[0] == min(values)
    assert path[-1] == max(values)
    shuffled = chance.sample(values, len(values))
    assert quantile(shuffled, 0.95, method) == quantile(values, 0.95, method)  # type: ignore[arg-type]  # drawn


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=120), LEVELS, st.sampled_from([0.9, 0.95]))
def test_the_order_statistics_are_those_of_scipy(values: list[float], p: float, confidence: float) -> None:
    got = quantile_ci(values, p, confidence)
    oracle: Any = quantile_test(values, q=0, p=p).confidence_interval(confidence)
    expected = [None if np.isnan(limit) else limit for limit in (oracle.low, oracle.high)]
    assert [got["lo"], got["hi"]] == expected


@given(VALUES, LEVELS)
def test_the_ranks_point_at_the_limits(values: list[float], p: float) -> None:
    got, ordered = quantile_ci(values, p), sorted(values)
    assert got["lo"] == (ordered[got["lower_rank"] - 1] if got["lower_rank"] else None)
    assert got["hi"] == (ordered[got["upper_rank"] - 1] if got["upper_rank"] else None)
    assert (got["lo"] or 0.0) <= (1e4 if got["hi"] is None else got["hi"])


@pytest.mark.parametrize(("p", "smallest"), [(0.5, 6), (0.95, 72), (0.99, 368)])
def test_the_smallest_sample_with_both_ends(p: float, smallest: int) -> None:
    def ends(n: int) -> bool:
        got = quantile_ci(range(n), p)
        return got["lo"] is not None and got["hi"] is not None

    assert ends(smallest)
    assert not ends(smallest - 1)
