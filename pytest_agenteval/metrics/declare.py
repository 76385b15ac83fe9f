"""``@metric``: a plain function of a trial becomes a metric that is known by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, overload

from pytest_agenteval.errors import InvalidValue, MetricError
from pytest_agenteval.model.score import Direction, MetricKind, MetricSpec, Score
from pytest_agenteval.model.trial import Trial

Judgement: TypeAlias = float | bool | Score | None
"""What a metric may return; None where it has nothing to say of the trial."""

OF_THE_TRAJECTORY = ("confidence", "cost_usd", "output", "seconds", "steps", "tokens")
EXPECT = "expect."
_NAMED_BY_KEY = (EXPECT, "recorded.")


@dataclass(frozen=True, kw_only=True)  # no slots: each metric has a __doc__ and a __name__ of its own
class FunctionMetric:
    """A function with what is known of it; called with a trial.

    ``told`` is what the function is given in the trial's place: () for the trial itself, else its output
    (``output``), and maybe one of its expectations (``expect.KEY``). Such a function judges recorded outputs of
    which no trials are made, too.
    """

    spec: MetricSpec
    function: Callable[..., Judgement]
    told: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.__dict__.update(
            __doc__=self.function.__doc__,
            __module__=self.function.__module__,
            __name__=self.spec.name,
            __wrapped__=self.function,
        )

    def __call__(self, trial: Trial) -> Judgement:
        """What the function says; ``score_trial`` makes a Score of it."""
        if not self.told:
            return self.function(trial)
        expectations = [trial.case.expect[need.removeprefix(EXPECT)] for need in self.told[1:]]
        return self.function(trial.output, *expectations)


@overload
def metric(function: Callable[..., Judgement], /) -> FunctionMetric: ...
@overload
def metric(
    *,
    better: Direction = "higher",
    unit: str = "",
    range: tuple[float, float] | None = (0, 1),
    kind: MetricKind | None = None,
    needs: Iterable[str] = (),
    aggregate: str = "mean",
    on_agent_error: Literal["fail", "missing", "ask"] = "fail",
    version: int = 1,
    name: str | None = None,
    deterministic: bool = True,
) -> Callable[[Callable[..., Judgement]], FunctionMetric]: ...
def metric(  # noqa: PLR0913  # the fields of a MetricSpec, each with its default
    function: Callable[..., Judgement] | None = None,
    /,
    *,
    better: Direction = "higher",
    unit: str = "",
    range: tuple[float, float] | None = (0, 1),
    kind: MetricKind | None = None,
    needs: Iterable[str] = (),
    aggregate: str = "mean",
    on_agent_error: Literal["fail", "missing", "ask"] = "fail",
    version: int = 1,
    name: str | None = None,
    deterministic: bool = True,
) -> FunctionMetric | Callable[[Callable[..., Judgement]], FunctionMetric]:
    """Make a function of a trial a metric; the fields are those of ``MetricSpec``, the name the function's.

    ``needs``: ``expect.KEY``, ``recorded.KEY``, or one of ``OF_THE_TRAJECTORY``; a trial without it is *not
    evaluated*. ``range=None``: unbounded. A function whose parameter is ``output`` gets the trial's output in place
    of the trial; with a second one, ``expected``, also the expectation that ``needs`` names.
    Raises MetricError where the declaration makes no sense.

    >>> @metric(better="lower", unit="characters", range=None)
    ... def length(trial):
    ...     return len(str(trial.output))
    >>> length.spec.name, length.spec.kind
    ('length', 'unbounded')
    """

    def declare(function: Callable[..., Judgement]) -> FunctionMetric:
        called = name or str(getattr(function, "__name__", ""))
        _refuse_async(function, called)
        _refuse_unknown_needs(needs, called)
        try:
            spec = MetricSpec(
                name=called, version=version, better=better, unit=unit, aggregate=aggregate,
                kind=kind or ("unbounded" if range is None else "bounded"),
                range=None if range is None else (float(range[0]), float(range[1])),
                needs=tuple(needs), on_agent_error=on_agent_error, deterministic=deterministic,
            )  # fmt: skip
        except InvalidValue as error:
            raise MetricError(str(error)) from error
        return FunctionMetric(spec=spec, function=function, told=_told(function, spec))

    return declare if function is None else declare(function)


def _told(function: Callable[..., Judgement], spec: MetricSpec) -> tuple[str, ...]:
    """What the function's parameters ask for; () where it is a function of a trial."""
    code = getattr(function, "__code__", None)
    parameters: tuple[str, ...] = code.co_varnames[: code.co_argcount] if code else ()
    if parameters[:1] != ("output",):
        return ()
    expectations = tuple(need for need in spec.needs if need.startswith(EXPECT))
    if parameters == ("output",):
        return parameters
    if parameters == ("output", "expected") and len(expectations) == 1:
        return ("output", *expectations)
    message = (
        f"the metric {spec.name!r} takes {', '.join(parameters)}: write (trial), (output), or (output, expected) "
        f"with the one expectation in needs= that expected is, as needs={{'expect.output'}}"
    )
    raise MetricError(message)


def _refuse_async(function: Callable[..., Judgement], name: str) -> None:
    if inspect.iscoroutinefunction(function):
        message = f"the metric {name!r} is an async function; write it with def, and await in the agent instead"
        raise MetricError(message)


def _refuse_unknown_needs(needs: Iterable[str], name: str) -> None:
    for need in (needs,) if isinstance(needs, str) else needs:
        if need not in OF_THE_TRAJECTORY and not need.startswith(_NAMED_BY_KEY):
            message = (
                f"the metric {name!r} needs {need!r}, which no trial can have; "
                f"write expect.KEY, recorded.KEY, or one of {', '.join(OF_THE_TRAJECTORY)}"
            )
            raise MetricError(message)
