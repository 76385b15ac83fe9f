"""Before any agent call: what would the gate of a suite find, what would it take, and what does a run cost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_agenteval import stats
from pytest_agenteval.app.held import ADVISED_BASELINE, Held, held_by, points
from pytest_agenteval.app.settings import TABLE
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import BaselineError
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.codec import near
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.bar import effective_bar, margin_of
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.looks import Policy

if TYPE_CHECKING:
    from pytest_agenteval.stats.planning import Levels
    from pytest_agenteval.stats.population import Design

_MORE_ATTEMPTS = 3
_SIZES = (1.5, 2.0)
"""Drops, in margins, that cases are counted for. Of the margin itself half at best is found by any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: of which suite, and where it differs from how the suite stands.

    ``repeats`` are the attempts a case; by default those of the last run, 1 where a baseline was made of it.
    ``margin`` stands for all metrics. ``metrics`` are those told of, by default all; all count in the correction.
    """

    suite: str
    metrics: tuple[str, ...] = ()
    margin: float | None = None
    cases: int | None = None
    repeats: int | None = None
    power: float = 0.8

    def __post_init__(self) -> None:
        wrong = [f"{name} must be at least 1" for name in ("cases", "repeats") if _below_one(getattr(self, name))]
        wrong += ["the margin must be above 0"] if self.margin is not None and not self.margin > 0 else []
        wrong += ["the power must lie between 0 and 1, such as 0.8"] if not 0 < self.power < 1 else []
        if wrong:
            raise BaselineError(wrong[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """What the gate would see of one metric: ``smallest`` is the drop found, None where not even a total loss is."""

    held: Held
    cases: int
    smallest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How many cases it takes, by attempts a case; ``drop`` is None for a pass where nothing changed."""

    drop: float | None
    cases: Mapping[int, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a call took in a run of the history: mean seconds and dollars, None where not known."""

    run: str
    seconds: float | None
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePlan:
    """The answer. ``needs`` are of the metric that needs most, ``weakest``; ``notes`` say what was assumed."""

    suite: str
    cases: int
    repeats: int
    power: float
    family: int
    metrics: tuple[MetricPlan, ...]
    needs: tuple[Need, ...]
    expected: Expected | None
    notes: tuple[str, ...] = field(default=())

    @property
    def weakest(self) -> MetricPlan:
        """The metric of which only the largest drops are found, seen beside its margin."""
        return max(self.metrics, key=lambda one: _in_margins(one.smallest, one.held.margin))


def plan(workspace: Workspace, question: Question) -> SuitePlan:
    """Plan a suite by its baselines, else by its last whole run, else by assumptions that are told.

    Raises BaselineError for a suite or metric that there is not, and where nothing is known and no number of
    cases is given.
    """
    _known_suite(workspace, question.suite)
    compared, notes = _compared(workspace, question)
    chosen = [one for one in compared if not question.metrics or one.spec.name in question.metrics]
    unknown = sorted(set(question.metrics) - {one.spec.name for one in compared})
    if unknown or not chosen:
        raise BaselineError(_no_metric(question.suite, unknown, [one.spec.name for one in compared]))
    _refuse_more_than_all(question, chosen)
    last = _last_run(workspace, question.suite)
    baselines, _ = workspace.baselines.of_suite(question.suite)
    repeats = question.repeats or _usual_repeats(last, question.suite, baselines)
    family = sum(one.bars for one in compared)
    told = tuple(_metric_plan(one, question, repeats, family) for one in chosen)
    answer = SuitePlan(
        suite=question.suite,
        cases=max(one.cases for one in told),
        repeats=repeats,
        power=question.power,
        family=family,
        metrics=told,
        needs=(),
        expected=None if last is None else _expected(last, question.suite),
        notes=tuple(notes),
    )
    return replace(answer, needs=tuple(_needs(answer.weakest, answer)))


def sight(
    baselines: Mapping[str, Baseline], bars: Mapping[str, Bar], *, cases: int, repeats: int = 1, looks_again: bool
) -> str:
    """One line: the smallest drop that this gate finds 8 times in 10; empty where nothing is compared.

    ``bars`` are those that count. By a formula, in some milliseconds a metric and without numpy; ``plan`` is more
    exact. looks_again: the agent can be asked a second time about what the first look shows.
    """
    held = [one for name, baseline in baselines.items() if (one := held_by(baseline, bars.get(name, baseline.bar)))]
    if not held or not cases:
        return ""
    family = sum(one.bars for one in held)
    if not looks_again:
        held = [replace(one, references=one.references[:1]) for one in held]
    seen = {one.spec.name: (one, _roughly(one, cases, repeats, family)) for one in held}
    weakest, drop = max(seen.values(), key=lambda pair: _in_margins(pair[1], pair[0].margin))
    spec = weakest.spec
    size = f"{cases:,} cases" if repeats == 1 else f"{cases:,} cases × {repeats}"
    flips = f", {100 * weakest.scatter.flips:.0f} % flips" if weakest.pass_fail else ""
    several = f"{family} gating metrics" if family > 1 else "one gating metric"
    found = "does not find even a total loss" if drop is None else f"finds drops of {points(drop, spec)} or more"
    which = f" in {spec.name}" if len(held) > 1 else ""
    return f"with {size}{flips} and {several} this gate {found}{which}, 8 times in 10"


def _roughly(one: Held, cases: int, repeats: int, family: int) -> float | None:
    policy, two = Policy(), len(one.references) > 1
    return stats.policy_detectable_effect(
        one.scatter,
        cases,
        attempts=repeats,
        references=one.references,
        alphas=[policy.alpha_screen / family, policy.alpha_confirm] if two else [policy.alpha_single / family],
        margin=one.margin,
    )


def _in_margins(drop: float | None, margin: float) -> float:
    return float("inf") if drop is None else drop / margin if margin else drop


def _below_one(count: int | None) -> bool:
    return count is not None and count < 1


def _known_suite(workspace: Workspace, suite: str) -> None:
    settings, history = workspace.settings, workspace.history
    folders = [path.name for path in settings.path("suite_folder").glob("*/") if path.name.isidentifier()]
    known = {*workspace.baselines.suites(), *settings.suites, *folders}
    if suite in known or history.runs(suite):
        return
    hint = near(suite, sorted(known | {value.suite for value in history.week_values()}))
    message = f"there is no suite {suite!r}{hint or ': name one that has tests, a run or a baseline'}"
    raise BaselineError(message)


def _no_metric(suite: str, unknown: Sequence[str], known: Sequence[str]) -> str:
    if not known:
        return (
            f"no metric of suite {suite!r} is compared with a baseline, so there is nothing to plan. "
            f"Name one with a margin in [{TABLE}.suites.{suite}.gate], or approve one (baseline approve)"
        )
    return f"{unknown[0]!r} is no gating metric of {suite!r}{near(unknown[0], known)}. They are: {', '.join(known)}"


def _compared(workspace: Workspace, question: Question) -> tuple[list[Held], list[str]]:
    """The metrics that a run is compared by, and what has to be said of them."""
    baselines, unread = workspace.baselines.of_suite(question.suite)
    if unread:
        raise BaselineError(next(iter(unread.values())))
    table = workspace.settings.gate_of(question.suite)
    if not baselines:
        return _without_baseline(workspace, question, table)
    notes = [f"{name} gates, but has no baseline: it is left out here" for name in sorted(table.keys() - baselines)]
    found = []
    for name, baseline in sorted(baselines.items()):
        one = held_by(baseline, effective_bar(table.get(name), baseline, name)[0], question.margin)
        if one is None:
            notes.append(f"{name} is held to its floor or ceiling alone: no drop of it is looked for")
            continue
        found.append(one)
        if not one.repeated:
            notes.append(
                f"the baseline of {name} has one value a case, so how often cases flip is not known: half of the "
                f"variance is assumed to lie between cases"
            )
    return found, notes


def _refuse_more_than_all(question: Question, chosen: Sequence[Held]) -> None:
    """A margin as wide as all values of a metric lie apart tolerates everything."""
    for one in chosen:
        limits = one.spec.range
        if question.margin is None or limits is None or question.margin < limits[1] - limits[0]:
            continue
        meant = question.margin / 100
        hint = f"; did you mean {meant:g}?" if meant < limits[1] - limits[0] else ""
        message = (
            f"--margin {question.margin:g} tolerates any loss of {one.spec.name}, whose values lie "
            f"from {limits[0]:g} to {limits[1]:g}{hint or '. Name less'}"
        )
        raise BaselineError(message)


def _without_baseline(
    workspace: Workspace, question: Question, table: Mapping[str, Bar]
) -> tuple[list[Held], list[str]]:
    """What a baseline of the advised size would hold a run to, by the last run or by assumption."""
    names = sorted({*table, *question.metrics} or {"success"})
    attempts = sum(ADVISED_BASELINE)
    advised = f"one of {attempts} attempts a case is assumed (--agent-eval-repeats {attempts})"
    last = _last_run(workspace, question.suite)
    if last is None:
        if question.cases is None:
            message = (
                f"suite {question.suite!r} has no baseline and no run, so nothing is known of its cases. "
                f"Say how many there will be: --cases N"
            )
            raise BaselineError(message)
        specs = [MetricSpec(name=name, kind="binary") for name in names]
        found = [_of_values(spec, [], table.get(spec.name), question) for spec in specs]
        notes = [f"no baseline and no run yet: {advised}, and pass/fail metrics of which one case in ten flips"]
        return [one for one in found if one], notes
    scores = workspace.history.case_scores(last.run.id, question.suite)
    specs = [last.run.specs[name] for name in names if name in scores]
    found = [
        _of_values(spec, [case.values for case in scores[spec.name].values()], table.get(spec.name), question)
        for spec in specs
    ]
    return [one for one in found if one], [f"no baseline yet: {advised}, with values like those of run {last.run.id}"]


def _of_values(spec: MetricSpec, values: Sequence[Sequence[float]], bar: Bar | None, question: Question) -> Held | None:
    bar = bar or Bar()
    margin = margin_of(bar, spec) if question.margin is None else question.margin
    if margin is None or not is_paired(spec):
        return None
    return Held(spec=spec, margin=margin, values=values, bars=1 + len(bar.slices))


def _last_run(workspace: Workspace, suite: str) -> FinishedRun | None:
    """The last run in which the whole suite ran."""
    whole = [run for run in workspace.history.runs(suite) if run.stands_for(suite)]
    return workspace.history.read(whole[-1].id) if whole else None


def _usual_repeats(last: FinishedRun | None, suite: str, baselines: Mapping[str, Baseline]) -> int:
    """The attempts a case of the last run; 1 where a baseline was made of it, which takes more, or none is there."""
    approved = {baseline.approval.run for baseline in baselines.values()}
    if last is None or not approved or last.run.id in approved:
        return 1
    return max(trial.attempt for trial in last.of_suite(suite))


def _expected(last: FinishedRun, suite: str) -> Expected:
    trials = last.of_suite(suite)
    seconds = [trial.trajectory.seconds for trial in trials if trial.trajectory.seconds is not None]
    costs = [trial.trajectory.cost_usd for trial in trials if trial.trajectory.cost_usd is not None]
    return Expected(
        run=last.run.id,
        seconds=stats.exact_mean(seconds) if seconds else None,
        cost_usd=stats.exact_mean(costs) if costs else None,
    )


def _metric_plan(one: Held, question: Question, repeats: int, family: int) -> MetricPlan:
    from pytest_agenteval.stats.planning import smallest_drop

    cases = question.cases or len(one.values)
    design, levels = _asked(one, cases, repeats, family)
    return MetricPlan(held=one, cases=cases, smallest=smallest_drop(one.population(), design, levels, question.power))


def _asked(one: Held, cases: int, repeats: int, family: int) -> tuple[Design, Levels]:
    from pytest_agenteval.stats.planning import Levels
    from pytest_agenteval.stats.population import Design

    policy, two = Policy(), len(one.references) > 1
    screen, held_back = one.references if two else (one.references[0], 0)
    levels = Levels(
        margin=one.margin,
        first=policy.alpha_screen if two else policy.alpha_single,
        second=policy.alpha_confirm,
        passing=policy.alpha_pass,
        metrics=family,
    )
    return Design(cases=cases, attempts=repeats, screen=screen, held_back=held_back), levels


def _needs(weakest: MetricPlan, answer: SuitePlan) -> list[Need]:
    """What the weakest metric takes: for drops of some margins, and for a pass."""
    from pytest_agenteval.stats.planning import cases_to_find, cases_to_pass

    one, population = weakest.held, weakest.held.population()
    attempts = sorted({answer.repeats, _MORE_ATTEMPTS})
    asked = {tries: _asked(one, weakest.cases, tries, answer.family) for tries in attempts}
    drops = [size * one.margin for size in _SIZES if size * one.margin < population.level]
    needs = [
        Need(
            drop=drop,
            cases={
                tries: cases_to_find(population, design, levels, drop, answer.power)
                for tries, (design, levels) in asked.items()
            },
        )
        for drop in drops
    ]
    passing = {tries: cases_to_pass(population, *both, answer.power) for tries, both in asked.items()}
    return [*needs, Need(drop=None, cases=passing)]
