"""Tests of pytest-asyncio."""

from __future__ import annotations

import pytest

from benchmarks.work import Asked, checks, work_asked_for

WORK = work_asked_for()


@pytest.mark.asyncio
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in WORK.cases])
async def test_case(case: Asked) -> None:
    """Each answer is right."""
    assert all(checks(await WORK.ask(case.input), case))
