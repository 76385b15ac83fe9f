"""What an agent hands over, as plain values: whatever class it made of it, nothing of that class is left.

An object may say that it equals everything, or count itself smaller than it is. All that is kept here are
texts, numbers, bools, lists and mappings of exactly Python's own types, read by these types' own methods.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count
from typing import Any

from pytest_agenteval.model.jsonvalue import MAX_DEPTH
from pytest_agenteval.model.trajectory import AgentIdentity, Fault, Step, Trajectory

_LONGEST_INTEGER_BITS = 14_284
"""4,300 digits, the most that Python turns into text."""


def settled(trajectory: Trajectory, identity: AgentIdentity) -> Trajectory:
    """The trajectory in plain values with clean text, and ``identity`` where it names no agent.

    Raises TypeError where something in it has no JSON form, InvalidValue where its type refuses it.
    """
    told = _identity(trajectory.agent)
    return Trajectory(
        output=_plain(trajectory.output, "output"),
        error=None if trajectory.error is None else _fault(trajectory.error),
        steps=None if trajectory.steps is None else tuple(map(_step, trajectory.steps, count())),
        agent=_identity(identity) if told == AgentIdentity() else told,
        confidence=_number_or_none(trajectory.confidence, "confidence"),
        seconds=_number_or_none(trajectory.seconds, "seconds"),
        recorded=_plain(trajectory.recorded, "recorded"),
        cached=trajectory.cached is True,
    )


def kind_of(value: object) -> str:
    """'an int', 'a dict'."""
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _step(step: object, index: int) -> Step:
    where = f"steps[{index}]"
    if not isinstance(step, Step):
        message = f"{where} is {kind_of(step)}, not a Step"
        raise TypeError(message)
    return Step(
        kind=_text(step.kind),  # type: ignore[arg-type]  # the type looks
        name=_text(step.name),
        input=_plain(step.input, f"{where}.input"),
        output=_plain(step.output, f"{where}.output"),
        error=None if step.error is None else _text(step.error),
        seconds=_number_or_none(step.seconds, f"{where}.seconds"),
        tokens_in=_count_or_none(step.tokens_in, f"{where}.tokens_in"),
        tokens_out=_count_or_none(step.tokens_out, f"{where}.tokens_out"),
        cost_usd=_number_or_none(step.cost_usd, f"{where}.cost_usd"),
    )


def _fault(fault: Fault) -> Fault:
    kind: Any = _text(fault.kind)
    return Fault(kind=kind, type=_text(fault.type), message=_text(fault.message), where=_text(fault.where))


def _identity(told: AgentIdentity) -> AgentIdentity:
    return AgentIdentity(
        name=_text(told.name),
        version=_text(told.version),
        model=_text(told.model),
        prompt=_text(told.prompt),
        tools=_text(told.tools),
    )


def _plain(value: Any, where: str, depth: int = 0) -> Any:  # noqa: ANN401  # any JSON value
    """The value in JSON's own types; a cycle is nesting without end."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return _number(value, where)
    if depth >= MAX_DEPTH:
        message = f"the {where[:40]}… of an agent is nested deeper than {MAX_DEPTH} levels"
        raise TypeError(message)
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(item, f"{where}.{key:.40}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    raise _no_json(value, where)


def _number_or_none(value: float | None, where: str) -> float | None:
    return None if value is None else _number(value, where)


def _count_or_none(value: int | None, where: str) -> int | None:
    if value is None:
        return None
    found = _number(value, where)
    if not isinstance(found, int):
        message = f"{where} of an agent is {found!r}, which is no whole number"
        raise TypeError(message)
    return found


def _number(value: float, where: str) -> float:
    if isinstance(value, float):
        found = float.__float__(value)
        if math.isfinite(found):
            return found
        message = f"{where} of an agent is {found!r}, which is no JSON number"
        raise TypeError(message)
    if not isinstance(value, int):
        raise _no_json(value, where)
    if int.bit_length(value) > _LONGEST_INTEGER_BITS:
        message = f"{where} of an agent is an integer of more than 4,300 digits"
        raise TypeError(message)
    return int.__int__(value)


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        message = f"{where} of an agent has the key {key!r:.80}; the keys of an answer are texts"
        raise TypeError(message)
    return _text(key)


def _text(text: str) -> str:
    """An exact str whose surrogates are paired into letters, or else replaced by U+FFFD."""
    if str.isascii(text):
        return text if type(text) is str else str.__str__(text)
    return str.encode(text, "utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _no_json(value: object, where: str) -> TypeError:
    return TypeError(f"{where} of an agent is {kind_of(value)}, which has no JSON form: {value!r:.80}")
