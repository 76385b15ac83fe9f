"""The simulated gate says of a merge what the gate says of it, metric by metric."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gate import METRICS, Chance, Metric, Numbers, Side, Team, side_of, stacked, stops
from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Outcome, Reason, Verdict
from pytest_agenteval.pipeline.aggregate import Measured, of_cases
from pytest_agenteval.pipeline.gate import judge
from pytest_agenteval.pipeline.looks import Gated, Policy
from pytest_agenteval.stats import sign_flip_pvalue
from pytest_agenteval.stats.simulation import flip_pvalues, holm, regressed
from tests.pipeline.measures import AT

MERGES = 60
TEAMS = [
    Team(cases=60, attempts=1, screen=1, held_back=0),
    Team(cases=60, attempts=1, screen=3, held_back=3),
    Team(cases=60, attempts=3, screen=3, held_back=3),
    Team(cases=140, attempts=3, screen=1, held_back=1),
]


def values(count: int, attempts: int, steps: int) -> tuple[float, ...]:
    """As many steps in all, dealt over the attempts."""
    each = [min(steps, max(0, count - steps * place)) for place in range(attempts)]
    return tuple(step / steps for step in each)


def measured(spec: MetricSpec, counts: Numbers, attempts: int, metric: Metric) -> Measured:
    cases = {
        f"c{place:03}": CaseScores(fingerprint="f", values=values(int(count), attempts, metric.steps))
        for place, count in enumerate(counts)
    }
    return of_cases("s", spec, cases)


def baseline(spec: MetricSpec, side: Side) -> Baseline:
    screen = measured(spec, side.screen, side.team.screen, side.metric)
    held = side.team.held_back
    return Baseline(
        suite="s",
        spec=spec,
        bar=Bar(),
        screen=screen.cases,
        held_back=measured(spec, side.held_back, held, side.metric).cases if held else {},
        estimate=screen.estimate,
        approval=Approval(by="Dana", at=AT, reason="first", run="r0"),
    )


def said(verdict: Verdict) -> str:
    return str(Reason.NOT_CONFIRMED if verdict.reason is Reason.NOT_CONFIRMED else verdict.outcome)


@pytest.mark.parametrize("team", TEAMS, ids=lambda team: team.words)
def test_flags_confirmations_and_passes_are_those_of_the_gate(team: Team) -> None:
    chance = Chance("test", team.words)
    ease = chance.uniform(team.cases)
    sides = [side_of(chance, team, metric, ease) for metric in METRICS]
    # Every third metric falls, by so much that some drops are found and some are not.
    agents = [side.agent(0.15 if place % 3 == 0 else 0.0, "all") for place, side in enumerate(sides)]
    first, second = ([chance.counts(agent, MERGES) for agent in agents] for _ in range(2))
    looks = stacked([side.look(counts) for side, counts in zip(sides, first, strict=True)])
    flagged = regressed(holm(looks.p), looks.delta, 0.05 if team.held_back else 0.01, 0.02)
    blocked = flagged
    if team.held_back:
        again = stacked([side.look(counts, again=True) for side, counts in zip(sides, second, strict=True)])
        found = stops(looks, lambda pairs: (again.p[pairs], again.delta[pairs]))
        blocked = found["**ours: screen and confirm**"]
    specs = [
        MetricSpec(name=f"m{place}", kind="binary" if m.steps == 1 else "bounded") for place, m in enumerate(METRICS)
    ]
    baselines = [baseline(spec, side) for spec, side in zip(specs, sides, strict=True)]
    seen = set()
    for merge in range(MERGES):
        gated = [
            Gated(
                measured=measured(spec, first[place][merge], team.attempts, METRICS[place]),
                bar=Bar(margin=0.02),
                baseline=baselines[place],
                looks_again=team.held_back > 0,
                again=measured(spec, second[place][merge], team.attempts, METRICS[place]) if team.held_back else None,
            )
            for place, spec in enumerate(specs)
        ]
        for place, verdict in enumerate(judge(gated, Policy())):
            expected = (
                Outcome.REGRESSED if blocked[merge, place]
                else Reason.NOT_CONFIRMED if flagged[merge, place]
                else Outcome.PASS if looks.passes[merge, place]
                else Outcome.INCONCLUSIVE
            )  # fmt: skip
            assert said(verdict) == str(expected), (merge, place)
            seen.add(said(verdict))
            assert verdict.comparison is not None
            assert verdict.comparison.delta == pytest.approx(looks.delta[merge, place], abs=1e-12)
            if verdict.comparison.test != "sign flips":
                assert verdict.comparison.p_value == pytest.approx(looks.p[merge, place], rel=1e-9)
    assert {"regressed", "inconclusive"} <= seen
    assert ("not confirmed" in seen) == (team.held_back > 0)


def test_added_up_sign_flips_are_the_enumerated_ones() -> None:
    gains = [-3, -2, -2, 1, 1, -1, 3, -3]
    counts = tuple(sum(abs(gain) == size for gain in gains) for size in (1, 2, 3))
    exact = flip_pvalues(counts)[sum(gains) + sum(map(abs, gains))]
    assert exact == pytest.approx(sign_flip_pvalue([float(gain) for gain in gains]))


def test_a_team_s_first_look_is_reproducible() -> None:
    one, other = (Chance("a", "b").counts(np.full((1, 5), 30_000, np.uint16), 3) for _ in range(2))
    assert (one == other).all()
