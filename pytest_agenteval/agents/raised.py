"""An exception as JSON, and one like it again: an agent in another process raises as it would in this one.

What comes from that process is data. No class of its is loaded, and none is asked for anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pytest_agenteval.errors import InfrastructureError
from pytest_agenteval.model.raised import place_of

_LONGEST = 2000
_MOST_KINDS = 50
_REAL: tuple[type[Exception], ...] = (InfrastructureError, ConnectionError)
"""What an exception may really be again; of others it bears the names."""
_TELLING = ("status_code", "status", "code")


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """What is told of an exception: all that decides whose fault it is, and what is shown of it.

    ``kinds`` are the full names of its class and of those that it is derived from, as far as Exception.
    """

    kinds: tuple[str, ...]
    message: str = ""
    raised_at: str = ""
    told: Mapping[str, int] = field(default_factory=dict)
    told_by_response: Mapping[str, int] = field(default_factory=dict)
    retry_after: float | None = None
    permanent: bool = False

    def error(self) -> Exception:
        """An exception of the same names, message and status.

        >>> error = Raised(kinds=("shop.Busy", "builtins.Exception"), message="later", told={"status": 503}).error()
        >>> type(error).__name__, str(error), error.status
        ('Busy', 'later', 503)
        """
        kind = next((real for real in _REAL if _name_of(real) in self.kinds), Exception)
        is_real = {_name_of(base) for base in kind.__mro__}
        for name in reversed(self.kinds[:_MOST_KINDS]):
            if name not in is_real:
                module, _, own = name.rpartition(".")
                kind = type(own, (kind,), {"__module__": module})
        error: Any = kind(self.message)
        vars(error).update(self.told, raised_at=self.raised_at, retry_after=self.retry_after, permanent=self.permanent)
        if self.told_by_response:
            error.response = SimpleNamespace(**self.told_by_response)
        made: Exception = error
        return made


def raised(error: BaseException) -> Raised:
    """What to tell of an exception. An exit that an agent asks for is its error, and no exit."""
    if not isinstance(error, Exception):
        left = RuntimeError(f"the agent raised {type(error).__name__}: {error}")
        error = left.with_traceback(error.__traceback__)
    wait = getattr(error, "retry_after", None)
    return Raised(
        kinds=tuple(map(_name_of, type(error).__mro__[:-2])),
        message=str(error)[:_LONGEST] or type(error).__name__,
        raised_at=place_of(error),
        told=_told_by(error),
        told_by_response=_told_by(getattr(error, "response", None)),
        retry_after=float(wait) if isinstance(wait, int | float) and math.isfinite(wait) else None,
        permanent=bool(getattr(error, "permanent", False)),
    )


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _told_by(source: object) -> dict[str, int]:
    found = {name: getattr(source, name, None) for name in _TELLING}
    return {name: int(value) for name, value in found.items() if isinstance(value, int)}
