"""Numbers and verdicts in plain words, for people who did not write the metric."""

from __future__ import annotations

import math
from dataclasses import replace

from pytest_agenteval.model.blocks import Tone
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Comparison, Outcome, Reason, Verdict
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.report.view import MetricView, Standing

NOTHING = "–"
TONES: dict[Standing, Tone] = {
    "worse": "bad",
    "better": "good",
    "held": "quiet",
    "unknown": "unsure",
    "unjudged": "quiet",
}
STANDINGS: dict[Standing, str] = {
    "worse": "got worse",
    "better": "got better",
    "held": "held",
    "unknown": "undecided",
    "unjudged": "not compared",
}
_OUTCOME_TONES: dict[Outcome, Tone] = {
    Outcome.PASS: "quiet",
    Outcome.REGRESSED: "bad",
    Outcome.BELOW_FLOOR: "bad",
    Outcome.LOOSENED: "bad",
}
_MINUS = "−"


def number(value: float | None, spec: MetricSpec) -> str:
    """Four decimals for a bounded metric, four digits for any other; a dash where there is no value.

    >>> seconds = MetricSpec(name="seconds", kind="unbounded", range=None)
    >>> number(0.5265, MetricSpec(name="success")), number(11.9168, seconds), number(15637.2, seconds)
    ('0.5265', '11.92', '15,637')
    """
    if value is None:
        return NOTHING
    if spec.range is not None:
        return f"{round(value, 4) + 0.0:.4f}".replace("-", _MINUS)  # + 0.0: there is no minus nought
    digits = 3 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(max(digits, 0), 9)}f}".replace("-", _MINUS)


def signed(value: float | None, spec: MetricSpec) -> str:
    """The number with its sign, also where it is plus."""
    said = number(value, spec)
    return f"+{said}" if value is not None and value > 0 and said.strip("0.") else said


def between(low: float | None, high: float | None, spec: MetricSpec, *, sign: bool = False) -> str:
    """'[0.5028, 0.5502]', or nothing where neither end is known."""
    word = signed if sign else number
    return "" if low is None and high is None else f"[{word(low, spec)}, {word(high, spec)}]"


def difference(metric: MetricView) -> tuple[str, str]:
    """This week minus the week before: over the paired cases where compared, else of the two values."""
    found, spec = metric.against_last, metric.spec
    if found is not None and found.delta is not None:
        return signed(found.delta, spec), between(found.low, found.high, spec, sign=True)
    if metric.last is None or metric.last.value is None or metric.this.value is None:
        return NOTHING, ""
    if metric.last.metric_version != metric.this.metric_version:
        return NOTHING, "another version of the metric"
    apart = metric.this.value - metric.last.value
    share = f"{100 * apart / abs(metric.last.value):+.1f} %".replace("-", _MINUS) if metric.last.value else ""
    return signed(apart, spec), "" if spec.range is not None else share


def estimate_note(estimate: Estimate, spec: MetricSpec) -> str:
    """The interval, and how many cases stand behind the value."""
    known = [between(estimate.low, estimate.high, spec), f"n\u00a0=\u00a0{estimate.n:,}"]
    if estimate.n_not_evaluated:
        known.append(f"{estimate.n_not_evaluated:,} not evaluated")
    return ", ".join(part for part in known if part)


def outcome_word(verdict: Verdict) -> str:
    """The verdict as it is said: 'below floor'."""
    return str(verdict.outcome).replace("_", " ")


def outcome_tone(verdict: Verdict) -> Tone:
    """How a verdict is coloured."""
    return _OUTCOME_TONES.get(verdict.outcome, "unsure")


def bar_words(metric: MetricView) -> list[str]:
    """'baseline 0.9455', 'floor 0.8', … as far as known."""
    known = [f"baseline {number(metric.baseline.estimate.value, metric.spec)}"] if metric.baseline else []
    bar = metric.bar
    limits = [("floor", bar.floor), ("ceiling", bar.ceiling), ("margin", bar.margin)]
    return known + [f"{name} {value:g}" for name, value in limits if value is not None]


def move(comparison: Comparison, spec: MetricSpec) -> str:
    """'12 cases newly fail, 3 newly pass', or fell and rose where a value is no plain yes or no."""
    if not comparison.lost and not comparison.won:
        return "no case moved"
    fell, rose = ("newly fail", "newly pass") if spec.kind == "binary" else ("fell", "rose")
    if len(comparison.lost) == 1 and spec.kind == "binary":
        fell = "newly fails"
    return f"{counted(len(comparison.lost), 'case')} {fell}, {len(comparison.won):,} {rose}"


def as_week_verdict(verdict: Verdict, last_week: str, margin: float | None) -> Verdict:
    """The verdict in the words of a comparison with the week before, and not with a baseline."""
    return replace(verdict, message=_why(verdict, last_week, margin), next_step=_next(verdict))


def _why(verdict: Verdict, last_week: str, margin: float | None) -> str:
    found, estimate = verdict.comparison, verdict.estimate
    lost = "" if margin is None else f"a loss of {margin:g}"
    said = f"{lost} can be neither shown nor excluded"
    if verdict.outcome is Outcome.PASS:
        said = f"{lost} is excluded"
    elif verdict.outcome is Outcome.REGRESSED:
        said = f"a real drop, larger than the {margin:g} that is tolerated"
    elif verdict.reason is Reason.METRIC_VERSION:
        said = f"{last_week} was measured by another version of the metric"
    elif verdict.reason is Reason.MISSING and estimate is not None:
        total = estimate.n + estimate.n_not_evaluated
        said = f"{estimate.n_not_evaluated:,} of {counted(total, 'case')} have no value"
    elif verdict.reason is Reason.METRIC_CHANGED and found is not None:
        said = (
            f"{len(found.regraded):,} of {counted(found.n_same_answers, 'case')} with the very same answer "
            "scored otherwise: the metric changed, so nothing is said of the agent"
        )
    elif verdict.reason is Reason.CASE_SET and found is not None:
        total = found.n_pairs + len(found.edited) + len(found.removed)
        said = f"only {found.n_pairs:,} of {counted(total, 'case')} are as they were in {last_week}"
    return said


def _next(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.PASS:
        return ""
    if verdict.outcome is Outcome.REGRESSED:
        return "Look at the cases that fell"
    if verdict.outcome is Outcome.INCOMPARABLE:
        return "Score both weeks by the same version of the metric"
    return "More cases or more repeats would settle it"
