"""Plain pytest asks in each test; with pytest-xdist, in several processes."""

from __future__ import annotations

import pytest

from benchmarks.work import Asked, checks, work_asked_for

WORK = work_asked_for()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in WORK.cases])
def test_case(case: Asked) -> None:
    """Each answer is right."""
    assert all(checks(WORK.ask_blocking(case.input), case))
