"""The engine: whatever an agent does becomes a trial, and says whose fault a failure is."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from pytest_agenteval.agents import adapt, connect
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import InfrastructureError, RecordingError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from pytest_agenteval.model.trial import Origin, Trial
from pytest_agenteval.pipeline.clock import SystemClock
from pytest_agenteval.pipeline.faults import is_infrastructure, is_passing
from pytest_agenteval.pipeline.run import Engine
from pytest_agenteval.pipeline.tries import CallLimits
from tests.pipeline.calls import HandClock

CALL = Call(case=Case(id="a", suite="s", input="hello"), attempt=2)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def engine(clock: HandClock) -> Iterator[Engine]:
    with Engine(CallLimits(seconds=10, retries=2, infrastructure=("builtins.LookupError",)), clock) as made:
        yield made


@pytest.fixture
def hasty(clock: HandClock) -> Iterator[Engine]:
    with Engine(CallLimits(seconds=0.2), clock) as made:
        yield made


def ask(engine: Engine, agent: Callable[..., object]) -> Trial:
    return engine.trial("t", adapt(agent), CALL)


def raising(error: BaseException) -> Callable[[str], str]:
    def agent(_: str) -> str:
        raise error

    return agent


def raising_later(error: BaseException) -> Callable[[str], Any]:
    async def agent(_: str) -> str:
        await asyncio.sleep(0)
        raise error

    return agent


def fault(trial: Trial) -> tuple[str, str, str]:
    assert trial.error is not None
    return trial.error.kind, trial.error.type, trial.error.message


def test_a_function_answers(engine: Engine, clock: HandClock) -> None:
    trial = ask(engine, lambda text: text.upper())
    assert (trial.output, trial.attempt, trial.retries, trial.origin) == ("HELLO", 2, 0, "live")
    assert trial.at == clock.at
    assert trial.trajectory.seconds is not None
    assert 0 <= trial.trajectory.seconds < 10


def test_a_coroutine_answers_on_one_loop_in_a_thread_of_its_own(engine: Engine) -> None:
    seen: set[tuple[int, int]] = set()

    async def agent(text: str) -> str:
        await asyncio.sleep(0)
        seen.add((id(asyncio.get_running_loop()), threading.get_ident()))
        return text

    assert [ask(engine, agent).output for _ in range(3)] == ["hello"] * 3
    [(_, thread)] = seen
    assert thread != threading.get_ident()


def test_what_the_agent_says_of_its_seconds_goes_first(engine: Engine) -> None:
    trial = ask(engine, lambda _: Trajectory(output="x", seconds=12.5))
    assert trial.trajectory.seconds == 12.5


def test_blocking_calls_share_a_kept_thread_and_see_the_callers_context(engine: Engine) -> None:
    told = contextvars.ContextVar("told", default="nothing")
    told.set("something")
    threads = {ask(engine, lambda _: f"{threading.get_ident()} {told.get()}").output for _ in range(3)}
    assert len(threads) == 1
    assert str(threads.pop()).endswith("something")


@pytest.mark.parametrize("agent", [lambda _: time.sleep(5), lambda _: asyncio.sleep(5)], ids=["blocking", "async"])
def test_a_trial_has_a_time_limit_and_the_next_one_is_called_all_the_same(hasty: Engine, agent: Any) -> None:
    kind, name, said = fault(ask(hasty, agent))
    assert (kind, name) == ("agent", "TimeLimit")
    assert said == "no answer within 0.2 s, the trial's time limit (setting agent_timeout)"
    assert ask(hasty, lambda text: text).output == "hello"


def test_the_limit_holds_for_both_halves_of_a_call_that_blocks_and_then_waits(hasty: Engine) -> None:
    def agent(_: str) -> Any:
        time.sleep(0.15)
        return asyncio.sleep(0.15)

    begun = time.monotonic()
    assert fault(ask(hasty, agent))[1] == "TimeLimit"
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("how", [raising, raising_later], ids=["blocking", "async"])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("boom"),
        TimeoutError("my own"),
        Empty("a queue of mine"),
        asyncio.CancelledError(),
        AssertionError("no"),
        OSError("disk"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_is_the_agents_error_and_is_not_asked_again(
    engine: Engine, clock: HandClock, how: Any, error: BaseException
) -> None:
    trial = ask(engine, how(error))
    kind, _, said = fault(trial)
    assert kind == "agent"
    assert "time limit" not in said
    assert (trial.output, trial.retries, clock.waits) == (None, 0, [])


@pytest.mark.parametrize("how", [raising, raising_later], ids=["blocking", "async"])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_an_agent_that_exits_ends_itself_and_not_the_session(engine: Engine, how: Any, error: BaseException) -> None:
    kind, name, said = fault(ask(engine, how(error)))
    assert (kind, name) == ("agent", "RuntimeError")
    assert said.startswith(f"the agent raised {type(error).__name__}")
    assert ask(engine, raising_later(ValueError("still there"))).error is not None
    assert ask(engine, lambda text: text).output == "hello"


def test_a_task_of_the_agent_that_exits_leaves_the_loop_running(engine: Engine) -> None:
    async def exits() -> None:
        sys.exit(3)

    async def agent(_: str) -> str:
        await asyncio.create_task(exits())
        return "never"

    assert fault(ask(engine, agent))[2] == "the agent raised SystemExit: 3"

    async def sound(text: str) -> str:
        await asyncio.sleep(0)
        return text

    assert ask(engine, sound).output == "hello"


def test_an_exception_without_words_is_told_by_its_name_and_a_long_one_is_cut(engine: Engine) -> None:
    assert fault(ask(engine, raising(ValueError())))[2] == "ValueError"
    assert len(fault(ask(engine, raising(ValueError("x" * 9000))))[2]) == 2000


class Refusal(Exception):
    """An error of a provider's library."""

    def __init__(self, **told: object) -> None:
        super().__init__("refused")
        self.__dict__.update(told)


