"""The end of a run: aggregate, compare with the baselines, gate, seal, and write the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_agenteval.app.runs import Plan, RunOptions
from pytest_agenteval.app.settings import TABLE
from pytest_agenteval.app.standard import Standard
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import AgentEvalError, QuarantineError
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.codec import near
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.loosening import Loosening
from pytest_agenteval.model.quarantine import Standing, standing
from pytest_agenteval.model.run import FinishedRun, Run, in_order
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Outcome, Reason, Verdict
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.adaptive import settled_suites
from pytest_agenteval.pipeline.aggregate import Measured, measured_of
from pytest_agenteval.pipeline.bar import ERROR_RATE
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.dilution import on_known_cases
from pytest_agenteval.pipeline.gate import asked_again, judge
from pytest_agenteval.pipeline.looks import Gated, Policy, holds_back_enough, without
from pytest_agenteval.pipeline.slices import slice_of
from pytest_agenteval.pipeline.tally import Look, Seen, Tally
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.store.files import safe_name

if TYPE_CHECKING:
    from pytest_agenteval.app.base import Base
    from pytest_agenteval.app.loosened import Ground


_ALLOW_MORE = "Allow more by --agent-eval-budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason for an exit code, in words."""

    code: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came of a run. ``code`` is what stands of its causes, pytest's own code apart.

    ``base`` is the commit that it was held to, if any, and ``loosenings`` what is looser here without leave.
    ``doubts`` are, by suite, the cases that the agent must be asked about once more before the gate can say,
    ``quarantines`` its quarantined cases, of the suites that have any. ``settled`` are the suites of which further
    attempts would change nothing, ``cut_short`` says why trials were not made that were asked for.
    """

    finished: FinishedRun
    verdicts: tuple[Verdict, ...] = ()
    causes: tuple[Cause, ...] = ()
    not_evaluated: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    base: str = ""
    loosenings: tuple[Loosening, ...] = ()
    doubts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    quarantines: Mapping[str, Standing] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()
    cut_short: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The exit code that stands."""
        return exits.standing(cause.code for cause in self.causes)

    def without(self, refused: Mapping[str, int]) -> Judged:
        """The same of a run that was refused so many trials, by the reasons: it is never green."""
        if not refused:
            return self
        told = tuple(f"{why}; {counted(n, 'trial')} not made. {_ALLOW_MORE}" for why, n in sorted(refused.items()))
        causes = (Cause(code=exits.INCONCLUSIVE, text=text) for text in told)
        # That only a part ran is nobody's choice here, and to run it all again would end in the same way.
        verdicts = tuple(
            replace(one, next_step=_ALLOW_MORE) if one.reason is Reason.PARTIAL else one for one in self.verdicts
        )
        return replace(self, cut_short=told, verdicts=verdicts, causes=(*self.causes, *causes))


