"""Two looks at a metric: how the levels are shared, what a second look must see, and what it costs in errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.verdict import Outcome, Reason
from pytest_agenteval.pipeline.gate import asked_again, judge
from pytest_agenteval.pipeline.looks import Gated, Policy, look
from tests.pipeline.measures import BINARY, BOUNDED, Values, binary, doubtful, flipped, gated, measured, verdict

OLD = binary(160, 40)


def seen(first: int, again: int | None, **how: object) -> Gated:
    """So many cases fell in the first look, and so many in the second (None: it was not taken)."""
    second = None if again is None else flipped(OLD, lost=again)
    return doubtful(flipped(OLD, lost=first), second, OLD)


def test_a_drop_seen_twice_is_a_regression_and_says_so() -> None:
    found = verdict(seen(30, 25))
    assert (found.outcome, found.confirmed) == (Outcome.REGRESSED, True)
    assert found.confirmation is not None
    assert (found.confirmation.stage, len(found.confirmation.lost)) == ("confirmation", 25)


@pytest.mark.parametrize(("mode", "outcome"), [("merge", Outcome.INCONCLUSIVE), ("release", Outcome.INCONCLUSIVE)])
def test_a_drop_seen_once_stops_no_merge(mode: str, outcome: Outcome) -> None:
    found = verdict(seen(30, 0), mode)
    assert (found.outcome, found.reason, found.confirmed) == (outcome, Reason.NOT_CONFIRMED, False)


def test_while_the_agent_was_not_asked_again_nothing_is_settled() -> None:
    assert verdict(seen(30, None)).reason is Reason.NOT_LOOKED


def test_a_second_look_at_too_few_of_the_cases_settles_nothing() -> None:
    some = {case: [0.0] for case in sorted(OLD)[:159]}
    one = doubtful(flipped(OLD, lost=30), some, OLD)
    assert verdict(one).reason is Reason.NOT_LOOKED


def test_a_first_look_without_a_drop_asks_for_no_second() -> None:
    one = seen(3, None)
    assert verdict(one).reason is not Reason.NOT_LOOKED
    assert asked_again([one], judge([one], Policy())) == {}


def test_the_doubtful_metrics_of_a_suite_ask_for_the_cases_they_share_with_their_baselines() -> None:
    drop = doubtful({**flipped(OLD, lost=30), "new": [1.0]}, None, OLD)
    calm = seen(0, None)
    several = [drop, calm]
    assert asked_again(several, judge(several, Policy())) == {"s": frozenset(OLD)}


def test_a_drop_between_the_two_levels_is_found_only_where_it_can_be_confirmed() -> None:
    """p = .03: below the level of a screen, above that of a single look."""
    now = flipped(OLD, lost=16, won=6)
    single, twice = gated(OLD, now), doubtful(now, flipped(OLD, lost=18, won=6), OLD)
    p_value = look([single], Policy())[0].p_value
    assert p_value is not None
    assert 0.01 < p_value < 0.05
    assert verdict(single).outcome is Outcome.INCONCLUSIVE
    assert verdict(twice).outcome is Outcome.REGRESSED


def test_the_level_of_the_second_look_is_shared_among_the_metrics_it_takes() -> None:
    weak = doubtful(flipped(OLD, lost=30), flipped(OLD, lost=15, won=6), OLD)
    other = seen(30, 30)
    assert verdict(weak).outcome is Outcome.REGRESSED
    first, second = judge([weak, other], Policy())
    assert first.reason is Reason.NOT_CONFIRMED
    assert second.outcome is Outcome.REGRESSED


def test_the_second_look_is_held_against_the_values_held_back_and_not_those_of_the_screen() -> None:
    """The screen was lucky: what was held back is as low as the run."""
    low = flipped(OLD, lost=30)
    one = doubtful(low, low, OLD, held_back=low)
    assert verdict(one).reason is Reason.NOT_CONFIRMED


def test_a_confirmed_drop_within_the_margin_is_no_regression() -> None:
    one = doubtful(flipped(OLD, lost=30), flipped(OLD, lost=10), OLD, bar=Bar(margin=0.1))
    assert verdict(one).outcome is not Outcome.REGRESSED


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_regression_is_what_both_looks_show(first: int, again: int) -> None:
    both = verdict(seen(first, again)).outcome is Outcome.REGRESSED
    alone = [verdict(gated(OLD, flipped(OLD, lost=lost)), "merge") for lost in (first, again)]
    level = Policy(alpha_single=0.05)
    each = [
        judge([gated(OLD, flipped(OLD, lost=lost))], level)[0].outcome is Outcome.REGRESSED for lost in (first, again)
    ]
    assert both == all(each)
    if both:
        assert all(one.outcome is not Outcome.PASS for one in alone)


# What missing values may and may not do.


def test_missing_values_leave_a_pass_where_even_the_worst_of_them_would_pass() -> None:
    values: Values = {f"c{n:04}": [1.0] for n in range(400)}
    gone = sorted(values)[:24]
    now = {**values, **{case: [None] for case in gone}}
    assert measured(now).missing_share > 0.05
    assert verdict(gated(values, now, bar=Bar(margin=0.12))).outcome is Outcome.PASS
    assert verdict(gated(values, now, bar=Bar(margin=0.06))).reason is Reason.MISSING


def test_missing_values_that_could_break_a_floor_leave_it_open() -> None:
    values: Values = {f"c{n:04}": [1.0] for n in range(400)}
    now = {**values, **{case: [None] for case in sorted(values)[:40]}}
    assert verdict(gated(values, now, bar=Bar(margin=0.3, floor=0.95))).reason is Reason.MISSING


# Both kinds of error, by simulation through the gate itself.


def draws(generator: np.random.Generator, chances: np.ndarray, attempts: int) -> dict[str, list[float]]:
    hits = generator.random((len(chances), attempts)) < chances[:, None]
    return {f"c{n:03}": [float(hit) for hit in row] for n, row in enumerate(hits)}


def outcome(generator: np.random.Generator, before: np.ndarray, now: np.ndarray) -> Outcome:
    held = draws(generator, before, 3)
    one = doubtful(draws(generator, now, 1), draws(generator, now, 1), draws(generator, before, 3), held_back=held)
    return verdict(one).outcome


def test_of_merges_that_change_nothing_hardly_one_is_blocked_and_of_real_drops_most_are() -> None:
    generator = np.random.Generator(np.random.PCG64(20261124))
    chances = generator.beta(4, 1, size=100)
    worse = np.where(np.arange(100) % 4 == 0, 0.0, chances)
    calm = [outcome(generator, chances, chances) for _ in range(150)]
    hurt = [outcome(generator, chances, worse) for _ in range(40)]
    # Two looks at 5 % each: .0025 by design, and 3 blocks of 150 would be a chance of 1 in 150.
    assert calm.count(Outcome.REGRESSED) <= 2
    assert hurt.count(Outcome.REGRESSED) >= 38


def test_graded_metrics_are_looked_at_twice_as_well() -> None:
    before: Values = {f"c{n:02}": [0.8 + n % 3 / 20] for n in range(60)}
    worse: Values = {case: [value[0] - 0.1] for case, value in before.items() if value[0] is not None}
    one = doubtful(worse, worse, before, spec=BOUNDED)
    assert verdict(one).confirmed
    assert verdict(replace(one, again=measured(before, BOUNDED))).reason is Reason.NOT_CONFIRMED
    assert BINARY != BOUNDED
