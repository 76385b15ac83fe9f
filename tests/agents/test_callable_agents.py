"""What a callable is asked, and what becomes of its answer."""

from __future__ import annotations

import asyncio
import enum
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.agents import adapt
from pytest_agenteval.agents.callable import CallableAgent, EmptyAnswer, as_trajectory
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import canonical, parse
from pytest_agenteval.model.trajectory import AgentIdentity, Fault, Step, Trajectory
from tests.agents.adversarial import kinds, payload

CASE = Case(id="a", input="hello")
CALL = Call(case=CASE, attempt=2, seed=7)
NOBODY = AgentIdentity()


def answer_of(agent: Callable[..., Any], call: Call = CALL) -> Trajectory:
    answer = adapt(agent).answer(call)
    assert isinstance(answer, Trajectory)
    return answer


class Bot:
    version = "2.1"

    def __call__(self, text: str) -> str:
        return text.upper()

    def ask(self, text: str, *, seed: int) -> str:
        return f"{text} {seed}"


def keyword_only(*, input: str, attempt: int) -> str:
    return f"{input} {attempt}"


@pytest.mark.parametrize(
    ("agent", "output"),
    [
        (lambda text: text, "hello"),
        (lambda case: case.id, "a"),
        (lambda text, case: f"{text} {case.id}", "hello a"),
        (lambda text, attempt, seed: f"{text} {attempt} {seed}", "hello 2 7"),
        (lambda text, /, case: f"{text} {case.id}", "hello a"),
        (lambda text, extra="-", seed=0: f"{text} {extra} {seed}", "hello - 7"),
        (lambda *texts: " ".join(texts), "hello"),
        (lambda text, **more: f"{text} {more}", "hello {}"),
        (keyword_only, "hello 2"),
        (Bot(), "HELLO"),
        (Bot().ask, "hello 7"),
        (functools.partial(lambda tone, text: tone + text, "oh, "), "oh, hello"),
        (str.upper, "HELLO"),
        (max, "o"),  # it does not tell its parameters
    ],
)
def test_an_agent_is_called_with_what_its_parameters_name(agent: Callable[..., Any], output: str) -> None:
    assert answer_of(agent).output == output


def test_a_parameter_that_nothing_is_known_for_is_refused_before_any_call() -> None:
    with pytest.raises(AgentTargetError, match=r"'temperature'.*case, attempt and seed"):
        adapt(lambda text, temperature: text)


@pytest.mark.parametrize("agent", [lambda: "hi", lambda **more: "hi", lambda *, seed: "hi"])
def test_an_agent_that_takes_no_input_is_refused(agent: Callable[..., Any]) -> None:
    with pytest.raises(AgentTargetError, match="takes no input"):
        adapt(agent)


async def slowly(text: str) -> str:
    await asyncio.sleep(0)
    return text


class AsyncBot:
    async def __call__(self, text: str) -> str:
        return await slowly(text)


@pytest.mark.parametrize("agent", [slowly, AsyncBot(), functools.partial(slowly), lambda text: slowly(text)])
def test_an_async_agent_gives_an_awaitable_of_its_trajectory(agent: Callable[..., Any]) -> None:
    answer = adapt(agent).answer(CALL)
    assert isinstance(answer, Awaitable)

    async def awaited() -> Trajectory:
        return await answer

    assert asyncio.run(awaited()).output == "hello"


def test_an_exception_of_the_agent_comes_through_unchanged() -> None:
    def crash(text: str) -> str:
        raise KeyError(text)

    with pytest.raises(KeyError, match="hello"):
        answer_of(crash)


@pytest.mark.parametrize(
    ("agent", "name", "version"),
    [
        (slowly, "slowly", ""),
        (Bot(), "Bot", "2.1"),
        (functools.partial(slowly), "slowly", ""),
        (lambda text: text, "<lambda>", ""),
    ],
)
def test_a_callable_is_known_by_its_name_and_version(agent: object, name: str, version: str) -> None:
    assert adapt(agent).identity == AgentIdentity(name=name, version=version)


def test_a_callable_may_say_itself_who_it_is() -> None:
    class Named(Bot):
        identity = AgentIdentity(name="shop", model="small-1")

    assert answer_of(Named()).agent == AgentIdentity(name="shop", model="small-1")


def test_the_case_is_asked_as_it_is() -> None:
    assert adapt(slowly).asked(CALL) is CASE


@pytest.mark.parametrize("answer", [None, "", " \n\t", Trajectory(output="")])
def test_an_agent_that_says_nothing_has_answered_nothing(answer: object) -> None:
    with pytest.raises(EmptyAnswer, match="answered nothing"):
        as_trajectory(answer, NOBODY)


def test_an_agent_that_acted_without_a_closing_word_has_answered() -> None:
    acted = Trajectory(output="", steps=(Step(kind="tool", name="refund"),))
    assert as_trajectory(acted, NOBODY).output == ""


