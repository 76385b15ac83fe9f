from __future__ import annotations

import hashlib
import math
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.stats import exact_mean, exceeds, sample_variance, stable_seed

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(NUMBERS, st.randoms(use_true_random=False))
def test_mean_and_variance_have_the_same_bits_in_every_order(numbers: list[float], chance: Random) -> None:
    shuffled = list(numbers)
    chance.shuffle(shuffled)
    assert exact_mean(shuffled) == exact_mean(numbers)
    assert sample_variance([*shuffled, 1.0]) == sample_variance([*numbers, 1.0])


@given(NUMBERS)
def test_the_mean_is_the_rational_one_and_never_outside_the_values(numbers: list[float]) -> None:
    mean = exact_mean(numbers)
    assert min(numbers) <= mean <= max(numbers)
    truth = sum(map(Fraction, numbers)) / len(numbers)
    assert math.isclose(mean, float(truth), rel_tol=1e-15, abs_tol=1e-300)


@given(st.floats(-1e6, 1e6), st.integers(2, 30))
def test_equal_values_have_exactly_no_variance(value: float, n: int) -> None:
    assert exact_mean([value] * n) == value
    assert sample_variance([value] * n) == 0.0


@pytest.mark.parametrize(
    ("value", "limit", "beyond"),
    [(0.3 + 1e-13, 0.3, False), (0.3 + 1e-11, 0.3, True), (1e9 + 1e-4, 1e9, False), (1e9 + 1, 1e9, True)],
)
def test_a_value_exceeds_a_limit_only_by_more_than_rounding(value: float, limit: float, beyond: bool) -> None:
    assert exceeds(value, limit) is beyond


def test_a_seed_is_the_head_of_the_hash_of_the_joined_words() -> None:
    digest = hashlib.sha256(b"run-1\x1faccuracy").hexdigest()
    assert stable_seed(["run-1", "accuracy"]) == int(digest[:16], 16)


@pytest.mark.parametrize("parts", [[], ["a\x1fb"], "run-1"])
def test_words_that_could_be_mistaken_for_others_give_no_seed(parts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"U\+001F"):
        stable_seed(parts)


@given(st.lists(st.text("abc", min_size=1), min_size=1), st.lists(st.text("abc", min_size=1), min_size=1))
def test_different_words_give_different_seeds(one: list[str], other: list[str]) -> None:
    assert (stable_seed(one) == stable_seed(other)) is (one == other)
