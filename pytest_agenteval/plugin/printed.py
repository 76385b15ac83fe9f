"""What an agent said, as it may stand in a log: nothing moves a cursor, and no CI takes a line for a command."""

from __future__ import annotations

import re

from pytest_agenteval.model.visible import visible

_BAR = "│ "
_COMMAND = re.compile(r"^(?=\s*(?:::|##))", re.MULTILINE)
"""Where GitHub (``::error``) and Azure (``##vso[…]``) would begin to read a command, blanks before it or not."""


def printed(text: str) -> str:
    r"""The visible text, with a bar before each line that a CI would obey.

    >>> printed("fine\n::error::obey\x07")
    'fine\n│ ::error::obey\\x07'
    """
    return _COMMAND.sub(_BAR, visible(text))


def quoted(text: str) -> str:
    r"""The visible text with a bar before each line, so that none passes for a line of pytest's own.

    >>> quoted("2 passed\nPASSED (gate)\n")
    '│ 2 passed\n│ PASSED (gate)\n'
    """
    return "".join(f"{_BAR}{line}" for line in visible(text).splitlines(keepends=True))
