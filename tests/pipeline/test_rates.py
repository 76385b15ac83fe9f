"""Rates: no sixty seconds hold more than a minute may."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pytest_agenteval.pipeline.rates import Rates

_SECONDS = st.sampled_from([0.0, 0.25, 1.0, 7.0, 30.0, 59.75, 60.0, 90.0])


@settings(max_examples=20, stateful_step_count=40)
class RatesAgainstAList(RuleBasedStateMachine):
    """By a hand clock, against a list of all calls that is counted through each time."""

    @initialize(requests=st.none() | st.integers(1, 4), tokens=st.none() | st.integers(1, 100))
    def begin(self, requests: int | None, tokens: int | None) -> None:
        self.requests, self.tokens = requests, tokens
        self.now = 0.0
        self.rates = Rates(requests, tokens, now=lambda: self.now)
        self.calls: list[float] = []
        self.spent: list[tuple[float, int]] = []

    def is_free(self, at: float) -> bool:
        n = sum(at - 60 < begun <= at for begun in self.calls)
        used = sum(tokens for when, tokens in self.spent if at - 60 < when <= at)
        return (self.requests is None or n < self.requests) and (self.tokens is None or used < self.tokens)

    @rule(seconds=_SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(tokens=st.none() | st.integers(0, 120))
    def a_call_ends(self, tokens: int | None) -> None:
        self.rates.spent(tokens)
        self.spent.append((self.now, tokens or 0))

    @rule()
    def a_call_begins_or_is_told_the_first_moment_at_which_it_may(self) -> None:
        wait = self.rates.wait()
        assert (wait == 0) == self.is_free(self.now)
        if wait == 0:
            self.calls.append(self.now)
        else:
            assert self.is_free(self.now + wait)
            assert not self.is_free(self.now + wait - 0.125)  # all times are quarters

    @invariant()
    def no_sixty_seconds_hold_more_than_is_allowed(self) -> None:
        if self.requests is not None:
            several = zip(self.calls, self.calls[self.requests :], strict=False)
            assert all(later - earlier >= 60 for earlier, later in several)


TestRatesAgainstAList = RatesAgainstAList.TestCase


@given(
    requests=st.sampled_from([0.25, 0.5, 1, 2.5, 7]),
    gaps=st.lists(st.floats(0, 50, allow_nan=False), min_size=1, max_size=40),
    start=st.floats(0, 1e7),
)
def test_whoever_waits_as_told_begins_at_last_and_keeps_the_rate(
    requests: float, gaps: list[float], start: float
) -> None:
    now = start
    rates = Rates(requests, now=lambda: now)
    begun: list[float] = []
    for gap in gaps:
        now += gap
        for _ in range(4):  # a wait is exact but for the rounding of the clock's own figures
            wait = rates.wait()
            if wait == 0:
                break
            now += wait
        else:
            raise AssertionError(begun)
        begun.append(now)
    most, span = max(int(requests), 1), 60 * max(1 / requests, 1)
    assert all(later - earlier > span - 1e-6 for earlier, later in zip(begun, begun[most:], strict=False))
