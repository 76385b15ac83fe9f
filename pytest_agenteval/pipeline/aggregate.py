"""From trials to one number a metric: the values per case, and the estimate with its interval."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_agenteval import stats
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.run import in_order
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.tally import Tally

CONFIDENCE = 0.95
"""Intervals in reports are two-sided at this level."""

_ROUNDING = 1e-12
"""An interval may miss its own estimate by a rounding error; it is widened by no more than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One metric over one suite: its estimate, the values behind it, and the cases without a value.

    ``slices`` has, by tag, the cases that bear it and were asked for the metric.
    """

    suite: str
    spec: MetricSpec
    estimate: Estimate
    cases: Mapping[str, CaseScores]
    not_evaluated: Mapping[str, str] = field(default_factory=dict)
    not_asked: frozenset[str] = frozenset()
    slices: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def missing_share(self) -> float:
        """Share of the cases whose value is missing, of those that expect one; 0 where there are none.

        A case that has no such expectation (``not_asked``) does not ask for the metric: nothing is missing.
        """
        missing = len(self.not_evaluated.keys() - self.not_asked)
        return missing / (len(self.cases) + missing) if missing else 0.0


def measure(suite: str, spec: MetricSpec, trials: Sequence[Trial], *, planned: int | None = None) -> Measured:
    """Aggregate the scores of one metric over the trials of one suite.

    Trials that were never asked for the metric do not count. The case is the unit: the attempts of a case
    are averaged first (or counted, for pass_at_k and pass_hat_k). A case none of whose attempts has a
    value is *not evaluated*, with the reason of its first attempt. ``planned`` is how many attempts each case was
    to have where some were left out, since they could no longer change the value of their case.
    """
    return measured_of(suite, spec, Tally.of(in_order(trials)), planned=planned)


def measure_all(
    suite: str, specs: Mapping[str, MetricSpec], trials: Sequence[Trial], *, planned: int | None = None
) -> list[Measured]:
    """Every metric that the trials of the suite were scored by, in the order of the names."""
    tally = Tally.of(in_order(trials))
    return [measured_of(suite, specs[name], tally, planned=planned) for name in tally.metrics]


def measured_of(
    suite: str, spec: MetricSpec, tally: Tally, *, planned: int | None = None, without: Container[str] = frozenset()
) -> Measured:
    """The same where the trials were counted already; the cases in ``without`` are left out."""
    kind, k = _pass_rule(spec.aggregate)
    cases, reasons, not_asked = {}, {}, set()
    tags: dict[str, set[str]] = {}
    scores: list[Score] = []
    for case in tally.attempts(spec.name, without):
        for tag in case.tags:
            tags.setdefault(tag, set()).add(case.case)
        scores += case.scores
        values = case.values
        if kind:
            value = pass_value(spec, values, planned)
            values = () if value is None else (value,)
        if not values:
            reasons[case.case] = case.reason or f"{len(case.values)} of the {k} attempts needed"
            not_asked |= {case.case} if case.not_asked else set()
            continue
        answers = () if kind else case.answers
        cases[case.case] = CaseScores(fingerprint=case.fingerprint, values=values, answers=answers)
    return Measured(
        suite=suite,
        spec=spec,
        estimate=_estimate(suite, spec, cases, len(reasons), scores),
        cases=cases,
        not_evaluated=reasons,
        not_asked=frozenset(not_asked),
        slices={tag: frozenset(ids) for tag, ids in tags.items()},
    )


def of_cases(suite: str, spec: MetricSpec, cases: Mapping[str, CaseScores], *, slice: str = "") -> Measured:
    """A metric whose values by case are known already; for metrics that a value per case stands behind."""
    estimate = replace(_estimate(suite, spec, cases, 0, []), slice=slice)
    return Measured(suite=suite, spec=spec, estimate=estimate, cases=cases)


def estimate_of(spec: MetricSpec, values: Sequence[float], missing: int, scores: Sequence[Score]) -> Estimate:
    """The estimate where each value is that of a case of its own; ``scores`` are those of a metric of calibration."""
    if _pass_rule(spec.aggregate)[0]:
        settled = [found for value in values if (found := pass_value(spec, [value], None)) is not None]
        missing, values = missing + len(values) - len(settled), settled
    cases = {str(place): CaseScores(fingerprint="", values=(value,)) for place, value in enumerate(values)}
    return _estimate("", spec, cases, missing, scores)


def part_of(measured: Measured, tag: str) -> Measured:
    """The metric over the cases of one tag."""
    chosen = measured.slices[tag]
    part = of_cases(
        measured.suite,
        measured.spec,
        {case: scores for case, scores in measured.cases.items() if case in chosen},
        slice=tag,
    )
    missing = {case: reason for case, reason in measured.not_evaluated.items() if case in chosen}
    estimate = replace(part.estimate, n_not_evaluated=len(missing))
    return replace(part, estimate=estimate, not_evaluated=missing, not_asked=measured.not_asked & chosen)


def bounds_of(measured: Measured, *, confidence: float) -> tuple[float | None, float | None]:
    """The two ends of the metric's interval at another confidence; (None, None) where it has none."""
    if not measured.cases or measured.spec.aggregate == "ece":
        return None, None
    return _interval(measured.spec, list(measured.cases.values()), [], confidence)[1:3]


