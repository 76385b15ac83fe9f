"""W4: an agent as many are written: one client of the openai package for all calls."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from importlib import import_module


def chat_agent() -> Callable[[str], Awaitable[str]]:
    """An agent that asks the service at ``BENCHMARK_URL``."""
    openai = import_module("openai")  # not in the development environment: so not typed
    client = openai.AsyncOpenAI(base_url=os.environ["BENCHMARK_URL"], api_key="none", max_retries=0)

    async def ask(question: str) -> str:
        messages = [{"role": "user", "content": question}]
        answered = await client.chat.completions.create(model="stub", messages=messages)
        return str(answered.choices[0].message.content)

    return ask
