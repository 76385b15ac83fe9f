"""W4: a service on loopback that answers after a while, as ``{"output": …}`` and as a chat completion at once.

It prints its address, runs until its standard input is closed, and tells how many connections it was asked over.
"""

from __future__ import annotations

import asyncio
import json
import sys

from benchmarks.work import WORKS, tell


class Stub:
    """Answers, and counts connections and requests."""

    def __init__(self) -> None:
        self.connections = self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the other side closes it."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                asked = json.loads(await reader.readexactly(length))
                self.requests += 1
                writer.write(await _response(asked))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def _response(asked: dict[str, object]) -> bytes:
    messages = asked.get("messages")
    question = messages[-1]["content"] if isinstance(messages, list) else str(asked["input"])
    output = await WORKS["W4"].ask(question)
    message = {"role": "assistant", "content": output}
    body = {
        "output": output,
        "id": "stub",
        "object": "chat.completion",
        "created": 0,
        "model": "stub",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }
    sent = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(sent), sent)


async def main() -> None:
    """Serve until the standard input ends."""
    stub = Stub()
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    tell(connections=stub.connections, requests=stub.requests)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
