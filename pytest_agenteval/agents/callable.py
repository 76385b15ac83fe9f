"""Any callable as an agent: what it is called with, and what may come back."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from inspect import BoundArguments, Parameter, Signature
from typing import Any

from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError
from pytest_agenteval.model.answer import kind_of, settled
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from pytest_agenteval.model.trial import Origin

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)
_OPEN = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


class EmptyAnswer(Exception):
    """The agent answered nothing: that is a result, and the agent's own."""


class CallableAgent:
    """A callable as an agent, sync or async.

    It is called with what its parameters name: the first positional one gets the case's input (the case
    itself, where it is named ``case``); ``input``, ``case``, ``attempt`` and ``seed`` are passed by name.
    What it says was found of its answer (``recorded``) is left out, since nobody judges himself, unless it is
    ``judged`` by somebody else. Raises AgentTargetError where another parameter must be given.

    >>> def support_agent(text, attempt):
    ...     return f"{text} ({attempt})"
    >>> CallableAgent(support_agent).answer(Call(case=Case(id="a", input="hello"))).output
    'hello (1)'
    """

    origin: Origin = "live"

    def __init__(self, function: Callable[..., Any], *, judged: bool = False) -> None:
        self.identity = _identity_of(function)
        self.is_async = _is_async(function)
        self._judged = judged
        self._function = function
        self._signature = _signature_of(function)
        self._wanted = _wanted(self._signature, self.identity.name)

    @property
    def inner(self) -> object:
        """What it calls."""
        return self._function

    @property
    def takes_case(self) -> bool:
        """Whether the callable is given the whole case, and not its input alone."""
        return "case" in self._wanted.values()

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
        return self._trajectory(answer)

    async def _awaited(self, answer: Awaitable[object]) -> Trajectory:
        return self._trajectory(await answer)

    def _trajectory(self, answer: object) -> Trajectory:
        trajectory = as_trajectory(answer, self.identity)
        return trajectory if self._judged else replace(trajectory, recorded={})


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
        message = f"an agent returns a text, a mapping or a Trajectory, not {kind_of(answer)}: {answer!r:.80}"
        raise TypeError(message)
    trajectory = settled(answer, identity)
    if isinstance(trajectory.output, str) and not trajectory.output.strip() and not trajectory.steps:
        message = "the agent answered nothing: its text is empty"
        raise EmptyAnswer(message)
    return trajectory


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


def _is_async(function: Any) -> bool:  # noqa: ANN401  # any callable
    """Whether a call of it gives something to await, as far as it can be known without calling it."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004  # what is asked is how, not whether, it can be called


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
