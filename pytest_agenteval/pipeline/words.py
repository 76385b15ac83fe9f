"""What a verdict says: the figures in one plain sentence, and the next step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.run import Rounds
from pytest_agenteval.model.verdict import Comparison, Outcome, Reason

if TYPE_CHECKING:
    from pytest_agenteval.pipeline.aggregate import Measured
    from pytest_agenteval.pipeline.looks import Looks, Policy

_MOST_NAMED = 8
_RUN_FIRST = "pytest --agent-eval --agent-eval-repeats 6"
_MOST_REPEATS = 50
"""Nobody repeats a case more often, so it is no advice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a verdict rests on: the looks at the metric, and the policy they are judged by."""

    looks: Looks
    policy: Policy

    @property
    def measured(self) -> Measured:
        """The metric in this run."""
        return self.looks.one.measured

    @property
    def comparison(self) -> Comparison | None:
        """The first look."""
        return self.looks.first

    @property
    def margin(self) -> float | None:
        """The loss that is tolerated."""
        return self.looks.one.margin

    @property
    def approve(self) -> str:
        """The command that accepts such values, and the run to make before where this one is no baseline."""
        suite, metric = self.measured.suite, self.measured.spec.name
        command = f"pytest-agenteval baseline approve {suite} --metric {metric} --reason '…'"
        return f"{_RUN_FIRST} first, then {command}" if self._is_no_baseline else command

    @property
    def _is_no_baseline(self) -> bool:
        """Whether the repeats stopped early, or a baseline of this run would lose the values that it holds back."""
        one = self.looks.one
        used, cap = one.rounds
        has_repeats = any(len(scores.values) > 1 for scores in one.measured.cases.values())
        holds_back = one.baseline is not None and bool(one.baseline.held_back)
        return used < cap or (holds_back and not has_repeats)

    @property
    def compared(self) -> str:
        """The comparison in words, or the value where there is none."""
        return comparison_words(self.comparison) if self.comparison else value_words(self.measured.estimate)


def explain(outcome: Outcome, reason: Reason, facts: Facts) -> tuple[str, str]:
    """(message, next step) of a verdict; the next step is empty for a pass."""
    return (_BY_REASON.get(reason) or _BY_OUTCOME[outcome])(facts)


def number(value: float | None) -> str:
    """Four decimals, or a dash where there is no value."""
    return "–" if value is None else f"{value:.4f}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """'1 case', '3 cases', '1,700 cases'."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def value_words(estimate: Estimate) -> str:
    """'0.7938 [0.7029, 0.8624] over 97 cases'."""
    if estimate.value is None:
        return "no case has a value"
    return (
        f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}] over {counted(estimate.n, 'case')}"
    )


def bar_words(bar: Bar) -> str:
    """'floor 0.8, ceiling 0.02' as far as set."""
    told = [f"{name} {value:g}" for name in ("floor", "ceiling") if (value := getattr(bar, name)) is not None]
    return ", ".join(told) or "no floor"


def comparison_words(found: Comparison) -> str:
    """'from 0.7938 to 0.3918, on 97 common cases -0.4021 […], 40 fell, 1 rose'."""
    if found.n_pairs == 0:
        return "no case in common with the reference"
    if found.delta is None:
        return f"from {number(found.reference.value)} to {number(found.current.value)}"
    values = f"from {number(found.before)} to {number(found.now)}"
    interval = f"[{number(found.low)}, {number(found.high)}]"
    changes = f"{len(found.lost)} fell, {len(found.won)} rose"
    if found.added:
        changes += f"; {len(found.added)} without a reference yet"
    return f"{values}, on {found.n_pairs:,} common cases {found.delta:+.4f} {interval}, {changes}"


def rounds_words(rounds: Rounds) -> str:
    """What came of adaptive repeats.

    >>> rounds_words(Rounds(used=2, cap=5, calls=300, saved=120))
    'settled after 2 of 5 attempts; 120 of 300 agent calls saved'
    """
    early = rounds.used < rounds.cap
    how = f"settled after {rounds.used} of {rounds.cap} attempts" if early else f"all {rounds.cap} attempts needed"
    return f"{how}; {rounds.saved:,} of {counted(rounds.calls, 'agent call')} saved"


