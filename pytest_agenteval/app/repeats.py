"""What a run's repeats tell: where the variance lies, which cases are flaky, and whose the quarantined ones are."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_agenteval.app.judging import Judged
from pytest_agenteval.model.quarantine import Standing
from pytest_agenteval.pipeline.bar import ERROR_RATE
from pytest_agenteval.pipeline.variance import (
    attempts,
    attempts_words,
    flaky,
    flaky_words,
    variance,
    variance_words,
)
from pytest_agenteval.pipeline.words import counted, rounds_words


def repeats_lines(judged: Judged, suite: str) -> Iterator[str]:
    """What the repeats of a suite tell, how many were not needed, and which of its cases are quarantined."""
    if suite in judged.finished.run.rounds:
        yield rounds_words(judged.finished.run.rounds[suite])
    quarantine = judged.quarantines.get(suite, Standing())
    yield from _variance(judged, suite, quarantine.cases)
    yield from _quarantine(quarantine)


def _variance(judged: Judged, suite: str, quarantined: frozenset[str]) -> Iterator[str]:
    """A line for each gating metric of which a case had repeats, and one that names its flaky cases.

    That the agent always answers is nothing to tell.
    """
    trials, specs = judged.finished.of_suite(suite), judged.finished.run.specs
    if all(trial.attempt == 1 for trial in trials):
        return
    gating = {verdict.metric for verdict in judged.verdicts if verdict.suite == suite}
    by_metric = attempts(trials, gating & specs.keys())
    stable: dict[str, list[str]] = {}
    for metric, cases in sorted(by_metric.items()):
        found = variance(cases, specs[metric])
        if found is None:
            continue
        if not found.within:
            if metric != ERROR_RATE:
                stable.setdefault(attempts_words(found.fewest, found.most), []).append(metric)
            continue
        yield variance_words(metric, found)
        if those := flaky(cases, specs[metric]):
            yield f"flaky: {flaky_words(those, quarantined)}"
    for repeats, metrics in stable.items():
        yield f"{', '.join(metrics)}: each case looked stable in {repeats}"


def _quarantine(quarantine: Standing) -> Iterator[str]:
    """How many cases are quarantined, whose and until when; then those that count again."""
    if quarantine.held:
        by_owner: dict[str, list[str]] = {}
        for one in quarantine.held:
            by_owner.setdefault(one.whose, []).append(one.case)
        those = "; ".join(f"{', '.join(cases)} ({whose})" for whose, cases in by_owner.items())
        yield f"{counted(len(quarantine.held), 'case')} quarantined, out of what gates: {those}"
    for one in quarantine.expired:
        yield f"the quarantine of {one.case} {one.over}"
