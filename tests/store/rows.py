"""The adversarial inputs that reach a store, and values that tests are made of."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import AgentIdentity, Step, Trajectory
from pytest_agenteval.model.trial import Trial

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ROWS = [json.loads(line) for line in (Path(__file__).parent / "data" / "adversarial.jsonl").read_text().splitlines()]


def payloads(kind: str) -> list[tuple[str, Any]]:
    """Id and payload of each row of a kind; recipes are carried out, bytes decoded."""
    return [(row["id"], _made(row)) for row in ROWS if row["kind"] == kind]


def _made(row: dict[str, Any]) -> Any:
    payload = row["payload"]
    if row["enc"] == "b64":
        return base64.b64decode(payload)
    if row["enc"] != "recipe":
        return payload
    match payload["op"]:
        case "join":
            return "".join(payload["parts"])
        case "repeat":
            return payload["prefix"] + payload["unit"] * payload["n"] + payload["suffix"]
        case "nest":
            return payload["open"] * payload["n"] + payload["core"] + payload["close"] * payload["n"]
    return payload["events"]


def trial(case: str = "a", *, suite: str = "refunds", attempt: int = 1, **fields: Any) -> Trial:
    """A trial with an id of its case and attempt, and a tool call."""
    step = Step(kind="tool", name="lookup", input={"order": 7}, seconds=0.5, tokens_in=3, cost_usd=0.25)
    trajectory = Trajectory(output=f"answer to {case}", steps=(step,), agent=AgentIdentity(name="bot"), confidence=0.5)
    made: dict[str, Any] = {
        "id": f"trial-{suite}-{case}-{attempt}",
        "trajectory": trajectory,
        "at": AT,
    } | fields
    return Trial(case=Case(id=case, input="hello", suite=suite), attempt=attempt, **made)


def score(value: float | bool | None, metric: str = "success") -> Score:
    return Score(metric=metric, value=value, reason="" if value is not None else "no steps were reported")


def change(reason: str = "first release") -> Change:
    return Change(at=AT, actor="dana", action="baseline.approve", subject="refunds/success", reason=reason)


def baseline(suite: str = "refunds", metric: str = "success") -> Baseline:
    return Baseline(
        suite=suite,
        spec=MetricSpec(name=metric, kind="binary", unit="fraction"),
        bar=Bar(floor=0.8, margin=0.03),
        screen={
            "a": CaseScores(fingerprint="f1", values=(1.0, 0.0), answers=("x", "y")),
            "é": CaseScores(fingerprint="f2", values=(1 / 3,)),
        },
        held_back={"a": CaseScores(fingerprint="f1", values=(1.0,), answers=("z",))},
        estimate=Estimate(suite=suite, metric=metric, n=2, value=0.4166666666666667, low=0.1, high=0.9, method="t"),
        approval=Approval(by="dana", at=AT, reason="first release", run="01JD"),
        agent=AgentIdentity(name="desk", version="2"),
    )
