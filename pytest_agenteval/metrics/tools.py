"""Metrics of what the agent did with its tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_agenteval.errors import CaseError, MetricError
from pytest_agenteval.metrics.declare import FunctionMetric, metric
from pytest_agenteval.metrics.reading import equal, expected_texts, malformed
from pytest_agenteval.model.jsonvalue import JSON, canonical
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trajectory import Step
from pytest_agenteval.model.trial import Trial

Mode = Literal["exact", "subsequence", "set", "superset", "subset"]
Arguments = Literal["exact", "subset", "ignore"]
Tolerance = float | Mapping[str, float]
MODES: tuple[Mode, ...] = ("exact", "subsequence", "set", "superset", "subset")
_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCall:
    """A call that is due: the tool's name, and its arguments, or None where any will do."""

    name: str
    args: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMatch:
    """When a call that was made is the expected one."""

    arguments: Arguments = "exact"
    tolerance: Tolerance = 0.0
    ignore: frozenset[str] = frozenset()

    def __call__(self, expected: ExpectedCall, made: Step) -> bool:
        """Whether it is."""
        if expected.name != made.name or expected.args is None or self.arguments == "ignore":
            return expected.name == made.name
        found = {} if made.input is None else made.input
        if not isinstance(found, Mapping):
            return False
        due = expected.args.keys() - self.ignore
        if self.arguments == "exact" and due != found.keys() - self.ignore:
            return False
        return all(
            name in found and equal(found[name], expected.args[name], tolerance=self._allowed(name)) for name in due
        )

    def _allowed(self, name: str) -> float:
        return self.tolerance.get(name, 0.0) if isinstance(self.tolerance, Mapping) else self.tolerance


def tool_calls(
    mode: Mode = "exact",
    *,
    arguments: Arguments = "exact",
    tolerance: Tolerance = 0.0,
    ignore: Collection[str] = (),
    credit: Literal["all", "partial"] = "all",
    name: str | None = None,
) -> FunctionMetric:
    """A metric of the calls that were made against ``expect.calls``; higher is better.

    ``expect.calls`` lists names, or objects of ``name`` and ``args``; a call without args matches any.

    mode: exact (the same calls in order), subsequence (in order, others between), set (the same calls in any
    order), superset (these and maybe others), subset (none but these, at least one). arguments: exact, subset
    (the expected ones are among those given) or ignore. tolerance: allowed difference of numbers, for all or
    by argument. ignore: arguments that do not count. credit: all (1 or 0) or partial (the share).
    Where no call is expected, 1 exactly where none was made. name: due with tolerance or ignore.

    >>> tool_calls("subsequence", credit="partial").spec.name
    'tool_calls_subsequence_partial'
    """
    _refuse_unknown("mode", mode, MODES)
    _refuse_unknown("arguments", arguments, ("exact", "subset", "ignore"))
    _refuse_unknown("credit", credit, ("all", "partial"))
    match = CallMatch(arguments=arguments, tolerance=tolerance, ignore=frozenset(ignore))
    called = name or _name(mode, match, credit)

    def judge(trial: Trial) -> Score:
        expected, made = expected_calls(trial), trial.calls
        matched = _matched(mode, match, expected, made)
        share = _share(mode, matched, len(expected), len(made))
        shown = {"expected": [call.name for call in expected], "made": [call.name for call in made[:_SHOWN]]}
        value = share if credit == "partial" else share == 1
        return Score(metric=called, value=value, evidence={**shown, "matched": matched})

    judge.__doc__ = f"Whether the tool calls are those of ``expect.calls`` (mode {mode}); higher is better."
    kind: Literal["binary", "bounded"] = "binary" if credit == "all" else "bounded"
    declare = metric(name=called, kind=kind, unit="fraction", needs={"expect.calls", "steps"})
    return declare(judge)


def expected_calls(trial: Trial) -> list[ExpectedCall]:
    """``expect.calls``; a single call stands for a list of one. Raises CaseError where it is malformed."""
    told = trial.case.expect["calls"]
    listed = told if isinstance(told, Sequence) and not isinstance(told, str) else [told]
    return [_expected_call(call) for call in listed]


