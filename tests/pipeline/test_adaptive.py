"""When enough has been seen: each look at its own level, so that stopping early makes no answer less sure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Outcome, Reason, Verdict
from pytest_agenteval.pipeline.adaptive import LEAST_CASES, can_settle, case_settled, settled_suites
from pytest_agenteval.pipeline.aggregate import of_cases, pass_value
from pytest_agenteval.pipeline.gate import judge
from pytest_agenteval.pipeline.looks import Gated, Policy
from tests.pipeline.measures import BINARY, baseline, binary, flipped, gated, trials

POLICY = Policy()
LEVELS = ("alpha_screen", "alpha_single", "alpha_pass", "alpha_floor")
WIDE = Bar(margin=0.2)
OLD = binary(40, 0)
HAT, AT = (MetricSpec(name="right", kind="binary", aggregate=f"pass_{word}_4") for word in ("hat", "at"))


def settled(*several: Gated, policy: Policy = POLICY) -> bool:
    return bool(settled_suites(several, judge(several, policy), policy))


def at(one: Gated, look: int, looks: int = 5) -> Gated:
    return replace(one, rounds=(look, looks))


@given(looks=st.integers(1, 12))
def test_the_levels_of_all_looks_add_up_to_the_level_of_one(looks: int) -> None:
    for name in LEVELS:
        granted = [getattr(POLICY.at_look(look, looks), name) for look in range(1, looks + 1)]
        assert math.fsum(granted) == pytest.approx(getattr(POLICY, name))
        assert granted == sorted(granted)


def test_the_only_look_has_the_whole_policy() -> None:
    assert POLICY.at_look(1, 1) is POLICY


def test_a_look_that_is_granted_next_to_nothing_is_not_taken() -> None:
    assert [can_settle(POLICY, look, 20) for look in (1, 2, 3, 20)] == [False, False, True, True]


def test_a_suite_is_settled_when_all_that_gates_passes_at_the_level_of_the_look() -> None:
    same = gated(OLD, OLD, bar=WIDE)
    assert not settled(at(same, 1))
    assert settled(at(same, 2))
    assert not settled(at(same, 2), at(gated(OLD, flipped(OLD, lost=6), bar=WIDE), 2))


def test_a_drop_is_settled_as_soon_as_the_first_look_shows_it() -> None:
    fallen = gated(OLD, flipped(OLD, lost=20), bar=WIDE)
    [told] = judge([at(fallen, 2)], POLICY)
    assert told.outcome is Outcome.REGRESSED
    assert settled(at(fallen, 2))
    doubtful = replace(at(fallen, 2), looks_again=True)
    [told] = judge([doubtful], POLICY)
    assert told.reason is Reason.NOT_LOOKED
    assert settled(doubtful)


def test_a_drop_must_bear_the_correction_for_the_comparisons_of_other_suites() -> None:
    fallen = at(gated(OLD, flipped(OLD, lost=14), bar=WIDE), 3)
    assert settled(fallen)
    assert not settled(fallen, policy=replace(POLICY, others=1000))
    same = at(gated(OLD, OLD, bar=WIDE), 3)
    assert settled(same, policy=replace(POLICY, others=1000))  # a pass needs none


def test_a_floor_settles_a_suite_when_it_is_proven_kept_or_proven_broken() -> None:
    for floor, expected in ((0.5, True), (0.97, False)):
        assert settled(at(gated(OLD, OLD, bar=replace(WIDE, floor=floor)), 3)) is expected
    broken = at(gated(OLD, binary(5, 35), bar=Bar(margin=1.0, floor=0.9)), 3)
    assert judge([broken], POLICY)[0].outcome is Outcome.BELOW_FLOOR
    assert settled(broken)


@pytest.mark.parametrize(
    "one",
    [
        gated(None, OLD, bar=WIDE),
        gated(OLD, {**OLD, "c0001": [None], "c0002": [None], "c0003": [None]}, bar=Bar(margin=0.05)),
        gated(OLD, binary(20, 0), bar=WIDE),
        replace(gated(OLD, OLD, bar=WIDE), loosened="floor 0.5 where 0.8 was approved"),
        replace(gated(OLD, OLD, bar=WIDE), partial=True),
    ],
    ids=["no baseline", "missing", "case set", "loosened", "partial"],
)
def test_what_is_neither_passed_nor_proven_bad_is_open(one: Gated) -> None:
    assert not settled(at(one, 4))


def test_few_cases_are_never_settled_before_the_last_look() -> None:
    few, enough = binary(LEAST_CASES - 1, 0), binary(LEAST_CASES, 0)
    assert not settled(at(gated(few, few, bar=Bar(margin=0.9)), 4))
    assert settled(at(gated(enough, enough, bar=Bar(margin=0.9)), 4))


def test_pass_k_is_never_settled_by_a_look() -> None:
    four = {case: [1.0] * 4 for case in OLD}
    assert not settled(at(gated(four, four, spec=HAT, bar=WIDE), 4, 5))


def test_a_suite_that_only_its_error_rate_gates_is_open() -> None:
    spec = MetricSpec(name="error_rate", better="lower", kind="binary")
    none = {case: [0.0] for case in OLD}
    one = at(gated(None, none, spec=spec, bar=Bar(ceiling=0.0)), 4)
    assert judge([one], POLICY)[0].outcome is Outcome.PASS
    assert not settled(one)
    assert settled(at(gated(OLD, OLD, bar=WIDE), 4), one)


@given(values=st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=4), n=st.integers(1, 4))
@pytest.mark.parametrize("spec", [HAT, AT], ids=["hat", "at"])
def test_a_case_is_settled_exactly_when_no_further_attempt_could_change_it(
    spec: MetricSpec, values: list[float], n: int
) -> None:
    made = trials({"c": values[:n]}, spec)
    could_be = {
        pass_value(spec, [*values[:n], *(float(bit) for bit in f"{rest:0{4 - n}b}")] if n < 4 else values, 4)
        for rest in range(2 ** (4 - n))
    }
    assert case_settled(made, {spec.name: spec}, 4) == (len(could_be) == 1)
    if len(could_be) == 1:
        assert {pass_value(spec, values[:n], 4)} == could_be


@pytest.mark.parametrize(
    ("specs", "cap"),
    [({"right": replace(HAT, aggregate="mean")}, 4), ({"right": HAT}, 5), ({}, 4)],
    ids=["a mean", "k below the cap", "nothing told by"],
)
def test_a_case_of_which_every_attempt_counts_goes_on(specs: dict[str, MetricSpec], cap: int) -> None:
    assert not case_settled(trials({"c": [0.0, 0.0]}, HAT), specs, cap)


def test_an_attempt_without_a_value_settles_no_case() -> None:
    assert not case_settled(trials({"c": [None, 1.0]}, HAT), {"right": HAT}, 4)
    assert case_settled(trials({"c": [None, 0.0]}, HAT), {"right": HAT}, 4)


def test_pass_k_of_fewer_attempts_is_known_only_where_k_were_planned() -> None:
    assert [pass_value(HAT, [1.0, 0.0], planned) for planned in (4, 5, None)] == [0.0, None, None]
    assert [pass_value(AT, [1.0, 0.0], planned) for planned in (4, 5, None)] == [1.0, None, None]
    assert pass_value(HAT, [1.0, 1.0], 4) is None
    assert pass_value(AT, [0.0, 0.0], 4) is None


CASES, ROUNDS, SCREEN, TIMES = 60, 4, 3, 400
MARGIN = 0.1


class Trace:
    """Simulated runs against a baseline, each of up to ROUNDS attempts at CASES cases; ``loss`` is the true one."""

    def __init__(self, loss: float, *, priced: bool = True, seed: int = 20_261_124) -> None:
        chance = np.random.default_rng(seed)
        self.ends: list[tuple[int, Verdict]] = []
        for _ in range(TIMES):
            ability = chance.beta(6, 1.5, CASES) * (1 - loss) + loss  # so that it can fall by the whole loss
            old = chance.random((CASES, SCREEN)) < ability[:, None]
            new = chance.random((CASES, ROUNDS)) < (ability - loss)[:, None]
            self.ends.append(_stopped(old.astype(float).tolist(), new.astype(float).tolist(), priced=priced))

    def share(self, *outcomes: Outcome | Reason) -> float:
        told = [verdict for _, verdict in self.ends]
        return sum(one.outcome in outcomes or one.reason in outcomes for one in told) / TIMES

    @property
    def attempts(self) -> float:
        return sum(used for used, _ in self.ends) / TIMES / ROUNDS


def _stopped(old: Sequence[Sequence[float]], new: Sequence[Sequence[float]], *, priced: bool) -> tuple[int, Verdict]:
    """Where the run stops and what it says; not ``priced``: each look at the full level."""
    before = baseline({f"c{n}": list(row) for n, row in enumerate(old)}, bar=Bar(margin=MARGIN))
    for look in range(1, ROUNDS + 1):
        values = {
            f"c{n}": CaseScores(fingerprint=before.screen[f"c{n}"].fingerprint, values=tuple(row[:look]))
            for n, row in enumerate(new)
        }
        now = of_cases("s", BINARY, values)
        rounds = (look, ROUNDS) if priced else (1, 1)
        one = Gated(measured=now, bar=before.bar, baseline=before, looks_again=True, rounds=rounds)
        verdicts = judge([one], POLICY)
        if look == ROUNDS or settled_suites([one], verdicts, POLICY):
            return look, verdicts[0]
    raise AssertionError


def allowed(level: float) -> float:
    """The level, and three errors of the simulation."""
    return level + 3 * math.sqrt(level * (1 - level) / TIMES)


@pytest.fixture(scope="module")
def unchanged() -> Trace:
    return Trace(0.0)


@pytest.fixture(scope="module")
def at_the_margin() -> Trace:
    return Trace(MARGIN)


def test_an_agent_that_did_not_change_is_flagged_no_more_often_than_promised(unchanged: Trace) -> None:
    assert unchanged.share(Outcome.REGRESSED, Reason.NOT_LOOKED) <= allowed(POLICY.alpha_screen)


def test_a_loss_of_the_margin_is_passed_no_more_often_than_promised(at_the_margin: Trace) -> None:
    assert at_the_margin.share(Outcome.PASS) <= allowed(POLICY.alpha_pass)


def test_looks_at_the_full_level_would_pass_more_of_it(at_the_margin: Trace) -> None:
    assert Trace(MARGIN, priced=False).share(Outcome.PASS) > 1.5 * at_the_margin.share(Outcome.PASS)


def test_attempts_are_saved_where_there_is_nothing_to_see_and_where_there_is_much(unchanged: Trace) -> None:
    much = Trace(0.3)
    assert much.share(Reason.NOT_LOOKED) > 0.95
    assert much.attempts < 0.75
    assert unchanged.attempts < 0.95
