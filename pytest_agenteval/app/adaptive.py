"""Adaptive repeats as a session goes: which attempts are still needed, and what was saved in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.registry import ALWAYS_MEASURED
from pytest_agenteval.app.runs import Plan
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.run import Rounds
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.pipeline.adaptive import can_settle, case_settled
from pytest_agenteval.pipeline.looks import Policy

_Case = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What needs no further attempts: by suite, and by suite and case, how many attempts were enough.

    ``caps`` has how many there might have been.
    """

    caps: Mapping[str, int] = field(default_factory=dict)
    suites: Mapping[str, int] = field(default_factory=dict)
    cases: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def needs(self, key: TrialKey) -> bool:
        """Whether the trial counts."""
        return not self.why_not(key)

    def why_not(self, key: TrialKey) -> str:
        """Why the trial is not needed; the empty text where it is."""
        suite, case, attempt = key
        cap = self.caps.get(suite)
        used = self.suites.get(suite)
        if used is not None and attempt > used:
            return f"not needed: the verdict of {suite} was settled after {used} of {cap} attempts"
        made = self.cases.get(suite, {}).get(case)
        if made is not None and attempt > made:
            return f"not needed: the value of the case was settled after {made} of {cap} attempts"
        return ""


class AdaptiveRepeats:
    """Looks at each suite whenever a round of it is complete, and at each case whenever an attempt is.

    ``trials`` are those of the run as they come in, ``judge`` judges some of them by a plan of their own. What is
    found depends on the attempts up to a look alone, and not on the order in which they come.
    """

    def __init__(
        self,
        plan: Plan,
        trials: Mapping[TrialKey, Trial],
        judge: Callable[[Plan, Sequence[Trial]], Judged],
        workspace: Workspace,
    ) -> None:
        self._plan, self._trials, self._judge, self._workspace = plan, trials, judge, workspace
        self._key_of: dict[str, TrialKey] = {}
        self._running: dict[TrialKey, set[str]] = {}
        self._fixed: set[_Case] = set()
        self._left: Counter[tuple[str, int]] = Counter()
        self._looked = dict.fromkeys(plan.adaptive, 0)
        self._told_by = {suite: self._metrics_told_by(suite) for suite in plan.adaptive}
        self._failed: set[TrialKey] = set()
        self.settled = Settled(caps=plan.adaptive)
        for node, (suite, case, attempt, cap) in plan.items.items():
            key = self._key_of[node] = (suite, case, int(attempt))
            self._left[suite, int(attempt)] += key not in self._running
            self._running.setdefault(key, set()).add(node)
            self._fixed |= {(suite, case)} if cap == "0" else set()

    def failed(self, trial: Trial) -> None:
        """An item of the trial failed."""
        self._failed.add(trial.key)

    def over(self, node: str) -> bool:
        """An item is over, whether it ran or not; whether that settles something."""
        key = self._key_of.get(node)
        running = self._running.get(key, set()) if key else set()
        if key is None or node not in running:
            return False
        running.discard(node)
        if running:
            return False
        suite, case, attempt = key
        self._left[suite, attempt] -= 1
        before = self.settled
        self._look_at_case(suite, case)
        self._look_at_suite(suite)
        return self.settled is not before

    def counts(self, suite: str, attempt: int) -> bool:
        """Whether the attempts of this number count for the suite."""
        return attempt <= self.settled.suites.get(suite, attempt)

    def judged(self) -> Judged:
        """Judge what counts; the trials that proved not to be needed are kept beside it."""
        keys = sorted(self._trials)
        counting = [self._trials[key] for key in keys if self.settled.needs(key)]
        judged = self._judge(self.applied(), counting)
        unneeded = [self._trials[key] for key in keys if not self.settled.needs(key)]
        return replace(judged, finished=replace(judged.finished, unneeded=unneeded))

    def applied(self) -> Plan:
        """The plan with how far each suite went, and without the trials that do not count."""
        spare = [key for key in self._plan.planned if not self.settled.needs(_trial_key(key))]
        planned = Counter(suite for suite, _, _ in self._plan.planned)
        saved = Counter(key[0] for key in spare if _trial_key(key) not in self._trials)
        rounds = {
            suite: Rounds(used=self.settled.suites.get(suite, cap), cap=cap, calls=planned[suite], saved=saved[suite])
            for suite, cap in self._plan.adaptive.items()
        }
        return replace(self._plan, rounds=rounds, not_needed=tuple(spare))

    def _look_at_case(self, suite: str, case: str) -> None:
        known = self.settled.cases.get(suite, {})
        if case in known or (suite, case) in self._fixed:
            return
        made: list[Trial] = []
        while not self._running.get((suite, case, len(made) + 1), {"none planned"}):
            trial = self._trials.get((suite, case, len(made) + 1))
            if trial is None:
                return
            made.append(trial)
            if self._is_settled(made):
                cases = {**self.settled.cases, suite: {**known, case: len(made)}}
                self.settled = replace(self.settled, cases=cases)
                return

    def _is_settled(self, made: Sequence[Trial]) -> bool:
        case = made[-1].case
        if case.must_pass and made[-1].key in self._failed:
            return True
        return case_settled(made, self._told_by[case.suite], self._plan.adaptive[case.suite])

    def _metrics_told_by(self, suite: str) -> Mapping[str, MetricSpec]:
        """The metrics that a case's value is told by: what is scored on every trial is not, unless it gates."""
        gating = {*self._workspace.settings.gate_of(suite), *self._workspace.baselines.metrics(suite)}
        aside = set(ALWAYS_MEASURED) - gating
        return {name: spec for name, spec in self._plan.specs.items() if name not in aside}

    def _look_at_suite(self, suite: str) -> None:
        cap, look = self._plan.adaptive[suite], self._looked[suite] + 1
        if suite in self.settled.suites or suite in self._plan.partial:
            return
        while look < cap and not any(self._left[suite, attempt] for attempt in range(1, look + 1)):
            self._looked[suite] = look
            if can_settle(Policy(), look, cap) and self._is_enough(suite, look):
                self.settled = replace(self.settled, suites={**self.settled.suites, suite: look})
                return
            look += 1

    def _is_enough(self, suite: str, look: int) -> bool:
        """Whether the verdict of the suite is settled by the attempts up to this look."""
        planned = [key for key in self._plan.planned if key[0] == suite]
        so_far = replace(self.settled, suites={suite: look})
        plan = replace(
            self._plan,
            planned=tuple(planned),
            rounds={suite: Rounds(used=look, cap=self._plan.adaptive[suite], calls=len(planned), saved=0)},
            not_needed=tuple(key for key in planned if not so_far.needs(_trial_key(key))),
            others=sum(self._comparisons(other) for other in {key[0] for key in self._plan.planned} - {suite}),
        )
        keys = plan.keys()
        try:
            return suite in self._judge(plan, [self._trials[key] for key in sorted(keys & self._trials.keys())]).settled
        except Exception:  # noqa: BLE001  # the end of the session meets it again, and tells it
            return False

    def _comparisons(self, suite: str) -> int:
        """How many comparisons with a baseline the suite brings into the run; at most."""
        wanted, (baselines, _) = self._workspace.settings.gate_of(suite), self._workspace.baselines.of_suite(suite)
        slices = {(name, tag) for name, bar in wanted.items() for tag in bar.slices}
        slices |= {(name, tag) for name, one in baselines.items() for tag in one.bar.slices}
        return len(baselines) + len(slices)


def _trial_key(key: tuple[str, str, str]) -> TrialKey:
    return key[0], key[1], int(key[2])
