"""What a verdict says: the figures in one plain sentence, and the next step."""

from __future__ import annotations

from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.verdict import Comparison, Outcome, Reason
from pytest_agenteval.pipeline.aggregate import Measured

_MOST_NAMED = 8


def explain(
    outcome: Outcome,
    reason: Reason,
    *,
    measured: Measured,
    bar: Bar,
    comparison: Comparison | None,
    p_value: float | None,
    family: int,
    note: str = "",
) -> tuple[str, str]:
    """(message, next step) of a verdict; the next step is empty for a pass without a caveat."""
    approve = (
        f"pytest-agenteval baseline approve {measured.suite} --metric {measured.spec.name} --reason '…'"
    )
    if outcome is Outcome.LOOSENED:
        return f"the settings are looser than the approved baseline: {note}", f"Tighten them, or: {approve}"
    if reason is Reason.PARTIAL:
        return "only part of the suite ran, so nothing is judged", "Run the whole suite, or say --agent-eval-partial"
    if outcome is Outcome.NO_BASELINE:
        return f"{value_words(measured.estimate)}; there is no baseline to compare with", f"If it is good enough: {approve}"
    if reason is Reason.FLOOR:
        return _floor_words(outcome, measured.estimate, bar), _floor_step(outcome, measured, comparison)
    if reason is Reason.METRIC_VERSION:
        return "the baseline was measured by another version of the metric; the two cannot be compared", f"Renew it: {approve}"
    if reason is Reason.MISSING:
        return _missing_words(measured), "See the reasons above; run again when what failed is back"
    if comparison is None:
        return f"{value_words(measured.estimate)}; {bar_words(bar)}", ""
    found = comparison_words(comparison)
    if reason is Reason.METRIC_CHANGED:
        return _regraded_words(comparison), f"Score both by the same version of the metric, or renew the baseline: {approve}"
    if reason is Reason.CASE_SET:
        return f"only {_common_words(comparison)}; on those: {found}", f"If the new cases are right: {approve}"
    if outcome is Outcome.REGRESSED:
        sure = _sure(p_value, family)
        look = f"Look at {named(comparison.lost)}; if the drop is accepted: {approve}"
        return f"{found}: a real drop ({sure}), larger than the margin {bar.margin:g}", look
    if reason is Reason.TOO_FEW:
        sure = f" (one-sided p = {comparison.p_value:.4f})" if comparison.p_value is not None else ""
        open_ = f"{found}{sure}; a loss of the margin {number(bar.margin)} can be neither shown nor excluded"
        return open_, _more(comparison)
    margin = f"; a loss of {bar.margin:g} is excluded" if bar.margin is not None and comparison.delta is not None else ""
    return f"{found}{margin}", ""


def number(value: float | None) -> str:
    """Four decimals, or a dash where there is no value."""
    return "–" if value is None else f"{value:.4f}"


def value_words(estimate: Estimate) -> str:
    """'0.7938 [0.7027, 0.8626] over 97 cases'."""
    if estimate.value is None:
        return "no case has a value"
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}] over {estimate.n} cases"


def bar_words(bar: Bar) -> str:
    """'floor 0.8, ceiling 0.02' as far as set."""
    set_ = [f"{name} {value:g}" for name in ("floor", "ceiling") if (value := getattr(bar, name)) is not None]
    return ", ".join(set_) or "no floor"


def comparison_words(found: Comparison) -> str:
    """'from 0.7938 to 0.3918 on 97 common cases: 40 fell, 1 rose'."""
    if found.n_pairs == 0:
        return "no case in common with the reference"
    if found.delta is None:
        return f"from {number(found.reference.value)} to {number(found.current.value)}"
    return (
        f"from {number(found.reference.value)} to {number(found.current.value)}, on {found.n_pairs} common cases "
        f"{found.delta:+.4f} [{number(found.low)}, {number(found.high)}], {len(found.lost)} fell, {len(found.won)} rose"
    )


def named(cases: tuple[str, ...]) -> str:
    """The first few case ids, and how many more there are."""
    more = f" and {len(cases) - _MOST_NAMED} more" if len(cases) > _MOST_NAMED else ""
    return ", ".join(cases[:_MOST_NAMED]) + more


def _floor_words(outcome: Outcome, estimate: Estimate, bar: Bar) -> str:
    sure = "proven to break" if outcome is Outcome.BELOW_FLOOR else "not proven to keep"
    return f"{value_words(estimate)}: {sure} {bar_words(bar)}"


def _floor_step(outcome: Outcome, measured: Measured, comparison: Comparison | None) -> str:
    if outcome is not Outcome.BELOW_FLOOR:
        return "More cases or repeats would settle it"
    if comparison is not None and comparison.lost:
        return f"Look at the cases that fell: {named(comparison.lost)}"
    best = measured.spec.best
    failing = tuple(case for case, scores in sorted(measured.cases.items()) if scores.mean != best)
    return f"Look at {named(failing)}"


def _missing_words(measured: Measured) -> str:
    total = len(measured.cases) + len(measured.not_evaluated)
    if total == 0:
        return "no case has a value"
    first = next(iter(measured.not_evaluated.values()))
    return f"{len(measured.not_evaluated)} of {total} cases were not evaluated (the first: {first})"


def _regraded_words(found: Comparison) -> str:
    return (
        f"{len(found.regraded)} of {found.n_same_answers} cases with the very same answer were scored otherwise "
        f"({named(found.regraded)}): the metric changed, so {comparison_words(found)} says nothing of the agent"
    )


def _common_words(found: Comparison) -> str:
    total = found.n_pairs + len(found.edited) + len(found.removed)
    return (
        f"{found.n_pairs} of {total} cases of the baseline are as they were "
        f"({len(found.edited)} edited, {len(found.removed)} removed, {len(found.added)} added)"
    )


def _sure(p_value: float | None, family: int) -> str:
    corrected = f", corrected for {family} comparisons" if family > 1 else ""
    return f"chance alone would do this with p = {p_value:.2g}{corrected}" if p_value is not None else ""


def _more(found: Comparison) -> str:
    if found.cases_needed is None:
        return "More cases, more repeats or a wider margin would settle it"
    return f"About {found.cases_needed} more cases like these would settle it, or more repeats, or a wider margin"