def is_binary(cases: Iterable[CaseScores]) -> bool:
    """Whether every value is 0 or 1."""
    return {value for case in cases for value in case.values} <= {0.0, 1.0}


def _estimate(
    suite: str, spec: MetricSpec, cases: Mapping[str, CaseScores], missing: int, scores: Sequence[Score]
) -> Estimate:
    value, low, high, method = (
        _interval(spec, list(cases.values()), scores, CONFIDENCE) if cases else (None, None, None, "")
    )
    if value is not None:
        low = None if low is None else min(low, value) if low - value < _ROUNDING else low
        high = None if high is None else max(high, value) if value - high < _ROUNDING else high
    return Estimate(
        suite=suite,
        metric=spec.name,
        metric_version=spec.version,
        n=len(cases),
        n_not_evaluated=missing,
        value=value,
        low=low,
        high=high,
        confidence=CONFIDENCE,
        method=method,
    )


_Interval = tuple[float | None, float | None, float | None, str]


def _interval(spec: MetricSpec, cases: list[CaseScores], scores: Sequence[Score], confidence: float) -> _Interval:
    if spec.aggregate == "ece":
        return _calibration_error(scores)
    if spec.aggregate[0] == "p" and spec.aggregate[1:].isdigit():
        return _quantile(int(spec.aggregate[1:]) / 100, cases, confidence)
    if _pass_rule(spec.aggregate)[0]:
        return _proportion([case.mean for case in cases], 1.0, confidence)
    repeats = sum(len(case.values) for case in cases) / len(cases)
    if spec.range == (0.0, 1.0) and is_binary(cases):
        return _proportion([case.mean for case in cases], repeats, confidence)
    limits = stats.mean_ci([case.mean for case in cases], confidence, bounds=spec.range)
    return limits["mean"], limits["lo"], limits["hi"], "t"


def _proportion(means: list[float], repeats: float, confidence: float) -> _Interval:
    value = stats.exact_mean(means)
    if repeats == 1.0 and all(mean in (0.0, 1.0) for mean in means):
        low, high = stats.proportion_ci(round(sum(means)), len(means), confidence=confidence)
        return value, low, high, "wilson"
    limits = stats.wilson_effective_n(means, repeats, confidence)
    return value, limits["lo"], limits["hi"], "wilson, effective n"


def _quantile(p: float, cases: list[CaseScores], confidence: float) -> _Interval:
    """The quantile over all attempts; its ranks are those of as many calls as there are cases."""
    values = sorted(value for case in cases for value in case.values)
    limits = stats.quantile_ci([case.mean for case in cases], p, confidence)
    per_case = len(values) / len(cases)
    lower, upper = limits["lower_rank"], limits["upper_rank"]
    value = stats.quantile(values, p)
    # An estimate between two ranks may lie below the lower one (p99 of two cases): it is no limit then.
    low = None if lower is None else min(value, values[int((lower - 1) * per_case)])
    high = None if upper is None else max(value, values[min(len(values), round(upper * per_case)) - 1])
    return value, low, high, "order statistics"


def _calibration_error(scores: Sequence[Score]) -> _Interval:
    pairs = [score.evidence for score in scores if score.value is not None]
    confidence = [float(pair["confidence"]) for pair in pairs]  # type: ignore[arg-type]  # the metric wrote a number
    correct = [float(pair["correct"]) for pair in pairs]  # type: ignore[arg-type]  # the same
    return stats.ece(confidence, correct, closed="right"), None, None, "ece, 10 bins"


def _pass_rule(aggregate: str) -> tuple[str, int]:
    """('at' or 'hat', k) of a pass_at_k or pass_hat_k aggregate, else ('', 0)."""
    word, _, number = aggregate.rpartition("_")
    return (word.removeprefix("pass_"), int(number)) if word in ("pass_at", "pass_hat") else ("", 0)


def pass_value(spec: MetricSpec, values: Sequence[float], planned: int | None) -> float | None:
    """A case's pass_at_k or pass_hat_k by these values of its attempts; None while they do not settle it.

    Fewer than k of them settle it only where k attempts were planned: then one success (failure) does, whatever
    the others would have been. Of more attempts, any k may be those that count.
    """
    kind, k = _pass_rule(spec.aggregate)
    n, passed = len(values), round(sum(values))
    if n < k == planned and (passed > 0 if kind == "at" else passed < n):
        return 1.0 if kind == "at" else 0.0
    return (stats.pass_at_k if kind == "at" else stats.pass_hat_k)(n, passed, k)
