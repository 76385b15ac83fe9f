"""W1, the floor: plain pytest asserts the same."""

from __future__ import annotations

import pytest

from benchmarks.work import WORKS, Asked, checks

WORK = WORKS["W1"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in WORK.cases])
def test_plain(case: Asked) -> None:
    """Each answer is right."""
    exact, contains, valid = checks(WORK.ask_blocking(case.input), case)
    assert exact
    assert contains
    assert valid
