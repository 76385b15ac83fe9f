"""What the gate may cost, beside each of W1 to W3."""

from __future__ import annotations

from benchmarks.table import Target


def gate_target(name: str) -> Target:
    """The gate's surplus over the same run without it."""
    return Target(
        what=f"{name}, gate on",
        of="ours, gate on",
        figure="wall",
        against="ours",
        by="difference",
        unit="s more",
        must=0.35,
    )
