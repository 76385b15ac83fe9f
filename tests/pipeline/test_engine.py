"""The engine calls ahead: as many at once as allowed, in the order of the items, and no further than its window."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pytest_agenteval.agents import adapt
from pytest_agenteval.contracts import Agent
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.budget import Budget, Meter
from pytest_agenteval.pipeline.coming import Coming, Order, State
from pytest_agenteval.pipeline.rates import Rates
from pytest_agenteval.pipeline.run import Engine
from pytest_agenteval.pipeline.tries import CallLimits
from tests.pipeline.calls import Counting, HandClock, orders, wait_until

SOURCE = ("agent", 1)


def ahead(engine: Engine, expected: list[Order], agent: Callable[..., object]) -> Agent:
    """The engine calls the agent for these from now on."""
    adapted = adapt(agent)
    engine.expect(expected)
    engine.serve(SOURCE, adapted)
    return adapted


class Uncertain:
    """A book that knows nothing."""

    def known(self, _: Order) -> None:
        return None

    def needed(self, _: Order) -> bool:
        return True


def taken(engine: Engine, agent: Agent, asked: list[Order]) -> list[Trial | None]:
    for order in asked:
        engine.take(order, agent)
    return [order.trial for order in asked]


def outputs(trials: list[Trial | None]) -> list[object]:
    return [trial and trial.output for trial in trials]


def faults(trials: list[Trial | None]) -> list[str]:
    return [trial.error.type if trial and trial.error else "" for trial in trials]


@pytest.mark.parametrize("kind", ["blocking", "later"])
@pytest.mark.parametrize("limit", [1, 5, 16])
def test_the_peak_of_calls_under_way_is_the_limit_and_the_answers_keep_their_order(limit: int, kind: str) -> None:
    counting = Counting(crowd=limit)
    asked = orders(3 * limit + 2)
    with Engine(concurrency=limit) as engine:
        agent = ahead(engine, asked, getattr(counting, kind))
        found = outputs(taken(engine, agent, asked))
    assert found == [f"{k}" for k in range(len(asked))]
    assert (counting.peak, counting.begun) == (limit, len(asked))


def test_answers_that_come_in_another_order_are_given_to_the_items_that_asked() -> None:
    async def later(text: str) -> str:
        await asyncio.sleep(0.002 * (7 - int(text)))
        return text

    asked = orders(8)
    with Engine(concurrency=8) as engine:
        agent = ahead(engine, asked, later)
        assert outputs(taken(engine, agent, asked)) == list("01234567")


@pytest.mark.parametrize("kind", ["blocking", "later"])
@pytest.mark.parametrize("window", [1, 4, 9])
def test_no_more_answers_wait_for_their_items_than_the_window(window: int, kind: str) -> None:
    counting = Counting()
    asked = orders(40)
    with Engine(concurrency=4, window=window) as engine:
        agent = ahead(engine, asked, getattr(counting, kind))
        assert wait_until(lambda: counting.begun == window and counting.now == 0)
        for n_taken, order in enumerate(asked, 1):
            assert counting.begun - (n_taken - 1) <= window
            engine.take(order, agent)
    assert counting.begun == len(asked)


def test_items_that_never_ask_make_room_as_well() -> None:
    counting = Counting()
    asked = orders(30)
    with Engine(concurrency=2, window=4) as engine:
        ahead(engine, asked, counting.blocking)
        for order in asked:
            assert wait_until(lambda order=order: order.state is State.OVER)  # type: ignore[misc]  # its own default
            engine.pass_by(order)
    assert counting.begun == 30


def test_an_item_that_asks_before_its_turn_goes_first() -> None:
    seen: list[str] = []
    asked = orders(20)
    with Engine(concurrency=1, window=2) as engine:
        agent = ahead(engine, asked, seen.append)
        taken(engine, agent, [asked[19], *asked[:19]])
    assert seen.index("19") <= 2
    assert sorted(seen, key=int) == [f"{k}" for k in range(20)]


def test_a_hanging_blocking_agent_gives_its_place_to_another_thread() -> None:
    release, threads = threading.Event(), set()

    def agent(text: str) -> str:
        threads.add(threading.get_ident())
        if text in "01":
            release.wait(5)
        return text

    asked = orders(6)
    with Engine(CallLimits(seconds=0.1), concurrency=2) as engine:
        found = taken(engine, ahead(engine, asked, agent), asked)
        release.set()
        assert faults(found) == ["TimeLimit", "TimeLimit", "", "", "", ""]
        assert outputs(found)[2:] == list("2345")
        assert len(threads) in (3, 4)


def test_an_async_agent_that_blocks_the_loop_for_ever_loses_the_loop_and_the_others_are_answered() -> None:
    release = threading.Event()

    async def agent(text: str) -> str:
        if text == "0":
            release.wait(20)
        return text

    asked = orders(6)
    begun = time.monotonic()
    with Engine(CallLimits(seconds=0.1), concurrency=3) as engine:
        found = taken(engine, ahead(engine, asked, agent), asked)
        release.set()
    assert faults(found) == ["TimeLimit", "", "", "", "", ""]
    assert outputs(found)[1:] == list("12345")
    assert time.monotonic() - begun < 4


def test_no_call_of_an_agent_is_under_way_when_it_has_been_drained() -> None:
    counting, release = Counting(), threading.Event()
    ended: list[str] = []

    async def later(_: str) -> str:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")
        return "never"

    def blocking(text: str) -> str:
        release.wait(0.05)
        return counting.blocking(text)

    for agent in (later, blocking):
        with Engine(concurrency=3) as engine:
            ahead(engine, orders(9), agent)
            assert wait_until(lambda engine=engine: engine.n_under_way == 3)  # type: ignore[misc]  # its own default
            time.sleep(0.01)
            engine.drain(SOURCE)
            assert (engine.n_under_way, counting.now) == (0, 0)
            n_begun = counting.begun
            time.sleep(0.01)
            assert counting.begun == n_begun <= 3
    assert ended == ["cancelled"] * 3


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_call_that_was_cut_off_leaves_no_trial_and_is_made_anew_when_its_item_asks(kind: str) -> None:
    is_slow = threading.Event()
    is_slow.set()

    async def later(text: str) -> str:
        await asyncio.sleep(60 if is_slow.is_set() else 0)
        return text

    def blocking(text: str) -> str:
        time.sleep(0.02 if is_slow.is_set() else 0)
        return text

    kept: list[str] = []

    class Kept(Uncertain):
        def keep(self, order: Order, _: Trial) -> None:
            kept.append(order.id)

    asked = orders(3)
    with Engine(concurrency=3, book=Kept()) as engine:
        agent = ahead(engine, asked, later if kind == "async" else blocking)
        time.sleep(0.005)
        engine.drain(SOURCE)
        assert kept == []
        is_slow.clear()
        assert outputs(taken(engine, agent, asked)) == list("012")
    assert kept == ["t0", "t1", "t2"]


def test_another_agent_than_the_one_that_was_called_ahead_is_asked_anew() -> None:
    asked = orders(3)
    with Engine(concurrency=3) as engine:
        ahead(engine, asked, lambda text: f"first {text}")
        second = adapt(lambda text: f"second {text}")
        assert outputs(taken(engine, second, asked)) == [f"second {k}" for k in range(3)]


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_closing_waits_about_a_second_at_most_for_calls_that_go_on(kind: str) -> None:
    release = threading.Event()

    async def later(_: str) -> None:
        await asyncio.sleep(20)

    engine = Engine(concurrency=4)
    ahead(engine, orders(8), (lambda _: release.wait(20)) if kind == "blocking" else later)
    assert wait_until(lambda: engine.n_under_way == 4)
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 5
    release.set()


def test_what_cannot_be_written_down_is_told_to_the_item_that_asks() -> None:
    class Full(Uncertain):
        def keep(self, _order: Order, _trial: Trial) -> None:
            message = "no space left"
            raise OSError(message)

    asked = orders(2)
    with Engine(concurrency=2, book=Full()) as engine:
        agent = ahead(engine, asked, str.upper)
        for order in asked:
            with pytest.raises(OSError, match="no space left"):
                engine.take(order, agent)


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_budget_of_calls_is_kept_to_the_call_by_many_at_once_and_by_retries(kind: str) -> None:
    called: list[str] = []

    def down(text: str) -> None:
        called.append(text)
        raise ConnectionResetError

    async def down_later(text: str) -> None:
        down(text)

    clock, asked = HandClock(), orders(40)
    meter = Meter(Budget(calls=11), clock)
    with Engine(CallLimits(retries=2), clock, concurrency=8, meter=meter) as engine:
        found = taken(engine, ahead(engine, asked, down if kind == "blocking" else down_later), asked)
    assert len(called) == meter.calls == 11
    assert sum(1 + trial.retries for trial in found if trial) == 11
    assert {order.refused for order in asked if order.trial is None} == {"the budget of 11 calls is spent"}
    assert len({*called}) == len([trial for trial in found if trial])


def test_a_rate_is_kept_by_calls_and_their_retries_alike() -> None:
    clock, at = HandClock(), []

    def agent(text: str) -> str:
        at.append(clock.at.timestamp())
        if len(at) % 4 == 0:
            raise ConnectionResetError
        return text

    asked = orders(10)
    rates = Rates(requests=3, now=lambda: clock.at.timestamp())
    with Engine(CallLimits(retries=2), clock, concurrency=1, rates=rates) as engine:
        taken(engine, ahead(engine, asked, agent), asked)
    assert len(at) == 13
    assert all(later - earlier >= 60 for earlier, later in zip(at, at[3:], strict=False))


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_a_call_that_outlives_its_agent_answers_nobody_and_is_not_tried_again(kind: str) -> None:
    release, called = threading.Event(), []

    def hanging(text: str) -> str:
        called.append(text)
        release.wait(5)
        raise ConnectionResetError

    async def hanging_later(text: str) -> str:
        return hanging(text)

    second = adapt(lambda text: release.wait(1) and f"second {text}")
    asked = orders(2)
    with Engine(CallLimits(backoff=0.001), concurrency=1) as engine:
        ahead(engine, asked, hanging if kind == "blocking" else hanging_later)
        assert wait_until(lambda: called == ["0"])
        engine.drain(SOURCE)
        threading.Timer(0.05, release.set).start()
        assert outputs(taken(engine, second, asked)) == ["second 0", "second 1"]
    assert called == ["0"]


def test_a_trial_that_was_given_up_is_not_tried_again_when_its_call_ends_after_all() -> None:
    release, called = threading.Event(), []

    def hanging(text: str) -> str:
        called.append(text)
        release.wait(5)
        raise ConnectionResetError

    with Engine(CallLimits(seconds=0.05, backoff=0.001), concurrency=1) as engine:
        assert faults([engine.trial("t", adapt(hanging), orders(1)[0].call)]) == ["TimeLimit"]
        release.set()
        time.sleep(0.05)
    assert called == ["0"]


def test_an_async_agent_that_waits_to_be_tried_again_is_not_lost_with_a_loop_that_is_held_up() -> None:
    release, called = threading.Event(), []

    async def agent(text: str) -> str:
        called.append(text)
        if called == ["0"]:
            raise ConnectionResetError
        if text == "1":
            release.wait(20)
        return text

    asked, begun = orders(2), time.monotonic()
    with Engine(CallLimits(seconds=0.1, backoff=0.05), concurrency=2) as engine:
        found = taken(engine, ahead(engine, asked, agent), asked)
        assert (outputs(found), faults(found)) == (["0", None], ["", "TimeLimit"])
        assert time.monotonic() - begun < 4
        release.set()


def test_a_coroutine_of_a_blocking_agent_that_holds_up_the_loop_does_not_take_it_from_those_that_follow() -> None:
    release = threading.Event()

    async def later(text: str) -> str:
        if text == "0":
            release.wait(20)
        return text

    asked = orders(4)
    with Engine(CallLimits(seconds=0.1), concurrency=1) as engine:
        found = taken(engine, ahead(engine, asked, lambda text: later(text)), asked)
        release.set()
    assert faults(found) == ["TimeLimit", "", "", ""]


def test_an_async_agent_may_stop_the_loop_or_cancel_all_that_runs_there_and_every_item_hears_of_it() -> None:
    called: list[str] = []

    async def agent(text: str) -> str:
        called.append(text)
        if text == "0":
            asyncio.get_running_loop().stop()
            await asyncio.sleep(0.01)
        if text == "1":
            raise ConnectionResetError  # and it waits to be tried again
        if text == "2":
            await asyncio.sleep(0.02)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        return text

    asked = orders(4)
    with Engine(CallLimits(backoff=5), concurrency=3) as engine:
        adapted = ahead(engine, asked, agent)
        assert outputs(taken(engine, adapted, [asked[0], *asked[2:]])) == list("023")
        with pytest.raises(RuntimeError, match="CancelledError"):
            engine.take(asked[1], adapted)


def test_an_async_call_that_another_cancels_before_it_has_begun_is_not_waited_for() -> None:
    async def agent(text: str) -> str:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return text

    asked = orders(8)
    with Engine(concurrency=8) as engine:
        adapted = ahead(engine, asked, agent)
        for order in asked:
            try:
                engine.take(order, adapted)
            except RuntimeError as error:
                assert "CancelledError" in str(error)  # noqa: PT017  # how many begin in time is the loop's affair
    assert all(order.state is State.OVER for order in asked)


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_an_exception_that_exits_when_it_is_asked_what_it_says_is_an_agent_error(kind: str) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise SystemExit

    def agent(_: str) -> None:
        raise Mute

    async def later(_: str) -> None:
        raise Mute

    asked = orders(2)
    with Engine(concurrency=2) as engine:
        adapted = ahead(engine, asked, agent if kind == "blocking" else later)
        assert faults(taken(engine, adapted, asked)) == ["Mute", "Mute"]


@pytest.mark.parametrize("n", [0, 1])
def test_where_the_system_has_no_threads_those_that_are_there_do_it_and_else_the_item_hears_of_it(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, start = [None] * n, threading.Thread.start

    def meagre(thread: threading.Thread) -> None:
        if not left:
            message = "can't start new thread"
            raise RuntimeError(message)
        left.pop()
        start(thread)

    asked = orders(40)
    with monkeypatch.context() as patch, Engine(concurrency=8) as engine:
        patch.setattr(threading.Thread, "start", meagre)
        agent = ahead(engine, asked, lambda text: text)
        if n:
            assert outputs(taken(engine, agent, asked)) == [f"{k}" for k in range(40)]
            return
        for order in asked:
            with pytest.raises(RuntimeError, match="can't start"):
                engine.take(order, agent)


def test_what_a_blocking_agent_leaves_to_be_awaited_is_awaited_on_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_agenteval.pipeline import loop

    make, loops = loop.LoopThread.__init__, set()

    def slowly(self: loop.LoopThread) -> None:
        time.sleep(0.02)  # the others come while the first one makes it
        make(self)

    async def later(text: str) -> str:
        loops.add(asyncio.get_running_loop())
        return text

    monkeypatch.setattr(loop.LoopThread, "__init__", slowly)
    asked = orders(4)
    with Engine(concurrency=4) as engine:
        taken(engine, ahead(engine, asked, lambda text: later(text)), asked)
    assert len(loops) == 1


def test_several_threads_may_ask_and_none_sleeps_until_a_time_limit() -> None:
    def slow(text: str) -> str:
        time.sleep(0.02)
        return text

    asked, begun = orders(8), time.monotonic()
    with Engine(concurrency=4) as engine:
        agent = ahead(engine, asked, slow)
        askers = [threading.Thread(target=engine.take, args=(order, agent)) for order in reversed(asked)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(10)
    assert outputs([order.trial for order in asked]) == list("01234567")
    assert time.monotonic() - begun < 5


def test_an_item_that_was_skipped_keeps_no_other_agent_from_being_called_ahead_and_is_not_called_itself() -> None:
    seen: list[str] = []
    with Engine(concurrency=2) as engine:
        asked = [*orders(1), *orders(3, ("agent", 2), first=1)]
        engine.expect(asked)
        engine.pass_by(asked[0])
        engine.serve(("agent", 2), adapt(seen.append))
        assert wait_until(lambda: sorted(seen) == ["1", "2", "3"])


def test_a_closed_engine_says_so() -> None:
    engine = Engine()
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.trial("t", adapt(str.upper), orders(1)[0].call)


@settings(max_examples=20, stateful_step_count=30)
class ComingAgainstAList(RuleBasedStateMachine):
    """Which order may be called next, against a list that is searched through each time."""

    @initialize()
    def begin(self) -> None:
        self.allowed: set[str] = set()
        self.coming = Coming(lambda order: order.id in self.allowed)
        self.all: list[Order] = []
        self.live: dict[Hashable, tuple[Hashable, Any]] = {}

    @rule(origins=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 2)), min_size=1, max_size=4))
    def put(self, origins: list[tuple[str, int]]) -> None:
        new = [order for source in origins for order in orders(1, source, first=len(self.all))]
        for place, order in enumerate(new):
            order.id = f"{len(self.all) + place}"
        self.coming.put(new)
        self.all += new

    @rule(origin=st.sampled_from("ab"), instance=st.integers(1, 2))
    def serve(self, origin: str, instance: int) -> None:
        agent = adapt(str.upper)
        self.coming.serve((origin, instance), agent)
        self.live[origin] = (instance, agent)

    @rule(origin=st.sampled_from("ab"), instance=st.integers(1, 2))
    def withdraw(self, origin: str, instance: int) -> None:
        self.coming.withdraw((origin, instance))
        if self.live.get(origin, (None, None))[0] == instance:
            del self.live[origin]

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def allow(self, data: st.DataObject) -> None:
        self.allowed.add(data.draw(st.sampled_from(self.all)).id)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def an_item_comes_first(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.waiting())).state = State.BEGUN

    @rule()
    def next_is_the_earliest_whose_agent_is_up_and_not_past_one_of_another_instance(self) -> None:
        firsts = [
            next((order for order in self.waiting() if order.source and order.source[0] == origin), None)
            for origin in self.live
        ]
        due = [
            order
            for order in firsts
            if order and order.source and order.source[1] == self.live[order.source[0]][0] and order.id in self.allowed
        ]
        expected = min(due, key=lambda order: int(order.id), default=None)
        found = self.coming.next()
        assert found is expected
        if found is not None:
            assert found.source is not None
            assert found.agent is self.live[found.source[0]][1]
            assert found.is_ahead
            found.state = State.BEGUN

    def waiting(self) -> list[Order]:
        return [order for order in self.all if order.state is State.WAITING]


TestComingAgainstAList = ComingAgainstAList.TestCase
