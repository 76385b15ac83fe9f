"""``evaluate`` of deepeval, over answers that were gathered before; without its indicator, printing and cache."""
# The peer is installed in an environment of its own, and unknown to the type checker of this one.
# mypy: ignore-errors

from __future__ import annotations

import asyncio

from deepeval import evaluate
from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig
from deepeval.metrics import BaseMetric
from deepeval.test_case import LLMTestCase

from benchmarks.work import Asked, checks, work_asked_for

WORK = work_asked_for()


class Check(BaseMetric):
    """One of the three checks."""

    def __init__(self, place: int) -> None:
        self.place, self.threshold, self.async_mode = place, 0.5, True

    def measure(self, test_case: LLMTestCase) -> float:
        """Score 1 where the output passes."""
        case = Asked(**test_case.additional_metadata)
        self.score = float(checks(test_case.actual_output, case)[self.place])
        self.success = self.score >= self.threshold
        return self.score

    async def a_measure(self, test_case: LLMTestCase) -> float:
        """The same."""
        return self.measure(test_case)

    def is_successful(self) -> bool:
        """Whether it passed."""
        return self.success

    @property
    def __name__(self) -> str:
        return f"check {self.place}"


async def answered() -> list[LLMTestCase]:
    """A test case for each answer."""
    in_flight = asyncio.Semaphore(WORK.in_flight)

    async def one(case: Asked) -> LLMTestCase:
        async with in_flight:
            output = await WORK.ask(case.input)
        return LLMTestCase(
            input=case.input, actual_output=output, expected_output=case.output, additional_metadata=case._asdict()
        )

    return await asyncio.gather(*map(one, WORK.cases * WORK.repeats))


result = evaluate(
    asyncio.run(answered()),
    [Check(place) for place in range(3)],
    async_config=AsyncConfig(max_concurrent=WORK.in_flight),
    display_config=DisplayConfig(show_indicator=False, print_results=False),
    cache_config=CacheConfig(write_cache=False, use_cache=False),
)
assert len(result.test_results) == WORK.count * WORK.repeats
assert all(one.success for one in result.test_results)