@pytest.mark.parametrize("answer", [42, 1.5, True, b"hello", ["hello"], object(), {"hello"}, (word for word in "ab")])
def test_a_wrong_type_is_named(answer: object) -> None:
    with pytest.raises(TypeError, match=f"not an? {type(answer).__name__}"):
        as_trajectory(answer, NOBODY)


def test_the_agent_of_the_collection_that_answers_with_a_number_is_told_so() -> None:
    space: dict[str, Any] = {}
    exec(payload("V085"), space)
    with pytest.raises(TypeError, match="not an int: 42"):
        answer_of(space["agent"])


def endless() -> dict[str, Any]:
    knot: dict[str, Any] = {}
    knot["self"] = knot
    return knot


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({1: "x"}, "has the key 1; the keys of an answer are texts"),
        ({"a": [0, float("nan")]}, r"output\.a\[1\] of an agent is nan"),
        ({"a": float("inf")}, "is inf, which is no JSON number"),
        ({"a": {"b": object()}}, r"output\.a\.b of an agent is an object, which has no JSON form"),
        ({"a": b"x"}, "is a bytes"),
        ({"a": 10**4300}, r"more than 4,300 digits"),
        (endless(), "nested deeper than 100"),
        (Trajectory(output="x", steps=({"kind": "tool"},)), r"steps\[0\] is a dict, not a Step"),  # type: ignore[arg-type]  # the mistake
        (Trajectory(output="x", steps=(Step(kind="tool", input=b"x"),)), r"steps\[0\]\.input of an agent"),
        (Trajectory(output="x", recorded={"by": object()}), r"recorded\.by of an agent"),  # type: ignore[dict-item]  # the mistake
    ],
)
def test_what_has_no_json_form_is_named_with_its_place(answer: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        as_trajectory(answer, NOBODY)


class Status(enum.StrEnum):
    DONE = "done"


class Level(enum.IntEnum):
    LOW = 1


def test_subclasses_of_texts_and_numbers_become_plain() -> None:
    output = as_trajectory({Status.DONE: (Status.DONE, Level.LOW)}, NOBODY).output
    assert repr(output) == "{'done': ['done', 1]}"


@pytest.mark.parametrize(
    ("said", "kept"), [("a\ud800b", "a\ufffdb"), ("\ud83d\ude00", "\U0001f600"), ("\ufeffa", "\ufeffa")]
)
def test_lone_surrogates_are_replaced_and_pairs_become_their_letter(said: str, kept: str) -> None:
    assert as_trajectory(said, NOBODY).output == kept


def test_no_text_of_a_trajectory_keeps_a_surrogate() -> None:
    torn = payload("V042")
    step = Step(kind="tool", name=torn, input={torn: torn}, output=[torn], error=torn)
    told = as_trajectory(Trajectory(output=torn, steps=(step,), recorded={torn: torn}), NOBODY)
    canonical(encode(told)).encode("utf-8")
    fault = as_trajectory(Trajectory(error=Fault(kind="agent", type=torn, message=torn)), NOBODY).error
    assert fault == Fault(kind="agent", type="\ufffd lone surrogate", message="\ufffd lone surrogate")


@pytest.mark.parametrize("row", kinds("encoding"))
def test_odd_bytes_read_by_an_agent_can_be_kept(row: str) -> None:
    said = payload(row)
    text = said.decode("utf-8", "surrogateescape") if isinstance(said, bytes) else said
    output = answer_of(lambda _: f"I read: {text}").output
    assert str(output).encode("utf-8")


def test_a_trajectory_that_names_no_agent_gets_the_adapters() -> None:
    def shop(text: str) -> Trajectory:
        return Trajectory(output=text, steps=(), confidence=0.5)

    assert answer_of(shop) == Trajectory(output="hello", steps=(), confidence=0.5, agent=adapt(shop).identity)


def test_a_trajectory_that_names_its_agent_keeps_it() -> None:
    named = AgentIdentity(name="router", version="3")
    assert answer_of(lambda text: Trajectory(output=text, agent=named)).agent == named


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ANSWERS = st.dictionaries(
    st.text(),
    st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10),
)


@given(ANSWERS)
def test_a_json_answer_stays_itself_and_survives_writing_and_reading(answer: dict[str, Any]) -> None:
    told = as_trajectory(answer, NOBODY)
    assert told.output == answer
    assert decode(Trajectory, parse(canonical(encode(told)))) == told


@given(st.text(st.characters(min_codepoint=0xD000, max_codepoint=0x1FFFF), min_size=1))
def test_any_text_can_be_written_as_utf8(said: str) -> None:
    assert str(as_trajectory({"said": said}, NOBODY).output).encode("utf-8")


@pytest.mark.parametrize(("judged", "kept"), [(False, {}), (True, {"success": True})])
def test_what_an_agent_says_was_found_of_its_answer_is_left_out_unless_another_has_judged_it(
    judged: bool, kept: dict[str, bool]
) -> None:
    def claiming(text: str) -> Trajectory:
        return Trajectory(output=text, recorded={"success": True})

    answer = CallableAgent(claiming, judged=judged).answer(CALL)
    assert isinstance(answer, Trajectory)
    assert answer.recorded == kept
