"""Months of merges, simulated: how often do gates block what changed nothing, and find what fell?

Each row is a team: a suite of cases, ten metrics, a baseline that all merges of a month share, 440 merges. Seven
metrics are pass/fail, three are grades in steps of a quarter (half of the full grade passes, where every case must).
A case's difficulty is shared by all metrics, and two attempts at a case correlate by .5. In one part of the simulation
nothing changed, and every block is false. In the other one metric truly fell, and a gate has found it if *that*
metric stops the merge. The decisions of the project's own gate are made by ``pytest_agenteval.stats.simulation``,
which a test holds against the gate itself.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_agenteval import stats
from pytest_agenteval.pipeline.looks import Policy
from pytest_agenteval.stats import simulation

PAGE: Final = Path(__file__).parent.parent / "docs" / "why" / "gates-compared.md"
BEGIN: Final = "<!-- table of python -m benchmarks.gate --write -->\n"
END: Final = "<!-- end of the table -->\n"

SEED: Final = 1
MERGES: Final = 440
MARGIN: Final = 0.02
NAIVE: Final = 0.02
DROPS: Final = (0.02, 0.05, 0.10)
MONTHS: Final = {50: 100, 200: 200, 1000: 60}
QUICK: Final = 6
SCREEN, HELD_BACK = 3, 3
POLICY: Final = Policy()

Mechanism = Literal["class", "all"]
MECHANISMS: Final[tuple[Mechanism, ...]] = ("class", "all")
Numbers = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric of the team: its true mean, and the steps of its grades (1 for pass/fail)."""

    mean: float
    steps: int = 1

    def rates(self, ease: Numbers) -> Numbers:
        """The chance of each step, case by case; Beta, so that two attempts correlate by .5."""
        both = 1.0 if self.steps == 1 else 4.0
        return np.asarray(special.betaincinv(both * self.mean, both * (1.0 - self.mean), ease))


