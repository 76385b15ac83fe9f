"""Texts that have no effect in Markdown: in a line, in a cell of a table, in a fence."""

from __future__ import annotations

import re

from pytest_agenteval.model.blocks import Cell
from pytest_agenteval.model.visible import visible
from pytest_agenteval.report.charts import block_characters

_SYNTAX = re.compile(r"([\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_]))")  # _ within a word does nothing
# What code hosts act on after Markdown is done with a text: mentions, issues, commits, addresses, formulas, signs.
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
    r"""The text on one line without any effect; a word that a code host might act on becomes code.

    >>> inline("a *b* [c](d) @everyone | x")
    'a \\*b\\* \\[c\\](d) `@everyone` \\| x'
    """
    return value if isinstance(value, Markdown) else Markdown(_inline(str(value), in_table=False))


def cell(value: Cell) -> str:
    """A cell of a table: its text, its note, and its sparkline in block characters."""
    chart = block_characters(value.sparkline) if value.sparkline else ""
    parts = [_inline(part, in_table=True) for part in (value.text, value.note, chart) if part]
    return Markdown(" · ".join(parts))


def in_cell(text: str) -> str:
    """A text without any effect in a cell of a table."""
    return Markdown(_inline(text, in_table=True))


def fence(text: str) -> str:
    r"""The text in a fence longer than any run of backticks in it.

    >>> print(fence("```\nno way out"))
    ````text
    ```
    no way out
    ````
    """
    shown = visible(text)
    marks = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(shown)), default=0))
    return Markdown(f"{marks}text\n{shown}\n{marks}")


def _inline(text: str, *, in_table: bool) -> str:
    spelled = visible(text).replace("\n", "\\n").replace("\t", "\\t").strip(" ")
    words = [_code(word, in_table=in_table) if _LIVE.search(word) else _SYNTAX.sub(r"\\\1", word) for word in spelled.split(" ")]
    line = " ".join(words)
    start = _BLOCK_START.match(line)
    if start is None:
        return line
    return f"\\{line}" if not start[1].isdigit() else f"{start[1]}\\{line[start.end() :]}"


def _code(word: str, *, in_table: bool) -> str:
    marks = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(word)), default=0))
    pad = " " if word.startswith("`") or word.endswith("`") else ""
    inner = word.replace("|", "\\|") if in_table else word
    return f"{marks}{pad}{inner}{pad}{marks}"
