"""``eval`` of inspect, without display and real-time log."""
# The peer is installed in an environment of its own, and unknown to the type checker of this one.
# mypy: ignore-errors

from __future__ import annotations

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, accuracy, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from benchmarks.work import Asked, checks, work_asked_for

WORK = work_asked_for()


@solver
def asks() -> Solver:
    """Let the agent answer."""

    async def solve(state: TaskState, _generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("none", await WORK.ask(state.input_text))
        return state

    return solve


def check(name: str, place: int) -> Scorer:
    """One of the three checks."""

    @scorer(metrics=[accuracy()], name=name)
    def scores() -> Scorer:
        async def score(state: TaskState, _target: Target) -> Score:
            return Score(value=checks(state.output.completion, Asked(**state.metadata))[place])

        return score

    return scores()


task = Task(
    dataset=[Sample(input=case.input, target=case.output, id=case.id, metadata=case._asdict()) for case in WORK.cases],
    solver=asks(),
    scorer=[check(name, place) for place, name in enumerate(("exact", "contains", "json_valid"))],
    epochs=WORK.repeats,
)
[log] = eval(task, model=None, display="none", max_samples=WORK.in_flight, log_realtime=False)
assert log.status == "success", log.error
assert log.results.completed_samples == WORK.count * WORK.repeats
