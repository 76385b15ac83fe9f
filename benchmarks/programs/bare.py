"""The floor of W2 and W3: bare Python asks, waits and checks, and nothing else. ``bare.py W2|W3 async|blocking``."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

from benchmarks.work import WORKS, Asked, Work, checks


async def gathered(work: Work) -> list[tuple[bool, ...]]:
    """Answers on one event loop, so many in flight."""
    in_flight = asyncio.Semaphore(work.in_flight)

    async def one(case: Asked) -> tuple[bool, ...]:
        async with in_flight:
            return checks(await work.ask(case.input), case)

    return await asyncio.gather(*map(one, work.cases * work.repeats))


def pooled(work: Work) -> list[tuple[bool, ...]]:
    """Answers in a pool of threads."""

    def one(case: Asked) -> tuple[bool, ...]:
        return checks(work.ask_blocking(case.input), case)

    with ThreadPoolExecutor(work.in_flight) as pool:
        return list(pool.map(one, work.cases * work.repeats))


def main(name: str, way: str) -> int:
    """Do the work; exit code 0 if every answer was right."""
    work = WORKS[name]
    done = asyncio.run(gathered(work)) if way == "async" else pooled(work)
    return not all(all(right) for right in done)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
