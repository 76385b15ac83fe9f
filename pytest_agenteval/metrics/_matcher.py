"""The child process of ``patterns``: a line of JSON in, a line of JSON out.

A runaway pattern holds the interpreter, so no signal or thread of Python's own can stop it: the watchdog of
``faulthandler`` ends this process from outside the interpreter, also when the parent is gone.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import sys


def main() -> None:
    """Answer each request ``[pattern, text, limit in seconds]`` until the input ends."""
    with open(os.devnull, "w") as unread:  # noqa: PTH123  # nothing else is imported, to begin fast
        for line in sys.stdin:
            pattern, text, limit = json.loads(line)
            faulthandler.dump_traceback_later(limit, exit=True, file=unread)
            answer = _match(pattern, text)
            faulthandler.cancel_dump_traceback_later()
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def _match(pattern: str, text: str) -> dict[str, object]:
    try:
        return {"found": re.search(pattern, text) is not None}
    except Exception as error:  # noqa: BLE001  # also RecursionError and MemoryError are answers
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
