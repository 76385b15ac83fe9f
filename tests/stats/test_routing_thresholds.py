from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from pytest_agenteval.stats import (
    average_promise,
    binomial_risk_pvalue,
    crc_threshold,
    ltt_fixed_sequence,
    min_cases_for_risk,
    more_labels_needed,
    proportion_upper,
    routing_promise,
    routing_thresholds,
)

ALPHAS = st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.3])
LABELS = st.lists(
    st.tuples(st.integers(0, 20).map(lambda step: step / 20), st.sampled_from([0, 0, 0, 0, 1])),
    min_size=1,
    max_size=300,
)
THRESHOLDS = st.lists(st.integers(0, 20).map(lambda step: step / 20), max_size=8).map(
    lambda steps: sorted(steps, reverse=True)
)


def loosest(threshold: float | None) -> float:
    return math.inf if threshold is None else threshold


# One threshold


@given(st.integers(0, 900), st.integers(0, 12), ALPHAS)
def test_the_risk_p_value_is_the_binomial_tail(n: int, errors: int, alpha: float) -> None:
    if errors <= n:
        assert binomial_risk_pvalue(errors, n, alpha) == pytest.approx(binom.cdf(errors, n, alpha), rel=1e-9)


def test_no_selected_case_proves_nothing() -> None:
    assert binomial_risk_pvalue(0, 0, 0.02) == binomial_risk_pvalue(5, 5, 0.02) == 1.0


@pytest.mark.parametrize(
    ("alpha", "cases"),
    [
        (0.01, [299, 473, 628, 773, 1049]),
        (0.02, [149, 236, 313, 386, 523]),
        (0.05, [59, 93, 124, 153, 208]),
        (0.10, [29, 46, 61, 76, 103]),
    ],
)
def test_so_many_selected_cases_are_needed_for_so_many_errors(alpha: float, cases: list[int]) -> None:
    assert [min_cases_for_risk(errors, alpha) for errors in (0, 1, 2, 3, 5)] == cases


def test_more_confidence_needs_more_cases() -> None:
    assert min_cases_for_risk(0, 0.02, 0.99) == 228


@given(st.integers(0, 20), ALPHAS, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_fewest_cases_prove_the_risk_and_one_less_does_not(errors: int, alpha: float, confidence: float) -> None:
    cases = min_cases_for_risk(errors, alpha, confidence)
    assert binom.cdf(errors, cases, alpha) <= 1 - confidence < binom.cdf(errors, cases - 1, alpha)
    assert proportion_upper(errors, cases, confidence) <= alpha + 1e-9


# Learn then test


@given(LABELS, THRESHOLDS, ALPHAS, st.randoms(use_true_random=False))
def test_the_certified_threshold_is_the_last_of_an_unbroken_proof(
    labels: list[tuple[float, int]], thresholds: list[float], alpha: float, chance: Random
) -> None:
    stated, wrong = zip(*labels, strict=True)
    proven = []
    for threshold in thresholds:
        selected = [error for level, error in labels if level >= threshold]
        if not selected or binomtest(sum(selected), len(selected), alpha, alternative="less").pvalue > 0.05:
            break
        proven.append(threshold)
    got = ltt_fixed_sequence(stated, wrong, thresholds, alpha)
    assert got == {"threshold": proven[-1] if proven else None}
    again, wrong_again = zip(*chance.sample(labels, len(labels)), strict=True)
    assert ltt_fixed_sequence(again, wrong_again, thresholds, alpha) == got


@given(LABELS, THRESHOLDS, ALPHAS, st.integers(0, 299))
def test_an_error_more_or_a_lower_risk_never_loosens_the_threshold(
    labels: list[tuple[float, int]], thresholds: list[float], alpha: float, place: int
) -> None:
    stated, wrong = map(list, zip(*labels, strict=True))
    got = loosest(ltt_fixed_sequence(stated, wrong, thresholds, alpha)["threshold"])
    average = loosest(crc_threshold(stated, wrong, alpha)["threshold"])
    assert loosest(ltt_fixed_sequence(stated, wrong, thresholds, alpha / 2)["threshold"]) >= got
    assert loosest(ltt_fixed_sequence(stated, wrong, thresholds, alpha, 0.01)["threshold"]) >= got
    assert loosest(crc_threshold(stated, wrong, alpha / 2)["threshold"]) >= average
    wrong[place % len(wrong)] = 1
    assert loosest(ltt_fixed_sequence(stated, wrong, thresholds, alpha)["threshold"]) >= got
    assert loosest(crc_threshold(stated, wrong, alpha)["threshold"]) >= average


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 3000), ALPHAS)
def test_thresholds_go_from_strict_to_loose_and_start_where_a_certificate_can_be_had(
    confidence: list[float], labels: int, alpha: float
) -> None:
    got = routing_thresholds(confidence, labels, alpha)
    assert got == sorted(got, reverse=True)
    least = math.ceil(math.log(0.05) / math.log(1 - alpha))
    assert len(got) == sum(percent * labels >= 150 * least for percent in range(5, 101, 5))
    assert not got or got[-1] == min(confidence)