def judge_run(
    run: Run,
    trials: Sequence[Trial],
    plan: Plan,
    workspace: Workspace,
    options: RunOptions,
    *,
    second_look: Sequence[Trial] = (),
    base: Base | None = None,
    excused: Iterable[str] = (),
) -> Judged:
    """Judge the trials of a run against the baselines of the workspace.

    Nothing is written. What keeps a metric from being judged (a baseline that cannot be read, a gating
    metric that nothing measured) becomes a cause with exit code 4, and the rest is judged all the same.
    ``second_look`` are the trials made of what an earlier call had ``doubts`` about. With a ``base`` the run is
    held to the bars of that commit, and what is looser here is red; ``excused`` are tests expected to fail.
    """
    first, second = in_order(trials), in_order(second_look)
    looks = Look.of(first, plan.keys()), Look.of(second)
    unfinished, ran = looks[0].unfinished, sorted(looks[0].suites)
    partial = tuple(sorted({*plan.partial, *(suite for suite, _, _ in unfinished)}))
    run = replace(
        run,
        partial=partial,
        specs=plan.specs,
        recorded=looks[0].recorded(run.started),
        looked_again=tuple(sorted(looks[1].suites)),
        rounds=plan.rounds,
        cached=dict(looks[0].cached + looks[1].cached),
    )
    quarantines, unread = _quarantines(ran, run.started, workspace)
    held = {name: found.cases for name, found in quarantines.items()}
    suites = [_Suite.of(name, plan, looks, partial, held.get(name, _NOBODY)) for name in ran]
    plan = replace(plan, partial=partial)
    ground = None if base is None else _ground(base, workspace, plan, first, excused=excused, at=run.started)
    standard = ground.standard(workspace) if ground else Standard(workspace)
    found = [_gated(suite, standard) for suite in suites]
    gated = [one for several, _, _ in found for one in several]
    policy = Policy(mode=options.gate, others=plan.others)
    judged = judge(gated, policy)
    if ground:
        judged = on_known_cases(gated, judged, ground.known_cases(ran), policy)
    ungated = [verdict for _, several, _ in found for verdict in several]
    told = ground.verdicts([*judged, *ungated]) if ground else [*judged, *ungated]
    verdicts = tuple(sorted(told, key=lambda one: (one.suite, one.metric, one.slice)))
    problems = [*(problem for _, _, several in found for problem in several), *unread]
    causes = (*_in_the_way(plan, problems, ran, workspace), *_causes(verdicts, partial, options))
    estimates = _estimates(suites, verdicts)
    return Judged(
        finished=FinishedRun(run=run, trials=first, second_look=second, estimates=estimates),
        verdicts=verdicts,
        causes=causes,
        not_evaluated={f"{one.name}/{name}": why for one in suites for name, why in one.not_evaluated.items()},
        base=base.sha if base else "",
        loosenings=ground.open if ground else (),
        doubts=asked_again(gated, judged),
        quarantines=quarantines,
        settled=settled_suites(gated, judged, policy),
    )


def _ground(
    base: Base, workspace: Workspace, plan: Plan, trials: Sequence[Trial], *, excused: Iterable[str], at: datetime
) -> Ground:
    """What the base holds a run to; loaded for such a run alone."""
    from pytest_agenteval.app.loosened import ground_of

    return ground_of(base, workspace, plan, trials, excused=excused, at=at)


def _in_the_way(plan: Plan, problems: Iterable[str], ran: Sequence[str], workspace: Workspace) -> list[Cause]:
    """What keeps something from being judged."""
    told = [*plan.problems, *problems, *_vanished(ran, plan.partial, workspace), *misspelt(ran, workspace)]
    causes = [Cause(code=exits.USAGE, text=problem) for problem in told]
    if not plan.planned and not ran and not plan.problems:
        causes.append(Cause(code=exits.NOTHING_COLLECTED, text="no case was selected: there is nothing to judge"))
    return causes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    """What a run measured of one suite: of all of it, and of what gates in the first look and in the second one."""

    name: str
    partial: bool
    looks_again: bool
    quarantined: frozenset[str]
    measured: Mapping[str, Measured]
    gating: Mapping[str, Measured]
    again: Mapping[str, Measured]
    rounds: tuple[int, int] = (1, 1)

    @property
    def not_evaluated(self) -> dict[str, Mapping[str, str]]:
        """By metric, why cases have no value."""
        return {name: one.not_evaluated for name, one in self.measured.items()}

    @classmethod
    def of(
        cls, name: str, plan: Plan, looks: tuple[Look, Look], partial: Sequence[str], held: frozenset[str]
    ) -> _Suite:
        """Measure it."""
        first, more = looks[0].suites[name], looks[1].suites.get(name, Seen())
        rounds = plan.rounds.get(name)
        planned = rounds.planned if rounds else None

        def measure(tally: Tally, without: frozenset[str], planned: int | None) -> dict[str, Measured]:
            return {
                metric: measured_of(name, plan.specs[metric], tally, planned=planned, without=without)
                for metric in tally.metrics
            }

        measured = measure(first.tally, _NOBODY, planned)
        return cls(
            name=name,
            partial=name in partial,
            looks_again=bool(more.origins) or (first.origins == {"live"} and name in plan.looks_again),
            quarantined=held,
            measured=measured,
            gating=measure(first.tally, held, planned) if held else measured,
            again=measure(more.tally, _NOBODY, None),
            rounds=(rounds.used, rounds.cap) if rounds else (1, 1),
        )

    def gated(self, metric: str, bar: Bar, approved: Baseline | None, loosened: str) -> Gated:
        """The metric before the gate; a second look takes values that the baseline has held back for it."""
        baseline = without(approved, self.quarantined) if approved else None
        one = Gated(
            measured=self.gating[metric],
            bar=bar,
            baseline=baseline,
            loosened=loosened,
            partial=self.partial,
            again=self.again.get(metric),
            n_quarantined=len(self.quarantined & approved.screen.keys()) if approved else 0,
            rounds=self.rounds,
        )
        return replace(one, looks_again=self.looks_again and holds_back_enough(one))


