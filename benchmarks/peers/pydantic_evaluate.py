"""``Dataset.evaluate`` of pydantic-evals."""
# The peer is installed in an environment of its own, and unknown to the type checker of this one.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import Evaluator, EvaluatorContext

from benchmarks.work import Asked, checks, work_asked_for

WORK = work_asked_for()


@dataclass
class Check(Evaluator):
    """One of the three checks."""

    place: int

    def get_default_evaluation_name(self) -> str:
        """The check's name."""
        return ("exact", "contains", "json_valid")[self.place]

    def evaluate(self, ctx: EvaluatorContext) -> bool:
        """Whether the output passes."""
        return checks(ctx.output, ctx.metadata)[self.place]


async def main() -> None:
    """Evaluate all cases."""
    cases = [Case(name=case.id, inputs=case.input, expected_output=case.output, metadata=case) for case in WORK.cases]
    dataset: Dataset[str, str, Asked] = Dataset(
        name="work", cases=cases, evaluators=[Check(place) for place in range(3)]
    )
    report = await dataset.evaluate(WORK.ask, max_concurrency=WORK.in_flight, progress=False, repeat=WORK.repeats)
    assert len(report.cases) == WORK.count * WORK.repeats
    assert report.averages().assertions == 1


asyncio.run(main())
