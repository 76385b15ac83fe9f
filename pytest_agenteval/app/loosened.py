"""Where a change lowers the bar that judges it: what stands against that, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pytest_agenteval.app.base import Base, head_approvals, head_rules, with_sources
from pytest_agenteval.app.runs import Plan
from pytest_agenteval.app.standard import Sides, StandardOfBase
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.loosening import WHOLE_SUITE, Loosening, LooseningApproval
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Outcome, Reason, Verdict
from pytest_agenteval.pipeline.loosening import loosenings

_MOST_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The base that a run is judged by, and what of the head is looser without leave."""

    base: Base
    sides: Sides
    open: tuple[Loosening, ...]
    head_approvals: Mapping[str, LooseningApproval]

    def known_cases(self, suites: Iterable[str]) -> dict[str, frozenset[str]]:
        """By suite the cases that the base has: what is asked of all must hold of these for themselves."""
        return {suite: self.sides.base.known_cases(suite) for suite in suites}

    def standard(self, workspace: Workspace) -> StandardOfBase:
        """The bars and references that the base has."""
        return StandardOfBase(workspace, self.sides)

    def verdicts(self, judged: Sequence[Verdict]) -> list[Verdict]:
        """The verdicts, those of loosened metrics and suites changed, and one for each that had none."""
        by_place: dict[tuple[str, str], list[Loosening]] = {}
        for one in self.open:
            by_place.setdefault((one.suite, one.metric), []).append(one)
        told = []
        for verdict in judged:
            several = [] if verdict.slice else by_place.pop((verdict.suite, verdict.metric), [])
            told.append(self._loosened(verdict, several) if several else verdict)
        return [*told, *(self._new(place, several) for place, several in by_place.items())]

    def _loosened(self, verdict: Verdict, several: Sequence[Loosening]) -> Verdict:
        words = f"{self._words(several)}; by the base's bar: {verdict.outcome} ({verdict.message})"
        return replace(verdict, outcome=Outcome.LOOSENED, reason=Reason.NONE, message=words, next_step=self._next_step)

    def _new(self, place: tuple[str, str], several: Sequence[Loosening]) -> Verdict:
        suite, metric = place
        return Verdict(
            suite=suite,
            metric=metric,
            outcome=Outcome.LOOSENED,
            message=self._words(several),
            next_step=self._next_step,
        )

    @property
    def _next_step(self) -> str:
        return (
            f"Undo it; or have it approved by pytest-agenteval baseline approve --loosening --base {self.base.ref} "
            f"--reason '…', and merge that file first"
        )

    def _words(self, several: Sequence[Loosening]) -> str:
        more = f", and {len(several) - _MOST_TOLD} more" if len(several) > _MOST_TOLD else ""
        told = "; ".join(one.words for one in several[:_MOST_TOLD])
        return f"this change lowers its own bar: {told}{more}{self._of_approvals(several)}"

    def _of_approvals(self, several: Iterable[Loosening]) -> str:
        """Why an approval that there is does not count."""
        digests = {one.digest for one in several}
        for path, found in self.base.approvals.items():
            if digests & found.digests:
                return f" ({path} of the base expired on {found.expires:%Y-%m-%d})"
        for path, found in self.head_approvals.items():
            if digests & found.digests:
                return f" ({path} stands in this change, and only an approval in the base counts)"
        return ""


def ground_of(
    base: Base, workspace: Workspace, plan: Plan, trials: Sequence[Trial], *, excused: Iterable[str], at: datetime
) -> Ground:
    """Compare the base with the head as this run found it."""
    head = head_rules(workspace, base, plan, trials, excused)
    rules = with_sources(base, head, plan, Path(workspace.settings.root))
    found = loosenings(rules, head)
    allowed = [one for one in found if base.allows(one, at)]
    left = tuple(one for one in found if one not in allowed)
    sides = Sides(
        base=rules,
        head=head,
        freed=frozenset((one.suite, one.metric) for one in allowed if one.suite != WHOLE_SUITE),
        unfree=frozenset((one.suite, one.metric) for one in left),
        approved=tuple(one for file in base.approvals.values() if at <= file.expires for one in file.loosenings),
    )
    return Ground(
        base=base,
        sides=sides,
        open=left,
        head_approvals=head_approvals(workspace),
    )
