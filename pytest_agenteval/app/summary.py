"""What is told of a judged run: a table a suite, what the gate says, and the next step."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.registry import ALWAYS_MEASURED
from pytest_agenteval.app.repeats import repeats_lines
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.jsonvalue import JSON, canonical
from pytest_agenteval.model.quarantine import Standing
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Outcome, Reason, SliceFinding, Verdict
from pytest_agenteval.model.visible import one_line, visible
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.words import comparison_words, counted, number

_HEADER = ("metric", "cases", "value", "95 % interval", "verdict")
_MOST_REASONS = 3
_MOST_ERRORS = 10
_MOST_FAILING = 3
_SUCCESS = "success"
_TIME = "latency_seconds"
_TOLD_ELSEWHERE = (exits.RED, exits.INCONCLUSIVE, exits.TESTS_FAILED)
"""Causes that the verdicts tell, or pytest itself."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line in which nothing can act, and how a terminal may show it."""

    text: str
    style: tuple[str, ...] = ()


def measured_lines(judged: Judged, suite: str, estimates: Sequence[Estimate], *, verbose: bool) -> Iterator[Line]:
    """What was measured of one suite, and its first failing trials (all of them where ``verbose``)."""
    verdicts = {one.metric: one for one in judged.verdicts if one.suite == suite and not one.slice}
    trials = judged.finished.of_suite(suite)
    yield Line(visible(f"{suite}: {counted(len(trials), 'trial')}"), ("bold",))
    untold = [one.metric for one in estimates if not one.n and one.metric in ALWAYS_MEASURED]
    told = [one for one in estimates if one.metric not in untold or one.metric in verdicts]
    rows = [_row(estimate, verdicts.get(estimate.metric)) for estimate in told]
    for line in _table([_HEADER, *rows]):
        yield Line(f"  {visible(line)}")
    cached = judged.finished.run.cached.get(suite)
    silent = [metric for metric in untold if not (cached and metric == _TIME)]
    if silent:
        yield Line(f"  the agent does not tell: {', '.join(silent)}")
    for estimate in told:
        name = f"{suite}/{estimate.metric}"
        if not estimate.n or estimate.metric in verdicts:
            yield from _not_evaluated(name, list(judged.not_evaluated.get(name, {}).items()))
    held = judged.quarantines.get(suite, Standing()).cases
    yield from _failing(trials, told, held, verbose=verbose)
    if cached:
        n_all = len(trials) + sum(trial.case.suite == suite for trial in judged.finished.second_look)
        yield Line(f"  {cached:,} of {counted(n_all, 'trial')} came from the cache: no time was measured of them")
    for line in repeats_lines(judged, suite):
        yield Line(visible(f"  {line}"))


def gate_lines(judged: Judged, exit_code: int, details: str, *, may_be_partial: bool = False) -> Iterator[Line]:
    """Whose agent erred, what the gate says of each metric, what else stands in the way, and the exit code.

    ``may_be_partial``: one could have said that a part is meant, and has not.
    """
    yield from _errors(judged)
    for verdict in judged.verdicts:
        yield from _told(verdict, may_be_partial=may_be_partial and not judged.cut_short)
    for cause in judged.causes:
        if cause.code not in _TOLD_ELSEWHERE:
            yield Line(visible(f"ERROR: {cause.text}"), ("red",))
    for text in judged.cut_short:
        yield Line(visible(text), ("yellow",))
    yield Line(_last_line(judged, exit_code, details), ("bold", "green" if exit_code == exits.OK else "red"))


def _row(measured: Estimate, verdict: Verdict | None) -> tuple[str, ...]:
    # Where a metric gates, what is quarantined is left out.
    estimate = measured if verdict is None or verdict.estimate is None else verdict.estimate
    interval = f"[{number(estimate.low)}, {number(estimate.high)}]" if estimate.value is not None else "–"
    missing = f" (+{estimate.n_not_evaluated} not evaluated)" if estimate.n_not_evaluated else ""
    return (
        estimate.metric,
        f"{estimate.n}{missing}",
        number(estimate.value),
        interval,
        "" if verdict is None else verdict.outcome.value,
    )


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _not_evaluated(name: str, reasons: Sequence[tuple[str, str]]) -> Iterator[Line]:
    for case, reason in reasons[:_MOST_REASONS]:
        yield Line(visible(f"  {name} not evaluated on {case}: {reason}"))
    if len(reasons) > _MOST_REASONS:
        yield Line(f"  … and on {len(reasons) - _MOST_REASONS} more cases")


