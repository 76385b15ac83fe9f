"""Does the evidence say pass, regressed, or not enough? The rules of a gate, without any metric or file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

from pytest_agenteval.stats.checks import finite_values, one_sided_level
from pytest_agenteval.stats.exact import exceeds
from pytest_agenteval.stats.multiplicity import adjust_pvalues
from pytest_agenteval.stats.paired import mcnemar, tango_bounds

GateOutcome = Literal["PASS", "REGRESSED", "INCONCLUSIVE"]

MIN_CASES_TO_PASS: Final = 20
"""Under this many cases the bounds are approximations that may not promise a pass."""


def gate_verdict(
    *,
    delta: float,
    lower: float | None,
    p_value: float,
    n: int,
    margin: float,
    alpha_block: float = 0.05,
    min_cases: int = MIN_CASES_TO_PASS,
) -> GateOutcome:
    """Judge a mean difference (candidate - baseline, higher is better) against the loss that is tolerated.

    REGRESSED: the drop is proven (p_value, adjusted for the family, at most alpha_block) and larger than
    margin. PASS: lower, the one-sided bound, excludes a drop of the margin, over at least min_cases.
    INCONCLUSIVE otherwise, also without a bound. Ties with the margin neither block nor pass.
    Berger (1982): passes need no multiplicity correction.

    >>> gate_verdict(delta=0.0, lower=-0.01, p_value=1.0, n=200, margin=0.02)
    'PASS'
    """
    if not (math.isfinite(margin) and margin >= 0.0):
        msg = f"margin is {margin}, it must be 0 or a finite number above: the loss that is still tolerated"
        raise ValueError(msg)
    finite_values([delta, p_value], "delta, p_value")
    one_sided_level(alpha_block, "alpha_block")
    if not exceeds(p_value, alpha_block) and exceeds(-margin, delta):
        return "REGRESSED"
    if lower is not None and n >= min_cases and exceeds(lower, -margin):
        return "PASS"
    return "INCONCLUSIVE"


def gate_verdict_binary(
    b: int, c: int, n: int, margin: float, *, alpha_block: float = 0.05, alpha_pass: float = 0.05
) -> GateOutcome:
    """Judge one binary metric: b cases newly right, c newly wrong, of n that both runs have.

    >>> gate_verdict_binary(4, 30, 200, 0.02), gate_verdict_binary(0, 0, 100, 0.02)
    ('REGRESSED', 'INCONCLUSIVE')
    """
    return gate_family_binary([(b, c, n)], margin, alpha_block=alpha_block, alpha_pass=alpha_pass)[0]


def gate_family_binary(
    metrics: Sequence[tuple[int, int, int] | Sequence[int]],
    margin: float,
    *,
    alpha_block: float = 0.05,
    alpha_pass: float = 0.05,
) -> list[GateOutcome]:
    """Judge binary metrics that gate together, given as (b, c, n): Holm over the drops, none over the passes.

    Mid-p McNemar and Tango's bounds; see ``mcnemar`` and ``tango_bounds`` for what they assume.

    >>> gate_family_binary([(4, 20, 200), (5, 6, 200)], 0.02)
    ['REGRESSED', 'INCONCLUSIVE']
    """
    raw = [mcnemar(b, c, "mid-p", "less") for b, c, _ in metrics]
    return [
        gate_verdict(
            delta=(b - c) / n,
            lower=tango_bounds(b, c, n, alpha_pass)[0],
            p_value=p_value,
            n=n,
            margin=margin,
            alpha_block=alpha_block,
        )
        for (b, c, n), p_value in zip(metrics, adjust_pvalues(raw, "holm"), strict=True)
    ]
