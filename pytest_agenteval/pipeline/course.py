"""What is done for one trial, step by step: waits, tries, and what they come to."""

from __future__ import annotations

from time import monotonic

from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.asking import Course
from pytest_agenteval.pipeline.budget import Meter
from pytest_agenteval.pipeline.clock import Clock
from pytest_agenteval.pipeline.coming import Book, Order, State
from pytest_agenteval.pipeline.rates import Rates
from pytest_agenteval.pipeline.tries import CallLimits, Reach, Tries

GRACE = 1.0
"""Seconds that a call may go on when it is not wanted any more."""


class Courses:
    """Makes the courses of orders, which share what is allowed."""

    def __init__(self, limits: CallLimits, clock: Clock, rates: Rates, meter: Meter, book: Book | None) -> None:
        self._limits, self._clock = limits, clock
        self._rates, self._meter, self._book = rates, meter, book
        self._reach = Reach()

    def of(self, order: Order) -> Course:
        """What is done for an order; None comes of it where the budget allows no call, or nobody wants it any more."""
        assert order.agent is not None  # it has begun
        known = None if self._book is None else self._book.known(order)
        if known is not None:
            return known
        turn, order.ends = order.context, None
        tries = order.tries = Tries(order.agent, order.call, self._limits, self._clock, self._reach)
        while tries.trajectory is None:
            while wait := self._rates.wait():
                yield wait
            if order.context is not turn or order.state is not State.BEGUN:
                return None  # given up or let go while a try went on: no other must follow
            if refusal := self._meter.admit():
                if not tries.retries:
                    order.refused = refusal
                    return None
                tries.cut_short()
                break
            try:
                call = tries.begin()
                order.ends = self._end_of(order)
                answer = yield call
                assert answer is not None  # a call is answered, or raises
                tries.answered(answer)
            except Exception as error:  # noqa: BLE001  # whatever an agent raises is a result
                if order.context is turn:
                    order.ends = None
                if (wait_before := tries.failed(error)) is not None:
                    yield wait_before
        return self._counted(tries.trial(order.id))

    def _end_of(self, order: Order) -> float:
        """When the try that begins now is given up; the loop has a timer of its own, unless an agent blocks it."""
        return monotonic() + self._limits.seconds + (GRACE if order.is_async else 0)

    def _counted(self, trial: Trial) -> Trial:
        self._rates.spent(trial.trajectory.tokens)
        self._meter.spent(trial)
        return trial
