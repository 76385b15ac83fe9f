"""Call agents: ahead of the items that will ask, several at once, and make a trial of whatever comes of it.

The one stage that is not pure.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context, copy_context
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.asking import ask_here, ask_on_loop, follow, follow_on_loop
from pytest_agenteval.pipeline.budget import Budget, Meter
from pytest_agenteval.pipeline.clock import Clock, SystemClock
from pytest_agenteval.pipeline.coming import Book, Coming, Order, Source, State
from pytest_agenteval.pipeline.course import GRACE, Courses
from pytest_agenteval.pipeline.faults import as_error
from pytest_agenteval.pipeline.heard import HEARD
from pytest_agenteval.pipeline.pace import Pace
from pytest_agenteval.pipeline.rates import Rates
from pytest_agenteval.pipeline.threads import Threads
from pytest_agenteval.pipeline.tries import CallLimits

if TYPE_CHECKING:
    from pytest_agenteval.pipeline.loop import LoopThread

_AHEAD = 4
"""Trials that nobody has asked for yet, for each call that may be under way."""

_QUICK_NO_MORE = 0.02
"""Seconds after which calls that were quick are taken to be so no more."""


class Engine:
    """Calls agents, at most ``concurrency`` at once.

    Async ones are called on one event loop in a thread of its own, blocking ones in kept threads. Trials are called
    ahead in the order in which they are expected, up to ``window`` of them that nobody has asked for.

    >>> from pytest_agenteval.agents import adapt
    >>> from pytest_agenteval.model.case import Case
    >>> with Engine() as engine:
    ...     trial = engine.trial("t1", adapt(lambda text: text.upper()), Call(case=Case(id="a", input="hello")))
    >>> trial.output
    'HELLO'
    """

    def __init__(
        self,
        limits: CallLimits | None = None,
        clock: Clock | None = None,
        *,
        concurrency: int = 16,
        window: int | None = None,
        meter: Meter | None = None,
        rates: Rates | None = None,
        book: Book | None = None,
    ) -> None:
        self._limits, self._clock = limits or CallLimits(), clock or SystemClock()
        self.meter = meter or Meter(Budget(), self._clock)
        self._book = book
        self._courses = Courses(self._limits, self._clock, rates or Rates(), self.meter, book)
        self._concurrency = concurrency
        self._window = window or _AHEAD * concurrency
        self._coming = Coming(book.needed if book else lambda _: True)
        self._urgent: deque[Order] = deque()
        self._under_way: set[Order] = set()
        self._n_kept = 0  # those of them whose call has ended, and which are being written down
        self._n_untaken = 0
        self._pace = Pace()
        self._lock = threading.Lock()
        self._arrival = threading.Condition(self._lock)
        self._awaited: set[Order] = set()
        self._threads = Threads(self._made_here)
        self._loop: LoopThread | None = None
        self._is_closed = False

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def n_under_way(self) -> int:
        """How many calls are under way."""
        return len(self._under_way)

    def expect(self, orders: Iterable[Order]) -> None:
        """What will be asked for, in this order."""
        with self._lock:
            self._coming.put(orders)
            self._pump()

    def serve(self, source: Source, agent: Agent) -> None:
        """This agent is what the items of that source are given: its orders may be called ahead."""
        with self._lock:
            self._coming.serve(source, agent)
            self._pump()

    def drain(self, source: Source) -> None:
        """The agent of that source goes down: nothing is called of it any more, and nothing is under way."""
        with self._lock:
            self._coming.withdraw(source)
            left = [order for order in self._under_way if order.source == source]
            self._let_go(left)

    def trial(self, trial_id: str, agent: Agent, call: Call) -> Trial:
        """The finished trial: what the agent did, or the fault that kept it from an answer."""
        order = Order(trial_id, call)
        self.take(order, agent)
        assert order.trial is not None  # no budget refused it
        return order.trial

    def take(self, order: Order, agent: Agent) -> None:
        """Have the order's trial, now. Raises what kept it from being written down."""
        if agent.origin == "replay" and self._is_mine(order, agent):
            self._answer_here(order)
        with self._lock:
            if order.agent not in (None, agent):  # it was called by another than its item is given
                self._await(order)
                self._is_taken(order)
                order.reset()
            if order.state is State.WAITING:
                if self._is_closed:
                    message = f"the engine is closed, and trial {order.id} was not made before"
                    raise RuntimeError(message)
                order.agent, order.context = agent, copy_context()
                self._urgent.append(order)
                self._pump()
            self._await(order)
            self._is_taken(order)
        if order.trouble is not None:
            raise order.trouble

    def pass_by(self, order: Order) -> None:
        """The item of the order is over, whether or not it asked for the trial."""
        order.is_past = True  # if it waits still, it is not called ahead any more
        if order.is_ahead:
            with self._lock:
                self._is_taken(order)

    def close(self) -> None:
        """End what is under way, and the threads. A call that hangs is left behind: a thread cannot be killed."""
        with self._lock:
            self._is_closed = True
            # What ends by itself within a moment is kept: it is paid for.
            self._wait_for(self._under_way.copy(), GRACE / 2)
            self._let_go(list(self._under_way))
        self._threads.close()
        if self._loop is not None:
            self._loop.stop()

    # What follows with a lock held: the bookkeeping of orders.

    def _pump(self) -> None:
        """Begin what may begin."""
        at_once = 1 if self._pace.is_quick else self._concurrency
        while len(self._under_way) - self._n_kept < at_once and not self._is_closed:
            if self._urgent:
                order: Order | None = self._urgent.popleft()
            elif self._n_untaken < self._window:
                order = self._coming.next()
            else:
                return
            if order is None:
                return
            self._begin(order)

    def _begin(self, order: Order) -> None:
        order.state = State.BEGUN
        self._n_untaken += order.is_ahead
        self._under_way.add(order)
        self._hand_over(order)

    def _hand_over(self, order: Order) -> None:
        """Give it to the loop or to a thread; where the system has no thread for it, its item is told."""
        assert order.context is not None  # whoever lets an order begin has given it its agent
        try:
            if order.is_async:
                order.loop = self._on_loop()
                lost = partial(
                    self._finish, order, order.context, RuntimeError("an agent cancelled it: CancelledError")
                )
                order.loop.start(order, self._made_on_loop(order, order.context), order.context, lost)
            else:
                self._threads.hand(order, order.context, len(self._under_way))
        except RuntimeError as error:
            order.trouble = error
            self._is_over(order)

    def _is_taken(self, order: Order) -> None:
        if order.is_ahead:
            order.is_ahead = False
            self._n_untaken -= 1
            # Not at each trial: threads that take turns at every one cost more than the calls. Quick ones are made when
            # there is none left, in one go.
            if not self._pace.is_quick and self._n_untaken <= self._window - max(1, self._window // 4):
                self._pump()

    def _await(self, order: Order) -> None:
        self._awaited.add(order)
        while order.state is not State.OVER:
            if not self._pace.is_quick:
                self._arrival.wait(self._patience())
                self._give_up_overdue()
            elif not self._arrival.wait(_QUICK_NO_MORE):
                self._pace.forget()
                self._pump()
        self._awaited.discard(order)
        if self._pace.is_quick and self._under_way:
            # The others of this go would only take turns with what follows here.
            self._arrival.wait(_QUICK_NO_MORE)

    def _patience(self) -> float:
        """Seconds until somebody's time limit; who has not begun a try ends no sooner than a whole one."""
        now = monotonic()
        ends = [order.ends for order in self._under_way if order.ends is not None]
        return max(min([*ends, now + self._limits.seconds]) - now, 0.001)

    def _give_up_overdue(self) -> None:
        """End the trials whose time is over. A thread cannot be ended: it is left, and another takes its place."""
        now = monotonic()
        overdue = [order for order in self._under_way if order.ends is not None and order.ends <= now]
        for order in overdue:
            if order.state is State.BEGUN and order.tries is not None:
                order.state = State.KEPT
                self._leave_behind(order)
                self._keep(order, order.tries.given_up(order.id))
                self._end(order)

    def _leave_behind(self, order: Order) -> None:
        if not order.is_async:
            self._threads.leave_one()
        if order.loop is None or order.loop is not self._loop:
            return
        # What blocks holds up its loop: the others get a new one, those that wait on this one between tries too.
        self._loop = None
        for other in self._under_way:
            if other.loop is order.loop and other.is_async and other.ends is None and other.state is State.BEGUN:
                assert other.context is not None  # it has begun
                other.context = other.context.copy()  # by which the one that was held up sees that it is not wanted
                self._hand_over(other)

    def _let_go(self, orders: Sequence[Order]) -> None:
        """Cancel these, wait a little for those that cannot be cancelled, and forget what comes of them."""
        if not orders:
            return
        begun = [order for order in orders if order.state is State.BEGUN]
        for order in begun:
            order.state = State.OVER  # what comes of it now is not what the agent would have done
            if order.is_async and order.loop is not None:
                order.loop.cancel(order, partial(self._has_ended, order, order.context))
        self._wait_for(orders, GRACE / 2)
        for order in self._under_way.intersection(orders):
            self._under_way.discard(order)
            self._leave_behind(order)
        for order in begun:
            self._n_untaken -= order.is_ahead
            order.reset()

    def _wait_for(self, orders: Iterable[Order], seconds: float) -> None:
        """Until none of these is under way, or so long."""
        until = monotonic() + seconds
        while self._under_way.intersection(orders) and (left := until - monotonic()) > 0:
            self._arrival.wait(min(left, 0.05))

    def _end(self, order: Order) -> None:
        self._is_over(order)
        self._pump()
        if not self._under_way:
            self._arrival.notify_all()

    def _is_over(self, order: Order) -> None:
        order.state = State.OVER
        self._under_way.discard(order)
        if order in self._awaited:
            self._arrival.notify_all()

    def _is_mine(self, order: Order, agent: Agent) -> bool:
        """Whether it waits, and is now the caller's to make."""
        with self._lock:
            if order.state is not State.WAITING:
                return False
            order.agent, order.state = agent, State.BEGUN
            return True

    # What follows runs where the agent runs: in a thread of the pool, or on the loop. An order may have been begun
    # anew while an earlier call for it went on: ``turn``, its context, tells them apart.

    def _made_here(self, order: Order, turn: Context) -> bool:
        """False where the thread is not wanted any more: it took too long, and another has its place."""
        if order.context is not turn:
            return False
        HEARD.set(order.heard)
        made: Trial | Exception | None
        try:
            made = follow(self._courses.of(order), self._asker(order), self._clock)
        except BaseException as error:  # noqa: BLE001  # a fault of ours, told to whoever asks for the trial
            made = as_error(error)
        return self._finish(order, turn, made)

    async def _made_on_loop(self, order: Order, turn: Context) -> None:
        if order.context is not turn:
            return  # it was held up, and another has begun it
        HEARD.set(order.heard)
        agent, seconds = order.agent, self._limits.seconds
        assert agent is not None  # it has begun
        made: Trial | Exception | None
        try:
            course = self._courses.of(order)
            made = await follow_on_loop(course, lambda call: ask_on_loop(agent, call, seconds), self._clock)
        except BaseException as error:  # noqa: BLE001  # the same
            made = as_error(error)
        self._finish(order, turn, made)

    def _answer_here(self, order: Order) -> None:
        """A recording answers at once: no thread is asked, and Ctrl-C is the user's."""
        try:
            self._keep(order, follow(self._courses.of(order), self._asker(order), self._clock, Exception))
        except Exception as error:  # noqa: BLE001  # the same
            order.trouble = error
        finally:
            order.state = State.OVER

    def _asker(self, order: Order) -> Callable[[Call], Trajectory]:
        agent, seconds = order.agent, self._limits.seconds
        assert agent is not None  # it has begun
        return lambda call: ask_here(agent, call, seconds, partial(self._loop_for, order))

    def _loop_for(self, order: Order) -> LoopThread:
        """The loop on which is awaited what a blocking agent leaves to be awaited."""
        with self._lock:
            order.loop = self._on_loop()
            if order.ends is not None:
                order.ends += GRACE  # the loop has a timer of its own
            return order.loop

    def _on_loop(self) -> LoopThread:
        if self._loop is None:
            from pytest_agenteval.pipeline.loop import LoopThread

            self._loop = LoopThread()
        return self._loop

    def _finish(self, order: Order, turn: Context, made: Trial | Exception | None) -> bool:
        """Hand over what came of an order; False where nobody waits for it any more."""
        now = monotonic()
        with self._lock:
            if order.context is not turn:
                return False
            if order.tries is not None:
                self._pace.note(now - order.tries.begun)
            if order.state is not State.BEGUN:
                if order.is_async or order not in self._under_way:
                    return False
                self._under_way.discard(order)
                return True  # it was let go, and its thread is free again
            order.state = State.KEPT
            self._n_kept += 1
            self._pump()  # its place is free before it is written down
        try:
            self._keep(order, made)
        except BaseException as error:  # noqa: BLE001  # a redactor of the user's may exit: it is told all the same
            order.trouble = as_error(error)
        with self._lock:
            self._n_kept -= 1
            self._end(order)
        return True

    def _has_ended(self, order: Order, turn: Context | None) -> None:
        """A call on the loop that is not wanted any more has ended."""
        with self._lock:
            if order.context is turn:
                self._under_way.discard(order)

    def _keep(self, order: Order, made: Trial | Exception | None) -> None:
        if isinstance(made, Exception):
            order.trouble = made
            return
        order.trial = made
        if made is not None and self._book is not None:
            try:
                self._book.keep(order, made)
            except Exception as error:  # noqa: BLE001  # told to whoever asks for the trial
                order.trouble = error
                self._window = 0  # what cannot be written down is not called ahead any more
