from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression, minimize, minimize_scalar

from pytest_agenteval.stats import (
    aurc,
    isotonic_fit,
    log_loss,
    platt_fit,
    recalibrated,
    recalibration_losses,
    temperature_fit,
)

ANSWERS = st.lists(
    st.tuples(st.integers(0, 20).map(lambda step: step / 20), st.integers(0, 1)), min_size=1, max_size=60
)


def logit(stated: np.ndarray) -> np.ndarray:
    held: np.ndarray = np.clip(stated, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(held) - np.log1p(-held))


def loss(x: np.ndarray, right: np.ndarray) -> float:
    return float(np.logaddexp(0, np.where(right == 1, -x, x)).sum())


def some_answers(n: int, power: float, seed: int = 1) -> tuple[list[float], list[int]]:
    """Answers whose logit is that of their chance to be right, divided by so much."""
    chance = np.random.Generator(np.random.PCG64(seed))
    truth = np.round(chance.beta(4, 1.5, n), 2)
    right = chance.random(n) < truth
    return (1 / (1 + np.exp(-logit(truth) * power))).tolist(), right.astype(int).tolist()


@given(ANSWERS, st.randoms(use_true_random=False))
def test_every_fit_has_the_same_bits_in_every_order(answers: list[tuple[float, int]], chance: Random) -> None:
    stated, right = zip(*answers, strict=True)
    again, right_again = zip(*chance.sample(answers, len(answers)), strict=True)
    assert temperature_fit(again, right_again) == temperature_fit(stated, right)
    assert platt_fit(again, right_again) == platt_fit(stated, right)
    assert isotonic_fit(again, right_again) == isotonic_fit(stated, right)


@given(ANSWERS)
def test_the_temperature_is_that_of_a_general_optimiser(answers: list[tuple[float, int]]) -> None:
    stated, right = np.array(answers).T
    got, x = temperature_fit(stated.tolist(), right.tolist()), logit(stated)
    best = minimize_scalar(lambda factor: loss(factor * x, right), bounds=(0, 50), method="bounded")
    if got is None:
        assert min(loss(factor * x, right) for factor in (1e-9, 1e3)) <= best.fun + 1e-9  # at an end
    else:
        assert loss(x / got, right) <= best.fun + 1e-9


@given(ANSWERS)
def test_platts_line_is_that_of_a_general_optimiser(answers: list[tuple[float, int]]) -> None:
    stated, right = np.array(answers).T
    got, x = platt_fit(stated.tolist(), right.tolist()), logit(stated)
    if got is not None:

        def of_line(line: np.ndarray) -> float:
            return loss(line[0] + line[1] * x, right)

        best = minimize(of_line, [0.0, 0.0])
        assert loss(got[0] + got[1] * x, right) <= best.fun + 1e-6


@pytest.mark.parametrize(
    ("stated", "right"),
    [
        ([0.9, 0.8], [1, 1]),  # one outcome
        ([0.8] * 4, [1, 0, 1, 0]),  # one confidence
        ([0.2, 0.4, 0.6, 0.8], [0, 0, 1, 1]),  # no overlap
        ([0.2, 0.4, 0.4, 0.8], [0, 0, 1, 1]),  # they touch
        ([0.2, 0.8], [1, 0]),  # no overlap, the wrong way round
    ],
)
def test_where_platt_has_no_maximum_there_is_no_fit(stated: list[float], right: list[int]) -> None:
    assert platt_fit(stated, right) is None


@pytest.mark.parametrize(
    ("stated", "right"), [([0.9, 0.2], [1, 0]), ([0.5, 0.5], [1, 0]), ([0.9, 0.9], [1, 0]), ([0.9, 0.1], [0, 1])]
)
def test_where_no_temperature_is_best_there_is_none(stated: list[float], right: list[int]) -> None:
    assert temperature_fit(stated, right) is None


