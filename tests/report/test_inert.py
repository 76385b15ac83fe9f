"""Nothing that an agent, a case or an owner says is live in a page; all of it is there, unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mistune
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.blocks import Cell
from pytest_agenteval.model.case import checked_id
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.visible import visible
from pytest_agenteval.report import markdown, render
from pytest_agenteval.report.page import Page, page_of
from pytest_agenteval.report.sections import built_in_sections
from tests.report import histories as made
from tests.report.adversarial import FIRES_AS_TEXT, MARKDOWN, PAYLOADS

WORD = "harmless"
W53 = datetime(2026, 12, 30, 9, tzinfo=UTC)
W02 = datetime(2027, 1, 12, 9, tzinfo=UTC)


def as_case_id(text: str) -> str:
    """The text where it is legal as the id of a case."""
    try:
        return checked_id(text)
    except InvalidValue:
        return WORD


def still(**known: Any) -> list[Trial]:
    """Enough cases of the same tag to make a slice, and one without it."""
    tagged = [made.trial(f"still-{n}", {"success": True}, **known) for n in range(4)]
    return [*tagged, made.trial("no-tag", {"success": True}, **{**known, "tags": ()})]


@cache
def page_that_says(text: str, case: str) -> Page:
    """A page in which every slot that is not ours says the text."""
    unknown = Score(metric="grade", value=None, reason=text)
    agent = AgentIdentity(name=text, version="1", model=text, prompt=text, tools=text)
    known: dict[str, Any] = {"suite": text, "asked": text, "failure_mode": text, "tags": (text,), "agent": agent}
    specs = [made.SUCCESS, made.GRADE]
    before = [made.trial(case, {"success": True, "grade": unknown}, output=text, **known)]
    before += [made.trial("rises", {"success": False}, error=text, **known)]
    before += still(**known)
    known["agent"] = AgentIdentity(name="another", version=text)
    now = [made.trial(case, {"success": False, "grade": unknown}, error=text, **known)]
    now += [made.trial("rises", {"success": True}, output=text, **known), *still(**known)]
    with TemporaryDirectory() as folder:
        runs = made.finished(W53, before, specs=specs), made.finished(W02, now, specs=specs)
        report = made.report(Path(folder), *runs, owner=text, gate_of=lambda _suite: {"success": Bar()})
        return page_of(report, built_in_sections())


def flat(text: str) -> str:
    return " ".join(text.split())


def html_shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements in their order, each with the names of its attributes."""
    return [
        (element.name, tuple(sorted(element.attrs))) for element in BeautifulSoup(html, "html.parser").find_all(True)
    ]


def html_texts(html: str) -> list[str]:
    """All that the page says: its texts, and the values of its attributes."""
    soup = BeautifulSoup(html, "html.parser")
    values = [str(value) for element in soup.find_all(True) for value in element.attrs.values()]
    return [flat(str(text)) for text in [*soup.strings, *values]]


@pytest.mark.parametrize("row", PAYLOADS)
def test_an_html_page_has_the_same_elements_whatever_anybody_says(row: str) -> None:
    said, case = PAYLOADS[row], as_case_id(PAYLOADS[row])
    hostile, plain = (render.render_html(page_that_says(*words)) for words in ((said, case), (WORD, WORD)))
    assert html_shape(hostile) == html_shape(plain)
    assert "script" not in {name for name, _ in html_shape(hostile)}
    assert not [name for _, names in html_shape(hostile) for name in names if name.startswith("on")]


@pytest.mark.parametrize("row", PAYLOADS)
def test_an_html_page_says_all_of_it_unchanged(row: str) -> None:
    said = PAYLOADS[row]
    hostile = html_texts(render.render_html(page_that_says(said, "a-case")))
    plain = html_texts(render.render_html(page_that_says(WORD, "a-case")))
    assert sum(text.count(WORD) for text in plain) > 20
    for text, word in zip(hostile, plain, strict=True):
        # What is known of a system is put on one line.
        assert text in {flat(word.replace(WORD, form)) for form in (visible(said), flat(visible(said)))}


@pytest.mark.parametrize("row", FIRES_AS_TEXT)
def test_without_escaping_the_same_page_would_be_live(row: str) -> None:
    open_door = render._environment(None, finalize=lambda value: value, autoescape=False)
    page = page_that_says(PAYLOADS[row], "a-case")
    plain = render.render_html(page_that_says(WORD, "a-case"))
    assert html_shape(open_door.get_template("report.html.j2").render(page=page)) != html_shape(plain)


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    soup = BeautifulSoup(render.render_html(page_that_says(WORD, WORD)), "html.parser")
    policy = soup.select_one("meta[http-equiv=Content-Security-Policy]")
    assert policy
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not soup.select("script, iframe, link, img, object, embed, form, [src], [style]")
    assert {str(link["href"])[0] for link in soup.select("a")} <= {"#"}
    targets = {element["id"] for element in soup.select("[id]")}
    assert {str(link["href"])[1:] for link in soup.select("a")} <= targets


