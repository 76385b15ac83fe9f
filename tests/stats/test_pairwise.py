from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from random import Random
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binomtest

from pytest_agenteval.stats import both_orders, bradley_terry, needs_half_wins, position_bias
from pytest_agenteval.stats.pairwise import Said

JUDGEMENTS = st.lists(st.tuples(st.sampled_from(get_args(Said)), st.sampled_from(get_args(Said))), max_size=40)
Wins = list[tuple[str, str, float]]
WINS = st.lists(
    st.tuples(st.permutations(["a", "b", "c", "d"]), st.integers(0, 12)).map(
        lambda drawn: (drawn[0][0], drawn[0][1], drawn[1] / 2)
    ),
    min_size=1,
    max_size=14,
).filter(lambda wins: any(count for _, _, count in wins))


# Both orders


@given(JUDGEMENTS)
def test_only_who_wins_in_both_orders_wins(judgements: list[tuple[Said, Said]]) -> None:
    got = both_orders(judgements)
    assert got["a"] + got["b"] + got["ties"] == len(judgements)
    assert got["a"] == sum(pair == ("first", "second") for pair in judgements)
    swapped = both_orders([(second, first) for first, second in judgements])
    assert (swapped["a"], swapped["b"]) == (got["b"], got["a"])
    assert (swapped["first_twice"], swapped["ties"]) == (got["first_twice"], got["ties"])


@given(st.integers(0, 60), st.integers(0, 60))
def test_position_bias_is_tested_against_a_fair_coin(first: int, second: int) -> None:
    got = position_bias(first, second)
    if first + second == 0:
        assert got == {"share": None, "lo": None, "hi": None, "pvalue": 1.0}
        return
    assert got["pvalue"] == pytest.approx(binomtest(first, first + second).pvalue)
    assert got["lo"] <= got["share"] <= got["hi"]  # type: ignore[operator]  # numbers
    assert position_bias(second, first)["pvalue"] == got["pvalue"]


# Ranking


def likelihood_slope(wins: Wins, abilities: dict[str, float], name: str) -> float:
    total = 0.0
    for winner, loser, count in wins:
        lost = 1 / (1 + math.exp(abilities[winner] - abilities[loser]))
        total += count * lost * ((winner == name) - (loser == name))
    return total


@given(WINS, st.randoms(use_true_random=False))
def test_the_ranking_has_the_same_bits_in_every_order_of_the_games(wins: Wins, chance: Random) -> None:
    got = bradley_terry(wins)
    assert bradley_terry(chance.sample(wins, len(wins))) == got
    assert got[min(got)] == 0.0
    assert list(got) == sorted(got)


@given(WINS)
def test_abilities_are_where_the_likelihood_is_flat(wins: Wins) -> None:
    got = bradley_terry(wins)
    if needs_half_wins(wins):
        wins = [*wins, *((*pair, 0.5) for pair in permutations(got, 2))]
    assert [likelihood_slope(wins, got, name) for name in got] == pytest.approx([0.0] * len(got), abs=1e-7)


@given(WINS)
def test_turning_every_game_round_turns_the_ranking_round(wins: Wins) -> None:
    turned = bradley_terry([(loser, winner, count) for winner, loser, count in wins])
    assert turned == pytest.approx({name: -ability for name, ability in bradley_terry(wins).items()}, abs=1e-8)


def test_the_ranking_agrees_with_a_general_optimiser() -> None:
    wins: Wins = [("a", "b", 11), ("b", "a", 9), ("b", "c", 13.5), ("c", "b", 2.5), ("c", "a", 4), ("a", "c", 40)]

    def loss(free: np.ndarray) -> float:
        ability = dict(zip("abc", [0.0, *free], strict=True))
        return sum(count * math.log1p(math.exp(ability[lost] - ability[won])) for won, lost, count in wins)

    best = minimize(loss, [0.0, 0.0], tol=1e-12).x
    assert [bradley_terry(wins)[name] for name in "bc"] == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize(
    ("wins", "needed"),
    [
        ([("a", "b", 3), ("b", "a", 1)], False),
        ([("a", "b", 3), ("b", "c", 1), ("c", "a", 1)], False),
        ([("a", "b", 3), ("b", "a", 0)], True),
        ([("a", "b", 3), ("b", "a", 1), ("c", "d", 1), ("d", "c", 1)], True),
        ([("a", "b", 3), ("b", "a", 1), ("c", "a", 1)], True),
    ],
)
def test_a_ranking_without_a_maximum_is_known_and_finite(wins: Wins, needed: bool) -> None:
    assert needs_half_wins(wins) is needed
    assert all(map(math.isfinite, bradley_terry(wins).values()))


def test_a_lopsided_ranking_is_found() -> None:
    wins: Wins = [("a", "b", 1_000_000), ("b", "a", 1), ("b", "c", 1_000_000), ("c", "b", 1)]
    got = bradley_terry(wins)
    assert got["c"] == pytest.approx(-2 * math.log(1_000_000), rel=1e-6)


def test_half_wins_leave_equals_equal() -> None:
    assert bradley_terry([("a", "b", 2), ("c", "d", 2)]) == pytest.approx(
        {"a": 0, "b": -1.0, "c": 0, "d": -1.0}, abs=0.5
    )
    assert bradley_terry([("a", "b", 2), ("c", "d", 2)])["c"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: both_orders([("first", "left")]), "known are: first, second, tie"),  # type: ignore[list-item]  # on purpose
        (lambda: position_bias(-1, 2), "first_twice is -1"),
        (lambda: bradley_terry([]), "wins hold no win"),
        (lambda: bradley_terry([("a", "b", 0)]), "wins hold no win"),
        (lambda: bradley_terry([("a", "a", 1)]), "two systems"),
        (lambda: bradley_terry([("a", "b", -1)]), "from 0 on"),
        (lambda: bradley_terry([("a", "b", math.nan)]), "nan"),
    ],
)
def test_comparisons_that_are_none_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