class Response:
    """A response of a provider's library."""

    def __init__(self, status: int) -> None:
        self.status_code = status


@pytest.mark.parametrize("how", [raising, raising_later], ids=["blocking", "async"])
@pytest.mark.parametrize(
    "error",
    [
        InfrastructureError("down"),
        ConnectionResetError("reset"),
        ConnectionRefusedError("refused"),
        KeyError("named by its base class in the settings"),
        Refusal(status=503),
        Refusal(status_code=429),
        Refusal(code=408),
        Refusal(response=Response(425)),
    ],
    ids=lambda error: f"{type(error).__name__}-{len(vars(error))}",
)
def test_a_failing_provider_is_asked_again_and_is_then_no_fault_of_the_agent(
    engine: Engine, clock: HandClock, how: Any, error: Exception
) -> None:
    trial = ask(engine, how(error))
    assert fault(trial)[0] == "infrastructure"
    assert trial.retries == 2
    assert clock.waits == [0.5, 1.0]


@pytest.mark.parametrize("status", [200, 400, 401, 404, 422, 499, 600, 1045, "503", None])
def test_another_status_is_the_agents_own_fault(status: object) -> None:
    assert not is_infrastructure(Refusal(status=status))
    assert not is_infrastructure(Refusal(response=None))


def test_an_exception_is_named_by_module_and_class() -> None:
    assert is_infrastructure(Refusal(), (f"{Refusal.__module__}.Refusal",))
    assert not is_infrastructure(Refusal(), ("Refusal", "other.Refusal"))


def test_a_provider_that_is_back_gives_an_ordinary_trial_that_tells_its_retries(
    engine: Engine, clock: HandClock
) -> None:
    left = [ConnectionResetError()]

    def agent(text: str) -> str:
        if left:
            raise left.pop()
        return text

    begun = clock.at
    trial = ask(engine, agent)
    assert (trial.output, trial.error, trial.retries, trial.at) == ("hello", None, 1, begun)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (7.0, [7.0, 7.0]),
        (0, [0.0, 0.0]),
        (3600, [30.0, 30.0]),
        (-5, [0.5, 1.0]),
        (float("nan"), [0.5, 1.0]),
        ("7", [0.5, 1.0]),
        (None, [0.5, 1.0]),
    ],
)
def test_the_wait_that_a_provider_asks_for_goes_before_our_own_up_to_the_longest(
    engine: Engine, clock: HandClock, asked: object, waits: list[float]
) -> None:
    ask(engine, raising(Refusal(status=429, retry_after=asked)))
    assert clock.waits == waits