_NOBODY: frozenset[str] = frozenset()


def _estimates(suites: Sequence[_Suite], verdicts: Sequence[Verdict]) -> tuple[Estimate, ...]:
    """Those of all metrics, then those of the slices of what gates."""
    whole = [one.estimate for suite in suites for one in suite.measured.values()]
    return (*whole, *(one.estimate for verdict in verdicts for one in verdict.slices))


def _quarantines(suites: Sequence[str], at: datetime, workspace: Workspace) -> tuple[dict[str, Standing], list[str]]:
    """The quarantined cases of these suites; and what cannot be read, which then quarantines nothing."""
    found: dict[str, Standing] = {}
    unread = []
    for suite in suites:
        try:
            entries = workspace.quarantines.read(suite)
        except QuarantineError as error:
            unread.append(str(error))
            continue
        if entries:
            found[suite] = standing(entries, at)
    return found, unread


def _gated(suite: _Suite, standard: Standard) -> tuple[list[Gated], list[Verdict], list[str]]:
    """The gating metrics of a suite; the verdict where none gates; and what stands in the way."""
    table = standard.gate_of(suite.name)
    baselines, unread = standard.of_suite(suite.name)
    problems = list(unread.values())
    names = sorted({*table, *baselines, ERROR_RATE} - unread.keys())
    gated: list[Gated] = []
    for name in names:
        if name not in suite.measured and suite.partial:
            continue  # the test that measures it may be in the other part
        baseline = baselines.get(name)
        spec = suite.measured[name].spec if name in suite.measured else None
        bar, loosened = standard.bar(suite.name, name, baseline, spec)
        problem = _problem_of(suite, name, bar)
        if problem:
            problems.append(problem)
            continue
        whole = suite.gated(name, bar, baseline, loosened)
        gated += [whole, *(slice_of(whole, tag) for tag in bar.slices)]
    nothing = [] if suite.partial or unread or set(names) - {ERROR_RATE} else [_nothing_gates(suite)]
    return gated, nothing, problems


def _problem_of(suite: _Suite, name: str, bar: Bar) -> str:
    """What keeps a gating metric from being judged, or the empty text."""
    table = f"[{TABLE}.suites.{suite.name}.gate]"
    if name not in suite.measured:
        return (
            f"{suite.name}/{name} gates, but no test of this run measured it. Name {name!r} in metrics= of a test, "
            f"or take it out of {table} and out of the baselines"
        )
    if _held_to_nothing(suite.measured[name].spec, bar):
        what = "a floor or a ceiling" if bar.margin is not None else "a floor, a ceiling or a margin"
        return f"{suite.name}/{name} gates, but nothing says how much is too much: set {what} in {table}"
    tags = suite.gating[name].slices
    unknown = [] if suite.partial else [tag for tag in bar.slices if tag not in tags]
    if unknown:
        return (
            f"the slice {unknown[0]!r} of {suite.name}/{name} gates, but no case that gates has that tag"
            f"{near(unknown[0], list(tags))}. Tag the cases, or take it out of slices in {table}"
        )
    return ""


