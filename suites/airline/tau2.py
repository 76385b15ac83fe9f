"""What the three test modules of τ²-bench share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agenteval import connect, metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_agenteval import Trial
    from pytest_agenteval.contracts import Agent, Metric

RECORDINGS = Path(__file__).parent / "recordings" / "tau2"


@metric(better="higher", unit="fraction", needs={"recorded.actions_matched", "recorded.actions_checked"})
def actions_matched(trial: Trial) -> float:
    """Share of the benchmark's gold actions that the run matches; not evaluated where none were checked."""
    matched, checked = (trial.trajectory.recorded[f"actions_{what}"] for what in ("matched", "checked"))
    assert isinstance(matched, int)
    assert isinstance(checked, int)
    return matched / checked


METRICS: Sequence[str | Metric] = [
    "success",
    actions_matched,
    "latency_seconds",
    "latency_p95_seconds",
    "tokens",
    "cost_usd",
]


def recorded(name: str) -> Agent:
    """The agent of a recorded run."""
    return connect(RECORDINGS / f"{name}.jsonl.gz")
