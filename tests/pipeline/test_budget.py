"""Budgets: what is written, what a run spends of them, and when no call is allowed any more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import Fault, Step, Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.budget import Budget, Meter, parse_budget
from tests.pipeline.calls import HandClock


def trial(tokens: int | None = None, usd: float | None = None, *, erred: bool = False) -> Trial:
    """A finished trial that tells what it took."""
    step = Step(kind="model", tokens_out=tokens, cost_usd=usd)
    error = Fault(kind="agent", type="ValueError", message="boom") if erred else None
    output = None if erred else "x"
    return Trial(id="t", case=Case(id="a", input="x"), trajectory=Trajectory(output=output, steps=(step,), error=error),
                 at=HandClock().at)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "budget"),
    [
        (["5usd"], Budget(usd=5)),
        (["0.25usd"], Budget(usd=0.25)),
        (["200k-tokens"], Budget(tokens=200_000)),
        (["1.5M-tokens"], Budget(tokens=1_500_000)),
        (["30min"], Budget(minutes=30)),
        (["500-calls"], Budget(calls=500)),
        (["500-calls, 30min", "2usd"], Budget(calls=500, minutes=30, usd=2)),
    ],
)
def test_a_budget_is_written_with_its_unit(written: list[str], budget: Budget) -> None:
    assert parse_budget(written) == budget


@pytest.mark.parametrize("written", ["", "5", "usd", "-5usd", "0usd", "0-calls", "5 usd", "5eur", "1e3-calls", "5usd,"])
def test_what_is_no_budget_is_refused_with_how_to_write_one(written: str) -> None:
    with pytest.raises(InvalidValue, match="is no budget; write it like 5usd, 200k-tokens, 30min or 500-calls"):
        parse_budget([written])


def test_a_unit_that_is_named_twice_is_refused() -> None:
    with pytest.raises(InvalidValue, match="the budget names usd twice"):
        parse_budget(["5usd", "6usd"])


@given(calls=st.integers(1, 1000), usd=st.floats(0.01, 100), of=st.integers(1, 16))
def test_all_parts_together_allow_no_more_than_the_whole(calls: int, usd: float, of: int) -> None:
    part = Budget(calls=calls, usd=usd, tokens=calls, minutes=3).share(of)
    assert part.calls is not None
    assert part.calls == int(part.calls)
    assert part.usd is not None
    assert calls - of < part.calls * of <= calls
    assert part.usd * of == pytest.approx(usd)
    assert part.minutes == 3


def test_a_budget_in_a_currency_that_the_agent_does_not_tell_ends_the_run_after_its_first_answer() -> None:
    for budget, told, what in [
        (Budget(tokens=10), trial(usd=0.1), "tokens"),
        (Budget(usd=10), trial(tokens=5), "cost"),
    ]:
        meter = Meter(budget, HandClock())
        assert meter.admit() == ""
        meter.spent(told)
        expected = f"the budget cannot be held: the agent does not tell its {what} (steps of its Trajectory)"
        assert meter.admit() == meter.refused == expected


def test_an_agent_that_erred_need_not_have_told_anything() -> None:
    meter = Meter(Budget(tokens=10), HandClock())
    meter.spent(trial(erred=True))
    assert meter.admit() == ""


def test_what_is_spent_is_told_with_the_figure() -> None:
    meter = Meter(Budget(tokens=1000, usd=9), HandClock())
    meter.spent(trial(tokens=1200, usd=1))
    assert meter.admit() == "the budget of 1,000 tokens is spent: 1,200"
    meter = Meter(Budget(usd=0.5), HandClock())
    meter.spent(trial(usd=0.625))
    assert meter.admit() == "the budget of 0.5 usd is spent: 0.6250"


def test_minutes_are_those_of_the_clock() -> None:
    clock = HandClock()
    meter = Meter(Budget(minutes=1.5), clock)
    clock.sleep(89)
    assert meter.admit() == ""
    clock.sleep(1)
    assert meter.admit() == "the budget of 1.5 min is spent"


@settings(max_examples=20, stateful_step_count=30)
class MeterAgainstSums(RuleBasedStateMachine):
    """Against sums over all that was told; a refusal is for good."""

    @initialize(
        calls=st.none() | st.integers(1, 6),
        tokens=st.none() | st.integers(1, 60),
        usd=st.none() | st.sampled_from([0.25, 1.0]),
        minutes=st.none() | st.integers(1, 3),
    )
    def begin(self, calls: int | None, tokens: int | None, usd: float | None, minutes: int | None) -> None:
        self.budget = Budget(calls=calls, tokens=tokens, usd=usd, minutes=minutes)
        self.clock = HandClock()
        self.end = self.clock.at + timedelta(minutes=minutes) if minutes else None
        self.meter = Meter(self.budget, self.clock)
        self.n = 0
        self.told: list[tuple[int, float]] = []
        self.is_over = False

    @rule(seconds=st.sampled_from([0, 1, 30, 60]))
    def time_passes(self, seconds: int) -> None:
        self.clock.sleep(seconds)

    @rule(tokens=st.integers(0, 30), usd=st.sampled_from([0.0, 0.125, 0.5]))
    def a_call_ends(self, tokens: int, usd: float) -> None:
        self.meter.spent(trial(tokens, usd))
        self.told.append((tokens, usd))

    @rule()
    def a_call_is_admitted_while_something_is_left_of_all(self) -> None:
        limits = self.budget
        spent = [
            (self.n, limits.calls),
            (sum(tokens for tokens, _ in self.told), limits.tokens),
            (sum(usd for _, usd in self.told), limits.usd),
        ]
        self.is_over |= any(limit is not None and value >= limit for value, limit in spent)
        self.is_over |= self.end is not None and self.clock.at >= self.end
        refusal = self.meter.admit()
        assert bool(refusal) == self.is_over
        assert refusal == self.meter.refused
        self.n += not refusal
        assert self.meter.calls == self.n


TestMeterAgainstSums = MeterAgainstSums.TestCase
