"""An agent in processes of its own: what it does there comes back, and nothing of it is left. Real processes all."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pytest_agenteval.agents import adapt
from pytest_agenteval.agents.isolated import IsolatedAgent, Limits, isolated
from pytest_agenteval.agents.wire import AgentAnswerError
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError, InfrastructureError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.raised import place_of
from pytest_agenteval.model.trajectory import AgentIdentity, Step, Trajectory
from pytest_agenteval.model.trial import Origin
from pytest_agenteval.pipeline.faults import fault_of
from tests.agents.adversarial import payload
from tests.agents.test_process_agents import ends_soon, is_alive

CALL = Call(case=Case(id="a", input="hello é\ud800", expect={"output": [1, None]}, tags=("x",)), attempt=2, seed=7)
LIMIT = 0.3
BUSY = 1.0
"""Seconds by which a busy machine may be late."""


def apart(agent: object, **limits: Any) -> IsolatedAgent:
    return IsolatedAgent(adapt(agent), Limits(**{"seconds": 20.0} | limits))


def ask(agent: object, call: Call = CALL) -> Trajectory:
    alone = apart(agent)
    try:
        return alone.answer(call)
    finally:
        alone.close()


def children() -> set[int]:
    """Processes whose parent is this one."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                    found.add(int(entry.name))
    return found


# What an agent is


def test_a_closure_is_called_with_the_whole_call() -> None:
    kept = ["of this test"]

    def agent(text: str, case: Case, attempt: int, seed: int) -> dict[str, Any]:
        return {"all": [text, case.expect, case.tags, attempt, seed, kept, os.getpid()]}

    output = cast(Any, ask(agent).output)["all"]
    assert output[:-1] == ["hello é\ufffd", {"output": [1, None]}, ["x"], 2, 7, ["of this test"]]
    assert output[-1] != os.getpid()


def test_an_async_agent_has_a_loop_of_its_own() -> None:
    async def agent(text: str) -> str:
        return "".join(await asyncio.gather(*(asyncio.sleep(0.01, letter) for letter in "abc")))

    assert ask(agent).output == "abc"


class Adapter:
    """An agent of somebody else's: what it says was found of its answer is its to say."""

    identity = AgentIdentity(name="shop", version="3")
    origin: Origin = "live"

    def asked(self, call: Call) -> Case:
        return Case(id=call.case.id, input="other words")

    def begun(self, _call: Call) -> None:
        return None

    def answer(self, call: Call) -> Trajectory:
        step = Step(kind="tool", name="refund", input={"order": 7}, seconds=0.5, tokens_in=3)
        return Trajectory(output=call.case.input, steps=(step,), confidence=0.5, recorded={"success": True})


def test_an_adapter_is_as_it_was() -> None:
    adapter = Adapter()
    alone = isolated(adapter)
    try:
        assert (alone.identity, alone.origin, alone.begun(CALL)) == (adapter.identity, "live", None)
        call = Call(case=alone.asked(CALL))
        assert alone.answer(call) == Trajectory(
            **{name: getattr(adapter.answer(call), name) for name in ("output", "steps", "confidence", "recorded")},
            agent=adapter.identity,
        )
    finally:
        cast(IsolatedAgent, alone).close()


class Recording(Adapter):
    origin = "replay"


def test_a_recording_needs_no_process() -> None:
    recording = Recording()
    assert isolated(recording) is recording


def test_each_call_begins_with_the_agent_as_it_was_made() -> None:
    calls: list[str] = []

    def agent(text: str) -> dict[str, Any]:
        calls.append(text)
        drawn = [random.random(), float(np.random.random())]  # noqa: TID251  # agents do
        return {"n": len(calls), "drawn": drawn}

    alone = apart(agent)
    first, second = (cast(Any, alone.answer(CALL).output) for _ in range(2))
    alone.close()
    assert (first["n"], second["n"], calls) == (1, 1, [])
    assert not set(first["drawn"]) & set(second["drawn"])


def test_what_it_prints_and_logs_is_printed_here(capsys: pytest.CaptureFixture[str]) -> None:
    def agent(text: str) -> str:
        sys.stdout.write("bon")
        sys.stdout.write("jour é\n")
        sys.stderr.write("oh\n")
        logging.getLogger("shop").warning("low")
        return text

    ask(agent)
    out, err = capsys.readouterr()
    assert out == "bonjour é\n"
    assert err.startswith("oh\nWARNING  shop:test_isolated_agents.py:")


