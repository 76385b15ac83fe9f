"""Which code stands: one table for runs and commands."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from pytest_agenteval.model.verdict import Outcome, Reason, Verdict
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.exits import code_of, standing
from pytest_agenteval.pipeline.looks import GateMode

# Restated from the design: 3 > 2 > 4 > 12 > 10 > 1 > 13 > 11 > 14 > 5 > 6 > 0.
ORDER = (3, 2, 4, 12, 10, 1, 13, 11, 14, 5, 6)


def test_of_every_set_of_causes_the_first_in_the_order_stands() -> None:
    sets = chain.from_iterable(combinations(ORDER, size) for size in range(len(ORDER) + 1))
    found = 0
    for causes in sets:
        expected = next((code for code in ORDER if code in causes), 0)
        assert standing(causes) == standing([0, *reversed(causes), *causes]) == expected
        found += 1
    assert found == 2 ** len(ORDER)


def test_of_two_sets_of_causes_together_one_of_the_two_codes_stands_and_none_makes_the_other_green() -> None:
    sets = [set(one) for size in range(len(ORDER) + 1) for one in combinations(ORDER, size)]
    for causes in sets:
        for one in ORDER:
            joined = standing(causes | {one})
            assert joined in (standing(causes), one)
            assert joined != 0


def test_every_code_has_its_place_in_the_order() -> None:
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    # Who ended the run by a signal is told so whatever else there was, as is any code that is not in the table.
    assert codes == {*exits.PRECEDENCE, exits.OK, exits.TERMINATED}
    assert exits.PRECEDENCE == ORDER


@pytest.mark.parametrize("foreign", [7, -9, 70, 137, exits.TERMINATED])
def test_a_code_that_is_not_in_the_table_is_never_hidden(foreign: int) -> None:
    assert standing([0, foreign, exits.INTERNAL_ERROR, exits.RED]) == foreign


RED = {Outcome.REGRESSED, Outcome.BELOW_FLOOR, Outcome.NO_BASELINE, Outcome.LOOSENED}
WARNED_OF_IN_A_MERGE = {Reason.TOO_FEW, Reason.FLOOR, Reason.NOT_CONFIRMED}


def verdict(outcome: Outcome, reason: Reason = Reason.NONE) -> Verdict:
    return Verdict(suite="s", metric="m", outcome=outcome, reason=reason, message="", next_step="do")


@pytest.mark.parametrize("mode", ["merge", "release"])
@pytest.mark.parametrize("reason", Reason)
def test_red_is_10_and_a_pass_is_0_whatever_the_mode(reason: Reason, mode: GateMode) -> None:
    assert {code_of(verdict(outcome, reason), mode) for outcome in RED} == {10}
    assert code_of(verdict(Outcome.PASS, reason), mode) == 0


@pytest.mark.parametrize("outcome", [Outcome.INCONCLUSIVE, Outcome.INCOMPARABLE])
@pytest.mark.parametrize("reason", Reason)
def test_what_is_open_is_11_but_a_merge_only_warns_of_too_few_cases(outcome: Outcome, reason: Reason) -> None:
    assert code_of(verdict(outcome, reason), "release") == 11
    assert code_of(verdict(outcome, reason), "merge") == (0 if reason in WARNED_OF_IN_A_MERGE else 11)
