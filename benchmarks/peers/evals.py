"""Tests of pytest-evals."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks.work import Asked, checks, work_asked_for

WORK = work_asked_for()


@pytest.mark.eval(name="work")
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in WORK.cases])
def test_case(case: Asked, eval_bag: SimpleNamespace) -> None:
    """Each answer is kept with its scores."""
    eval_bag.output = WORK.ask_blocking(case.input)
    eval_bag.exact, eval_bag.contains, eval_bag.valid = checks(eval_bag.output, case)
    assert eval_bag.exact