def test_the_promise_is_kept_where_the_errors_seen_alone_would_break_it() -> None:
    # 8.2 % errors, fewer where confidence is high; the error rate above each threshold is known.
    chance = np.random.Generator(np.random.PCG64(1))
    grid = np.linspace(0, 1, 20_001)
    density = grid**3
    rate = 0.41 * (1 - grid)  # mean under the density 4x³: 8.2 %
    above = np.cumsum((rate * density)[::-1])[::-1] / np.cumsum(density[::-1])[::-1]
    broken = naive = certified = 0
    for _ in range(200):
        stated = chance.random(500) ** 0.25
        wrong = (chance.random(500) < 0.41 * (1 - stated)).astype(int)
        got = ltt_fixed_sequence(stated.tolist(), wrong.tolist(), routing_thresholds(stated.tolist(), 500, 0.05), 0.05)
        order = np.argsort(-stated)
        shares = np.cumsum(wrong[order]) / np.arange(1, 501)
        kept = np.flatnonzero(shares <= 0.05)
        naive += bool(len(kept) and np.interp(stated[order][kept[-1]], grid, above) > 0.05)
        if got["threshold"] is not None:
            certified += 1
            broken += bool(np.interp(got["threshold"], grid, above) > 0.05)
    assert broken <= 0.05 * 200
    assert certified > 100
    assert naive > 60


# Labels to come


def test_a_threshold_out_of_reach_says_how_many_labels_it_lacks() -> None:
    stated, wrong = [0.9] * 100 + [0.5] * 100, [0] * 100 + [1] * 100
    assert ltt_fixed_sequence(stated, wrong, [0.9], 0.02)["threshold"] is None
    assert more_labels_needed(stated, wrong, [0.9], 0.02) == 98
    more = [*stated, *[0.9] * 49, *[0.5] * 49], [*wrong, *[0] * 49, *[1] * 49]
    assert ltt_fixed_sequence(*more, [0.9], 0.02)["threshold"] == 0.9
    assert more_labels_needed(*more, [0.9], 0.02) == 0


def test_errors_seen_are_expected_again_among_the_labels_to_come() -> None:
    stated, wrong = [0.9] * 200, [1, *[0] * 199]
    needed = more_labels_needed(stated, wrong, [0.9], 0.02)
    assert needed is not None
    errors = math.ceil((200 + needed) / 200)
    assert binomial_risk_pvalue(errors, 200 + needed, 0.02) <= 0.05


def test_no_number_of_labels_mends_a_confidence_that_ranks_nothing() -> None:
    assert more_labels_needed([0.9] * 100, [1, 0] * 50, [0.9], 0.02) is None
    assert more_labels_needed([0.5] * 100, [0] * 100, [0.9], 0.02) is None


# On average


@given(LABELS, ALPHAS, st.randoms(use_true_random=False))
def test_the_average_risk_is_kept_at_its_threshold_and_at_no_looser_one(
    labels: list[tuple[float, int]], alpha: float, chance: Random
) -> None:
    stated, wrong = zip(*labels, strict=True)
    kept = [
        level
        for level in set(stated)
        if sum(error for other, error in labels if other >= level) + 1 <= alpha * (len(labels) + 1) + 1e-9
    ]
    assert crc_threshold(stated, wrong, alpha) == {"threshold": min(kept, default=None)}
    again, wrong_again = zip(*chance.sample(labels, len(labels)), strict=True)
    assert crc_threshold(again, wrong_again, alpha) == crc_threshold(stated, wrong, alpha)


def test_a_bound_met_exactly_is_met() -> None:
    assert crc_threshold([0.9] * 199, [1] * 5 + [0] * 194, 0.03) == {"threshold": 0.9}


# Words


def test_the_promise_is_printed_word_by_word() -> None:
    assert routing_promise(0.02, 1200) == (
        "With 95 % confidence over the draw of the 1200 labelled cases, at most 2 % of the cases that skip review are "
        "wrong, as long as new cases resemble the labelled ones and the agent, its prompt and its confidence score "
        "stay as they were. It does not promise 2 % in every slice or every week, and says nothing about cases that "
        "go to review."
    )


def test_each_promise_says_its_own_numbers() -> None:
    assert routing_promise(0.07, 300, 0.999).startswith("With 99.9 % confidence over the draw of the 300 labelled")
    assert "at most 7 % of the cases that skip review" in routing_promise(0.07, 300)
    assert "at most 7 % of all cases" in average_promise(0.07, 300)


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: binomial_risk_pvalue(3, 2, 0.02), "errors is 3"),
        (lambda: binomial_risk_pvalue(0, 2, 2), "95 % is 0.95"),
        (lambda: ltt_fixed_sequence([0.5], [0], [0.5, 0.9], 0.02), "from strict .high. to loose"),
        (lambda: ltt_fixed_sequence([0.5], [2], [0.5], 0.02), "outside"),
        (lambda: crc_threshold([0.5], [0.5], 0.02), "a case is wrong or it is not"),  # type: ignore[list-item]  # on purpose
        (lambda: crc_threshold([0.5], [0], 0.0), "alpha is 0.0"),
        (lambda: crc_threshold([], [], 0.1), "0 values"),
        (lambda: routing_promise(0.02, 0), "n is 0"),
        (lambda: average_promise(2, 10), "alpha is 2"),
    ],
)
def test_labels_that_are_none_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
