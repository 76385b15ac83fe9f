"""A floor or a ceiling is kept by the cases that were there before, and not by easy new ones."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.verdict import Verdict
from pytest_agenteval.pipeline.dilution import on_known_cases
from pytest_agenteval.pipeline.gate import judge
from pytest_agenteval.pipeline.looks import GateMode, Policy
from tests.pipeline.measures import COST, Values, binary, gated

OLD = binary(80, 20)
EASY = binary(900, 0, start=100)
FLOOR, CHEAP = Bar(floor=0.9, margin=0.4), Bar(ceiling=2.0, margin=9.0)


def held(now: Values, known: Values, bar: Bar = FLOOR, mode: GateMode = "merge", **how: Any) -> tuple[str, Verdict]:
    """The outcome on all cases, and the verdict once the known ones are held to the limits by themselves."""
    one, policy = gated(now, now, bar=bar, **how), Policy(mode=mode)
    [whole] = judge([one], policy)
    [found] = on_known_cases([one], [whole], {"s": frozenset(known)}, policy)
    return whole.outcome.value, found


def test_what_the_known_cases_break_the_new_ones_do_not_mend() -> None:
    whole, found = held({**OLD, **EASY}, OLD)
    assert (whole, found.outcome) == ("pass", "below_floor")
    assert found.message.startswith("on the cases that the base knows 0.8000 [")
    assert found.next_step.startswith("Look at c0080")
    assert found.estimate is not None
    assert found.estimate.n == 1000


def test_a_ceiling_is_held_likewise() -> None:
    dear = {f"d{n}": [3.0 + n % 2] for n in range(20)}
    cheap = {f"e{n}": [0.1 + n % 2] for n in range(400)}
    assert held({**dear, **cheap}, dear, CHEAP, spec=COST)[1].outcome == "below_floor"
    whole, found = held({**dear, **cheap}, cheap, CHEAP, spec=COST)
    assert found.outcome == whole != "below_floor"


@pytest.mark.parametrize(("mode", "outcome"), [("merge", "pass"), ("release", "inconclusive")])
def test_what_the_known_cases_leave_open_is_open(mode: GateMode, outcome: str) -> None:
    known = binary(92, 8)
    assert held({**known, **EASY}, known, mode=mode)[1].outcome == outcome


@pytest.mark.parametrize("known", [{}, {**OLD, **EASY}, {"gone": [1.0]}], ids=["none", "all", "others"])
def test_where_all_or_none_are_known_the_verdict_stands(known: Values) -> None:
    whole, found = held({**OLD, **EASY}, known)
    assert found.outcome == whole


def test_a_worse_verdict_stands() -> None:
    now = {**OLD, **binary(0, 900, start=100)}
    whole, found = held(now, OLD)
    assert whole == found.outcome == "below_floor"
    assert "that the base knows" not in found.message
