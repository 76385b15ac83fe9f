"""What decides a run, in the base and in the head; and in what ways the head is the looser of the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from pytest_agenteval import stats
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.case import MUST_PASS
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.loosening import WHOLE_SUITE, Loosening
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.bar import ERROR_RATE, effective_bar, margin_of

_DECLARED: Final = ("range", "aggregate", "kind", "on_agent_error", "needs", "deterministic")
_NONE: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRule:
    """What a case asks: a changed fingerprint is another input or expectation."""

    fingerprint: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decides, as one commit or one working tree has it.

    ``gates`` are the settings' tables, ``options`` the words of addopts that are ours, ``suites`` those that ran
    (in the base: that must run), ``partial`` those of which only a part did: they are red by themselves.
    ``cases`` are by suite; in the base, where they are read from files, the suite is named without its parameter,
    and ``complete`` has the suites of which no further case is possible. ``quarantined`` has by suite and case the
    last day, ``sources`` a digest of each metric that the project defines, ``repeats`` by suite the attempts at
    each case, ``excused`` the tests that were expected to fail.
    """

    gates: Mapping[str, Mapping[str, Bar]] = field(default_factory=dict)
    baselines: Mapping[tuple[str, str], Baseline] = field(default_factory=dict)
    infrastructure: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    suites: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()
    cases: Mapping[str, Mapping[str, CaseRule]] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()
    quarantined: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    specs: Mapping[str, MetricSpec] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    built_in: frozenset[str] = frozenset()
    repeats: Mapping[str, int] = field(default_factory=dict)
    excused: frozenset[str] = frozenset()

    def gate_of(self, suite: str) -> Mapping[str, Bar]:
        """The gate table of a suite; that of a parametrised agent has its own, or that of the plain suite."""
        return self.gates.get(suite) or self.gates.get(plain(suite)) or {}

    def gating(self, suite: str) -> set[str]:
        """The metrics that gate in a suite, by its table or by a baseline."""
        return {*self.gate_of(suite), *(metric for one, metric in self.baselines if one == suite)}

    def bar(self, suite: str, metric: str, spec: MetricSpec | None) -> Bar:
        """The bar in force, the default margin with it."""
        bar, _ = effective_bar(self.gate_of(suite).get(metric), self.baselines.get((suite, metric)), metric)
        margin = bar.margin if spec is None else margin_of(bar, spec)
        return Bar(floor=bar.floor, ceiling=bar.ceiling, margin=margin, slices=bar.slices)

    @property
    def known(self) -> set[str]:
        """The plain names of all suites of which anything is known."""
        named = (*self.gates, *self.cases, *self.suites, *(suite for suite, _ in self.baselines))
        return {plain(suite) for suite in named}


Finding = tuple[tuple[str, str], str, str, str]
"""Suite and metric; what it is; how it was in the base; how it is in the head."""

Guard = Callable[[Rules, Rules], Iterator[Finding]]
"""Finds one kind of loosening, given the rules of the base and those of the head."""

_EVERYTHING: Final = (WHOLE_SUITE, WHOLE_SUITE)


def plain(suite: str) -> str:
    """The suite without the parameter of its agent: refunds of refunds[gpt]."""
    return suite.partition("[")[0]


def loosenings(base: Rules, head: Rules) -> tuple[Loosening, ...]:
    """All that is looser in the head, each thing once. Tightening, and what is new, is free."""
    found = (
        Loosening(guard=name, suite=suite, metric=metric, what=what, before=before, after=after)
        for name, guard in GUARDS.items()
        for (suite, metric), what, before, after in guard(base, head)
    )
    return tuple(dict.fromkeys(found))


def _gating_in_base(base: Rules, head: Rules) -> Iterator[tuple[str, str]]:
    """Suite and metric of all that gates by the rules of the base, in the suites of either side."""
    suites = {*head.suites, *(suite for suite, _ in base.baselines)}
    suites |= {name for name in base.gates if name not in {plain(suite) for suite in suites}}
    for suite in sorted(suites):
        if plain(suite) in base.known:
            yield from ((suite, metric) for metric in sorted(base.gating(suite) | {ERROR_RATE}))