Piece = tuple[str, str]
"""The type of a piece of Markdown, and what it says; a piece of code in a line counts as text."""

_AS_TEXT = {"code_inline": "text", "codespan": "text", "text_special": "text"}


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Neighbouring texts are one."""
    found: list[Piece] = []
    for kind, said in pieces:
        if kind == "text" and found and found[-1][0] == "text":
            found[-1] = ("text", found[-1][1] + said)
        else:
            found.append((kind, said))
    return [(kind, flat(said) if kind == "text" else said) for kind, said in found]


def by_markdown_it(text: str) -> list[Piece]:
    def pieces(tokens: Iterable[Token]) -> Iterator[Piece]:
        for token in tokens:
            if token.type != "inline":
                yield _AS_TEXT.get(token.type, token.type), token.content
            yield from pieces(token.children or ())

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # a laxer reader may link to anything
    return joined(pieces(parser.parse(text)))


def by_mistune(text: str) -> list[Piece]:
    def pieces(tokens: Iterable[Mapping[str, Any]]) -> Iterator[Piece]:
        for token in tokens:
            kind = str(token["type"])
            yield _AS_TEXT.get(kind, kind), token.get("raw", "") if "children" not in token else ""
            yield from pieces(token.get("children", ()))

    parse = mistune.create_markdown(renderer=None, plugins=["table", "strikethrough", "url"])
    tokens: Any = parse(text)
    return joined(pieces(tokens))


PARSERS = pytest.mark.parametrize("parse", [by_markdown_it, by_mistune])


def in_a_line(text: str) -> str:
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


@PARSERS
@pytest.mark.parametrize("row", PAYLOADS)
def test_a_markdown_page_is_built_the_same_and_says_all_of_it(parse: Any, row: str) -> None:
    said = PAYLOADS[row]
    hostile = parse(render.render_markdown(page_that_says(said, as_case_id(said))))
    plain = parse(render.render_markdown(page_that_says(WORD, WORD)))
    assert [kind for kind, _ in hostile] == [kind for kind, _ in plain]
    assert not {kind for kind, _ in hostile} & {"link", "link_open", "image", "html_block", "html_inline", "block_html"}
    for (kind, text), (_, word) in zip(hostile, plain, strict=True):
        expected = {word.replace(WORD, visible(said)).strip("\n")}
        if kind == "text":
            # A system's fields are cut to one line; a case keeps its harmless id where the text is none.
            forms = (in_a_line(said), in_a_line(flat(said)), flat(visible(said)))
            expected = {flat(word.replace(WORD, form)) for form in forms} | {word}
        assert text.strip("\n") in expected


@PARSERS
@pytest.mark.parametrize("row", MARKDOWN)
def test_without_fences_and_escapes_the_same_page_would_be_built_otherwise(parse: Any, row: str) -> None:
    open_door = render._environment(None, finalize=lambda value: value, autoescape=False)
    open_door.filters.update(cell=lambda cell: cell.text, fence=str)
    if row == "V019":  # mentions are no Markdown; the code host makes them of the text
        assert markdown.inline(PAYLOADS[row]) == "Fixes `#1,` closes `#2` cc `@everyone` `@org/security`"
        return
    texts = (
        open_door.get_template("report.md.j2").render(page=page_that_says(said, "a-case"))
        for said in (PAYLOADS[row], WORD)
    )
    hostile, plain = (parse(text) for text in texts)
    assert [kind for kind, _ in hostile] != [kind for kind, _ in plain]


ODD = st.text(alphabet="`~|\\<>@#[]()*_!&:-=+.1a \n\t\x1b", max_size=40)


@given(ODD)
def test_a_fence_is_one_token_with_the_very_text(text: str) -> None:
    fenced = markdown.fence(text)
    [token] = MarkdownIt("commonmark").parse(fenced)
    assert (token.type, token.content) == ("fence", visible(text) + "\n")
    tokens: Any = mistune.create_markdown(renderer=None)(fenced)
    assert [(one["type"], one["raw"]) for one in tokens] == [("block_code", visible(text) + "\n")]


@PARSERS
@given(text=ODD)
def test_a_text_in_a_line_is_a_paragraph_with_the_very_text(parse: Any, text: str) -> None:
    pieces = [piece for piece in parse(str(markdown.inline(text))) if piece[0] == "text"]
    assert flat("".join(said for _, said in pieces)) == flat(in_a_line(text))
    assert len(parse(str(markdown.inline(text)))) == len(parse("word" if in_a_line(text).strip(" ") else ""))


@PARSERS
@given(text=ODD)
def test_a_cell_stays_one_cell_with_the_very_text(parse: Any, text: str) -> None:
    def table(cell: Cell) -> list[Piece]:
        return parse(f"| a | b |\n| --- | --- |\n| {markdown.cell(cell)} | end |\n")  # type: ignore[no-any-return]

    hostile, plain = table(Cell(text=f"x{text}x")), table(Cell(text="xx"))
    assert [kind for kind, _ in hostile] == [kind for kind, _ in plain]
    assert flat(f"x{in_a_line(text)}x") in [said for _, said in hostile]
