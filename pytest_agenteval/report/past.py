"""One suite in one run of the history: its numbers from the index, and only those trials that are shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.jsonvalue import JSON, canonical
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Comparison
from pytest_agenteval.pipeline.aggregate import Measured, measure, measured_of
from pytest_agenteval.pipeline.tally import Tally
from pytest_agenteval.pipeline.variance import attempts
from pytest_agenteval.report.view import CaseChange
from pytest_agenteval.store.history import History
from pytest_agenteval.store.history.excerpt import SuiteExcerpt, read_some


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRun:
    """A suite in a run, with the estimates that were kept of it."""

    history: History
    suite: str
    week: str
    run: Run
    estimates: Mapping[str, Estimate]
    _measured: dict[str, Measured] = field(default_factory=dict, init=False, repr=False, compare=False)
    _scores: dict[str, Mapping[str, CaseScores]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _tags: dict[str, frozenset[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def spec(self, metric: str) -> MetricSpec:
        """The metric as it was in the run; all that is known is taken where the run did not say."""
        version = self.estimates[metric].metric_version
        unknown = MetricSpec(name=metric, version=version, kind="unbounded", range=None)
        return self.run.specs.get(metric, unknown)

    def measured(self, metric: str) -> Measured:
        """The metric's values by case. The index has them; reasons and pass_k are in the trials alone."""
        if metric not in self._measured:
            self._measured[metric] = self._measure(metric)
        return self._measured[metric]

    def _measure(self, metric: str) -> Measured:
        spec, estimate = self.spec(metric), self.estimates[metric]
        if estimate.n_not_evaluated or spec.aggregate.startswith("pass_"):
            return measure(self.suite, spec, self._trials(), planned=self.run.planned(self.suite))
        cases = self._known(metric)
        slices = {tag: known for tag, ids in self._tags.items() if (known := ids.intersection(cases))}
        return Measured(suite=self.suite, spec=spec, estimate=estimate, cases=cases, slices=slices)

    def without(self, metric: str, cases: Collection[str]) -> Measured:
        """The metric as it is measured without these cases."""
        if not cases:
            return self.measured(metric)
        tally = Tally.of(self._trials())
        planned = self.run.planned(self.suite)
        return measured_of(self.suite, self.spec(metric), tally, planned=planned, without=cases)

    def attempts(self, metric: str) -> Mapping[str, CaseScores]:
        """The value of each attempt by case, whatever the metric's aggregate."""
        if self.spec(metric).deterministic:
            return self._known(metric)
        # Of a judge it matters whether an attempt has an answer at all, which the index does not tell.
        return attempts(self._trials(), [metric])[metric]

    def _trials(self) -> Sequence[Trial]:
        return self.history.open(self.run.id).of_suite(self.suite)

    def _known(self, metric: str) -> Mapping[str, CaseScores]:
        if not self._scores:
            self._scores.update(self.history.case_scores(self.run.id, self.suite))
            self._tags.update(self.history.tagged(self.run.id, self.suite))
        return self._scores.get(metric, {})

    def again(self, metric: str) -> Measured | None:
        """The metric's values in the second look that the gate took; None where it took none."""
        if self.suite not in self.run.looked_again:
            return None
        second = [trial for trial in self.history.open(self.run.id).second_look if trial.case.suite == self.suite]
        return measure(self.suite, self.spec(metric), second, planned=self.run.planned(self.suite))

    def some(self, cases: Collection[str]) -> tuple[SuiteExcerpt, str]:
        """The agents and the trials of these cases; and what keeps them from being read."""
        try:
            return read_some(self.history.root, self.run, self.suite, cases), ""
        except HistoryError as error:
            return SuiteExcerpt(), str(error)


Trials = Mapping[str, list[Trial]]
"""Trials by case id."""


def by_case(trials: Iterable[Trial]) -> Trials:
    """The trials of each case, in their order."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.case.id, []).append(trial)
    return found


def case_changes(
    spec: MetricSpec, comparison: Comparison, before: tuple[Measured, Trials], now: tuple[Measured, Trials]
) -> tuple[tuple[CaseChange, ...], tuple[CaseChange, ...]]:
    """The cases that fell and those that rose; a side is what was measured, and the trials of these cases."""
    fell = (_change(spec, case, before, now, fell=True) for case in comparison.lost)
    rose = (_change(spec, case, before, now, fell=False) for case in comparison.won)
    return tuple(fell), tuple(rose)


def _change(
    spec: MetricSpec, case: str, before: tuple[Measured, Trials], now: tuple[Measured, Trials], *, fell: bool
) -> CaseChange:
    old = _plainest(spec, before[1].get(case, []), best=fell)
    new = _plainest(spec, now[1].get(case, []), best=not fell)
    known = new.case if new else None
    return CaseChange(
        case=case,
        failure_mode=known.failure_mode if known else None,
        tags=known.tags if known else (),
        before=before[0].cases[case].mean,
        now=now[0].cases[case].mean,
        asked=_words(known.input) if known else "",
        said_before=_said(old),
        said_now=_said(new),
        trial=new.id if new else "",
    )


def _plainest(spec: MetricSpec, trials: list[Trial], *, best: bool) -> Trial | None:
    """The attempt with the best or the worst value; the first of several."""
    sign = 1.0 if (spec.better == "higher") == best else -1.0
    scored = [
        (sign * float(score.value), -place, trial)
        for place, trial in enumerate(trials)
        if (score := trial.score(spec.name)) is not None and score.value is not None
    ]
    return max(scored, key=lambda one: one[:2])[2] if scored else None


def _said(trial: Trial | None) -> str:
    if trial is None:
        return ""
    if trial.error is not None:
        return f"{trial.error.kind} error: {trial.error.type}: {trial.error.message}"
    return _words(trial.output)


def _words(value: JSON) -> str:
    return value if isinstance(value, str) else canonical(value)
