"""Any callable as an agent: what it is called with, and what may come back."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from inspect import BoundArguments, Parameter, Signature
from itertools import count
from typing import Any

from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.jsonvalue import MAX_DEPTH
from pytest_agenteval.model.trajectory import AgentIdentity, Step, Trajectory
from pytest_agenteval.model.trial import Origin

_LONGEST_INTEGER_BITS = 14_284
"""4,300 digits, the most that Python turns into text."""

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)
_OPEN = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


class EmptyAnswer(Exception):
    """The agent answered nothing: that is a result, and the agent's own."""


class CallableAgent:
    """A callable as an agent, sync or async.

    It is called with what its parameters name: the first positional one gets the case's input (the case
    itself, where it is named ``case``); ``input``, ``case``, ``attempt`` and ``seed`` are passed by name.
    Raises AgentTargetError where another parameter must be given.

    >>> def support_agent(text, attempt):
    ...     return f"{text} ({attempt})"
    >>> CallableAgent(support_agent).answer(Call(case=Case(id="a", input="hello"))).output
    'hello (1)'
    """

    origin: Origin = "live"

    def __init__(self, function: Callable[..., Any]) -> None:
        self.identity = _identity_of(function)
        self._function = function
        self._signature = _signature_of(function)
        self._wanted = _wanted(self._signature, self.identity.name)

    def asked(self, call: Call) -> Case:
        """The case, unchanged."""
        return call.case

    def begun(self, _call: Call) -> None:
        """Now: the agent is alive."""

    def answer(self, call: Call) -> Trajectory | Awaitable[Trajectory]:
        """What the callable answers, or an awaitable of it; raises what it raises."""
        values = {"input": call.case.input, "case": call.case, "attempt": call.attempt, "seed": call.seed}
        given: dict[str, Any] = {name: values[wanted] for name, wanted in self._wanted.items()}
        for name in given:
            if self._signature.parameters[name].kind is Parameter.VAR_POSITIONAL:
                given[name] = (given[name],)
        bound = BoundArguments(self._signature, given)
        answer = self._function(*bound.args, **bound.kwargs)
        if inspect.isawaitable(answer):
            return self._awaited(answer)
        return as_trajectory(answer, self.identity)

    async def _awaited(self, answer: Awaitable[object]) -> Trajectory:
        return as_trajectory(await answer, self.identity)


def as_trajectory(answer: object, identity: AgentIdentity) -> Trajectory:
    """The trajectory of what an agent returned: a text, a mapping, or a Trajectory.

    Lone surrogates become U+FFFD; a Trajectory that names no agent gets ``identity``. Raises EmptyAnswer
    on None and on text that says nothing (unless steps were reported), and TypeError on anything else
    that is no answer.

    >>> as_trajectory({"status": "refunded"}, AgentIdentity()).output
    {'status': 'refunded'}
    """
    if answer is None:
        message = "the agent returned None: it answered nothing"
        raise EmptyAnswer(message)
    if isinstance(answer, str | Mapping):
        answer = Trajectory(output=answer)
    if not isinstance(answer, Trajectory):
        message = f"an agent returns a text, a mapping or a Trajectory, not {_kind(answer)}: {answer!r:.80}"
        raise TypeError(message)
    if isinstance(answer.output, str) and not answer.output.strip() and not answer.steps:
        message = "the agent answered nothing: its text is empty"
        raise EmptyAnswer(message)
    return settled(answer, identity)


def settled(trajectory: Trajectory, identity: AgentIdentity) -> Trajectory:
    """The trajectory as plain JSON values with clean text, and ``identity`` where it names no agent.

    Raises TypeError where something in it has no JSON form.
    """
    fault = trajectory.error
    return replace(
        trajectory,
        output=_plain(trajectory.output, "output"),
        error=fault and replace(fault, type=_text(fault.type), message=_text(fault.message)),
        steps=trajectory.steps and tuple(map(_plain_step, trajectory.steps, count())),
        agent=identity if trajectory.agent == AgentIdentity() else trajectory.agent,
        recorded=_plain(trajectory.recorded, "recorded"),
    )


def _plain_step(step: object, index: int) -> Step:
    where = f"steps[{index}]"
    if not isinstance(step, Step):
        message = f"{where} is {_kind(step)}, not a Step"
        raise TypeError(message)
    return replace(
        step,
        name=_text(step.name),
        input=_plain(step.input, f"{where}.input"),
        output=_plain(step.output, f"{where}.output"),
        error=None if step.error is None else _text(step.error),
    )


def _plain(value: Any, where: str, depth: int = 0) -> Any:  # noqa: ANN401  # any JSON value
    """The value in JSON's own types; a cycle is nesting without end."""
    if value is None or isinstance(value, bool):
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
    message = f"{where} of an agent is {_kind(value)}, which has no JSON form: {value!r:.80}"
    raise TypeError(message)


def _number(value: float, where: str) -> float:
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        message = f"{where} of an agent is {value!r}, which is no JSON number"
        raise TypeError(message)
    if value.bit_length() > _LONGEST_INTEGER_BITS:
        message = f"{where} of an agent is an integer of more than 4,300 digits"
        raise TypeError(message)
    return int(value)


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        message = f"{where} of an agent has the key {key!r:.80}; the keys of an answer are texts"
        raise TypeError(message)
    return _text(key)


def _text(text: str) -> str:
    """An exact str whose surrogates are paired into letters, or else replaced by U+FFFD."""
    if text.isascii():
        return text if type(text) is str else str.__str__(text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _identity_of(function: object) -> AgentIdentity:
    """What the callable says of itself: its ``identity``, or its name and ``version``."""
    identity = getattr(function, "identity", None)
    if isinstance(identity, AgentIdentity):
        return identity
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    versions = [getattr(function, name, None) for name in ("version", "__version__")]
    return AgentIdentity(
        name=str(getattr(named, "__qualname__", "")).rpartition("<locals>.")[2],
        version=next((version for version in versions if isinstance(version, str)), ""),
    )


def _signature_of(function: Callable[..., Any]) -> Signature:
    try:
        return inspect.signature(function)
    except ValueError:  # some built-in functions do not tell theirs
        return Signature([Parameter("input", Parameter.POSITIONAL_ONLY)])


def _wanted(signature: Signature, name: str) -> dict[str, str]:
    """Which of input, case, attempt and seed each parameter gets."""
    wanted: dict[str, str] = {}
    for parameter in signature.parameters.values():
        if not wanted and parameter.kind in _POSITIONAL:
            wanted[parameter.name] = "case" if parameter.name == "case" else "input"
        elif parameter.kind in _OPEN:
            continue
        elif parameter.name in {"input", "case", "attempt", "seed"}:
            wanted[parameter.name] = parameter.name
        elif parameter.default is Parameter.empty:
            message = (
                f"the agent {name} needs the parameter {parameter.name!r}, and nothing is known for it; "
                "after the input, an agent can take case, attempt and seed; give others a default"
            )
            raise AgentTargetError(message)
    if not {"input", "case"} & set(wanted.values()):
        message = f"the agent {name} takes no input: give it a parameter, like def {name}(input)"
        raise AgentTargetError(message)
    return wanted