def _expected_call(told: JSON) -> ExpectedCall:
    if isinstance(told, str) and told:
        return ExpectedCall(name=told)
    if isinstance(told, Mapping) and told.keys() <= {"name", "args"}:
        name, args = told.get("name"), told.get("args")
        if isinstance(name, str) and name and (args is None or isinstance(args, Mapping)):
            return ExpectedCall(name=name, args=args)
    raise malformed(told, "calls", "a list of calls, each a tool's name or an object of name and args")


def _matched(mode: Mode, match: CallMatch, expected: Sequence[ExpectedCall], made: Sequence[Step]) -> int:
    """How many expected calls can be paired with a call that was made, each with one of its own."""
    # Row by row, since an expected call matches few of the made ones.
    fits = [[place for place, call in enumerate(made) if match(due, call)] for due in expected]
    return _longest_in_order(fits, len(made)) if mode in ("exact", "subsequence") else _most_pairs(fits)


def _share(mode: Mode, matched: int, expected: int, made: int) -> float:
    """The share of the calls that are matched; 1 exactly where the mode is satisfied.

    Nothing expected is contained in whatever was made; nothing made satisfies only who expects nothing.
    """
    if not expected and mode in ("subsequence", "superset"):
        return 1.0
    if not expected or not made:
        return float(expected == made)
    return (
        matched
        / {
            "exact": max(expected, made),
            "subsequence": expected,
            "set": (expected + made) / 2,
            "superset": expected,
            "subset": made,
        }[mode]
    )


def _longest_in_order(fits: Sequence[Sequence[int]], made: int) -> int:
    """Length of the longest common subsequence, where ``fits`` says which places match each expected call."""
    best = [0] * (made + 1)  # best[j]: over the expected calls so far and the first j made ones
    for places in fits:
        before = best.copy()
        matching = set(places)
        for place in range(made):
            met = before[place] + 1 if place in matching else 0
            best[place + 1] = max(before[place + 1], best[place], met)
    return best[made]


def _most_pairs(fits: Sequence[Sequence[int]]) -> int:
    """Size of the largest matching of expected calls with made ones (augmenting paths; Kuhn, 1955)."""
    taken: dict[int, int] = {}

    def find_place(due: int, tried: set[int]) -> bool:
        for place in fits[due]:
            if place not in tried:
                tried.add(place)
                if place not in taken or find_place(taken[place], tried):
                    taken[place] = due
                    return True
        return False

    return sum(find_place(due, set()) for due in range(len(fits)))


def _name(mode: Mode, match: CallMatch, credit: str) -> str:
    if match.tolerance or match.ignore:
        message = "tool_calls with tolerance= or ignore= needs a name of its own; add name='...'"
        raise MetricError(message)
    parts = ["tool_calls"] if mode == "exact" else ["tool_calls", mode]
    parts += [] if match.arguments == "exact" else [f"{match.arguments}_arguments"]
    return "_".join([*parts, "partial"] if credit == "partial" else parts)


def _refuse_unknown(option: str, told: str, known: Sequence[str]) -> None:
    if told not in known:
        message = f"{option}= of tool_calls is one of {', '.join(known)}, not {told!r}"
        raise MetricError(message)


@metric(kind="binary", unit="fraction", needs={"expect.forbidden_tools", "steps"})
def forbidden_tools(trial: Trial) -> Score:
    """Whether no tool of ``expect.forbidden_tools`` was called; higher is better."""
    forbidden = expected_texts("forbidden_tools", trial.case.expect["forbidden_tools"])
    called = sorted({call.name for call in trial.calls if call.name in forbidden})
    return Score(metric="forbidden_tools", value=not called, evidence={"called": called} if called else {})


@metric(better="lower", unit="calls", range=None, needs={"steps"})
def steps(trial: Trial) -> int:
    """Number of tool calls; lower is better."""
    return len(trial.calls)


@metric(better="lower", unit="calls", range=None, needs={"steps"}, on_agent_error="ask")
def repeated_calls(trial: Trial) -> int:
    """Number of calls that repeat an earlier one, name and arguments; lower is better."""
    made = Counter(canonical([call.name, call.input]) for call in trial.calls)
    return made.total() - len(made)


def calls_mode(trial: Trial) -> Mode:
    """The mode that the case asks for with ``expect.calls_mode``; exact where it asks for none."""
    told = trial.case.expect.get("calls_mode", "exact")
    for mode in MODES:
        if mode == told:
            return mode
    message = f"expect.calls_mode of the case {trial.case.id!r} is one of {', '.join(MODES)}, not {told!r}"
    raise CaseError(message)