def test_what_will_not_pass_is_not_asked_again(engine: Engine, clock: HandClock) -> None:
    trial = ask(engine, raising(Refusal(status=503, permanent=True)))
    assert fault(trial)[0] == "infrastructure"
    assert (trial.retries, clock.waits) == (0, [])
    assert is_passing(Refusal())


class Recorded:
    """An agent that was recorded in another wording, a year ago."""

    identity = AgentIdentity(name="kept")
    origin: Origin = "replay"
    at = datetime(2025, 11, 24, tzinfo=UTC)

    def begun(self, _call: Call) -> datetime:
        return self.at

    def asked(self, call: Call) -> Case:
        return Case(id=call.case.id, suite=call.case.suite, input="in other words")

    def answer(self, call: Call) -> Trajectory:
        return Trajectory(output=call.case.input)


def test_a_replayed_trial_is_of_the_wording_and_the_time_at_which_it_was_recorded(engine: Engine) -> None:
    trial = engine.trial("t", Recorded(), CALL)
    assert trial.at == Recorded.at
    assert trial.case.input == trial.output == "in other words"
    assert trial.case_fingerprint != CALL.case.fingerprint
    assert (trial.origin, trial.trajectory.seconds) == ("replay", None)


class OfItsOwn(Recorded):
    """An agent that somebody wrote to the contract himself."""

    origin: Origin = "live"

    def __init__(self, said: object) -> None:
        self.said = said

    def answer(self, _call: Call) -> Any:
        return self.said


class Flattery(str):
    """Equal to whatever was expected."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, _: object) -> bool:
        return True


async def soon(answer: object) -> object:
    return answer


@pytest.mark.parametrize("later", [False, True], ids=["at once", "awaited"])
def test_an_answer_is_plain_whoever_wrote_the_agent(engine: Engine, later: bool) -> None:
    answer = Trajectory(output=Flattery("no"))
    trial = engine.trial("t", OfItsOwn(soon(answer) if later else answer), CALL)
    assert type(trial.output) is str
    assert trial.output != "yes"
    assert trial.trajectory.agent == Recorded.identity


@pytest.mark.parametrize("later", [False, True], ids=["at once", "awaited"])
def test_an_agent_that_hands_over_no_trajectory_has_erred(engine: Engine, later: bool) -> None:
    trial = engine.trial("t", OfItsOwn(soon("yes") if later else "yes"), CALL)
    assert fault(trial) == ("agent", "TypeError", "answer() of an agent returns a Trajectory, not a str")


def test_a_recording_that_cannot_be_read_is_no_error_of_the_agent(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_text("{}\n", "utf-8")
    with pytest.raises(RecordingError, match="the first line of a recording is its header"):
        engine.trial("t", connect(file), CALL)


def test_an_error_tells_which_agent_it_was(engine: Engine) -> None:
    def my_agent(_: str) -> str:
        raise ValueError

    assert ask(engine, my_agent).trajectory.agent.name == adapt(my_agent).identity.name


def test_closing_an_engine_twice_does_no_harm() -> None:
    async def later(text: str) -> str:
        return text

    engine = Engine()
    assert [ask(engine, agent).output for agent in (later, str.lower)] == ["hello"] * 2
    engine.close()
    engine.close()


def test_closing_cancels_what_is_still_in_flight(hasty: Engine) -> None:
    ended = threading.Event()

    async def agent(_: str) -> str:
        try:
            await asyncio.shield(asyncio.sleep(60))
        finally:
            ended.set()
        return "never"

    assert fault(ask(hasty, agent))[1] == "TimeLimit"
    hasty.close()
    assert ended.wait(5)


def test_the_clock_of_the_machine_is_utc_and_is_not_moved_by_an_agent_that_patches_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SystemClock()
    monkeypatch.setattr(time, "sleep", raising(ValueError("patched")))
    clock.sleep(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert clock.now().tzinfo is UTC


def test_a_provider_that_stays_down_is_soon_asked_once_a_trial_until_it_answers(
    engine: Engine, clock: HandClock
) -> None:
    down = raising(ConnectionRefusedError())
    assert [ask(engine, down).retries for _ in range(5)] == [2, 2, 2, 0, 0]
    assert clock.waits == [0.5, 1.0] * 3
    assert ask(engine, str.upper).output is not None
    assert ask(engine, down).retries == 2
