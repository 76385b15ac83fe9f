from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.stats import brier_score, ece

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=60)
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
