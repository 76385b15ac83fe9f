"""Texts that have no effect in Markdown: in a line, in a cell of a table, in a fence."""

from __future__ import annotations

import re

from pytest_agenteval.model.blocks import Cell
from pytest_agenteval.model.visible import visible
from pytest_agenteval.report.charts import block_characters

_SYNTAX = re.compile(r"([\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_]))")  # _ within a word does nothing
# What code hosts act on after Markdown is done: mentions, issues, commits, addresses, formulas, signs.
_LIVE = re.compile(
    r"[@#$]|://|www\.|mailto:|xmpp:|\bGH-\d|:[a-z0-9_+-]+:|\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{7,40}\b",
    re.IGNORECASE,
)
_BLOCK_START = re.compile(r"\A([-+=](?=[ \-+=]|\Z)|\d+(?=[.)](?: |\Z)))")
_BACKTICKS = re.compile("`+")


class Markdown(str):
    """A text that is Markdown already."""

    __slots__ = ()


def inline(value: object) -> str:
    r"""The text on one line without any effect, in a paragraph or a cell; what a host might act on is code.

    >>> inline("a *b* [c](d) @everyone | x")
    'a \\*b\\* \\[c\\](d) `@everyone` \\| x'
    """
    return value if isinstance(value, Markdown) else Markdown(_inline(str(value)))


def cell(value: Cell) -> str:
    """A cell of a table: its text, its note, and its sparkline in block characters."""
    chart = block_characters(value.sparkline) if value.sparkline else ""
    return Markdown(" · ".join(_inline(part) for part in (value.text, value.note, chart) if part))


def fence(text: str) -> str:
    r"""The text in a fence longer than any run of backticks in it.

    >>> print(fence("```\nno way out"))
    ````text
    ```
    no way out
    ````
    """
    shown = visible(text)
    marks = "`" * max(3, 1 + _longest_run(shown))
    return Markdown(f"{marks}text\n{shown}\n{marks}")


def _inline(text: str) -> str:
    spelled = visible(text).replace("\n", "\\n").replace("\t", "\\t").strip(" ")
    # A bar is never put into code: not every reader takes an escaped one for a bar there.
    words = re.split("([ |])", spelled)
    line = "".join(_code(word) if _LIVE.search(word) else _SYNTAX.sub(r"\\\1", word) for word in words)
    start = _BLOCK_START.match(line)
    if start is None:
        return line
    return f"\\{line}" if not start[1].isdigit() else f"{start[1]}\\{line[start.end() :]}"


def _code(word: str) -> str:
    marks = "`" * (1 + _longest_run(word))
    pad = " " if word.startswith("`") or word.endswith("`") else ""
    return f"{marks}{pad}{word}{pad}{marks}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