def named(cases: tuple[str, ...]) -> str:
    """The first few case ids, and how many more there are."""
    more = f" and {len(cases) - _MOST_NAMED} more" if len(cases) > _MOST_NAMED else ""
    return ", ".join(cases[:_MOST_NAMED]) + more


_Words = tuple[str, str]


def _partial(_facts: Facts) -> _Words:
    return "only part of the suite ran, so nothing is judged", "Run the whole suite"


def _missing(facts: Facts) -> _Words:
    measured = facts.measured
    missing = [reason for case, reason in measured.not_evaluated.items() if case not in measured.not_asked]
    if not missing:
        return "no case has a value", f"Give the cases what {measured.spec.name} needs, or take it out of the gate"
    total = len(measured.cases) + len(missing)
    message = f"{len(missing)} of {total} cases were not evaluated (the first: {missing[0]})"
    return message, "Mend what the reason names, and run again"


def _case_set(facts: Facts) -> _Words:
    found = facts.comparison
    if found is None:
        return facts.compared, facts.approve
    n_quarantined = facts.looks.one.n_quarantined
    total = found.n_pairs + len(found.edited) + len(found.removed) + n_quarantined
    changes = f"{len(found.edited)} edited, {len(found.removed)} removed"
    changes += f", {n_quarantined} quarantined" if n_quarantined else ""
    message = f"only {found.n_pairs} of {total} cases of the baseline are as they were ({changes}); on those: "
    mend = "Mend quarantined cases and take them out of quarantine: no suite passes by it alone"
    renew = f"If the new cases are right: {facts.approve}"
    told = [mend] * (n_quarantined > 0) + [renew] * bool(found.edited or found.removed)
    return message + comparison_words(found), ". ".join(told) or renew


def _metric_version(facts: Facts) -> _Words:
    message = "the baseline was measured by another version of the metric; the two cannot be compared"
    return message, f"Renew it: {facts.approve}"


def _metric_changed(facts: Facts) -> _Words:
    found = facts.comparison
    if found is None:
        return facts.compared, facts.approve
    message = (
        f"{len(found.regraded)} of {found.n_same_answers} cases with the very same answer were scored otherwise "
        f"({named(found.regraded)}): the metric changed, so {comparison_words(found)} says nothing of the agent"
    )
    return message, f"Score both by the same version of the metric, or renew the baseline: {facts.approve}"


def _too_few(facts: Facts) -> _Words:
    found = facts.comparison
    sure = f" (one-sided p = {found.p_value:.4f})" if found and found.p_value is not None else ""
    message = f"{facts.compared}{sure}; a loss of the margin {number(facts.margin)} can be neither shown nor excluded"
    return message, _what_would_settle(found)


def _what_would_settle(found: Comparison | None) -> str:
    if found is None or found.cases_needed is None:
        return "More cases, more repeats or a wider margin would settle it"
    ways = [f"About {counted(found.cases_needed, 'more case')} like these would settle it"]
    if found.repeats_needed is not None and found.repeats_needed <= _MOST_REPEATS:
        ways.append(f"{found.repeats_needed} attempts a case")
    return ", or ".join([*ways, "a wider margin"])


def _not_looked(facts: Facts) -> _Words:
    looks = facts.looks
    message = f"{facts.compared}{_sure(facts)}: the first look shows a drop"
    if looks.one.again is None:
        return f"{message}, and the second look that must confirm it was not made", "Run the whole suite again"
    reasons = [reason for reason in looks.one.again.not_evaluated.values() if reason]
    why = f" (the first reason: {reasons[0]})" if reasons else ""
    cases = 0 if looks.second is None else looks.second.n_pairs
    return f"{message}, and the second look gave only {counted(cases, 'case')}{why}", "Mend that, and run again"


