from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from pytest_agenteval.stats import adjust_pvalues

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
