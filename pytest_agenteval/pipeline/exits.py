"""Which exit code a run or a command ends with. One table for both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_agenteval.model.verdict import Outcome, Reason, Verdict

if TYPE_CHECKING:
    from pytest_agenteval.pipeline.looks import GateMode

OK = 0
TESTS_FAILED = 1
INTERRUPTED = 2
INTERNAL_ERROR = 3
USAGE = 4
NOTHING_COLLECTED = 5
MAX_WARNINGS = 6
RED = 10
INCONCLUSIVE = 11
INTEGRITY = 12
NOT_READY = 13
REVIEW_DUE = 14
TERMINATED = 143

PRECEDENCE = (
    INTERNAL_ERROR,
    INTERRUPTED,
    USAGE,
    INTEGRITY,
    RED,
    TESTS_FAILED,
    NOT_READY,
    INCONCLUSIVE,
    REVIEW_DUE,
    NOTHING_COLLECTED,
    MAX_WARNINGS,
)
"""Of several codes at once the first of these stands."""

CUT_OFF = frozenset({INTERRUPTED, TERMINATED, INTERNAL_ERROR, INTEGRITY})
"""pytest's own code where a session did not come to its end: nothing is judged, and the run can go on."""

_OWN = {
    TESTS_FAILED: "tests failed",
    INTERRUPTED: "interrupted, or not all could be collected: gate not judged",
    TERMINATED: "ended by SIGTERM: gate not judged",
    INTERNAL_ERROR: "internal error: gate not judged",
    USAGE: "pytest was called wrongly",
    NOTHING_COLLECTED: "no test was collected",
    MAX_WARNINGS: "more warnings than --max-warnings allows",
}

_RED = {Outcome.REGRESSED, Outcome.BELOW_FLOOR, Outcome.NO_BASELINE, Outcome.LOOSENED}
_WARNS_IN_A_MERGE = {Reason.TOO_FEW, Reason.FLOOR, Reason.NOT_CONFIRMED}


def code_of(verdict: Verdict, mode: GateMode) -> int:
    """The exit code that one verdict asks for: 10 red, 11 inconclusive, 0 otherwise.

    A merge is stopped by a proven loss only, so *too few* is a warning there; a release needs proof.
    """
    if verdict.outcome in _RED:
        return RED
    if verdict.outcome is Outcome.PASS:
        return OK
    return OK if mode == "merge" and verdict.reason in _WARNS_IN_A_MERGE else INCONCLUSIVE


def own_words(code: int) -> str:
    """What pytest's own exit code says.

    >>> own_words(1)
    'tests failed'
    """
    return _OWN.get(code, "the exit code was set by another plug-in")


def standing(codes: Iterable[int]) -> int:
    """The code that stands of several; a code that is not in the table stands before all.

    >>> standing([0, 11, 1])
    1
    """
    found = {code for code in codes if code != OK}
    foreign = sorted(found - set(PRECEDENCE))
    return foreign[0] if foreign else next((code for code in PRECEDENCE if code in found), OK)