def test_half_the_answers_right_at_nine_tenths_need_the_temperature_that_shows_what_was_seen() -> None:
    temperature = temperature_fit([0.9] * 10, [1] * 6 + [0] * 4)
    assert temperature == pytest.approx(math.log(9) / math.log(1.5))


@given(ANSWERS)
def test_the_isotonic_fit_agrees_with_scipy_over_the_different_confidences(answers: list[tuple[float, int]]) -> None:
    by_level = {level: [right for other, right in answers if other == level] for level, _ in sorted(answers)}
    oracle = isotonic_regression([np.mean(part) for part in by_level.values()], weights=[*map(len, by_level.values())])
    expected = np.repeat(oracle.x, [*map(len, by_level.values())])
    assert isotonic_fit(*zip(*answers, strict=True)) == pytest.approx(expected.tolist())


@given(ANSWERS)
def test_the_isotonic_fit_never_falls_and_keeps_the_share_of_right_answers(answers: list[tuple[float, int]]) -> None:
    got = isotonic_fit(*zip(*answers, strict=True))
    assert got == sorted(got)
    assert math.fsum(got) == pytest.approx(sum(right for _, right in answers))


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_a_curve_leaves_the_order_hence_the_ranking_quality(method: str) -> None:
    stated, right = some_answers(300, 2.0)
    assert aurc(recalibrated(stated, stated, right, method), right) == pytest.approx(aurc(stated, right))


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_an_overconfident_score_is_tamed_on_answers_not_seen(method: str) -> None:
    stated, right = some_answers(2000, 2.5)
    shown, outcomes = some_answers(2000, 2.5, seed=2)
    assert log_loss(recalibrated(shown, stated, right, method), outcomes) < log_loss(shown, outcomes) - 0.03


def test_the_staircase_holds_below_its_first_step_and_between_two() -> None:
    fit = [0.4, 0.4, 0.8, 0.8], [0, 1, 1, 1]
    assert recalibrated([0.1, 0.4, 0.6, 0.8, 1.0], *fit, "isotonic") == [0.5, 0.5, 0.5, 1.0, 1.0]


def test_the_least_loss_out_of_sample_finds_the_distortion() -> None:
    losses = recalibration_losses(*some_answers(1500, 2.5))
    assert None not in losses.values()
    assert losses["temperature"] < losses["as stated"] - 0.03  # type: ignore[operator]  # numbers
    honest = recalibration_losses(*some_answers(1500, 1.0))
    assert honest["as stated"] == pytest.approx(honest["temperature"], abs=0.003)


@pytest.mark.parametrize(
    ("n", "offered"),
    [
        (49, {"as stated"}),
        (50, {"as stated", "temperature"}),
        (100, {"as stated", "temperature", "platt"}),
        (1000, {"as stated", "temperature", "platt", "isotonic"}),
    ],
)
def test_a_method_is_offered_from_the_number_of_answers_that_it_needs(n: int, offered: set[str]) -> None:
    losses = recalibration_losses(*some_answers(n, 1.5))
    assert {method for method, value in losses.items() if value is not None} == offered


def test_a_fit_that_fails_in_one_fold_is_not_offered() -> None:
    stated, right = [0.9] * 60 + [0.8] * 60, [1] * 120
    assert recalibration_losses(stated, right)["platt"] is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: temperature_fit([0.5], [0.5]), "right or wrong answers"),
        (lambda: isotonic_fit([1.5], [1]), "outside"),
        (lambda: platt_fit([], []), "0 values"),
        (lambda: recalibrated([0.5], [0.9, 0.2], [1, 0], "temperature"), "no fit by temperature: take another"),
        (lambda: recalibrated([0.5], [0.9, 0.2], [1, 0], "beta"), "known are: as stated, temperature, platt, isotonic"),
        (lambda: recalibrated([5.0], [0.9, 0.2], [1, 0], "isotonic"), "shown.0. is 5.0"),
    ],
)
def test_answers_that_allow_no_fit_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
