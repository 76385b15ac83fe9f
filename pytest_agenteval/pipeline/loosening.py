"""What decides a run, in the base and in the head; and in what ways the head is the looser of the two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.loosening import WHOLE_SUITE, Loosening
from pytest_agenteval.pipeline import baseline_guards, case_guards
from pytest_agenteval.pipeline.bar import ERROR_RATE
from pytest_agenteval.pipeline.rules import NOTHING, Finding, Guard, Rules, gating_in_base, plain

_DECLARED: Final = ("range", "aggregate", "kind", "on_agent_error", "needs", "deterministic")
_EVERYTHING: Final = (WHOLE_SUITE, WHOLE_SUITE)


def loosenings(base: Rules, head: Rules) -> tuple[Loosening, ...]:
    """All that is looser in the head, each thing once. Tightening, and what is new, is free."""
    found = (
        Loosening(guard=name, suite=suite, metric=metric, what=what, before=before, after=after)
        for name, guard in GUARDS.items()
        for (suite, metric), what, before, after in guard(base, head)
    )
    return tuple(dict.fromkeys(found))


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
    for suite, metric in gating_in_base(base, head):
        for where, before, after in _layers(base, head, suite, metric):
            mine, its = getattr(before, name), getattr(after, name)
            if mine is None or (name == "margin" and its is None and where != "in force"):
                continue  # where no margin is set, the default or that of the other layer is in force
            if its is None or (its < mine if name == "floor" else its > mine):
                after_words = NOTHING if its is None else f"{its:g}"
                yield (suite, metric), f"{name} {where}", f"{mine:g}", after_words
                break


def _gating_slice(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, metric in gating_in_base(base, head):
        gone: dict[str, None] = {}
        for _, before, after in _layers(base, head, suite, metric):
            gone |= dict.fromkeys(tag for tag in before.slices if tag not in after.slices)
        for tag in gone:
            yield (suite, metric), f"slice {tag!r}", "gates", "does not gate"


def _metric_removed(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, metric in gating_in_base(base, head):
        if metric != ERROR_RATE and metric in base.gate_of(suite) and metric not in head.gate_of(suite):
            yield (suite, metric), "metric in the gate table", "gates", "taken out"


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
    for suite, metric in gating_in_base(base, head):
        was = base.sources.get(metric)
        if was is not None and metric in head.specs and head.sources.get(metric) != was:
            yield (suite, metric), "source of the metric", was, head.sources.get(metric, "elsewhere")


def _built_in_replaced(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, metric in gating_in_base(base, head):
        if metric in base.built_in - base.sources.keys() and metric in head.specs and metric not in head.built_in:
            after = f"another's ({head.sources.get(metric, 'not of the project')})"
            yield (suite, metric), "metric", "built in", after


def _infrastructure(base: Rules, head: Rules) -> Iterator[Finding]:
    for name in sorted(set(head.infrastructure) - set(base.infrastructure)):
        what = f"the exception {name}"
        yield _EVERYTHING, what, "the agent's", "in the list infrastructure"


def _options(base: Rules, head: Rules) -> Iterator[Finding]:
    """An option of ours that the head's addopts bring, or no longer bring: which agent, how often, which gate."""
    for word in sorted(set(head.options) ^ set(base.options)):
        told = (NOTHING, "set") if word in head.options else ("set", NOTHING)
        yield _EVERYTHING, f"{word} in addopts", *told


def _suite_deselected(base: Rules, head: Rules) -> Iterator[Finding]:
    """A suite does not run; or only under other names, so that nothing is compared with its baselines."""
    approved = {suite for suite, _ in base.baselines}
    parametrised = {plain(suite) for suite in head.suites} - approved
    gone = base.suites - head.suites - parametrised
    for suite in sorted(gone):
        if suite == plain(suite) or plain(suite) not in gone:
            others = sorted(one for one in head.suites if plain(one) == suite)
            after = f"ran only as {', '.join(others)}" if others else "gave no trial in this run"
            yield (suite, WHOLE_SUITE), "suite", "runs", after


def _repeats(base: Rules, head: Rules) -> Iterator[Finding]:
    for suite, attempts in base.repeats.items():
        now = head.repeats.get(suite, {})
        changes = {case: (was, now[case]) for case, was in attempts.items() if case in now}
        alike = len(set(changes.values())) == 1
        for case, (was, its) in list(changes.items())[: 1 if alike else None]:
            if its < was:
                what = "attempts at each case" if alike else f"attempts at case {case!r}"
                yield (suite, WHOLE_SUITE), what, str(was), str(its)


def _excused(base: Rules, head: Rules) -> Iterator[Finding]:
    for test in sorted(head.excused - base.excused):
        yield _EVERYTHING, f"test {test}", "must pass", "expected to fail, or skipped"


GUARDS: Final[dict[str, Guard]] = {
    "floor": partial(_limit, "floor"),
    "ceiling": partial(_limit, "ceiling"),
    "margin": partial(_limit, "margin"),
    "gating_slice": _gating_slice,
    "metric_removed": _metric_removed,
    "baseline_removed": baseline_guards.removed,
    "baseline_lower": baseline_guards.lower,
    "baseline_rewritten": baseline_guards.rewritten,
    "baseline_fewer_cases": baseline_guards.fewer_cases,
    "baseline_fewer_values": baseline_guards.fewer_values,
    "direction": partial(_declared, ("better",)),
    "version": partial(_declared, ("version",)),
    "declaration": partial(_declared, _DECLARED),
    "source": _source,
    "built_in_replaced": _built_in_replaced,
    "case_removed": case_guards.removed,
    "case_edited": case_guards.edited,
    "case_not_scored": case_guards.not_scored,
    "must_pass": case_guards.must_pass,
    "slice_tag": case_guards.slice_tag,
    "quarantined": case_guards.quarantined,
    "infrastructure": _infrastructure,
    "options": _options,
    "suite_deselected": _suite_deselected,
    "repeats": _repeats,
    "excused": _excused,
}
"""Each way to lower the bar that is looked for."""
