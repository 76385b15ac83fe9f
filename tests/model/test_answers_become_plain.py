"""Whatever class an agent made of its answer: what is kept is of Python's own types, and of what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.answer import settled
from pytest_agenteval.model.trajectory import AgentIdentity, Fault, Step, Trajectory

PLAIN = (dict, list, str, int, float, bool, type(None))
NOBODY = AgentIdentity()


class Text(str):
    """Equal to all, and all else about it is a lie."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, _: object) -> bool:
        return True

    def __contains__(self, _: object) -> bool:
        return True

    def isascii(self) -> bool:
        return True

    def encode(self, *_: Any) -> bytes:
        return b"30 days"

    def __str__(self) -> str:
        return "30 days"


class Number(float):
    """The same as a number."""

    __slots__ = ()
    __hash__ = float.__hash__

    def __eq__(self, _: object) -> bool:
        return True

    def __float__(self) -> float:
        return 1.0


class Whole(int):
    """The same as a whole number."""

    __hash__ = int.__hash__

    def __eq__(self, _: object) -> bool:
        return True

    def __int__(self) -> int:
        return 1

    def bit_length(self) -> int:
        return 1


class Anything:
    """Equal to all, and in no order with any."""

    __hash__ = None  # type: ignore[assignment]  # the point

    def __eq__(self, _: object) -> bool:
        return True

    def __le__(self, _: object) -> bool:
        return True

    def __ge__(self, _: object) -> bool:
        return True


class Pretender:
    """Says of itself that it is another class."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    @property
    def __class__(self) -> Any:  # what isinstance asks
        return self._kind

    @__class__.setter
    def __class__(self, kind: type) -> None: ...


class View(Mapping[str, Any]):
    """A mapping that is no dict."""

    def __init__(self, held: dict[str, Any]) -> None:
        self._held = held

    def __getitem__(self, key: str) -> Any:
        return self._held[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return 0


def output_of(value: Any) -> Any:
    return settled(Trajectory(output=value), NOBODY).output


def types_in(value: Any) -> set[type]:
    if type(value) is dict:
        return {dict, *map(type, value), *(kind for item in value.values() for kind in types_in(item))}
    if type(value) is list:
        return {list, *(kind for item in value for kind in types_in(item))}
    return {type(value)}


LEAVES = st.one_of(
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3), max_leaves=8
)


def disguised(value: Any) -> Any:
    """The value in classes of an agent's own."""
    if isinstance(value, dict):
        return View({Text(key): disguised(item) for key, item in value.items()})
    if isinstance(value, list):
        return tuple(map(disguised, value))
    own = {str: Text, float: Number, int: Whole}.get(type(value))
    return value if own is None else own(value)


@given(VALUES)
def test_a_disguised_answer_is_kept_as_what_it_holds(value: Any) -> None:
    kept = output_of(disguised(value))
    assert json.dumps(kept) == json.dumps(value)
    assert types_in(kept) <= set(PLAIN)


@given(VALUES)
def test_to_settle_twice_changes_nothing(value: Any) -> None:
    once = settled(Trajectory(output=value), NOBODY)
    assert settled(once, NOBODY) == once


def test_steps_numbers_and_names_are_plain_too() -> None:
    step = Step(
        kind=Text("tool"),  # type: ignore[arg-type]  # a text of its own
        name=Text("refund"),
        input={"order": Whole(7)},
        error=Text("late"),
        seconds=Number(0.5),
        tokens_in=Whole(3),
        cost_usd=Number(0.25),
    )
    told = AgentIdentity(name=Text("shop"), version=Text("2"))
    kept = settled(Trajectory(output="x", steps=(step,), agent=told, confidence=Number(0.5), seconds=Whole(2)), NOBODY)
    [one] = kept.steps or ()
    found = (one.kind, one.name, one.error, one.seconds, one.tokens_in, one.cost_usd, kept.confidence, kept.seconds)
    assert list(map(type, found)) == [str, str, str, float, int, float, float, int]
    assert json.dumps(found) == '["tool", "refund", "late", 0.5, 3, 0.25, 0.5, 2]'
    assert {type(kept.agent.name), type(kept.agent.version)} == {str}


def test_a_trajectory_of_its_own_class_becomes_a_trajectory() -> None:
    class Own(Trajectory):
        """With calls that it never made."""

        __slots__ = ()

        @property
        def calls(self) -> tuple[Step, ...]:
            return (Step(kind="tool", name="refund"),)

    kept = settled(Own(output="x", steps=()), NOBODY)
    assert type(kept) is Trajectory
    assert kept.calls == ()


def test_a_fault_is_plain_too() -> None:
    fault = Fault(kind=Text("agent"), type=Text("Boom"), message=Text("no"))  # type: ignore[arg-type]  # its own text
    kept = settled(Trajectory(error=fault), NOBODY).error
    assert kept is not None
    assert {type(kept.kind), type(kept.type), type(kept.message), type(kept.where)} == {str}


@pytest.mark.parametrize("kind", [str, int, float, bool, dict])
def test_what_only_says_that_it_is_plain_is_refused(kind: type) -> None:
    with pytest.raises((TypeError, AttributeError)):
        output_of(Pretender(kind))


@pytest.mark.parametrize(
    "trajectory",
    [
        Trajectory(output=Anything()),  # type: ignore[arg-type]  # the mistake
        Trajectory(output="x", confidence=Anything()),  # type: ignore[arg-type]  # the same
        Trajectory(output="x", steps=(Step(kind="tool", tokens_in=1.5),)),  # type: ignore[arg-type]  # the same
        Trajectory(output="x", steps=(Step(kind=Anything()),)),  # type: ignore[arg-type]  # the same
    ],
)
def test_what_has_no_json_form_is_a_type_error_wherever_it_stands(trajectory: Trajectory) -> None:
    with pytest.raises(TypeError):
        settled(trajectory, NOBODY)


def test_a_kind_that_passes_for_every_kind_is_read_as_what_it_is() -> None:
    step = Step(kind=Text("steal"))  # type: ignore[arg-type]  # equal to every kind
    with pytest.raises(InvalidValue, match="not 'steal'"):
        settled(Trajectory(output="x", steps=(step,)), NOBODY)
