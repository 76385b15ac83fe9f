"""W5: recorded outputs scored in bulk. ``scoring.py write|plain|ours``; plain is the loop that one writes oneself."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Callable
from pathlib import Path

from benchmarks.lines import LINES, recorded_lines
from benchmarks.work import Asked, checks, tell

FILE = Path("lines.jsonl")


def write() -> None:
    """The lines, seeded."""
    with FILE.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in recorded_lines(LINES))


def plain() -> None:
    """``json.loads``, the three checks, and an array a metric."""
    scores = {name: array("d") for name in ("exact", "contains", "json_valid")}
    with FILE.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            case = Asked(row["id"], row["input"], row["expected"], row["needle"])
            for kept, value in zip(scores.values(), checks(row["output"], case), strict=True):
                kept.append(value)
    tell(**{name: sum(values) / len(values) for name, values in scores.items()})


def ours() -> None:
    """``score_many``."""
    from pytest_agenteval import score_many

    scores = score_many(
        FILE,
        metrics=["exact", "contains", "json_valid"],
        fields={"expect.output": "expected", "expect.contains": "needle"},
    )
    tell(**{name: found.mean or 0.0 for name, found in scores.items()})


WAYS: dict[str, Callable[[], None]] = {"write": write, "plain": plain, "ours": ours}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
