"""Tests of pytest-agent-eval; its own repeats."""
# The peer is installed in an environment of its own, and unknown to the type checker of this one.
# mypy: ignore-errors

from __future__ import annotations

import pytest
from pytest_agent_eval import EvalResult, Expect, Turn
from pytest_agent_eval.models import TurnContext
from pytest_agent_eval.runner import EvalSession

from benchmarks.work import Asked, checks, work_asked_for

WORK = work_asked_for()


class Check:
    """One of the three checks."""

    def __init__(self, place: int, case: Asked) -> None:
        self.place, self.case = place, case

    async def evaluate(self, context: TurnContext) -> EvalResult:
        """Whether the reply passes."""
        return EvalResult(passed=checks(context.reply, self.case)[self.place])


async def agent(history: list[dict[str, str]]) -> tuple[str, list[str]]:
    """The reply, and no tool calls."""
    return await WORK.ask(history[-1]["content"]), []


@pytest.mark.asyncio
@pytest.mark.agent_eval(runs=WORK.repeats)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in WORK.cases])
async def test_case(agent_eval: EvalSession, case: Asked) -> None:
    """Each answer is right."""
    turn = Turn(user=case.input, expect=Expect(evaluators=[Check(place, case) for place in range(3)]))
    result = await agent_eval.run(agent=agent, turns=[turn])
    result.assert_threshold()