def _failing(
    trials: Sequence[Trial], told: Sequence[Estimate], quarantined: Collection[str], *, verbose: bool
) -> Iterator[Line]:
    """The first trials that do not succeed, with what was expected and what was answered."""
    if not any(estimate.metric == _SUCCESS for estimate in told):
        return
    failing = (trial for trial in trials if trial.error is None and _is_worst(trial.score(_SUCCESS)))
    most = sys.maxsize if verbose else _MOST_FAILING
    shown, n_failing = _first(failing, most)
    for trial in shown:
        score = trial.score(_SUCCESS)
        unmet = score.evidence.get("unmet", []) if score is not None else []
        keys = [str(key) for key in unmet] if isinstance(unmet, list) else []
        due = [f"{key} {_shown(trial.case.expect.get(key), 60)}" for key in keys]
        said = _shown(trial.output, 80)
        which = trial.case.id if trial.attempt == 1 else f"{trial.case.id}, attempt {trial.attempt}"
        which += " (quarantined)" if trial.case.id in quarantined else ""
        expected = f"due {'; '.join(due)}; " if due else ""
        yield Line(f"  no success on {which}: {expected}answered {said}")
    if n_failing > most:
        yield Line(f"  … and on {n_failing - most} more (all with -v)")


def _shown(value: JSON, longest: int) -> str:
    return (
        f'"{one_line(value, longest=longest)}"'
        if isinstance(value, str)
        else one_line(canonical(value), longest=longest)
    )


def _is_worst(score: Score | None) -> bool:
    return score is not None and score.value is not None and not score.value


def _errors(judged: Judged) -> Iterator[Line]:
    """What the agents and their providers came to: such an item has no other place to say it."""
    erred, n_erred = _first((one for one in judged.finished.trials if one.error is not None), _MOST_ERRORS)
    for trial in erred:
        suite, case, attempt = trial.key
        fault = trial.error
        assert fault is not None  # picked for it
        which = f"{suite}/{case}" if attempt == 1 else f"{suite}/{case}, attempt {attempt}"
        place = f" ({visible(fault.where)})" if fault.where else ""
        yield Line(f"  {fault.kind} error on {which}: {one_line(f'{fault.type}: {fault.message}')}{place}")
    if n_erred > _MOST_ERRORS:
        yield Line(f"  … and {n_erred - _MOST_ERRORS} more errors")


def _first(trials: Iterable[Trial], n: int) -> tuple[list[Trial], int]:
    """The first n trials, and how many there are: of a stored run there may be more than can be held."""
    each = iter(trials)
    shown = list(islice(each, n))
    return shown, len(shown) + sum(1 for _ in each)


def _told(verdict: Verdict, *, may_be_partial: bool) -> Iterator[Line]:
    yield from _fallen_slices(verdict)
    if verdict.outcome is Outcome.PASS:
        return
    warns = exits.code_of(verdict, "merge") == exits.OK
    yield Line(
        visible(f"{verdict.name}: {verdict.outcome}: {verdict.message}."),
        ("yellow" if warns else "red",),
    )
    leave = ", or say --agent-eval-partial" if may_be_partial and verdict.reason is Reason.PARTIAL else ""
    yield Line(visible(f"  → {verdict.next_step}{leave}"))


def _fallen_slices(verdict: Verdict) -> Iterator[Line]:
    for one in verdict.slices:
        if one.fell:
            found = comparison_words(one.comparison)
            text = f"  {verdict.name} seems to have fallen on the cases tagged {one.tag!r}: {found} ({_chance_of(one)})"
            yield Line(visible(text), ("yellow",))


def _chance_of(one: SliceFinding) -> str:
    return f"q = {one.q_value or 0.0:.2g}: of such lines at most one in ten is chance"


def _last_line(judged: Judged, exit_code: int, details: str) -> str:
    counts: dict[str, int] = {}
    for verdict in judged.verdicts:
        counts[verdict.outcome.value] = counts.get(verdict.outcome.value, 0) + 1
    said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "nothing judged"
    return f"gate: {said}; exit code {exit_code}; {details}"
