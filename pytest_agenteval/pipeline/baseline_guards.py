"""In what ways the baselines of the head are easier to reach than those of the base, or prove less."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pytest_agenteval import stats
from pytest_agenteval.model.baseline import Baseline
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.rules import Finding, Rules, plain

_PARTS = ("screen", "held_back")


def removed(base: Rules, head: Rules) -> Iterator[Finding]:
    """A baseline file is gone."""
    for suite, metric in base.baselines:
        if (suite, metric) not in head.baselines:
            yield (suite, metric), "baseline file", "approved", "removed"


def lower(base: Rules, head: Rules) -> Iterator[Finding]:
    """The common cases are worth less, all or those of a gating slice; or the estimate that is told of them is."""
    for suite, metric, before, after in _replaced(base, head):
        for what, mine, its, common in _common(before, after):
            for cases, whose in _groups(base, head, suite, metric, common):
                was, now = (stats.exact_mean([side[case].mean for case in cases] or [0.0]) for side in (mine, its))
                if _is_worse(now, was, before.spec):
                    marks = [digest([(case, side[case].values) for case in cases], length=8) for side in (mine, its)]
                    told = f"{what} values of the baseline, mean of {len(cases)} common cases{whose}"
                    yield (suite, metric), told, f"{was:.6g} ({marks[0]})", f"{now:.6g} ({marks[1]})"
        was, now = before.estimate.value or 0.0, after.estimate.value or 0.0
        if values_of(before).keys() == values_of(after).keys() and _is_worse(now, was, before.spec):
            yield (suite, metric), "estimate in the baseline", f"{was:.6g}", f"{now:.6g}"


def rewritten(base: Rules, head: Rules) -> Iterator[Finding]:
    """Cases are worth less, though the run that the baseline says it was made from is the same."""
    for suite, metric, before, after in _replaced(base, head):
        if before.approval.run != after.approval.run:
            continue
        for what, mine, its, common in _common(before, after):
            for case in common:
                if _is_worse(its[case].mean, mine[case].mean, before.spec):
                    told = f"{what} values of case {case!r} in the baseline made from run {before.approval.run}"
                    yield (suite, metric), told, f"{list(mine[case].values)}", f"{list(its[case].values)}"


def fewer_cases(base: Rules, head: Rules) -> Iterator[Finding]:
    """A case has no values any more."""
    for suite, metric, before, after in _replaced(base, head):
        gone = sorted(values_of(before).keys() - values_of(after).keys())
        for case in gone:
            yield (suite, metric), f"case {case!r} of the baseline", "has values", "has none"


def fewer_values(base: Rules, head: Rules) -> Iterator[Finding]:
    """Fewer attempts, fewer of them held back, or fewer answers, by which a changed scorer is found out."""
    for suite, metric, before, after in _replaced(base, head):
        common = values_of(before).keys() & values_of(after).keys()
        for what in _PARTS:
            mine, its = (_count(getattr(side, what), common) for side in (before, after))
            for kind, was, now in zip(("values", "answers"), mine, its, strict=True):
                if now < was:
                    told = f"{what.replace('_', ' ')} {kind} of the baseline"
                    yield (suite, metric), told, str(was), str(now)


def values_of(baseline: Baseline) -> dict[str, list[float]]:
    """By case all its values, those of the screen first."""
    found: dict[str, list[float]] = {}
    for part in (baseline.screen, baseline.held_back):
        for case, scores in part.items():
            found.setdefault(case, []).extend(scores.values)
    return found


def _replaced(base: Rules, head: Rules) -> Iterator[tuple[str, str, Baseline, Baseline]]:
    for (suite, metric), before in base.baselines.items():
        after = head.baselines.get((suite, metric))
        if after is not None and after != before:
            yield suite, metric, before, after


_Part = Mapping[str, CaseScores]


def _common(before: Baseline, after: Baseline) -> Iterator[tuple[str, _Part, _Part, list[str]]]:
    """Each part of the two baselines, and its cases that ask the same in both."""
    for what in _PARTS:
        mine, its = getattr(before, what), getattr(after, what)
        common = sorted(case for case in mine if case in its and mine[case].fingerprint == its[case].fingerprint)
        yield what.replace("_", " "), mine, its, common


def _groups(base: Rules, head: Rules, suite: str, metric: str, cases: list[str]) -> Iterator[tuple[list[str], str]]:
    """All these cases; and those of each slice that gates in the base, by the tags there, or here where none tells."""
    yield cases, ""
    written = {**head.cases.get(suite, {}), **base.cases.get(plain(suite), {})}
    for tag in base.bar(suite, metric, None).slices:
        yield [case for case in cases if case in written and tag in written[case].tags], f" of slice {tag!r}"


def _count(part: _Part, cases: Iterable[str]) -> tuple[int, int]:
    """How many values the cases have, and how many answers."""
    found = [part[case] for case in cases if case in part]
    return sum(len(one.values) for one in found), sum(len(one.answers) for one in found)


def _is_worse(now: float, was: float, spec: MetricSpec) -> bool:
    return stats.exceeds(was, now) if spec.better == "higher" else stats.exceeds(now, was)
