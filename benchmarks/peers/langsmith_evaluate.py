"""``aevaluate`` of langsmith, with nothing uploaded."""
# The peer is installed in an environment of its own, and unknown to the type checker of this one.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from langsmith import Client, aevaluate
from langsmith.schemas import Example

from benchmarks.work import Asked, checks, work_asked_for

WORK = work_asked_for()


async def target(inputs: dict[str, str]) -> dict[str, str]:
    """The agent."""
    return {"output": await WORK.ask(inputs["input"])}


def check(name: str, place: int) -> Callable[..., dict[str, object]]:
    """One of the three checks."""

    def evaluator(outputs: dict[str, str], reference_outputs: dict[str, str]) -> dict[str, object]:
        return {"key": name, "score": checks(outputs["output"], Asked(**reference_outputs))[place]}

    return evaluator


async def main() -> None:
    """Evaluate all cases."""
    dataset, now = uuid.uuid4(), datetime.now(UTC)
    examples = [
        Example(
            id=uuid.uuid4(), dataset_id=dataset, created_at=now, inputs={"input": case.input}, outputs=case._asdict()
        )
        for case in WORK.cases
    ]
    results = await aevaluate(
        target,
        data=examples,
        evaluators=[check(name, place) for place, name in enumerate(("exact", "contains", "json_valid"))],
        max_concurrency=WORK.in_flight,
        num_repetitions=WORK.repeats,
        upload_results=False,
        client=Client(api_url="http://127.0.0.1:9", api_key="none", tracing_sampling_rate=0.0, info={}),
    )
    done = [row async for row in results]
    assert len(done) == WORK.count * WORK.repeats
    assert all(one.score for row in done for one in row["evaluation_results"]["results"])


asyncio.run(main())