def misspelt(suites: Sequence[str], workspace: Workspace) -> list[str]:
    """Suites named in the settings that there are not, and whose names are nearly those of some that ran."""
    ran = sorted({*suites, *(suite.partition("[")[0] for suite in suites)})
    folder = workspace.settings.path("suite_folder")
    return [
        f"[{TABLE}.suites.{name}] is of no suite{hint}. Correct the name, or remove the table"
        for name in workspace.settings.suites
        if name not in ran and not (folder / name.partition("[")[0]).is_dir() and (hint := near(name, ran))
    ]


def _held_to_nothing(spec: MetricSpec, bar: Bar) -> bool:
    """Whether no value of the metric could fail: no limit, and no margin that its comparison could use."""
    compared = is_paired(spec) and (bar.margin is not None or spec.range is not None)
    return bar.floor is None and bar.ceiling is None and not compared


def _vanished(suites: Sequence[str], partial: Sequence[str], workspace: Workspace) -> list[str]:
    """Suites of a parametrised agent that have a baseline and no trial, though the others ran whole."""
    ran = {safe_name(suite) for suite in suites}
    whole = {safe_name(suite.partition("[")[0]) for suite in suites if suite not in partial}
    return [
        f"suite {name} has a baseline, but no trial in this run although {name.partition('[')[0]} ran whole. "
        f"Bring its parameter back, or remove its baselines"
        for name in workspace.baselines.folders()
        if name not in ran and "[" in name and name.partition("[")[0] in whole
    ]


def _nothing_gates(suite: _Suite) -> Verdict:
    measured = suite.measured.values()
    could = [one.spec.name for one in measured if one.estimate.n and one.spec.range is not None and is_paired(one.spec)]
    named = sorted(set(could) - {ERROR_RATE}, key=lambda name: (name != "success", name))
    approve = f"pytest-agenteval baseline approve {suite.name} --metric {named[0]} --reason '…'" if named else ""
    return Verdict(
        suite=suite.name,
        metric="*",
        outcome=Outcome.NO_BASELINE,
        message="no metric of this suite gates, so nothing stops a regression",
        next_step=f"Choose one: {approve}" if named else "Name a metric in metrics= that has a value here",
    )


def _causes(verdicts: Iterable[Verdict], partial: tuple[str, ...], options: RunOptions) -> list[Cause]:
    causes = [
        Cause(code=code, text=f"{verdict.name}: {verdict.outcome}")
        for verdict in verdicts
        if not (verdict.suite in partial and options.partial_is_meant)
        and (code := exits.code_of(verdict, options.gate)) != exits.OK
    ]
    if partial and not options.partial_is_meant and not causes:
        causes.append(Cause(code=exits.INCONCLUSIVE, text=f"only a part of {', '.join(partial)} ran"))
    return causes


def seal(judged: Judged, workspace: Workspace) -> list[Cause]:
    """Keep the run in the history. A failure is told as a cause with exit code 12, never raised."""
    if not judged.finished.trials:
        return []
    try:
        workspace.history.append(judged.finished)
    except AgentEvalError as error:
        return [Cause(code=exits.INTEGRITY, text=str(error))]
    workspace.forget_sealed_journals(but=judged.finished.run.id)
    return []


def estimates_by_suite(judged: Judged) -> dict[str, list[Estimate]]:
    """The estimates of the run over whole suites, suite by suite."""
    found: dict[str, list[Estimate]] = {}
    for estimate in judged.finished.estimates:
        if not estimate.slice:
            found.setdefault(estimate.suite, []).append(estimate)
    return found