def _layers(base: Rules, head: Rules, suite: str, metric: str) -> Iterator[tuple[str, Bar, Bar]]:
    """The bars to compare: those of the settings, of the baseline file, and what is in force of both."""
    before, after = base.baselines.get((suite, metric)), head.baselines.get((suite, metric))
    spec = before.spec if before else head.specs.get(metric)
    in_force = base.bar(suite, metric, spec)
    mine, its = base.gate_of(suite), head.gate_of(suite)
    if metric in its:
        yield "in the settings", _asked(mine.get(metric, Bar()), in_force, its[metric]), its[metric]
    if before is not None and after is not None:
        yield "in the baseline", before.bar, after.bar
    if metric in {*head.gating(suite), ERROR_RATE}:
        yield "in force", in_force, head.bar(suite, metric, spec)


def _asked(table: Bar, in_force: Bar, now: Bar) -> Bar:
    """What a table asked; where it left open what the head's table now sets, what was in force counts."""
    names = ("floor", "ceiling", "margin", "slices")
    opened = {name: getattr(in_force, name) for name in names if not _is_set(table, name) and _is_set(now, name)}
    return replace(table, **opened)


def _is_set(bar: Bar, name: str) -> bool:
    return getattr(bar, name) not in (None, ())


def _limit(name: str, base: Rules, head: Rules) -> Iterator[Finding]:
    """Floor down, ceiling up or margin up, or taken away."""
    for suite, metric in _gating_in_base(base, head):
        for where, before, after in _layers(base, head, suite, metric):
            mine, its = getattr(before, name), getattr(after, name)
            if mine is None or (name == "margin" and its is None and where != "in force"):
                continue  # where no margin is set, the default or that of the other layer is in force
            if its is None or (its < mine if name == "floor" else its > mine):
                after_words = _NONE if its is None else f"{its:g}"
                yield (suite, metric), f"{name} {where}", f"{mine:g}", after_words
                break


