from __future__ import annotations

import math
from itertools import permutations
from random import Random
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from pytest_agenteval.stats import (
    bland_altman,
    cohen_kappa,
    gwet_ac1,
    gwet_ac1_table,
    krippendorff_alpha,
    lin_ccc,
    positive_negative_agreement,
)
from pytest_agenteval.stats.agreement import Level, Weights


def square(size: int) -> st.SearchStrategy[list[list[int]]]:
    row = st.lists(st.integers(0, 40), min_size=size, max_size=size)
    return st.lists(row, min_size=size, max_size=size).filter(lambda table: any(map(any, table)))


TABLES = st.integers(2, 4).flatmap(square)
WEIGHTS = st.sampled_from([None, "linear", "quadratic"])
RATINGS = st.integers(2, 4).flatmap(
    lambda raters: st.lists(
        st.lists(st.sampled_from([1, 2, 3, None]), min_size=raters, max_size=raters), min_size=1, max_size=12
    )
)
NUMBERS = st.integers(-40, 40).map(lambda quarter: quarter / 4)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30)


def by_rater(cases: list[list[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*cases, strict=True)]


def in_cases(table: list[list[int]]) -> list[list[int]]:
    return [[i, j] for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]


# Kappa


@pytest.mark.parametrize(
    ("table", "raw", "kappa", "ac1"),
    [
        ([[45, 5], [5, 45]], 0.90, 0.80, 0.80),
        ([[90, 5], [5, 0]], 0.90, -0.05, 0.89),
        ([[97, 1], [1, 1]], 0.98, 0.49, 0.98),
        ([[80, 10], [10, 0]], 0.80, -0.11, 0.76),
    ],
)
def test_the_same_raw_agreement_may_be_any_kappa_while_ac1_follows_it(
    table: list[list[int]], raw: float, kappa: float, ac1: float
) -> None:
    assert (table[0][0] + table[1][1]) / 100 == raw
    assert cohen_kappa(table)["kappa"] == pytest.approx(kappa, abs=0.005)
    assert gwet_ac1_table(table)["ac1"] == pytest.approx(ac1, abs=0.005)


@given(TABLES, WEIGHTS, st.sampled_from([0.8, 0.95]))
def test_kappa_and_its_error_are_those_of_the_published_formula(
    table: list[list[int]], weights: Weights | None, confidence: float
) -> None:
    got = cohen_kappa(table, weights, confidence)
    shares = np.array(table) / np.sum(table)
    rows, columns, places = shares.sum(axis=1), shares.sum(axis=0), np.arange(len(table))
    apart = np.abs(np.subtract.outer(places, places)) / (len(table) - 1)
    credit = {None: (apart == 0) * 1.0, "linear": 1 - apart, "quadratic": 1 - apart**2}[weights]
    by_chance = (credit * np.outer(rows, columns)).sum()
    if by_chance > 1 - 1e-12:
        assert got["kappa"] is None
        return
    kappa = ((credit * shares).sum() - by_chance) / (1 - by_chance)
    means = np.add.outer(credit @ columns, credit.T @ rows)
    square = (shares * (credit - means * (1 - kappa)) ** 2).sum() - (kappa - by_chance * (1 - kappa)) ** 2
    assert got["kappa"] == pytest.approx(kappa, abs=1e-9)
    if got["se"] is None:
        assert square == pytest.approx(0.0, abs=1e-12)
        return
    se = math.sqrt(square / np.sum(table)) / (1 - by_chance)
    assert got["se"] == pytest.approx(se, rel=1e-6)
    assert got["hi"] == pytest.approx(min(kappa + norm.isf((1 - confidence) / 2) * se, 1.0))


@given(TABLES, WEIGHTS)
def test_kappa_lies_in_its_interval_inside_minus_one_and_one_and_is_symmetric(
    table: list[list[int]], weights: Weights | None
) -> None:
    got = cohen_kappa(table, weights)
    assert cohen_kappa(by_rater(table), weights) == pytest.approx(got)
    if got["lo"] is not None:
        assert -1.0 <= got["lo"] <= got["kappa"] <= got["hi"] <= 1.0  # type: ignore[operator]  # all or none


@given(TABLES, st.randoms(use_true_random=False))
def test_renaming_the_labels_changes_no_bit(table: list[list[int]], chance: Random) -> None:
    order = chance.sample(range(len(table)), len(table))
    renamed = [[table[i][j] for j in order] for i in order]
    assert cohen_kappa(renamed) == cohen_kappa(table)
    assert gwet_ac1_table(renamed) == gwet_ac1_table(table)


@given(st.lists(st.integers(0, 40), min_size=2, max_size=4).filter(lambda counts: sum(map(bool, counts)) > 1), WEIGHTS)
def test_complete_agreement_is_one_without_a_false_certainty(counts: list[int], weights: Weights | None) -> None:
    table = np.diag(counts).tolist()
    assert cohen_kappa(table, weights) == {"kappa": 1.0, "se": None, "lo": None, "hi": None}
    assert gwet_ac1_table(table) == {"ac1": 1.0, "se": None}


def test_one_label_only_is_no_agreement_beyond_chance() -> None:
    assert cohen_kappa([[50, 0], [0, 0]]) == {"kappa": None, "se": None, "lo": None, "hi": None}
    assert gwet_ac1_table([[50, 0], [0, 0]]) == {"ac1": None, "se": None}
    assert gwet_ac1([["yes", "yes"]] * 50) == {"ac1": None, "se": None}
    assert krippendorff_alpha([["yes"] * 50, ["yes"] * 50]) is None


def test_one_case_has_no_error() -> None:
    assert cohen_kappa([[0, 1], [0, 0]]) == {"kappa": 0.0, "se": None, "lo": None, "hi": None}
    assert gwet_ac1([["yes", "no"]]) == {"ac1": -1.0, "se": None}


# Made with the tables of τ²-bench's airline judges (MIT, © 2025 Sierra Research): judge good or not, reward 1 or not.
@pytest.mark.parametrize(
    ("table", "kappa"), [([[14, 21], [9, 6]], -0.1628), ([[16, 21], [7, 6]], -0.0786), ([[18, 11], [5, 16]], 0.3681)]
)
def test_judges_of_recorded_customer_service_have_their_known_kappa(table: list[list[int]], kappa: float) -> None:
    assert cohen_kappa(table)["kappa"] == pytest.approx(kappa, abs=5e-5)


# Relevance grades 0 to 3, human (NIST assessors) by judge, of the LLMJudge challenge (judges: MIT, © 2023
# LLMJudge-Benchmark); the alphas were published by its organisers.
RELEVANCE = {
    "h2oloo-fewself": [[1586, 229, 98, 92], [602, 302, 183, 146], [225, 143, 212, 228], [57, 58, 64, 198]],
    "willia-umbrela1": [[1521, 369, 88, 27], [579, 457, 157, 40], [189, 280, 270, 69], [46, 125, 93, 113]],
    "TREMA-rubric0": [[1612, 371, 0, 22], [868, 340, 0, 25], [478, 303, 0, 27], [164, 197, 0, 16]],
}


@pytest.mark.parametrize(
    ("judge", "kappa", "quadratic", "alpha"),
    [
        ("h2oloo-fewself", 0.2774, 0.5046, 0.4958),
        ("willia-umbrela1", 0.2863, 0.5044, 0.4918),
        ("TREMA-rubric0", 0.0779, 0.1623, 0.1036),
    ],
)
def test_judges_of_relevance_have_their_published_agreement(
    judge: str, kappa: float, quadratic: float, alpha: float
) -> None:
    table = RELEVANCE[judge]
    assert cohen_kappa(table)["kappa"] == pytest.approx(kappa, abs=5e-5)
    assert cohen_kappa(table, "quadratic")["kappa"] == pytest.approx(quadratic, abs=5e-5)
    assert krippendorff_alpha(by_rater(in_cases(table)), "ordinal") == pytest.approx(alpha, abs=5e-5)


# AC1


@given(TABLES)
def test_ac1_of_a_table_is_that_of_its_cases_if_every_label_occurs(table: list[list[int]]) -> None:
    cases = in_cases(table)
    if len({label for case in cases for label in case}) == len(table):
        one, other = gwet_ac1(cases), gwet_ac1_table(table)
        assert one["ac1"] == pytest.approx(other["ac1"], rel=1e-9, abs=1e-12)
        # A spread of nearly 0 is none, on whichever side of nearly it falls.
        assert (one["se"] or 0.0) == pytest.approx(other["se"] or 0.0, rel=1e-9, abs=1e-6)


@given(TABLES)
def test_ac1_of_two_raters_is_that_of_the_published_formula(table: list[list[int]]) -> None:
    got = gwet_ac1_table(table)
    shares, labels, n = np.array(table) / np.sum(table), len(table), np.sum(table)
    mean = (shares.sum(axis=0) + shares.sum(axis=1)) / 2
    if np.count_nonzero(mean) == 1:
        assert got == {"ac1": None, "se": None}
        return
    met, by_chance = np.trace(shares), (mean * (1 - mean)).sum() / (labels - 1)
    ac1 = (met - by_chance) / (1 - by_chance)
    assert got["ac1"] == pytest.approx(ac1, abs=1e-9)
    if got["se"] is not None:
        diagonal = (np.diag(shares) * (1 - mean)).sum() / (labels - 1)
        cells = (shares * (1 - np.add.outer(mean, mean) / 2) ** 2).sum() / (labels - 1) ** 2
        square = met * (1 - met) - 4 * (1 - ac1) * (diagonal - met * by_chance)
        square += 4 * (1 - ac1) ** 2 * (cells - by_chance**2)
        assert got["se"] == pytest.approx(math.sqrt(square / (n - 1)) / (1 - by_chance), rel=1e-6)


@given(RATINGS, st.randoms(use_true_random=False))
def test_ac1_and_alpha_ignore_order_names_and_raters_bit_for_bit(cases: list[list[Any]], chance: Random) -> None:
    names = {1: "wrong", 2: "right", 3: "unclear", None: None}
    shuffled = [[names[label] for label in case] for case in chance.sample(cases, len(cases))]
    raters = chance.sample(by_rater(shuffled), len(shuffled[0]))
    assert gwet_ac1(by_rater(raters)) == gwet_ac1(cases)
    assert krippendorff_alpha(raters) == krippendorff_alpha(by_rater(cases))


@given(RATINGS)
def test_no_agreement_is_above_one(cases: list[list[Any]]) -> None:
    for value in (gwet_ac1(cases)["ac1"], *(krippendorff_alpha(by_rater(cases), level) for level in get_args(Level))):
        assert value is None or value <= 1.0


def test_a_case_with_one_rating_tells_ac1_how_common_a_label_is_and_alpha_nothing() -> None:
    cases: list[list[Any]] = [[1, 1]] * 8 + [[1, 2]] * 2
    with_gaps = [*cases, [None, 2], [2, None], [None, None]]
    assert gwet_ac1(with_gaps)["ac1"] != gwet_ac1(cases)["ac1"]
    assert gwet_ac1([*with_gaps, [None, None]]) == gwet_ac1(with_gaps)
    assert krippendorff_alpha(by_rater(with_gaps)) == krippendorff_alpha(by_rater(cases))
    assert gwet_ac1([[1, None], [None, 2]]) == {"ac1": None, "se": None}
    assert krippendorff_alpha([[1, None], [None, 2]]) is None


# Alpha


@given(RATINGS, st.sampled_from(get_args(Level)))
def test_alpha_is_one_less_the_observed_over_the_expected_disagreement(cases: list[list[Any]], level: Level) -> None:
    units = [rated for case in cases if len(rated := [value for value in case if value is not None]) > 1]
    pooled = [value for unit in units for value in unit]

    def distance(one: float, other: float) -> float:
        low, high = min(one, other), max(one, other)
        between = sum(low <= value <= high for value in pooled) - (pooled.count(low) + pooled.count(high)) / 2
        apart = {"nominal": 1.0, "ordinal": between, "interval": high - low, "ratio": (high - low) / (high + low)}
        return 0.0 if one == other else apart[level] ** 2

    expected = sum(distance(*pair) for pair in permutations(pooled, 2))
    observed = sum(sum(distance(*pair) for pair in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    got = krippendorff_alpha(by_rater(cases), level)
    if expected == 0:
        assert got is None
    else:
        assert got == pytest.approx(1 - (len(pooled) - 1) * observed / expected, abs=1e-9)


@given(RATINGS)
def test_alpha_of_ranks_ignores_their_spacing_and_of_intervals_their_unit(cases: list[list[Any]]) -> None:
    stretched = [[None if value is None else 10 ** (value - 1) for value in row] for row in by_rater(cases)]
    scaled = [[None if value is None else 100 - 7 * value for value in row] for row in by_rater(cases)]
    assert krippendorff_alpha(stretched, "ordinal") == krippendorff_alpha(by_rater(cases), "ordinal")
    assert krippendorff_alpha(scaled, "interval") == pytest.approx(krippendorff_alpha(by_rater(cases), "interval"))


# Yes and no


@given(square(2))
def test_agreement_on_yes_and_no_swaps_with_the_labels(table: list[list[int]]) -> None:
    (both, apart), (other, neither) = table
    got = positive_negative_agreement(table)
    swapped = positive_negative_agreement([[neither, other], [apart, both]])
    assert (swapped["positive"], swapped["negative"]) == (got["negative"], got["positive"])
    assert all(share is None or 0.0 <= share <= 1.0 for share in got.values())  # type: ignore[operator]  # floats


def test_where_neither_rater_said_no_there_is_no_agreement_on_it() -> None:
    assert positive_negative_agreement([[9, 0], [0, 0]]) == {"positive": 1.0, "negative": None}


# Numbers


@given(PAIRS)
def test_the_bias_of_one_against_the_other_mirrors_itself(pairs: list[tuple[float, float]]) -> None:
    a, b = by_rater([list(pair) for pair in pairs])
    got, mirrored = bland_altman(a, b), bland_altman(b, a)
    assert mirrored["bias"] == -got["bias"]
    if got["loa_lo"] is not None:
        assert mirrored["loa_hi"] == -got["loa_lo"]
        assert got["loa_lo"] < got["bias_lo"] < got["bias"] < got["bias_hi"] or len(pairs) < 7  # type: ignore[operator]


def test_the_limits_of_agreement_keep_their_width_whatever_the_confidence_of_the_bias() -> None:
    a, b = [3.0, 2.0, 4.0, 5.5], [1.0, 1.0, 3.5, 4.0]
    wide, narrow = bland_altman(a, b, 0.99), bland_altman(a, b, 0.8)
    assert wide["loa_lo"] == narrow["loa_lo"] == pytest.approx(wide["bias"] - 1.96 * np.std(np.subtract(a, b), ddof=1))
    assert wide["bias_lo"] < narrow["bias_lo"]  # type: ignore[operator]  # numbers


@pytest.mark.parametrize(("a", "sd"), [([2.0], None), ([2.0, 3.0, 4.0], 0.0)])
def test_one_pair_or_a_constant_difference_gives_a_bias_without_limits(a: list[float], sd: float | None) -> None:
    got = bland_altman(a, [number - 1.0 for number in a])
    assert (got["bias"], got["sd"]) == (1.0, sd)
    assert {got["loa_lo"], got["loa_hi"], got["bias_lo"], got["bias_hi"]} == {None}


@given(PAIRS, st.randoms(use_true_random=False))
def test_concordance_is_symmetric_ignores_order_and_lies_in_its_interval(
    pairs: list[tuple[float, float]], chance: Random
) -> None:
    a, b = by_rater([list(pair) for pair in pairs])
    got = lin_ccc(a, b)
    assert lin_ccc(b, a) == got
    again_a, again_b = by_rater([list(pair) for pair in chance.sample(pairs, len(pairs))])
    assert lin_ccc(again_a, again_b) == got
    assert bland_altman(again_a, again_b) == bland_altman(a, b)
    if got["ccc"] is not None:
        assert -1.0 <= got["ccc"] <= 1.0
    if got["lo"] is not None:
        assert -1.0 <= got["lo"] <= got["ccc"] <= got["hi"] <= 1.0  # type: ignore[operator]  # all or none


@given(PAIRS)
def test_concordance_is_correlation_less_what_shift_and_scale_cost(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    got = lin_ccc(a.tolist(), b.tolist())["ccc"]
    if len(pairs) > 1 and a.std() > 0 and b.std() > 0:
        assert got is not None
        assert abs(got) <= abs(np.corrcoef(a, b)[0, 1]) + 1e-9
        assert got == pytest.approx(2 * np.cov(a, b, ddof=0)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2))


def test_numbers_that_do_not_vary_agree_in_nothing() -> None:
    nothing = {"ccc": None, "lo": None, "hi": None}
    assert lin_ccc([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]) == nothing
    assert lin_ccc([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]) == {**nothing, "ccc": 0.0}
    assert lin_ccc([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == {**nothing, "ccc": 1.0}
    assert lin_ccc([1.0, 2.0], [1.0, 3.0])["lo"] is None


def test_numbers_without_correlation_have_a_concordance_of_zero_with_an_interval_around_it() -> None:
    got = lin_ccc([1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0])
    assert got["ccc"] == 0.0
    assert got["lo"] == -got["hi"] < -0.5  # type: ignore[operator]  # numbers


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cohen_kappa([[1, 2, 3], [4, 5, 6]]), r"rows of \[3, 3\] counts"),
        (lambda: cohen_kappa([[5]]), "two at least"),
        (lambda: cohen_kappa([[0, 0], [0, 0]]), "table has no case"),
        (lambda: cohen_kappa([[0.5, 1], [1, 1]]), r"table\[0\]\[0\] is 0.5"),  # type: ignore[list-item]  # on purpose
        (lambda: cohen_kappa([[1, 1], [1, 1]], "cubic"), "known are: linear, quadratic"),  # type: ignore[arg-type]  # too
        (lambda: positive_negative_agreement([[1] * 3] * 3), "table has 3 labels"),
        (lambda: krippendorff_alpha([[1, -2], [1, 2]], "ratio"), "use level='interval'"),
        (lambda: krippendorff_alpha([[1, math.nan], [1, 2]], "interval"), "nan"),
        (lambda: krippendorff_alpha([[1, 2], [1]]), "zip"),
        (lambda: bland_altman([1.0, 2.0], [1.0]), "zip"),
        (lambda: lin_ccc([1.0, math.inf], [1.0, 2.0]), r"a\[1\] is inf"),
    ],
)
def test_ratings_that_are_none_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
