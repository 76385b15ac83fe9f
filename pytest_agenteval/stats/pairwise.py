"""Which of several systems is better, if a judge compared them two by two? Both orders, position bias, ranking."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Final, Literal, TypedDict

from pytest_agenteval.stats.checks import choice, finite_values, whole
from pytest_agenteval.stats.interval import proportion_ci
from pytest_agenteval.stats.paired import mcnemar

Said = Literal["first", "second", "tie"]
"""Which of the two answers, in the order in which the judge saw them."""

_STEPS: Final = 100
_LONGEST_STEP: Final = 2.0


class PairOutcomes(TypedDict):
    """Cases that a or b won in both orders; all others are ties, among them those where a position won twice."""

    a: int
    b: int
    ties: int
    first_twice: int
    second_twice: int


class PositionBias(TypedDict):
    """Share of "first" among the pairs judged by position, its limits and its p-value against one half."""

    share: float | None
    lo: float | None
    hi: float | None
    pvalue: float


def both_orders(judgements: Iterable[tuple[Said, Said]]) -> PairOutcomes:
    """Count pairs that a judge saw in both orders: (said of a before b, said of b before a), one per case.

    Only who wins in both orders wins. Win rate of a: ``wilson_effective_n`` over the cases, a tie being one half.
    A case that lacks one order is left out before. Source: Zheng et al. (2023), MT-Bench.

    >>> both_orders([("first", "second"), ("first", "first"), ("tie", "first")])
    {'a': 1, 'b': 0, 'ties': 2, 'first_twice': 1, 'second_twice': 0}
    """
    said = [tuple(choice(word, "judgement", ["first", "second", "tie"]) for word in pair) for pair in judgements]
    a, b = said.count(("first", "second")), said.count(("second", "first"))
    return {
        "a": a,
        "b": b,
        "ties": len(said) - a - b,
        "first_twice": said.count(("first", "first")),
        "second_twice": said.count(("second", "second")),
    }


def position_bias(first_twice: int, second_twice: int, confidence: float = 0.95) -> PositionBias:
    """Does a judge favour the answer it sees first (share above one half) or second? From its inconsistent pairs.

    Exact two-sided binomial test against one half, Wilson interval. No such pair: no share, p = 1. Fewer than six
    such pairs cannot reach .05. Source: Zheng et al. (2023), MT-Bench.

    >>> position_bias(9, 1)["pvalue"]
    0.021484375
    """
    first, pairs = whole(first_twice, "first_twice"), first_twice + whole(second_twice, "second_twice")
    if pairs == 0:
        return {"share": None, "lo": None, "hi": None, "pvalue": 1.0}
    low, high = proportion_ci(first, pairs, confidence=confidence)
    return {"share": first / pairs, "lo": low, "hi": high, "pvalue": mcnemar(first, second_twice, method="exact")}


def needs_half_wins(wins: Sequence[tuple[str, str, float]]) -> bool:
    """Whether some system never lost to, or never met, the others: ``bradley_terry`` has no maximum then.

    >>> needs_half_wins([("a", "b", 3), ("b", "c", 2), ("c", "b", 1)])
    True
    """
    won = _won(wins)
    names = {name for pair in won for name in pair}
    beaten = {pair for pair, count in won.items() if count}
    start = min(names)
    return any(_reached(start, edges) < names for edges in (beaten, {(loser, winner) for winner, loser in beaten}))


def _reached(start: str, edges: set[tuple[str, str]]) -> set[str]:
    found, new = {start}, {start}
    while new:
        new = {loser for winner, loser in edges if winner in new} - found
        found |= new
    return found


def bradley_terry(wins: Sequence[tuple[str, str, float]]) -> dict[str, float]:
    """Ability of each system on a log-odds scale, the first by name standing at 0: maximum likelihood.

    wins: (winner, loser, how often); a tie is half a win each way. Assumes one scale of strength and an order of
    presentation that was drawn, or both. Where there is no maximum (``needs_half_wins``: say so) half a win each way
    between all pairs is added. Interval: resample the cases. Rings of wins fit no scale: show the table of wins.
    Source: Bradley and Terry (1952), Biometrika 39.

    >>> round(bradley_terry([("a", "b", 3), ("b", "a", 1)])["b"], 6) == round(-math.log(3), 6)
    True
    """
    won = _won(wins)
    names = sorted({name for pair in won for name in pair})
    if needs_half_wins(wins):
        won = {pair: won.get(pair, 0.0) + 0.5 for pair in permutations(names, 2)}
    return dict(zip(names, _abilities(names, won), strict=True))


def _won(wins: Sequence[tuple[str, str, float]]) -> dict[tuple[str, str], float]:
    counts: dict[tuple[str, str], list[float]] = {}
    for winner, loser, count in wins:
        if winner == loser or count < 0:
            msg = f"wins hold ({winner!r}, {loser!r}, {count}): two systems and a number from 0 on are needed"
            raise ValueError(msg)
        counts.setdefault((winner, loser), []).append(count)
    sums = {pair: math.fsum(finite_values(each, f"wins of {pair}")) for pair, each in counts.items()}
    if not any(sums.values()):
        msg = "wins hold no win: report the ranking as not evaluated instead"
        raise ValueError(msg)
    return sums


def _abilities(names: Sequence[str], won: Mapping[tuple[str, str], float]) -> list[float]:
    """Newton's method, its steps held short; the likelihood has one maximum."""
    import numpy as np

    wins = np.array([[won.get((winner, loser), 0.0) for loser in names] for winner in names])
    met = wins + wins.T
    ability = np.zeros(len(names))
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(ability[None, :] - ability[:, None]))
        gradient = (wins - met * chance).sum(axis=1)
        curvature = met * chance * chance.T
        hessian = np.diag(curvature.sum(axis=1)) - curvature
        step = np.zeros(len(names))
        step[1:] = np.linalg.solve(hessian[1:, 1:], gradient[1:])
        ability += step / max(1.0, float(np.abs(step).max()) / _LONGEST_STEP)
    return [float(value) for value in ability]