def test_calls_go_on_at_once_and_leave_no_descriptor() -> None:
    alone = apart(lambda text: doing(lambda: time.sleep(0.3), lambda: text))
    alone.answer(CALL)
    before, begun = len(list(Path("/dev/fd").iterdir())), time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        outputs = [answer.output for answer in pool.map(alone.answer, [CALL] * 8)]
    took = time.monotonic() - begun
    assert len(list(Path("/dev/fd").iterdir())) == before
    alone.close()
    assert outputs == ["hello é\ufffd"] * 8
    assert took < 8 * 0.3


# What it raises


class Busy(ValueError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after = 1.5


class Gone(Exception):
    permanent = True

    def __init__(self) -> None:
        self.response = SimpleNamespace(status_code=429)

    def __str__(self) -> str:
        return "x" * 5000


ERRORS: dict[str, Callable[[], BaseException]] = {
    "of its own": lambda: KeyError("order"),
    "without a word": ValueError,
    "with a status": lambda: Busy("later"),
    "with a status of its response": Gone,
    "of the provider": lambda: InfrastructureError("down"),
    "of the connection": lambda: ConnectionResetError("reset"),
    "of the time": lambda: TimeoutError("slow"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_an_exception_is_judged_as_it_would_be_here(kind: str) -> None:
    def agent(_text: str) -> str:
        raise ERRORS[kind]()

    def fault_and_wait(call: Callable[[], object]) -> tuple[object, ...]:
        with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is the question
            call()
        error = caught.value
        fault, named = fault_of(error), fault_of(error, (f"{__name__}.Gone",))
        told = (getattr(error, "retry_after", None), getattr(error, "permanent", False))
        return fault.kind, named.kind, fault.type, fault.message, place_of(error), *told

    here = adapt(agent)
    assert fault_and_wait(lambda: ask(agent)) == fault_and_wait(lambda: here.answer(CALL))


def test_an_exception_that_cannot_be_looked_at_keeps_its_name() -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise SystemExit

    def agent(_text: str) -> str:
        raise Unspeakable

    with pytest.raises(Exception, match="what it says cannot be read") as caught:
        ask(agent)
    assert type(caught.value).__name__ == "Unspeakable"


# What it does


def doing(*acts: Callable[[], object]) -> object:
    """Do one after the other; what the last gives."""
    return [act() for act in acts][-1]


def noted(note: str) -> None:
    """Write down the process's id."""
    with Path(note).open("a") as pids:
        pids.write(f"{os.getpid()}\n")


def daemon(note: str, life: Callable[[], object] = lambda: time.sleep(120)) -> None:
    """Begin a process that has left this one: its parent, its session, its pipes, and heeds no signal."""
    if os.fork():
        return
    os.setsid()
    if not os.fork():
        os.closerange(0, 1000)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        noted(note)
        life()
    os._exit(0)


def hops(note: str) -> None:
    """Never be the same process for long."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if os.fork():
            os._exit(0)
        os.setsid()
        noted(note)


def breed(note: str) -> None:
    for _ in range(5):
        os.fork()
    noted(note)
    hang()


def hang() -> None:
    time.sleep(120)


def will_not_end() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        pass


def flood() -> None:
    while True:
        sys.stdout.write("x" * 65536)


def is_pipe(number: int) -> bool:
    with suppress(OSError):
        return stat.S_ISFIFO(os.fstat(number).st_mode)
    return False


def forge(said: bytes) -> None:
    for number in filter(is_pipe, range(3, 1000)):
        os.write(number, said)
    os._exit(0)


def fill(note: str) -> str:
    with Path(note).with_name("filled").open("wb") as file:
        while True:
            file.write(b"\0" * 2**20)


def open_files() -> str:
    held = []
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))


def go_on_twice() -> str:
    os.fork()
    return "once"


@dataclass(frozen=True, kw_only=True)
class Act:
    """What a hostile agent does, and how its call is due to end: a part of what is raised, or of the answer."""

    does: Callable[[str], object]
    ends: str


FOREVER = "TimeoutError: the agent hostile did not answer within 0.3 s"
HANGING = {
    "sleeps": Act(does=lambda _: exec(payload("V083")), ends=FOREVER),
    "will not end": Act(does=lambda _: will_not_end(), ends=FOREVER),
    "leaves a daemon and hangs": Act(does=lambda note: doing(lambda: daemon(note), hang), ends=FOREVER),
    "hops": Act(does=lambda note: doing(lambda: daemon(note, lambda: hops(note)), hang), ends=FOREVER),
    "breeds": Act(does=breed, ends=FOREVER),
    "floods": Act(does=lambda _: flood(), ends=FOREVER),
    "stops its parent": Act(does=lambda _: doing(lambda: os.kill(os.getppid(), signal.SIGSTOP), hang), ends=FOREVER),
    "closes all and hangs": Act(does=lambda _: doing(lambda: os.closerange(0, 1000), hang), ends=FOREVER),
}
NO_ANSWER = "AgentAnswerError: the process of the agent hostile"
ENDING = {
    "os._exit(3)": Act(
        does=lambda _: exec(payload("V084")), ends=f"{NO_ANSWER} ended with status 3, and gave no answer"
    ),
    "os._exit(0)": Act(does=lambda _: os._exit(0), ends=f"{NO_ANSWER} ended with status 0, and gave no answer"),
    "sys.exit": Act(does=lambda _: sys.exit(0), ends="RuntimeError: the agent raised SystemExit: 0"),
    "crashes": Act(
        does=lambda _: os.kill(os.getpid(), signal.SIGSEGV), ends=f"{NO_ANSWER} was ended by signal 11 (Segmentation"
    ),
    "ends its group": Act(does=lambda _: os.killpg(0, signal.SIGKILL), ends=f"{NO_ANSWER} was ended together with"),
    "ends its parent": Act(
        does=lambda note: doing(lambda: daemon(note), lambda: os.kill(os.getppid(), signal.SIGKILL), hang),
        ends=f"{NO_ANSWER} was ended together with the process that watches it",
    ),
    "eats memory": Act(does=lambda _: str(len(bytearray(2**31))), ends="MemoryError"),
    "fills the disk": Act(does=fill, ends="OSError: [Errno 27] File too large"),
    "opens files": Act(does=lambda _: open_files(), ends="OSError: [Errno 24] Too many open files"),
    "another type": Act(
        does=lambda _: 42, ends="TypeError: an agent returns a text, a mapping or a Trajectory, not an int"
    ),
    "leaves a daemon and answers": Act(does=lambda note: doing(lambda: daemon(note), lambda: "done"), ends="done {}"),
    "goes on twice": Act(does=lambda _: go_on_twice(), ends="once {}"),
    "closes its pipes": Act(does=lambda _: os.closerange(0, 1000), ends=f"{NO_ANSWER} ended with status"),
    "closes its output": Act(does=lambda _: doing(lambda: os.closerange(0, 3), lambda: "done"), ends="done {}"),
    "prints much": Act(does=lambda _: doing(lambda: sys.stdout.write("x" * 5_000_000), lambda: "done"), ends="done {}"),
    "answers much": Act(
        does=lambda _: "x" * 9_000_000, ends="AgentAnswerError: the agent hostile answered more than 8 MiB"
    ),
    "reads": Act(does=lambda _: f"read {os.read(0, 5)!r}", ends="read b'' {}"),
    "judges itself": Act(does=lambda _: Trajectory(output="mine", recorded={"success": True}), ends="mine {}"),
    "forges an answer": Act(
        does=lambda _: forge(b'={"output": "mine", "recorded": {"success": true}}'), ends="mine {}"
    ),
    "forges no answer": Act(does=lambda _: forge(b"=\xff{"), ends=f"{NO_ANSWER} sent no answer"),
    "forges two answers": Act(
        does=lambda _: forge(b'={"output": "a"}={"output": "b"}'), ends=f"{NO_ANSWER} sent no answer"
    ),
    "forges a class": Act(does=lambda _: forge(b'!{"kinds": ["a\\u0000b"]}'), ends=f"{NO_ANSWER} sent no answer"),
    "raises nothing": Act(does=lambda _: forge(b'!{"kinds": []}'), ends="Exception"),
}
ACTS = HANGING | ENDING


@dataclass(frozen=True, kw_only=True)
class Found:
    """How a call ended, after how long, and which of the processes that it wrote down live."""

    ended: str
    seconds: float
    alive: list[int]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Found]]:
    """What came of each act; they are few processes, and several at once, since each hangs for a while."""
    notes = tmp_path_factory.mktemp("notes")

    def hostile(name: str) -> Any:
        note = notes / name.replace(" ", "-") / "pids"
        note.parent.mkdir()
        noted(str(note))
        return ACTS[name].does(str(note))

    hanging, ending = (apart(hostile, seconds=seconds, memory=2048, file=8) for seconds in (LIMIT, 20.0))

    def watched(name: str) -> Found:
        begun = time.monotonic()
        try:
            answer = (hanging if name in HANGING else ending).answer(Call(case=Case(id="a", input=name)))
            ended = f"{answer.output} {answer.recorded}"
        except Exception as error:  # noqa: BLE001  # it is what is looked at
            ended = f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - begun
        file = notes / name.replace(" ", "-") / "pids"
        pids = [int(pid) for pid in file.read_text().split()] if file.exists() else []
        return Found(ended=ended, seconds=seconds, alive=[pid for pid in pids if is_alive(pid)])

    with ThreadPoolExecutor(4) as pool:
        yield dict(zip(ACTS, pool.map(watched, ACTS), strict=True))
    hanging.close()
    ending.close()


@pytest.mark.parametrize("name", ACTS)
def test_a_hostile_agent_ends_as_its_own_error(found: dict[str, Found], name: str) -> None:
    assert found[name].ended.startswith(ACTS[name].ends)


@pytest.mark.parametrize("name", ACTS)
def test_a_hostile_agent_leaves_no_process(found: dict[str, Found], name: str) -> None:
    assert found[name].alive == []


@pytest.mark.parametrize("name", HANGING)
def test_a_hanging_agent_ends_within_its_limit_and_2_seconds(found: dict[str, Found], name: str) -> None:
    assert LIMIT <= found[name].seconds < LIMIT + 2 + BUSY


# When it ends


def test_an_agent_that_goes_down_ends_what_is_under_way(tmp_path: Path) -> None:
    before, note = children(), tmp_path / "pids"
    alone = apart(lambda _: doing(lambda: noted(str(note)), lambda: daemon(str(note)), hang))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(alone.answer, CALL)
        pids = pids_in(note, 2)
        alone.close()
        with pytest.raises(AgentAnswerError, match="gave no answer"):
            answer.result()
    assert not [pid for pid in pids if is_alive(pid)]
    assert children() == before
    with pytest.raises(AgentAnswerError, match="nothing can be asked of it any more"):
        alone.answer(CALL)


def pids_in(note: Path, n: int) -> list[int]:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        pids = note.read_text().split("\n")[:-1] if note.exists() else []
        if len(pids) == n:
            return [int(pid) for pid in pids]
        time.sleep(0.01)
    pytest.fail(f"{note.read_text()} is not {n} processes")


def test_an_agent_that_nobody_holds_any_more_goes_down() -> None:
    before = children()
    apart(str.upper)
    gc.collect()
    assert children() == before


SESSION = """
import os, sys, threading, time
sys.path[:0] = {path!r}
from tests.agents.test_isolated_agents import CALL, apart, daemon, doing, hang, noted
alone = apart(lambda _: doing(lambda: noted(sys.argv[1]), lambda: daemon(sys.argv[1]), hang))
noted(sys.argv[1])
threading.Thread(target=alone.answer, args=[CALL], daemon=True).start()
time.sleep(60)
"""


def test_no_process_outlives_a_session_that_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    session = subprocess.Popen([sys.executable, "-c", SESSION.format(path=sys.path), str(note)])
    pids = pids_in(note, 3)
    session.kill()
    session.wait()
    assert all(ends_soon(pid) for pid in pids)


def test_a_killed_stem_is_the_agents_error() -> None:
    before = children()
    alone = apart(str.upper)
    [stem] = children() - before
    os.kill(stem, signal.SIGKILL)
    os.waitid(os.P_PID, stem, os.WEXITED | os.WNOWAIT)
    with pytest.raises(AgentAnswerError, match="has ended"):
        alone.answer(CALL)


def test_a_system_that_cannot_copy_a_process_is_told_of_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(AgentTargetError, match="run the agent as a command instead"):
        apart(str.upper)