def _gating_slice(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, metric in _gating_in_base(base, head):
        gone: dict[str, None] = {}
        for _, before, after in _layers(base, head, suite, metric):
            gone |= dict.fromkeys(tag for tag in before.slices if tag not in after.slices)
        for tag in gone:
            yield (suite, metric), f"slice {tag!r}", "gates", "does not gate"


def _metric_removed(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, metric in _gating_in_base(base, head):
        if metric != ERROR_RATE and metric in base.gate_of(suite) and metric not in head.gate_of(suite):
            yield (suite, metric), "metric in the gate table", "gates", "taken out"


def _baseline_removed(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, metric in base.baselines:
        if (suite, metric) not in head.baselines:
            yield (suite, metric), "baseline file", "approved", "removed"


def _replaced(base: Rules, head: Rules) -> Iterator[tuple[str, str, Baseline, Baseline]]:
    for (suite, metric), before in base.baselines.items():
        after = head.baselines.get((suite, metric))
        if after is not None and after != before:
            yield suite, metric, before, after


def _baseline_lower(base: Rules, head: Rules) -> Iterator[Finding]:
    """The common cases are worth less; or, of the very same cases, the estimate that is told is."""
    for suite, metric, before, after in _replaced(base, head):
        for what in ("screen", "held_back"):
            mine, its = getattr(before, what), getattr(after, what)
            common = sorted(case for case in mine if case in its and mine[case].fingerprint == its[case].fingerprint)
            was, now = (stats.exact_mean([side[case].mean for case in common] or [0.0]) for side in (mine, its))
            if _is_worse(now, was, before.spec):
                marks = [digest([(case, side[case].values) for case in common], length=8) for side in (mine, its)]
                told = f"{what.replace('_', ' ')} values of the baseline, mean of {len(common)} common cases"
                yield (suite, metric), told, f"{was:.6g} ({marks[0]})", f"{now:.6g} ({marks[1]})"
        was, now = before.estimate.value or 0.0, after.estimate.value or 0.0
        if _values(before).keys() == _values(after).keys() and _is_worse(now, was, before.spec):
            yield (suite, metric), "estimate in the baseline", f"{was:.6g}", f"{now:.6g}"


def _baseline_fewer_cases(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, metric, before, after in _replaced(base, head):
        gone = sorted(_values(before).keys() - _values(after).keys())
        for case in gone:
            yield (suite, metric), f"case {case!r} of the baseline", "has values", "has none"


def _baseline_fewer_values(base: Rules, head: Rules) -> Iterator[Finding]:
    """Fewer attempts, fewer of them held back, or fewer answers, by which a changed scorer is found out."""
    for suite, metric, before, after in _replaced(base, head):
        common = _values(before).keys() & _values(after).keys()
        for what in ("screen", "held_back"):
            mine, its = (_count(getattr(side, what), common) for side in (before, after))
            for kind, was, now in zip(("values", "answers"), mine, its, strict=True):
                if now < was:
                    told = f"{what.replace('_', ' ')} {kind} of the baseline"
                    yield (suite, metric), told, str(was), str(now)


def _declared(fields: tuple[str, ...], base: Rules, head: Rules) -> Iterator[Finding]:
    """The metric that was measured, or whose baseline stands in the head, is declared otherwise."""
    for (suite, metric), before in base.baselines.items():
        kept = head.baselines.get((suite, metric))
        specs = [spec for spec in (head.specs.get(metric), kept.spec if kept else None) if spec is not None]
        for name in fields:
            was = getattr(before.spec, name)
            for spec in specs:
                if getattr(spec, name) != was:
                    words = f"{was}", f"{getattr(spec, name)}"
                    yield (suite, metric), f"{name} of the metric", *words
                    break


def _source(base: Rules, head: Rules) -> Iterator[Finding]:
    """A metric that the project defines is computed otherwise."""
    for suite, metric in _gating_in_base(base, head):
        was = base.sources.get(metric)
        if was is not None and metric in head.specs and head.sources.get(metric) != was:
            yield (suite, metric), "source of the metric", was, head.sources.get(metric, "elsewhere")


def _built_in_replaced(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, metric in _gating_in_base(base, head):
        if metric in base.built_in - base.sources.keys() and metric in head.specs and metric not in head.built_in:
            after = f"another's ({head.sources.get(metric, 'not of the project')})"
            yield (suite, metric), "metric", "built in", after


def _cases(base: Rules, head: Rules) -> Iterator[tuple[str, str, CaseRule, CaseRule | None]]:
    """Suite, id, and the rule before and now, of each case of the base whose suite ran."""
    ran: dict[str, dict[str, CaseRule]] = {}
    for suite in sorted(head.suites):
        ran.setdefault(plain(suite), {}).update(head.cases.get(suite, {}))
    for suite in sorted(base.cases.keys() & ran.keys()):
        for case, rule in base.cases[suite].items():
            yield suite, case, rule, ran[suite].get(case)
    told: set[tuple[str, str]] = set()
    for (suite, _), baseline in base.baselines.items():
        written = base.cases.get(plain(suite), {})
        for case in _values(baseline) if suite in head.suites else ():
            now = head.cases.get(suite, {}).get(case)
            # Of a case that is written out the file tells what it asked; that it was asked here, the baseline.
            stale = case not in written and plain(suite) in base.complete
            if (suite, case) not in told and not stale and (case not in written or (now is None and "[" in suite)):
                told.add((suite, case))
                yield suite, case, CaseRule(fingerprint=_fingerprint(baseline, case)), now


def _case_removed(base: Rules, head: Rules) -> Iterator[Finding]:
    partial = {plain(suite) for suite in head.partial}
    for suite, case, before, now in _cases(base, head):
        if now is None and plain(suite) not in partial:
            yield (suite, WHOLE_SUITE), f"case {case!r}", before.fingerprint, "not asked"


def _case_edited(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, case, before, now in _cases(base, head):
        if now is not None and now.fingerprint != before.fingerprint:
            what = f"input or expectation of case {case!r}"
            yield (suite, WHOLE_SUITE), what, before.fingerprint, now.fingerprint


def _must_pass(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, case, before, now in _cases(base, head):
        if now is not None and MUST_PASS in before.tags and MUST_PASS not in now.tags:
            yield (suite, WHOLE_SUITE), f"tag of case {case!r}", MUST_PASS, _NONE


def _slice_tag(base: Rules, head: Rules) -> Iterator[Finding]:
    """A case leaves a slice that gates for itself."""
    gating: dict[str, set[str]] = {}
    for suite, metric in _gating_in_base(base, head):
        gating.setdefault(plain(suite), set()).update(base.bar(suite, metric, None).slices)
    for suite, case, before, now in _cases(base, head):
        for tag in sorted(gating.get(plain(suite), set()) & set(before.tags)):
            if now is not None and tag not in now.tags:
                yield (suite, WHOLE_SUITE), f"tag of case {case!r}, whose slice gates", tag, _NONE


def _quarantined(base: Rules, head: Rules) -> Iterator[Finding]:
    """A case is taken out of the gate for a while, or for longer."""
    for suite, cases in head.quarantined.items():
        before = base.quarantined.get(suite, {})
        for case, until in cases.items():
            if plain(suite) in base.known and until > before.get(case, ""):
                was = f"quarantined until {before[case]}" if case in before else "gates"
                yield (suite, WHOLE_SUITE), f"case {case!r}", was, f"quarantined until {until}"


def _infrastructure(base: Rules, head: Rules) -> Iterator[Finding]:
    for name in sorted(set(head.infrastructure) - set(base.infrastructure)):
        what = f"the exception {name}"
        yield _EVERYTHING, what, "the agent's", "in the list infrastructure"


def _options(base: Rules, head: Rules) -> Iterator[Finding]:
    """An option of ours that the head's addopts bring: which agent, how often, which gate."""
    for word in sorted(set(head.options) - set(base.options)):
        yield _EVERYTHING, f"{word} in addopts", _NONE, "set"


def _suite_deselected(base: Rules, head: Rules) -> Iterator[Finding]:
    ran = head.suites | {plain(suite) for suite in head.suites}
    gone = base.suites - ran
    for suite in sorted(gone):
        if suite == plain(suite) or plain(suite) not in gone:
            yield (suite, WHOLE_SUITE), "suite", "runs", "gave no trial in this run"


def _repeats(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, was in base.repeats.items():
        now = head.repeats.get(suite, was)
        if now < was:
            yield (suite, WHOLE_SUITE), "attempts at each case", str(was), str(now)


def _excused(base: Rules, head: Rules) -> Iterator[Finding]:
    for test in sorted(head.excused - base.excused):
        yield _EVERYTHING, f"test {test}", "must pass", "expected to fail"


GUARDS: Final[dict[str, Guard]] = {
    "floor": partial(_limit, "floor"),
    "ceiling": partial(_limit, "ceiling"),
    "margin": partial(_limit, "margin"),
    "gating_slice": _gating_slice,
    "metric_removed": _metric_removed,
    "baseline_removed": _baseline_removed,
    "baseline_lower": _baseline_lower,
    "baseline_fewer_cases": _baseline_fewer_cases,
    "baseline_fewer_values": _baseline_fewer_values,
    "direction": partial(_declared, ("better",)),
    "version": partial(_declared, ("version",)),
    "declaration": partial(_declared, _DECLARED),
    "source": _source,
    "built_in_replaced": _built_in_replaced,
    "case_removed": _case_removed,
    "case_edited": _case_edited,
    "must_pass": _must_pass,
    "slice_tag": _slice_tag,
    "quarantined": _quarantined,
    "infrastructure": _infrastructure,
    "options": _options,
    "suite_deselected": _suite_deselected,
    "repeats": _repeats,
    "excused": _excused,
}
"""Each way to lower the bar that is looked for."""


def _values(baseline: Baseline) -> dict[str, list[float]]:
    """By case all its values, those of the screen first."""
    found: dict[str, list[float]] = {}
    for part in (baseline.screen, baseline.held_back):
        for case, scores in part.items():
            found.setdefault(case, []).extend(scores.values)
    return found


def _fingerprint(baseline: Baseline, case: str) -> str:
    return next(part[case].fingerprint for part in (baseline.screen, baseline.held_back) if case in part)


def _count(part: Mapping[str, CaseScores], cases: Iterable[str]) -> tuple[int, int]:
    """How many values the cases have, and how many answers."""
    found = [part[case] for case in cases if case in part]
    return sum(len(one.values) for one in found), sum(len(one.answers) for one in found)


def _is_worse(now: float, was: float, spec: MetricSpec) -> bool:
    return stats.exceeds(was, now) if spec.better == "higher" else stats.exceeds(now, was)
