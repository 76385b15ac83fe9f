"""The cases that a suite stands for: how their values scatter, and what two looks at an agent would show.

A suite's cases are taken for a sample of *cases like these*. The sums that the gate's tests need are drawn
directly, for any number of cases, without drawing the cases. All values are in the direction in which more is better;
a drop happens in one of two ways: a *class* of cases breaks and gets the worst value, or *all* get a little worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import special

from pytest_agenteval.stats.scatter import Scatter
from pytest_agenteval.stats.simulation import FEW_CHANGES, Numbers, Sums, flip_pvalues, mcnemar_pvalues, t_pvalues

Mechanism = Literal["class", "all"]
MECHANISMS: Final[tuple[Mechanism, ...]] = ("class", "all")

_NODES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How a run is compared: cases, attempts a case, and values a case in the baseline.

    ``held_back`` is 0 where there is no second look.
    """

    cases: int
    attempts: int = 1
    screen: int = 1
    held_back: int = 0

    @property
    def references(self) -> tuple[int, ...]:
        """The baseline's values a case, look by look."""
        return (self.screen, self.held_back) if self.held_back else (self.screen,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """How much the mean falls, in points, and how."""

    size: float
    mechanism: Mechanism


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What many looks show: the sums over the cases, and the p-value of a drop."""

    sums: Sums
    p: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class PassFail:
    """Values of 0 and 1: pass rates that cases like these have, with their shares."""

    rates: Numbers
    shares: Numbers

    @classmethod
    def fitted(cls, cases: Sequence[tuple[int, int]]) -> PassFail:
        """From (values, right ones) of each case: a Beta by moments, sharpened by what each case showed."""
        a, b = _beta(Scatter.of_pass_fail(cases))
        kinds = Counter(cases)
        made = [_quantiles(a + right, b + values - right, _NODES) for values, right in kinds]
        shares = np.repeat([count / (len(cases) * _NODES) for count in kinds.values()], _NODES)
        return cls(rates=np.concatenate(made), shares=shares)

    @classmethod
    def assumed(cls, scatter: Scatter) -> PassFail:
        """Where no case is known: the Beta alone."""
        nodes = _NODES * _NODES
        return cls(rates=_quantiles(*_beta(scatter), nodes), shares=np.full(nodes, 1.0 / nodes))

    @property
    def level(self) -> float:
        """The mean: what can be lost at most."""
        return float(self.rates @ self.shares)

    def looks(self, design: Design, drop: Drop, draws: int, chance: np.random.Generator) -> list[Look]:
        """What this many runs would show: of each the first look, and the second where there is one."""
        rates, agent, shares = self._fallen(drop)
        sides = [_gains(rates, agent, design.attempts, reference) for reference in design.references]
        joint = (sides[0][1] * shares[:, None]).T @ (sides[1][1] if len(sides) > 1 else np.ones((len(rates), 1)))
        likely = np.argsort(-joint, axis=None, kind="stable")  # the likely first: then few are left for the rest
        counts = np.empty((draws, joint.size), np.int64)
        counts[:, likely] = chance.multinomial(design.cases, joint.ravel()[likely] / joint.sum(), size=draws)
        table = counts.reshape(draws, *joint.shape)
        return [
            _pass_fail_look(table.sum(axis=2 - place), gains, design, reference)
            for place, ((gains, _), reference) in enumerate(zip(sides, design.references, strict=True))
        ]

    def _fallen(self, drop: Drop) -> tuple[Numbers, Numbers, Numbers]:
        """Pass rates in the baseline, those of the agent, and the shares of such cases."""
        part = drop.size / self.level
        if drop.mechanism == "all":
            return self.rates, self.rates * (1.0 - part), self.shares
        agent = np.concatenate([self.rates, np.zeros_like(self.rates)])
        return np.tile(self.rates, 2), agent, np.concatenate([self.shares * (1.0 - part), self.shares * part])


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """Values of any size that scatter like this; ``width`` is the metric's range, None where it has none.

    Sums over the cases are taken for normal, so at least some fifty cases are assumed.
    """

    scatter: Scatter
    width: float | None = 1.0

    @property
    def level(self) -> float:
        """What can be lost at most."""
        return self.scatter.level

    def looks(self, design: Design, drop: Drop, draws: int, chance: np.random.Generator) -> list[Look]:
        """As of ``PassFail``; a case whose level is broken is stuck at the worst, without any noise."""
        part = drop.size / self.level if drop.mechanism == "class" else 0.0
        broken = chance.binomial(design.cases, part, size=draws)
        lost = broken * self.level + np.sqrt(broken * self.scatter.between) * chance.standard_normal(draws)
        each = lost / np.maximum(broken, 1)
        found = []
        for reference in design.references:
            before, now = self.scatter.within / reference, self.scatter.within / design.attempts
            noise, noise_squares = self._noise(design.cases - broken, before + now, chance)
            stuck, stuck_squares = self._noise(broken, before, chance)
            total = noise + stuck - lost
            squares = noise_squares + stuck_squares - 2 * each * stuck + lost * each + broken * self.scatter.between
            if drop.mechanism == "all":
                squares = squares - 2 * drop.size * total + design.cases * drop.size**2
                total = total - design.cases * drop.size
            sums = Sums(n=design.cases, unit=1.0, total=total, squares=squares)
            found.append(Look(sums=sums, p=t_pvalues(total, squares, design.cases)))
        return found

    def _noise(self, n: Numbers, variance: float, chance: np.random.Generator) -> tuple[Numbers, Numbers]:
        """Sum and sum of squares of the noise of n cases."""
        some = np.maximum(n, 1)
        total = np.sqrt(n * variance) * chance.standard_normal(len(n))
        freedom = np.maximum(2.0 * (some - 1) / (3.0 * self.scatter.unequal - 1.0), 0.5)
        rest = variance * np.maximum(n - 1, 0) * chance.chisquare(freedom) / freedom
        return total, total * total / some + rest


Population = PassFail | Graded


def _beta(scatter: Scatter) -> tuple[float, float]:
    between = scatter.between / (scatter.between + scatter.within)
    both = 1.0 / min(max(between, 0.01), 0.99) - 1.0
    return both * scatter.level, both * (1.0 - scatter.level)


def _quantiles(a: float, b: float, nodes: int) -> Numbers:
    return np.asarray(special.betaincinv(a, b, (np.arange(nodes) + 0.5) / nodes))


def _gains(rates: Numbers, agent: Numbers, attempts: int, reference: int) -> tuple[Numbers, Numbers]:
    """The gains that a case can have, in units of 1/(attempts · reference), and their chances, rate by rate."""
    now, before = _binomial(attempts, agent), _binomial(reference, rates)
    units = np.arange(attempts + 1)[:, None] * reference - np.arange(reference + 1) * attempts
    gains, where = np.unique(units, return_inverse=True)
    both = (now[:, :, None] * before[:, None, :]).reshape(len(rates), -1)
    return gains, both @ (where.ravel()[:, None] == np.arange(len(gains)))


def _binomial(tries: int, rates: Numbers) -> Numbers:
    counts = np.arange(tries + 1)
    return np.asarray(
        special.comb(tries, counts) * rates[:, None] ** counts * (1.0 - rates[:, None]) ** (tries - counts)
    )


def _pass_fail_look(counts: Numbers, gains: Numbers, design: Design, reference: int) -> Look:
    won, lost = counts[:, gains > 0].sum(axis=1), counts[:, gains < 0].sum(axis=1)
    sums = Sums(
        n=design.cases,
        unit=1.0 / (design.attempts * reference),
        total=counts @ gains,
        squares=counts @ (gains * gains),
        won=won,
        lost=lost,
    )
    if design.attempts == reference == 1:
        return Look(sums=sums, p=mcnemar_pvalues(won, lost))
    p = t_pvalues(sums.total, sums.squares, design.cases)
    if design.attempts == reference:
        for row in np.flatnonzero(won + lost < FEW_CHANGES):
            # Gains and losses of one size together: 1, 2, … attempts of a case.
            sizes = counts[row][gains > 0] + counts[row][gains < 0][::-1]
            largest = int(sizes @ gains[gains > 0]) // reference
            p[row] = flip_pvalues(tuple(sizes.tolist()))[sums.total[row] // reference + largest]
    return Look(sums=sums, p=p)
