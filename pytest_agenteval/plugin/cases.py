"""What a user writes above a test: ``agent_cases`` and ``load_cases``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, cast

import pytest

from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import CaseError
from pytest_agenteval.model.case import Case

_Test = TypeVar("_Test", bound=Callable[..., object])

JOB = "agenteval_job"
"""The one indirect parameter that each agent test has; its value is the item's job."""


ADAPTIVE: Final = "adaptive"
_FEWEST, _MOST = 2, 100
"""Of one attempt nothing can be left out; more than 100 looks would be granted next to nothing each."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case file that is named but not yet read."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCases:
    """What the marker holds. ``repeats`` is how many attempts are made at each case; at most, if ``adaptive``."""

    sources: tuple[Case | CaseFile, ...]
    metrics: tuple[str | Metric, ...]
    repeats: int
    adaptive: bool = False


def load_cases(name: str) -> CaseFile:
    """The cases of a file: JSON lines, JSON, YAML or CSV, told by its ending.

    The file lies beside the test file or in the suite's ``cases/`` (in both: an error). It is read when
    tests are collected, never at import.
    """
    return CaseFile(name)


def agent_cases(
    *sources: Case | CaseFile | Iterable[Case | CaseFile],
    metrics: Sequence[str | Metric] = (),
    repeats: int | Literal["adaptive"] = 1,
    max_repeats: int | None = None,
) -> Callable[[_Test], _Test]:
    """Run the decorated test once a case: the agent is called on it, and its trial is scored.

    ``sources`` are cases and case files; ``metrics`` are names of metrics or metrics of your own;
    ``repeats`` is how many attempts are made at each case; with ``repeats="adaptive"`` at most ``max_repeats``, and
    none that is not needed any more. The test may take the fixtures ``trial`` (the
    finished trial), ``case``, ``agent`` (then it calls the agent itself and hands over what came of it
    with ``record_trial``), and any of its own. Raises CaseError for what cannot be a source.
    """
    mark = AgentCases(
        sources=tuple(_flat(sources)),
        metrics=tuple(metrics),
        repeats=_attempts(repeats, max_repeats),
        adaptive=repeats == ADAPTIVE,
    )

    def decorate(test: _Test) -> _Test:
        if inspect.isclass(test):
            message = f"@agent_cases decorates test functions and methods, not the class {test.__qualname__}"
            raise CaseError(message)
        takes = inspect.signature(test).parameters
        fixtures = (JOB,) if "agent" in takes and "trial" not in takes else (JOB, "trial")
        marked = pytest.mark.agent_cases(mark)(test)
        return cast(_Test, pytest.mark.usefixtures(*fixtures)(marked))

    return decorate


def _attempts(repeats: object, most: object) -> int:
    """How many attempts at each case, at most. Raises CaseError for what is no such number."""
    if repeats != ADAPTIVE:
        if most is not None:
            message = f"max_repeats={most!r} is for repeats='adaptive' alone, not for repeats={repeats!r}. Leave it out"
            raise CaseError(message)
        if type(repeats) is not int or repeats < 1:
            message = f"repeats={repeats!r} makes no attempt; it is at least 1, or 'adaptive' with max_repeats="
            raise CaseError(message)
        return repeats
    if type(most) is not int or not _FEWEST <= most <= _MOST:
        message = f"repeats='adaptive' needs max_repeats= from {_FEWEST} to {_MOST}, not {most!r}"
        raise CaseError(message)
    return most


def _flat(sources: Iterable[object]) -> Iterable[Case | CaseFile]:
    for source in sources:
        if isinstance(source, Case | CaseFile):
            yield source
        elif isinstance(source, Iterable) and not isinstance(source, str):
            yield from _flat(source)
        else:
            message = f"a source of cases is a Case, or load_cases('file.jsonl'), not {source!r}"
            raise CaseError(message)
