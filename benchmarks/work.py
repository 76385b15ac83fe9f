"""The work that all contestants do: case n asks ``what is A*B?``, and the answer is ``{"answer": A·B}``.

Three checks look at each answer: that it is exact, that it contains the product, and that it is valid JSON.
Nothing but the standard library is imported here, since the bare programs, which are the floor, do this too.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from typing import NamedTuple


class Asked(NamedTuple):
    """A case: what is asked, the right answer, and what it must contain."""

    id: str
    input: str
    output: str
    needle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """So many cases, the seconds that an answer takes, the attempts at each case, and how many are in flight."""

    count: int
    seconds: float = 0.0
    repeats: int = 1
    in_flight: int = 50

    @property
    def cases(self) -> list[Asked]:
        """The cases."""
        return asked(self.count)

    async def ask(self, question: str) -> str:
        """The agent's answer, on the event loop."""
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return answer(question)

    def ask_blocking(self, question: str) -> str:
        """The agent's answer, which blocks the thread."""
        if self.seconds:
            time.sleep(self.seconds)
        return answer(question)


WORKS = {
    "W1": Work(count=2000),
    "W2": Work(count=500, seconds=0.1),
    "W3": Work(count=100, seconds=0.02, repeats=20),
    "W4": Work(count=1000, seconds=0.05, in_flight=64),
}


def work_asked_for() -> Work:
    """The work that ``BENCHMARK_WORK`` names."""
    return WORKS[os.environ["BENCHMARK_WORK"]]


def asked(count: int) -> list[Asked]:
    """The first cases, always the same."""
    factors = [(n + 2, n % 97 + 3) for n in range(count)]
    return [
        Asked(f"c{n}", f"what is {a}*{b}?", json.dumps({"answer": a * b}), str(a * b))
        for n, (a, b) in enumerate(factors)
    ]


def answer(question: str) -> str:
    """What the agent answers.

    >>> answer("what is 6*7?")
    '{"answer": 42}'
    """
    one, other = question.removeprefix("what is ").removesuffix("?").split("*")
    return json.dumps({"answer": int(one) * int(other)})


def checks(output: str, case: Asked) -> tuple[bool, bool, bool]:
    """Whether the output is exact, contains the needle, and is JSON."""
    try:
        json.loads(output)
        valid = True
    except ValueError:
        valid = False
    return output.strip() == case.output.strip(), case.needle in output, valid


def tell(**figures: float) -> None:
    """Tell figures that only the process itself can measure; ``measure.run`` reads them from its output."""
    for name, value in figures.items():
        print(f"figure {name} {value!r}", flush=True)
