"""Reads what a page says to do: files to write, commands to run, and the lines that they print.

A comment before a block says what the block is: ``<!-- file: PATH -->`` is written, ``<!-- run -->`` is run,
``<!-- printed in: PATH -->`` stands in a file that was made, ``<!-- not run: REASON -->`` is left alone.
``<!-- with: SUITE … -->`` takes committed suites along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>file|run|printed in|not run)(?:: (?P<told>.+?))? -->\n+)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$|^<!-- with: (?P<suites>.+?) -->$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block with the comment before it, or the comment that takes suites along."""

    mark: str
    told: str
    language: str
    text: str

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """The commands of a console block, each with the lines that it prints."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
        return found


def blocks(page: Path) -> list[Block]:
    return [
        Block(
            mark="with" if found["suites"] else found["mark"] or "",
            told=found["suites"] or found["told"] or "",
            language=found["language"] or "",
            text=found["text"] or "",
        )
        for found in _BLOCK.finditer(page.read_text("utf-8"))
    ]


# What differs from run to run. White space counts as one blank, since a column is as wide as its numbers.
_CHANGING = (
    (re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}"), "RUN"),
    (re.compile(r"(RUN)-[0-9a-f]{8}"), "TRIAL"),
    (re.compile(r"(latency_\w+ +\d+) .*"), r"\1"),
    (re.compile(r"\d\d\d\d-W\d\d"), "WEEK"),
    (re.compile(r"\d\d\d\d-\d\d-\d\d"), "DATE"),
    (re.compile(r"(approved by) .+ (on DATE)"), r"\1 WHO \2"),
    (re.compile(r"in \d+\.\d\ds( \([\d:]+\))?"), "in TIME"),
    (re.compile(r"[-=_]{3,}"), "---"),
    (re.compile(r"\s+"), " "),
)


def settled(line: str) -> str:
    for pattern, word in _CHANGING:
        line = pattern.sub(word, line)
    return line.strip()


def matches(told: str, printed: str) -> bool:
    """Whether a printed line is the told one, in which … stands for any text."""
    parts = map(re.escape, settled(told).split("…"))
    return re.fullmatch(".*".join(parts), settled(printed)) is not None


def differences(told: list[str], printed: list[str]) -> Iterator[str]:
    """The told lines that were not printed, in order; a line of … alone stands for any lines."""
    place, may_skip = 0, False
    lines = [line for line in printed if line.strip()]
    for line in (line for line in told if line.strip()):
        if line.strip() == "…":
            may_skip = True
            continue
        hits = range(place, len(lines) if may_skip else min(place + 1, len(lines)))
        hit = next((number for number in hits if matches(line, lines[number])), None)
        if hit is None:
            yield line
            return
        place, may_skip = hit + 1, False
    if told and not may_skip and place < len(lines):
        yield f"(printed, but not told) {lines[place]}"
