"""``plan``: what a suite's gate would find, what it would take, and what a run costs, before any call."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import say, workspace_of
from pytest_agenteval.pipeline import exits, words

if TYPE_CHECKING:
    from pytest_agenteval.app.planning import MetricPlan, SuitePlan
    from pytest_agenteval.cli.saying import Parts

_MINUTE, _HOUR = 60, 3600


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("plan", help="what a suite's gate would find, and what that takes")
    part.add_argument("suite")
    part.add_argument("--metric", action="append", default=[], help="tell of this metric only (again and again)")
    part.add_argument("--cases", type=int, help="as if the suite had so many cases")
    part.add_argument("--repeats", type=int, help="as if each case had so many attempts")
    part.add_argument("--margin", type=float, help="as if a loss of so much were tolerated, as in 0.02")
    part.add_argument("--power", type=float, default=0.8, help="how often a drop should be found (default: 0.8)")
    part.set_defaults(act=plan)


def plan(options: argparse.Namespace) -> int:
    """``plan``."""
    from pytest_agenteval.app.planning import Question
    from pytest_agenteval.app.planning import plan as plan_suite

    question = Question(
        suite=options.suite,
        metrics=tuple(options.metric),
        margin=options.margin,
        cases=options.cases,
        repeats=options.repeats,
        power=options.power,
    )
    found = plan_suite(workspace_of(options), question)
    say(_headline(found), *(f"  note: {note}" for note in found.notes))
    for one in found.metrics:
        say(*_metric(one, found))
    say(*_needs(found), *_price(found))
    return exits.OK


def _headline(found: SuitePlan) -> str:
    several = "1 metric gates" if found.family == 1 else f"{found.family} metrics gate together"
    attempts = words.counted(found.repeats, "attempt")
    return f"{found.suite}: {words.counted(found.cases, 'case')} × {attempts}, {several}"


def _metric(one: MetricPlan, found: SuitePlan) -> list[str]:
    from pytest_agenteval.app.held import points
    from pytest_agenteval.pipeline.variance import percent

    held, often = one.held, _often(found.power)
    size = f"With {words.counted(one.cases, 'case')} × {found.repeats}"
    drop = None if one.smallest is None else points(one.smallest, held.spec)
    found_ = f"finds a drop of {drop} in {held.spec.name} {often}; smaller ones mostly pass unseen"
    lost = f"does not find even a total loss of {held.spec.name} {often}"
    facts = [f"tolerated: {points(held.margin, held.spec)}"]
    if held.pass_fail:
        facts.append(f"two runs disagree on {percent(held.scatter.flips)} of the cases")
    two = len(held.references) > 1
    facts.append("a drop must show in two looks" if two else "one look: the baseline holds no values back for another")
    return [f"{size}, this gate {lost if drop is None else found_}.", f"  {'; '.join(facts)}"]


def _often(power: float) -> str:
    tenths = round(10 * power, 6)
    return f"{tenths:.0f} times in 10" if tenths.is_integer() else f"{100 * power:.0f} times in 100"


def _needs(found: SuitePlan) -> list[str]:
    from pytest_agenteval.app.held import points

    held = found.weakest.held
    spec, margin = held.spec, points(held.margin, held.spec)
    which = f" in {spec.name}" if len(found.metrics) > 1 else ""
    return [
        f"To see a drop of {points(need.drop, spec)}{which}: {_cases(need.cases)}."
        if need.drop is not None
        else f"To pass{which} when nothing changed (a loss of {margin} is then excluded): {_cases(need.cases)}."
        for need in found.needs
    ]


def _cases(by_attempts: Mapping[int, int | None]) -> str:
    told = [f"{about(cases):,} cases × {tries}" for tries, cases in by_attempts.items() if cases is not None]
    return f"about {', or '.join(told)}" if told else "more than a million cases"


def about(count: int) -> int:
    """The count rounded up to two digits: a plan is no more exact.

    >>> about(97), about(1041)
    (97, 1100)
    """
    unit = int(10 ** max(len(str(count)) - 2, 0))
    return -(-count // unit) * unit


def _price(found: SuitePlan) -> list[str]:
    calls, known = found.cases * found.repeats, found.expected
    took = [] if known is None or known.seconds is None else [f"{duration(known.seconds * calls)} of the agent's time"]
    took += [] if known is None or known.cost_usd is None else [f"{known.cost_usd * calls:.2f} USD"]
    by_run = f": {' and '.join(took)}, going by run {known.run}" if known is not None and took else ""
    lines = [f"A run is {words.counted(calls, 'agent call')}{by_run}."]
    if any(len(one.held.references) > 1 for one in found.metrics):
        more = words.counted(calls, "call")
        lines.append(f"A second look is up to {more} more; at most 5 in 100 harmless changes ask for one.")
    return lines


def duration(seconds: float) -> str:
    """Seconds in a unit that one can picture.

    >>> duration(0.02), duration(48), duration(200), duration(9000)
    ('under a second', '48 seconds', '3 minutes', '2.5 hours')
    """
    if seconds < 1:
        return "under a second"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} seconds"
    return f"{seconds / _MINUTE:.0f} minutes" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} hours"
