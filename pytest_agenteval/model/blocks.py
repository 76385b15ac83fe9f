"""What a page shows, apart from how: sections make blocks, templates draw them. All texts are plain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pytest_agenteval.errors import InvalidValue

Tone = Literal["plain", "good", "bad", "unsure", "quiet"]
LONGEST_EXCERPT = 600
"""Characters of a text that a page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A few sentences."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line of a list: what it is about, and what is said of it. ``anchor`` is an id of the same page."""

    head: str
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A titled list that is seen first; ``empty`` is what it says where it has no item."""

    title: str
    items: tuple[Item, ...] = ()
    empty: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """Values in their order, None for a gap; ``level`` is a line to see them by, ``label`` the words."""

    points: tuple[tuple[str, float | None], ...]
    label: str
    level: float | None = None
    least_span: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in one place of a table; ``note`` is smaller print below it."""

    text: str = ""
    note: str = ""
    tone: Tone = "plain"
    sparkline: Sparkline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The head of a column."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells under columns; the first cell of a row is its head."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        wrong = [len(row) for row in self.rows if len(row) != len(self.columns)]
        if wrong:
            message = f"the table {self.caption!r} has {len(self.columns)} columns, and a row of {wrong[0]} cells"
            raise InvalidValue(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A text that somebody said, whole; a page shows its beginning and tells its true length."""

    label: str
    text: str
    tone: Tone = "plain"

    @property
    def shown(self) -> str:
        """The beginning that is shown."""
        return self.text[:LONGEST_EXCERPT]

    @property
    def left_out(self) -> int:
        """How many characters are not shown."""
        return max(0, len(self.text) - LONGEST_EXCERPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two texts side by side, with what they answer and what is known of them."""

    title: str
    facts: tuple[str, ...] = ()
    asked: Excerpt | None = None
    before: Excerpt
    now: Excerpt


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Blocks that a reader opens when they want them."""

    title: str
    blocks: tuple[Block, ...]


Block: TypeAlias = Heading | Paragraph | Card | Sparkline | Table | Excerpt | Pair | Fold
