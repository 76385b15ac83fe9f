from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.stats import (
    MIN_CASES_TO_PASS,
    gate_family_binary,
    gate_verdict,
    gate_verdict_binary,
    mcnemar,
    tango_bounds,
)

TABLES = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 800)).map(lambda t: (t[0], t[1], sum(t)))
MARGINS = st.sampled_from([0.0, 0.01, 0.02, 0.05, 0.1])


@given(TABLES, MARGINS)
def test_a_verdict_needs_proof_of_a_drop_or_proof_that_there_is_none(
    table: tuple[int, int, int], margin: float
) -> None:
    b, c, n = table
    proven = mcnemar(b, c, "mid-p", "less") <= 0.05 and (b - c) / n < -margin - 1e-12
    excluded = tango_bounds(b, c, n)[0] > -margin + 1e-12 and n >= MIN_CASES_TO_PASS
    assert not (proven and excluded)
    expected = "REGRESSED" if proven else "PASS" if excluded else "INCONCLUSIVE"
    assert gate_verdict_binary(b, c, n, margin) == expected


@given(TABLES, MARGINS, st.integers(0, 2000))
def test_unchanged_cases_never_turn_a_pass_into_a_regression(
    table: tuple[int, int, int], margin: float, unchanged: int
) -> None:
    b, c, n = table
    if gate_verdict_binary(b, c, n, margin) == "PASS":
        assert gate_verdict_binary(b, c, n + unchanged, margin) != "REGRESSED"


@given(st.lists(TABLES, min_size=1, max_size=6), MARGINS)
def test_a_family_blocks_no_metric_that_alone_would_pass_the_screen(
    tables: list[tuple[int, int, int]], margin: float
) -> None:
    for (b, c, n), verdict in zip(tables, gate_family_binary(tables, margin), strict=True):
        alone = gate_verdict_binary(b, c, n, margin)
        assert verdict == alone or (alone == "REGRESSED" and verdict == "INCONCLUSIVE")


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 1), st.sampled_from([0.5, 2.0, 1024.0]))
def test_scaling_a_metric_and_its_margin_keeps_the_verdict(
    delta: float, half_width: float, p_value: float, factor: float
) -> None:
    def verdict(scale: float) -> str:
        return gate_verdict(
            delta=delta * scale,
            lower=(delta - half_width) * scale,
            p_value=p_value,
            n=200,
            margin=0.0203 * scale,
        )

    assert verdict(1.0) == verdict(factor)


def test_a_proven_drop_within_the_margin_is_tolerated() -> None:
    assert gate_verdict(delta=-0.01, lower=-0.015, p_value=0.001, n=5000, margin=0.02) == "PASS"


@pytest.mark.parametrize("lower", [-0.02, None])
def test_a_bound_on_the_margin_or_none_at_all_is_no_pass(lower: float | None) -> None:
    assert gate_verdict(delta=0.0, lower=lower, p_value=1.0, n=200, margin=0.02) == "INCONCLUSIVE"


def test_a_drop_as_large_as_the_margin_is_not_blocked() -> None:
    assert gate_verdict(delta=0.1 - 0.3, lower=-0.3, p_value=0.001, n=200, margin=0.2) == "INCONCLUSIVE"


def test_too_few_cases_never_pass_but_may_regress() -> None:
    assert gate_verdict_binary(0, 0, 19, 0.5) == "INCONCLUSIVE"
    assert gate_verdict_binary(0, 0, 20, 0.5) == "PASS"
    assert gate_verdict_binary(0, 6, 10, 0.02) == "REGRESSED"
