"""Whose fault an exception is, and what a trial keeps of it."""

from __future__ import annotations

from typing import Any, cast

from pytest_agenteval.errors import InfrastructureError
from pytest_agenteval.model.raised import place_of
from pytest_agenteval.model.trajectory import Fault

_PASSING_STATUS = frozenset({408, 425, 429})
_SERVER_ERRORS = range(500, 600)  # a ``code`` beyond is no status of HTTP
_LONGEST_MESSAGE = 2000


class TimeLimit(Exception):  # named for what the user reads
    """The agent did not answer within the trial's time limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s, the trial's time limit (setting agent_timeout)")


def fault_of(error: Exception, named: tuple[str, ...] = ()) -> Fault:
    """What is kept of an exception; ``named`` lists exceptions that are the provider's."""
    kind = "infrastructure" if is_infrastructure(error, named) else "agent"
    text = _text_of(error)[:_LONGEST_MESSAGE] or type(error).__name__
    return Fault(kind=cast(Any, kind), type=type(error).__name__.lstrip("_"), message=text, where=place_of(error))


def is_infrastructure(error: BaseException, named: tuple[str, ...] = ()) -> bool:
    """Whether the exception is the provider's: then the trial is not evaluated, and never a score.

    These are InfrastructureError, connection errors, whatever carries the status 408, 425, 429 or 5xx
    (as ``status``, ``status_code`` or ``code``, also of its ``response``), and what ``named`` lists.

    >>> is_infrastructure(ConnectionResetError()), is_infrastructure(ValueError())
    (True, False)
    """
    if isinstance(error, InfrastructureError | ConnectionError):
        return True
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return bool(names & set(named)) or _passing_status(error)


def is_passing(error: BaseException) -> bool:
    """Whether asking again may help; a replay that holds nothing will hold nothing a second time."""
    return not getattr(error, "permanent", False)


def as_error(raised: BaseException) -> Exception:
    """The exception; an exit that an agent asked for is its error, and must not end the session."""
    if isinstance(raised, Exception):
        return raised
    error = RuntimeError(f"the agent raised {type(raised).__name__}: {_text_of(raised)}")
    return error.with_traceback(raised.__traceback__)


def _text_of(raised: BaseException) -> str:
    """What it says; an exception of an agent's may raise when it is asked."""
    try:
        return str(raised)
    except BaseException:  # noqa: BLE001  # whatever it is
        return ""


def _passing_status(error: BaseException) -> bool:
    for source in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(source, name, None)
            if isinstance(status, int) and (status in _PASSING_STATUS or status in _SERVER_ERRORS):
                return True
    return False