def _not_confirmed(facts: Facts) -> _Words:
    second = facts.looks.second
    again = comparison_words(second) if second else ""
    message = (
        f"{facts.compared}{_sure(facts)}: the first look shows a drop, a second and independent one does not "
        f"confirm it ({again}, {_chance(facts.looks.second_p_value)}); that may be chance, or a drop too small to see"
    )
    go_on = "Nothing stops the merge" if facts.policy.mode == "merge" else "A release needs proof that there is no drop"
    return message, f"{go_on}. {_what_would_settle(facts.comparison)}"


def _below_floor(facts: Facts) -> _Words:
    measured = facts.measured
    message = f"{value_words(measured.estimate)}: proven to break {bar_words(facts.looks.one.bar)}"
    sign, best = (1.0 if measured.spec.better == "higher" else -1.0), measured.spec.best
    means = {case: scores.mean for case, scores in measured.cases.items()}
    failing = sorted((case for case in means if means[case] != best), key=lambda case: (sign * means[case], case))
    return message, f"Look at {named(tuple(failing))}"


def _floor_open(facts: Facts) -> _Words:
    message = f"{value_words(facts.measured.estimate)}: not proven to keep {bar_words(facts.looks.one.bar)}"
    return message, "More cases or repeats would settle it"


def _loosened(facts: Facts) -> _Words:
    message = f"the settings are looser than the approved baseline: {facts.looks.one.loosened}"
    return message, f"Tighten them, or: {facts.approve}"


def _regressed(facts: Facts) -> _Words:
    found, second = facts.comparison, facts.looks.second
    message = f"{facts.compared}: a real drop{_sure(facts)}, larger than the margin {facts.margin or 0.0:g}"
    if second is not None:
        message += f". Seen again in a second look: {comparison_words(second)} ({_chance(facts.looks.second_p_value)})"
    lost = found.lost if found else ()
    both = tuple(case for case in lost if second is not None and case in second.lost)
    if both:
        return message, f"{counted(len(both), 'case')} fell in both looks: {named(both)}; {_accept(facts)}"
    return message, f"Look at {named(lost)}; {_accept(facts)}"


def _accept(facts: Facts) -> str:
    return f"if the drop is accepted: {facts.approve} --accept-drop"


def _chance(p_value: float | None) -> str:
    return f"chance alone would do this with p = {p_value or 0.0:.2g}"


def _sure(facts: Facts) -> str:
    family, looks = facts.looks.family, facts.looks.one.rounds[1]
    several = [f"{family} comparisons"] * (family > 1) + [f"{looks} looks"] * (looks > 1)
    corrected = f", corrected for {' and '.join(several)}" if several else ""
    return f" ({_chance(facts.looks.p_value)}{corrected})"


def _no_baseline(facts: Facts) -> _Words:
    message = f"{value_words(facts.measured.estimate)}; there is no baseline to compare with"
    return message, f"If it is good enough: {facts.approve}"


def _pass(facts: Facts) -> _Words:
    found = facts.comparison
    if found is None:
        return f"{facts.compared}; {bar_words(facts.looks.one.bar)}", ""
    if facts.margin is None or found.delta is None:
        return facts.compared, ""
    p_value = facts.looks.p_value
    proven = p_value is not None and p_value <= facts.looks.alpha(facts.policy)
    small = "; a small drop, proven" if proven else ""
    return f"{facts.compared}; a loss of {facts.margin:g} is excluded{small}", ""


_BY_REASON: dict[Reason, Callable[[Facts], _Words]] = {
    Reason.PARTIAL: _partial,
    Reason.MISSING: _missing,
    Reason.CASE_SET: _case_set,
    Reason.METRIC_VERSION: _metric_version,
    Reason.METRIC_CHANGED: _metric_changed,
    Reason.TOO_FEW: _too_few,
    Reason.FLOOR: _floor_open,
    Reason.NOT_LOOKED: _not_looked,
    Reason.NOT_CONFIRMED: _not_confirmed,
}
_BY_OUTCOME: dict[Outcome, Callable[[Facts], _Words]] = {
    Outcome.LOOSENED: _loosened,
    Outcome.BELOW_FLOOR: _below_floor,
    Outcome.REGRESSED: _regressed,
    Outcome.NO_BASELINE: _no_baseline,
    Outcome.PASS: _pass,
}
