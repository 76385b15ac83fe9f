"""The floor of W4: the bare client asks and checks, and nothing else. ``bare_http.py openai|threads``."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from benchmarks.programs.chat import chat_agent
from benchmarks.work import WORKS, Asked, checks

WORK = WORKS["W4"]


async def by_openai() -> list[tuple[bool, ...]]:
    """All over one client, so many in flight."""
    agent = chat_agent()
    in_flight = asyncio.Semaphore(WORK.in_flight)

    async def one(case: Asked) -> tuple[bool, ...]:
        async with in_flight:
            return checks(await agent(case.input), case)

    return await asyncio.gather(*map(one, WORK.cases))


def by_threads() -> list[tuple[bool, ...]]:
    """The standard library's client, one kept connection a thread."""
    host = urlsplit(os.environ["BENCHMARK_URL"]).netloc
    kept = threading.local()

    def one(case: Asked) -> tuple[bool, ...]:
        if not hasattr(kept, "connection"):
            kept.connection = http.client.HTTPConnection(host)
        body = json.dumps({"input": case.input}).encode()
        kept.connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return checks(json.loads(kept.connection.getresponse().read())["output"], case)

    with ThreadPoolExecutor(WORK.in_flight) as pool:
        return list(pool.map(one, WORK.cases))


def main(way: str) -> int:
    """Do the work; exit code 0 if every answer was right."""
    done = asyncio.run(by_openai()) if way == "openai" else by_threads()
    return not all(all(right) for right in done)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
