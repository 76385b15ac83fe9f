"""Text that cannot act: nothing an agent says moves a cursor, hides a line or turns around."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.model.visible import one_line, visible


@given(st.text())
def test_no_character_that_acts_is_left(text: str) -> None:
    for letter in visible(text):
        assert letter in "\n\t" or unicodedata.category(letter) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(letter) not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    visible(text).encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_in_any_language_stays(text: str) -> None:
    assert visible(text) == text


@given(st.text())
def test_to_make_visible_text_visible_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\rb", "a\\x0db"),
        ("\u202eevil", "\\u202eevil"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("line\nnext\tcell", "line\nnext\tcell"),
        ("\x9b2J", "\\x9b2J"),
    ],
)
def test_what_acts_is_spelled_out(text: str, seen: str) -> None:
    assert visible(text) == seen


@given(st.text(), st.integers(1, 50))
def test_one_line_is_one_line_and_tells_what_it_cut(text: str, longest: int) -> None:
    line = one_line(text, longest=longest)
    assert len(line.splitlines()) <= 1
    flat = " ".join(visible(text).split())
    assert line == flat or line == f"{flat[:longest]}… ({len(text)} characters)"
    assert len(flat) > longest or line == flat
