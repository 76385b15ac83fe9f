"""What a session prints at its end: a table a suite, what the gate says, and the next step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from pytest_agenteval.app.judging import Judged, estimates_by_suite
from pytest_agenteval.app.registry import ALWAYS_MEASURED
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.jsonvalue import JSON, canonical
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Outcome, Reason, Verdict
from pytest_agenteval.model.visible import one_line, visible
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.words import counted, number

_HEADER = ("metric", "cases", "value", "95 % interval", "verdict")
_MOST_REASONS = 3
_MOST_ERRORS = 10
_MOST_FAILING = 3
_SUCCESS = "success"


def summarise(reporter: pytest.TerminalReporter, judged: Judged, exit_code: int, workspace: Workspace) -> None:
    """Print the section *agent evaluation*."""
    reporter.section("agent evaluation", sep="=")
    verdicts = {(verdict.suite, verdict.metric): verdict for verdict in judged.verdicts}
    for suite, estimates in estimates_by_suite(judged).items():
        trials = len(judged.finished.of_suite(suite))
        reporter.line(visible(f"{suite}: {counted(trials, 'trial')}"), bold=True)
        untold = [one.metric for one in estimates if not one.n and one.metric in ALWAYS_MEASURED]
        told = [one for one in estimates if one.metric not in untold or (suite, one.metric) in verdicts]
        rows = [_row(estimate, verdicts.get((suite, estimate.metric))) for estimate in told]
        for line in _table([_HEADER, *rows]):
            reporter.line(f"  {visible(line)}")
        if untold:
            reporter.line(f"  the agent does not tell: {', '.join(untold)}")
        for estimate in told:
            name = f"{suite}/{estimate.metric}"
            if not estimate.n or (suite, estimate.metric) in verdicts:
                _not_evaluated(reporter, name, list(judged.not_evaluated.get(name, {}).items()))
        _failing(reporter, judged.finished.of_suite(suite), told)
    _errors(reporter, judged)
    for verdict in judged.verdicts:
        _tell(reporter, verdict)
    for cause in judged.causes:
        if cause.code not in (exits.RED, exits.INCONCLUSIVE):
            reporter.line(visible(f"ERROR: {cause.text}"), red=True)
    reporter.line(_last_line(judged, exit_code, workspace), bold=True, **_color(exit_code))


def _row(estimate: Estimate, verdict: Verdict | None) -> tuple[str, ...]:
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


def _not_evaluated(reporter: pytest.TerminalReporter, name: str, reasons: list[tuple[str, str]]) -> None:
    for case, reason in reasons[:_MOST_REASONS]:
        reporter.line(visible(f"  {name} not evaluated on {case}: {reason}"))
    if len(reasons) > _MOST_REASONS:
        reporter.line(f"  … and on {len(reasons) - _MOST_REASONS} more cases")


def _failing(reporter: pytest.TerminalReporter, trials: Sequence[Trial], told: Sequence[Estimate]) -> None:
    """The first trials that do not succeed, with what was expected and what was answered."""
    if not any(estimate.metric == _SUCCESS for estimate in told):
        return
    failing = [trial for trial in trials if trial.error is None and _is_worst(trial.score(_SUCCESS))]
    most = len(failing) if reporter.config.get_verbosity() > 0 else _MOST_FAILING
    for trial in failing[:most]:
        score = trial.score(_SUCCESS)
        unmet = score.evidence.get("unmet", []) if score is not None else []
        keys = [str(key) for key in unmet] if isinstance(unmet, list) else []
        due = [f"{key} {_shown(trial.case.expect.get(key), 60)}" for key in keys]
        said = _shown(trial.output, 80)
        which = trial.case.id if trial.attempt == 1 else f"{trial.case.id}, attempt {trial.attempt}"
        expected = f"due {'; '.join(due)}; " if due else ""
        reporter.line(f"  no success on {which}: {expected}answered {said}")
    if len(failing) > most:
        reporter.line(f"  … and on {len(failing) - most} more (all with -v)")


def _shown(value: JSON, longest: int) -> str:
    return (
        f'"{one_line(value, longest=longest)}"'
        if isinstance(value, str)
        else one_line(canonical(value), longest=longest)
    )


def _is_worst(score: Score | None) -> bool:
    return score is not None and score.value is not None and not score.value


def _errors(reporter: pytest.TerminalReporter, judged: Judged) -> None:
    """What the agents and their providers came to: such an item has no other place to say it."""
    erred = [trial for trial in judged.finished.trials if trial.error is not None]
    for trial in erred[:_MOST_ERRORS]:
        suite, case, attempt = trial.key
        fault = trial.error
        assert fault is not None  # picked for it
        which = f"{suite}/{case}" if attempt == 1 else f"{suite}/{case}, attempt {attempt}"
        place = f" ({visible(fault.where)})" if fault.where else ""
        reporter.line(f"  {fault.kind} error on {which}: {one_line(f'{fault.type}: {fault.message}')}{place}")
    if len(erred) > _MOST_ERRORS:
        reporter.line(f"  … and {len(erred) - _MOST_ERRORS} more errors")


def _tell(reporter: pytest.TerminalReporter, verdict: Verdict) -> None:
    if verdict.outcome is Outcome.PASS:
        return
    warns = verdict.reason in (Reason.TOO_FEW, Reason.FLOOR) and verdict.outcome is Outcome.INCONCLUSIVE
    color = {"yellow": True} if warns else {"red": True}
    reporter.line(visible(f"{verdict.suite}/{verdict.metric}: {verdict.outcome}: {verdict.message}."), **color)
    reporter.line(visible(f"  → {verdict.next_step}"))


def _last_line(judged: Judged, exit_code: int, workspace: Workspace) -> str:
    counts: dict[str, int] = {}
    for verdict in judged.verdicts:
        counts[verdict.outcome.value] = counts.get(verdict.outcome.value, 0) + 1
    said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "nothing judged"
    return f"gate: {said}; exit code {exit_code}; details in {workspace.settings.work}/verdict.json"


def _color(exit_code: int) -> dict[str, bool]:
    return {"green": True} if exit_code == exits.OK else {"red": True}
