from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, norm

from pytest_agenteval.stats import adjust_pvalues, gatekeep

WEIGHTED = st.lists(st.tuples(st.floats(0, 1) | st.just(0.01), st.sampled_from([0.5, 1.0, 3.0])), max_size=12)
PVALUES = st.lists(st.floats(0, 1) | st.sampled_from([0.01, 0.02, 1.0]), min_size=1, max_size=20)


@given(PVALUES)
def test_bh_agrees_with_scipy(pvalues: list[float]) -> None:
    assert adjust_pvalues(pvalues, "bh") == pytest.approx(false_discovery_control(pvalues), abs=1e-12)


@given(PVALUES)
def test_raw_is_at_most_bh_is_at_most_holm_is_at_most_bonferroni(pvalues: list[float]) -> None:
    bh, holm = adjust_pvalues(pvalues, "bh"), adjust_pvalues(pvalues, "holm")
    for raw, loose, strict in zip(pvalues, bh, holm, strict=True):
        assert raw <= loose <= strict <= min(1.0, len(pvalues) * raw)


@given(PVALUES, st.sampled_from(["holm", "bh"]), st.randoms(use_true_random=False))
def test_adjusting_keeps_the_order_and_follows_the_places(pvalues: list[float], method: str, chance: Random) -> None:
    adjusted = adjust_pvalues(pvalues, method)  # type: ignore[arg-type]  # drawn
    pairs = list(zip(pvalues, adjusted, strict=True))
    assert [after for _, after in sorted(pairs)] == sorted(adjusted)
    shuffled = chance.sample(pairs, len(pairs))
    again = adjust_pvalues([raw for raw, _ in shuffled], method)  # type: ignore[arg-type]  # drawn
    assert again == [after for _, after in shuffled]


@given(PVALUES, st.floats(0.001, 0.2))
def test_holm_rejects_what_the_step_down_procedure_rejects(pvalues: list[float], alpha: float) -> None:
    rejected = 0
    for rank, p in enumerate(sorted(pvalues)):
        if (len(pvalues) - rank) * p > alpha:
            break
        rejected += 1
    assert sum(p <= alpha for p in adjust_pvalues(pvalues, "holm")) == rejected


@pytest.mark.parametrize("method", ["holm", "bh"])
def test_no_test_needs_no_correction(method: str) -> None:
    assert adjust_pvalues([], method) == []  # type: ignore[arg-type]  # a parameter


def test_a_p_value_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pvalues\[0\] is 1.5"):
        adjust_pvalues([1.5], "holm")


# Weights


@given(WEIGHTED, st.floats(0.001, 0.2))
def test_weighted_holm_rejects_what_the_step_down_procedure_rejects(
    tests: list[tuple[float, float]], alpha: float
) -> None:
    left, rejected = sorted(tests, key=lambda test: test[0] / test[1]), 0
    while left and left[0][0] <= alpha * left[0][1] / sum(weight for _, weight in left) * (1 - 1e-12):
        left, rejected = left[1:], rejected + 1
    adjusted = adjust_pvalues([p for p, _ in tests], "holm", [weight for _, weight in tests])
    assert sum(p <= alpha * (1 - 1e-12) for p in adjusted) == rejected


@given(PVALUES, st.sampled_from([0.25, 1.0, 8.0]))
def test_equal_weights_are_none(pvalues: list[float], weight: float) -> None:
    assert adjust_pvalues(pvalues, "holm", [weight] * len(pvalues)) == adjust_pvalues(pvalues, "holm")


@pytest.mark.parametrize(
    ("method", "weights", "why"), [("bh", [1.0], "has none"), ("holm", [1.0] * 2, "one each"), ("holm", [0.0], "above")]
)
def test_weights_that_do_not_fit_are_refused(method: str, weights: list[float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        adjust_pvalues([0.5], method, weights)  # type: ignore[arg-type]  # a parameter


# Gatekeeping

FAMILIES = st.lists(st.tuples(st.floats(0, 1) | st.just(0.01), st.lists(st.floats(0, 1), max_size=4)), max_size=6)


@given(PVALUES)
def test_metrics_without_slices_are_adjusted_by_holm(pvalues: list[float]) -> None:
    found = gatekeep(pvalues, [[]] * len(pvalues))
    assert found["metrics"] == pytest.approx(adjust_pvalues(pvalues, "holm"), abs=1e-15)


@given(FAMILIES)
def test_a_slice_is_flagged_only_if_its_metric_is(families: list[tuple[float, list[float]]]) -> None:
    found = gatekeep([head for head, _ in families], [members for _, members in families])
    for metric, slices, (head, members) in zip(found["metrics"], found["slices"], families, strict=True):
        assert head <= metric <= 1.0
        assert all(metric <= adjusted <= 1.0 for adjusted in slices)
        assert all(raw <= adjusted for raw, adjusted in zip(members, slices, strict=True))


@given(FAMILIES, st.randoms(use_true_random=False))
def test_gatekeeping_follows_the_places(families: list[tuple[float, list[float]]], chance: Random) -> None:
    found = gatekeep(*zip(*families, strict=True)) if families else {"metrics": [], "slices": []}
    pairs = list(zip(families, found["metrics"], found["slices"], strict=True))
    shuffled = chance.sample(pairs, len(pairs))
    again = gatekeep([pair[0][0] for pair in shuffled], [pair[0][1] for pair in shuffled])
    assert again["metrics"] == [pair[1] for pair in shuffled]
    assert again["slices"] == [pair[2] for pair in shuffled]


@pytest.mark.parametrize("lost", [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0)])
def test_any_false_flag_among_metrics_and_slices_is_as_rare_as_stated(lost: tuple[float, float]) -> None:
    """Two metrics of three slices; a metric that fell fell in its first slice alone."""
    chance, false = np.random.default_rng(1), 0
    for _ in range(1000):
        z = chance.standard_normal((2, 4)) - np.array([[drop, drop, 0.0, 0.0] for drop in lost])
        p = norm.cdf(z)
        found = gatekeep(p[:, 0].tolist(), p[:, 1:].tolist())
        flags = [[metric, *slices] for metric, slices in zip(found["metrics"], found["slices"], strict=True)]
        true_nulls = [flags[m][s] for m, drop in enumerate(lost) for s in range(4) if s > 1 or drop == 0.0]
        false += min(true_nulls) <= 0.05
    assert false / 1000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
