"""W5: recorded outputs as lines of JSON, half a kilobyte each, the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from benchmarks.work import asked

LINES = 100_000
SEED = 20261124
INEXACT, BROKEN = 0.05, 0.05
"""Shares of outputs that say more than was asked, and of outputs that are cut off."""
_FILLER = "The customer has written before, and the whole of the earlier conversation is attached here. " * 4


def recorded_lines(count: int, seed: int = SEED) -> Iterator[str]:
    """Lines of ``{id, input, output, expected, needle}``.

    >>> line = next(recorded_lines(1))
    >>> len(line), *json.loads(line)
    (484, 'id', 'input', 'output', 'expected', 'needle')
    """
    generator = random.Random(seed)
    for case in asked(count):
        drawn = generator.random()
        if drawn < INEXACT:
            output = json.dumps({**json.loads(case.output), "sure": True})
        elif drawn < INEXACT + BROKEN:
            output = case.output[:-1]
        else:
            output = case.output
        yield json.dumps(
            {
                "id": case.id,
                "input": f"{_FILLER}{case.input}",
                "output": output,
                "expected": case.output,
                "needle": case.needle,
            }
        )
