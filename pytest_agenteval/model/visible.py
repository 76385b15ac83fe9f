"""Text that cannot act: what an agent says must never move a cursor, hide a line or turn around."""

from __future__ import annotations

import re

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    r"""The text with control, bidirectional and zero-width characters spelled out; LF and TAB stay.

    >>> visible("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return _ACTING.sub(lambda found: _spelled(found.group()), text)


def one_line(text: str, *, longest: int = 300) -> str:
    """The visible text on one line, cut at ``longest`` characters with the true length told."""
    flat = " ".join(visible(text).split())
    return flat if len(flat) <= longest else f"{flat[:longest]}… ({len(text)} characters)"


def _spelled(letter: str) -> str:
    return f"\\x{ord(letter):02x}" if ord(letter) < 0x100 else f"\\u{ord(letter):04x}"  # noqa: PLR2004  # one byte
