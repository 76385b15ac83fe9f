"""Trials and hostile inputs that the tests of the metrics are about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import Fault, Step, Trajectory
from pytest_agenteval.model.trial import Trial

DATA = Path(__file__).with_name("data")


def trial(output: Any = "done", *, expect: Mapping[str, Any] | None = None, **trajectory: Any) -> Trial:
    """A trial with this output and expectation; the rest are fields of its trajectory."""
    return Trial(
        id="t1",
        case=Case(id="c1", input="q", expect=expect or {}),
        trajectory=Trajectory(output=output, **trajectory),
    )


def faulty(kind: Any = "agent", *, expect: Mapping[str, Any] | None = None, **trajectory: Any) -> Trial:
    """A trial whose agent (or infrastructure) erred."""
    fault = Fault(kind=kind, type="TimeoutError", message="took more than 60 s")
    return trial(None, expect=expect, error=fault, **trajectory)


def calls(*made: str | tuple[str, Any]) -> tuple[Step, ...]:
    """Tool calls: a name, or a name with its arguments."""
    pairs = [(call, None) if isinstance(call, str) else call for call in made]
    return tuple(Step(kind="tool", name=name, input=args) for name, args in pairs)


def hostile(kind: str) -> dict[str, Any]:
    """The hostile payloads of that kind, by id, made of their recipes."""
    rows = [json.loads(line) for line in (DATA / "hostile.jsonl").read_text().splitlines()]
    return {row["id"]: _made(row["payload"]) for row in rows if row["kind"] == kind}


def _made(payload: Any) -> Any:
    match payload:
        case {"op": "repeat", "prefix": prefix, "unit": unit, "n": n, "suffix": suffix}:
            return prefix + unit * n + suffix
        case {"op": "nest", "open": opening, "close": closing, "n": n, "core": core}:
            return opening * n + core + closing * n
        case {"op": "join", "parts": Sequence() as parts}:
            return "".join(parts)
        case {"pattern": pattern, "input": text}:
            return pattern, _made(text)
    return payload