PASS_FAIL: Final = tuple(Metric(mean=mean) for mean in (0.60, 0.70, 0.80, 0.85, 0.90, 0.95, 0.98))
METRICS: Final = (*PASS_FAIL, *(Metric(mean=mean, steps=4) for mean in (0.70, 0.80, 0.90)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Cases, attempts a case, and attempts in the baseline: for the screen, and held back."""

    cases: int
    attempts: int
    screen: int
    held_back: int

    @property
    def months(self) -> int:
        """Months of the full table."""
        return MONTHS[self.cases]

    @property
    def words(self) -> str:
        """The first two columns."""
        kept = f"{self.screen} + {self.held_back}" if self.held_back else f"{self.screen}"
        return f"{self.cases:,} × {self.attempts} | {kept}"


TEAMS: Final = tuple(
    Team(cases=cases, attempts=attempts, screen=screen, held_back=held_back)
    for cases in MONTHS
    for attempts in (1, 3)
    for screen, held_back in ((1, 0), (SCREEN, HELD_BACK))
)


class Chance:
    """Random numbers from the generator's raw bits, which are the same in every version of numpy."""

    def __init__(self, *words: str) -> None:
        self._source = np.random.PCG64(stats.stable_seed(["benchmarks.gate", *words]))

    def uniform(self, n: int) -> Numbers:
        """Strictly between 0 and 1."""
        return ((self._source.random_raw(n) >> np.uint64(11)) + 0.5) * 2.0**-53

    def sixteen_bits(self, shape: tuple[int, ...]) -> Numbers:
        """Whole numbers below 65,536."""
        n = math.prod(shape)
        return self._source.random_raw(-(-n // 4)).astype("<u8").view("<u2")[:n].reshape(shape)

    def counts(self, thresholds: Numbers, merges: int) -> Numbers:
        """A count of successes for each merge and case."""
        drawn = self.sixteen_bits((merges, thresholds.shape[1]))
        found = np.zeros(drawn.shape, np.int16)
        for threshold in thresholds:
            found += drawn >= threshold
        return found


def thresholds_of(rates: Numbers, tries: int) -> Numbers:
    """What a 16-bit number must reach for more than 0, 1, … successes; chances are off by 1/65,536 at most."""
    at_most = special.bdtr(np.arange(tries)[:, None], tries, rates)
    return np.minimum(np.rint(at_most * 65_536), 65_535).astype(np.uint16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One metric of one month: the cases' rates, and the baseline's counts of steps."""

    metric: Metric
    team: Team
    rates: Numbers
    screen: Numbers
    held_back: Numbers

    def agent(self, drop: float, mechanism: Mechanism) -> Numbers:
        """The thresholds of an agent that is worse by ``drop``, if every case got a little worse."""
        left = 1.0 - drop / self.metric.mean if mechanism == "all" else 1.0
        return thresholds_of(self.rates * left, self.metric.steps * self.team.attempts)

    def look(self, counts: Numbers, *, again: bool = False) -> Look:
        """The gate's test of these counts against the baseline."""
        team, tries = self.team, self.metric.steps * self.team.attempts
        before, of = (self.held_back, team.held_back) if again else (self.screen, team.screen)
        gains = counts * np.int16(of) - before * np.int16(team.attempts)
        sums = simulation.sums_of(gains, 1.0 / (tries * of))
        one = self.metric.steps == team.attempts == of == 1
        return Look(
            p=simulation.drop_pvalues(gains, sums, one_value_each=one, alike=team.attempts == of),
            delta=sums.delta,
            relative=sums.delta / max(float(before.mean()) / (self.metric.steps * of), 1e-9),
            perfect=counts.min(axis=1) >= (tries if self.metric.steps == 1 else tries / 2),
            passes=simulation.excludes_margin(sums, MARGIN, one_value_each=one),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look shows, merge by merge (and metric by metric, where looks are stacked)."""

    p: Numbers
    delta: Numbers
    relative: Numbers
    perfect: Flags
    passes: Flags


def side_of(chance: Chance, team: Team, metric: Metric, ease: Numbers) -> Side:
    """A metric's baseline of the month."""
    rates = metric.rates(ease)
    made = [
        chance.counts(thresholds_of(rates, metric.steps * of), 1)[0] if of else np.zeros(0)
        for of in (team.screen, team.held_back)
    ]
    return Side(metric=metric, team=team, rates=rates, screen=made[0], held_back=made[1])


Again = Callable[[Flags], tuple[Numbers, Numbers]]
"""Asked for the flagged (merge, metric) pairs, a second look: p-values and deltas in their order."""


def stops(looks: Look, again: Again | None) -> dict[str, Flags]:
    """By gate, whether the metric stops the merge: one row a merge, one column a metric."""
    adjusted = simulation.holm(looks.p)
    found = {
        "every case must pass": ~looks.perfect,
        "mean must not fall by 2 %": looks.relative < -NAIVE,
        "mean must not fall by 2 points": looks.delta < -NAIVE,
        "policy A: one look, Holm .01": simulation.regressed(adjusted, looks.delta, POLICY.alpha_single, MARGIN),
    }
    if again is not None:
        flagged = simulation.regressed(adjusted, looks.delta, POLICY.alpha_screen, MARGIN)
        found["**ours: screen and confirm**"] = confirmed(flagged, *again(flagged))
    return found


def confirmed(flagged: Flags, p: Numbers, delta: Numbers) -> Flags:
    """The flagged pairs whose second look, shared among the merge's flagged metrics, shows the drop again."""
    shared = np.broadcast_to(flagged.sum(axis=1, keepdims=True), flagged.shape)[flagged]
    found = np.zeros_like(flagged)
    found[flagged] = simulation.regressed(np.minimum(p * shared, 1.0), delta, POLICY.alpha_confirm, MARGIN)
    return found


def harmless(chance: Chance, sides: Sequence[Side]) -> tuple[Look, dict[str, Flags]]:
    """A month in which nothing changed."""
    agents = [side.agent(0.0, "all") for side in sides]
    looks = stacked([side.look(chance.counts(agent, MERGES)) for side, agent in zip(sides, agents, strict=True)])

    def again(flagged: Flags) -> tuple[Numbers, Numbers]:
        p, delta = np.zeros(flagged.shape), np.zeros(flagged.shape)
        for place, side in enumerate(sides):
            rows = np.flatnonzero(flagged[:, place])
            if len(rows):
                look = side.look(chance.counts(agents[place], len(rows)), again=True)
                p[rows, place], delta[rows, place] = look.p, look.delta
        return p[flagged], delta[flagged]

    return looks, stops(looks, again if sides[0].team.held_back else None)


def stacked(looks: Sequence[Look]) -> Look:
    """Looks at several metrics side by side."""
    fields = {name: np.stack([getattr(look, name) for look in looks], axis=1) for name in Look.__dataclass_fields__}
    return Look(**fields)


def fallen(
    chance: Chance, sides: Sequence[Side], other: Look, drops: Sequence[float], mechanism: Mechanism
) -> dict[str, Flags]:
    """A month in which each merge breaks one metric, in turn, by its drop: by gate, whether that metric stops it.

    The other metrics of the merge are those of a harmless one. The key ``PASS`` has where the fallen metric is
    called a pass.
    """
    merges = np.arange(MERGES)
    turn = merges % len(sides)
    second: dict[int, Look] = {}
    columns = {name: getattr(other, name).copy() for name in Look.__dataclass_fields__}
    for place, (side, drop) in enumerate(zip(sides, drops, strict=True)):
        rows = np.flatnonzero(turn == place)
        agent = side.agent(drop, mechanism)
        intact = np.ones((1, 1), bool)
        if mechanism == "class":
            intact = chance.uniform(len(rows) * len(side.rates)) >= drop / side.metric.mean
            intact = intact.reshape(len(rows), -1)
        look = side.look(chance.counts(agent, len(rows)) * intact)
        for name, column in columns.items():
            column[rows, place] = getattr(look, name)
        if side.team.held_back:
            second[place] = side.look(chance.counts(agent, len(rows)) * intact, again=True)

    def again(flagged: Flags) -> tuple[Numbers, Numbers]:
        # Of interest is the fallen metric alone; a harmless one beside it only has its share of the second look.
        p, delta = np.ones(flagged.shape), np.zeros(flagged.shape)
        for place, look in second.items():
            rows = np.flatnonzero(turn == place)
            p[rows, place], delta[rows, place] = look.p, look.delta
        return p[flagged], delta[flagged]

    looks = Look(**columns)
    found = {gate: stop[merges, turn] for gate, stop in stops(looks, again if second else None).items()}
    passes = looks.passes[merges, turn] & (sides[0].team.cases >= stats.MIN_CASES_TO_PASS)
    return {**found, "PASS": passes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A mean over months, and its simulation error (one standard error)."""

    value: float
    error: float

    @classmethod
    def of(cls, months: Sequence[float]) -> Estimated:
        """From the months' values."""
        return cls(value=float(np.mean(months)), error=float(np.std(months, ddof=1)) / math.sqrt(len(months)))

    def percent(self) -> str:
        """As in a cell: without the sign, which its column has."""
        return f"{100 * self.value:.1f} ± {100 * self.error:.1f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one gate did to one team. ``found`` and ``passed`` are by drop and mechanism."""

    team: Team
    gate: str
    false_blocks: Estimated
    calm: float
    found: Mapping[tuple[float, Mechanism], Estimated]
    passed: Mapping[Mechanism, Estimated] = field(default_factory=dict)

    def line(self) -> str:
        """The row of the table."""
        blocks = f"{self.false_blocks.value:.2f} ± {self.false_blocks.error:.2f} | {100 * self.calm:.0f}"
        cells = [" / ".join(self.found[drop, how].percent() for how in MECHANISMS) for drop in DROPS]
        passed = " / ".join(self.passed[how].percent() for how in MECHANISMS) if self.passed else "–"
        return f"| {self.team.words} | {self.gate} | {blocks} | {' | '.join(cells)} | {passed} |"


def rows_of(team: Team, months: int, seed: int = SEED) -> list[Row]:
    """Simulate the months of a team."""
    blocks: dict[str, list[float]] = {}
    hits: dict[str, dict[tuple[float, Mechanism], list[float]]] = {}
    for number in range(months):
        for name, stop in _month(team, seed, number, hits).items():
            blocks.setdefault(name, []).append(float(stop.any(axis=1).sum()))
    passed = hits.pop("PASS")
    return [
        Row(
            team=team,
            gate=gate,
            false_blocks=Estimated.of(counts),
            calm=float(np.mean(np.equal(counts, 0))),
            found={key: Estimated.of(shares) for key, shares in hits[gate].items()},
            passed=_passed(passed) if gate.startswith(("policy", "**")) else {},
        )
        for gate, counts in blocks.items()
    ]


def _month(
    team: Team, seed: int, number: int, hits: dict[str, dict[tuple[float, Mechanism], list[float]]]
) -> dict[str, Flags]:
    """One month: adds to the hits, and gives what was stopped though nothing changed."""
    chance = Chance(str(seed), team.words, str(number))
    ease = chance.uniform(team.cases)
    sides = [side_of(chance, team, metric, ease) for metric in METRICS]
    looks, stopped = harmless(chance, sides)
    for drop in DROPS:
        for how in MECHANISMS:
            for name, found in fallen(chance, sides, looks, [drop] * len(sides), how).items():
                hits.setdefault(name, {}).setdefault((drop, how), []).append(float(found.mean()))
    return stopped


def _passed(shares: Mapping[tuple[float, Mechanism], Sequence[float]]) -> dict[Mechanism, Estimated]:
    return {how: Estimated.of(shares[MARGIN, how]) for how in MECHANISMS}


HEAD: Final = (
    "| cases × attempts | baseline | gate | false blocks of 440 a month | months without, % | 2 points found, % "
    "| 5 points found, % | 10 points found, % | fell by the margin, called pass, % |",
    "|---|---|---|---|---|---|---|---|---|",
)


def told(seed: int, months: Mapping[int, int]) -> str:
    """The line above the table."""
    each = ", ".join(f"{count} at {cases:,} cases" for cases, count in months.items())
    return (
        f"Seed {seed}; simulated months of {MERGES} merges: {each}. ± is one simulation error, over months. "
        "*Found*: a class of cases breaks / every case gets a little worse.\n"
    )


def table(teams: Sequence[Team], months: Mapping[int, int], seed: int = SEED, workers: int = 1) -> Iterator[str]:
    """The lines of the table, as they come."""
    yield told(seed, months)
    yield from HEAD
    asked = [(team, months[team.cases], seed) for team in teams]
    if workers == 1:
        for one in asked:
            yield from (row.line() for row in rows_of(*one))
        return
    with ProcessPoolExecutor(workers) as pool:
        for rows in pool.map(rows_of, *zip(*asked, strict=True)):
            yield from (row.line() for row in rows)


def written(page: str, lines: Sequence[str]) -> str:
    """The page with this table between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        message = f"{PAGE.name} has not the lines {BEGIN.strip()} and {END.strip()}: put them where the table belongs"
        raise SystemExit(message)
    return "".join([before, BEGIN, *(f"{line}\n" for line in lines), END, after])


def main() -> int:
    """Simulate, print, and write where asked."""
    words = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=(__doc__ or "").partition("\n")[0])
    words.add_argument("--quick", action="store_true", help=f"{QUICK} months a row: seconds, not minutes")
    words.add_argument("--seed", type=int, default=SEED, help=f"another seed than {SEED}")
    words.add_argument("--workers", type=int, default=2, help="processes (2)")
    words.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = words.parse_args()
    months = dict.fromkeys(MONTHS, QUICK) if options.quick else MONTHS
    begun, lines = time.perf_counter(), []
    for line in table(TEAMS, months, options.seed, options.workers):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        lines.append(line)
    sys.stderr.write(f"{time.perf_counter() - begun:.0f} s\n")
    if options.write:
        PAGE.write_text(written(PAGE.read_text("utf-8"), lines), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
