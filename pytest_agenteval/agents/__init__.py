"""Agents of every kind behind one contract: callables, services over HTTP, commands, recordings.

An adapter is loaded when a target asks for it.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

from pytest_agenteval.contracts import Agent
from pytest_agenteval.errors import AgentTargetError
from pytest_agenteval.model.codec import near

__all__ = ["adapt", "connect"]

_URL = re.compile(r"https?://", re.IGNORECASE)
_COMMAND = "cmd:"
_RECORDING = (".jsonl", ".jsonl.gz")
_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_OBJECT = re.compile(f"{_NAME}:{_NAME}")
_POSSIBLE = (
    "possible are a URL (http://… or https://…), a command ('cmd: python my_agent.py'), "
    "an object ('package.module:name') and a recording ('run.jsonl' or 'run.jsonl.gz')"
)


def connect(target: str | Path, **options: object) -> Agent:
    """The agent that ``target`` names; ``options`` are those of its adapter.

    - ``http://…``, ``https://…``: headers, input_field, output_field, method, timeout (`agents.http`)
    - ``cmd: …``: timeout (`agents.process`)
    - ``package.module:name``: a callable, or an agent (`agents.callable`)
    - ``….jsonl``, ``….jsonl.gz``, or any Path: a recording (`agents.replay`)

    Raises AgentTargetError for anything else.

    >>> connect("cmd: cat", timeout=5).identity.name
    'cat'
    """
    adapter, subject = _adapter_of(target)
    signature = inspect.signature(adapter)
    try:
        signature.bind(subject, **options)
    except TypeError as error:
        known = [f"{name}=" for name in list(signature.parameters)[1:]]
        message = f"{target!r}: {error}; its options are: {', '.join(known) or 'none'}"
        raise AgentTargetError(message) from error
    return adapter(subject, **options)


def adapt(thing: object) -> Agent:
    """The agent that a user handed in: an agent stays what it is, a callable becomes one.

    Raises AgentTargetError for anything else.

    >>> adapt(str.upper).identity.name
    'str.upper'
    """
    from pytest_agenteval.agents.callable import CallableAgent

    if isinstance(thing, type):
        message = f"{thing.__qualname__} is a class, not an agent; hand in an instance: {thing.__name__}(…)"
        raise AgentTargetError(message)
    if isinstance(thing, Agent):
        return thing
    if builtins.callable(thing):  # the bare name is the module beside this one, once that is loaded
        return CallableAgent(thing)
    hint = "; a target is made an agent by connect(…)" if isinstance(thing, str | Path) else ""
    message = f"an agent is a callable, or what connect() returns, not {thing!r:.80}{hint}"
    raise AgentTargetError(message)


def _adapter_of(target: object) -> tuple[Callable[..., Agent], Any]:
    """What makes the agent, and of what."""
    if isinstance(target, Path) or (isinstance(target, str) and target.endswith(_RECORDING)):
        from pytest_agenteval.agents.replay import ReplayAgent

        return ReplayAgent, Path(target)
    if isinstance(target, str) and _URL.match(target):
        from pytest_agenteval.agents.http import HttpAgent

        return HttpAgent, target
    if isinstance(target, str) and target.startswith(_COMMAND):
        from pytest_agenteval.agents.process import ProcessAgent

        return ProcessAgent, target.removeprefix(_COMMAND).strip()
    if isinstance(target, str) and _OBJECT.fullmatch(target):
        return _imported, target
    hint = "; a callable is handed in as it is" if builtins.callable(target) else ""
    message = f"{target!r:.200} names no agent: {_POSSIBLE}{hint}"
    raise AgentTargetError(message)


def _imported(target: str) -> Agent:
    module_name, _, path = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module may raise anything while it is read
        message = (
            f"{target!r} cannot be imported: {type(error).__name__}: {error}. "
            "Is its folder on the path? (pythonpath in [tool.pytest.ini_options], or PYTHONPATH)"
        )
        raise AgentTargetError(message) from error
    try:
        return adapt(reduce(getattr, path.split("."), module))
    except AttributeError as error:
        message = f"{target!r} names nothing: {error}{near(path, dir(module))}"
        raise AgentTargetError(message) from error
