"""Where nothing changed, a p-value below u comes up with probability u: each test of a loss, by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator

from pytest_agenteval.stats import (
    case_regression_pvalue,
    chi2_homogeneity,
    ks_two_sample,
    mcnemar,
    paired_t_pvalue,
    sign_flip_pvalue,
    tost_pvalue,
    welch_pvalue,
    wilcoxon_pratt,
)

RUNS = 1000
LEVELS = (0.01, 0.05, 0.2, 0.5, 0.8)


def normal_differences(chance: Generator) -> tuple[list[float], list[float]]:
    base = chance.standard_normal(25)
    return base.tolist(), (base + chance.standard_normal(25)).tolist()


def labels_of_which_some_change(chance: Generator) -> tuple[list[int], list[int]]:
    return chance.integers(1, 6, 60).tolist(), chance.integers(1, 6, 60).tolist()


def flips(chance: Generator) -> tuple[int, int]:
    """Newly right and newly wrong cases, of 400 of which a tenth flips."""
    right = int(chance.binomial(400, 0.05))
    return right, int(chance.binomial(400 - right, 0.05 / 0.95))


def shares(chance: Generator) -> float:
    old, new = chance.multinomial(300, [0.4, 0.3, 0.2, 0.1], size=2).tolist()
    p_value = chi2_homogeneity(old, new)["pvalue"]
    assert p_value is not None
    return p_value


CONTINUOUS: dict[str, Callable[[Generator], float | None]] = {
    "paired t": lambda chance: paired_t_pvalue(*normal_differences(chance)),
    "sign flip, drawn": lambda chance: sign_flip_pvalue(
        chance.standard_normal(30).tolist(), seed=int(chance.integers(99))
    ),
    "sign flip, exact": lambda chance: sign_flip_pvalue(chance.standard_normal(12).tolist()),
    "signed ranks": lambda chance: wilcoxon_pratt(*labels_of_which_some_change(chance)),
    "signed ranks, one-sided": lambda chance: wilcoxon_pratt(*labels_of_which_some_change(chance), "less"),
    "Welch": lambda chance: welch_pvalue(chance.normal(0, 1, 20).tolist(), chance.normal(0, 3, 30).tolist()),
    "chi-square": shares,
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_where_nothing_changed_p_values_are_uniform(name: str) -> None:
    chance = np.random.default_rng(1)
    runs = 300 if name == "sign flip, drawn" else RUNS
    found = np.array([CONTINUOUS[name](chance) for _ in range(runs)])
    for level in LEVELS:
        assert (found <= level).mean() == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / runs))


def worse_case(chance: Generator) -> float:
    base, cand = chance.binomial(10, 0.7, size=2).tolist()
    return case_regression_pvalue(10, base, 10, cand)


def edge_of_the_margin(chance: Generator) -> float:
    return tost_pvalue(chance.normal(0.5, 1.0, 40).tolist(), 0.5)


COARSE: dict[str, Callable[[Generator], float]] = {
    "McNemar": lambda chance: mcnemar(*flips(chance), alternative="less"),
    "McNemar, exact": lambda chance: mcnemar(*flips(chance), method="exact"),
    "one case": worse_case,
    "Kolmogorov-Smirnov": lambda chance: ks_two_sample(*chance.standard_normal((2, 40)).tolist())["pvalue"],
    "no change": edge_of_the_margin,
}


@pytest.mark.parametrize("name", COARSE)
def test_where_nothing_changed_a_coarse_p_value_is_small_no_more_often_than_it_says(name: str) -> None:
    chance = np.random.default_rng(2)
    found = np.array([COARSE[name](chance) for _ in range(RUNS)])
    for level in (0.01, 0.05, 0.2):
        assert (found <= level).mean() <= level + 3 * math.sqrt(level * (1 - level) / RUNS)
    assert (found <= 0.2).mean() > 0.05
