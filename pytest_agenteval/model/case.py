"""A case: one input with what is expected of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.jsonvalue import JSON, digest

MUST_PASS = "must_pass"
"""The tag of a case whose item fails when its agent errs or does not succeed."""

_LONGEST_ID = 200
_REPEAT_SUFFIX = re.compile(r"-r\d+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One input with what is expected of it.

    ``id`` is unique in its suite and stays when the case moves. ``expect`` may be empty: a production
    request is a case that nobody has labelled yet. ``failure_mode`` names the entry of the register that
    the case guards; ``provenance`` says where the case was captured.

    >>> Case(id="no-order-number", input="I want my money back", expect={"calls": []}).fingerprint
    '6c5852e353e5114b'
    """

    id: str
    input: JSON
    suite: str = ""
    expect: Mapping[str, JSON] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    failure_mode: str | None = None
    provenance: Mapping[str, JSON] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.tags, str) or not isinstance(self.expect, Mapping):
            message = (
                f"case {self.id!r}: tags= is a list of texts and expect= a mapping, "
                f"not {self.tags!r:.80} and {self.expect!r:.80}"
            )
            raise InvalidValue(message)
        object.__setattr__(self, "tags", tuple(self.tags))
        object.__setattr__(self, "id", checked_id(self.id))

    @property
    def fingerprint(self) -> str:
        """Changes when the input or the expectation changes; such a case is no longer the same."""
        return digest({"input": self.input, "expect": self.expect})

    @property
    def must_pass(self) -> bool:
        """Whether the case is tagged ``must_pass``."""
        return MUST_PASS in self.tags


def checked_id(text: object) -> str:
    """The id in Unicode normal form C. Raises InvalidValue where it could be taken for another."""
    if not isinstance(text, str) or not text.strip():
        message = f"a case's id must be a text that is not empty, not {text!r}"
        raise InvalidValue(message)
    if "-r" in text and _REPEAT_SUFFIX.search(text):
        message = f"the case id {text!r} ends like the n-th repeat of a case; end it otherwise than in -r and a number"
        raise InvalidValue(message)
    if len(text) > _LONGEST_ID:
        message = f"the case id {text[:40]!r}… is {len(text)} characters long; at most {_LONGEST_ID} are allowed"
        raise InvalidValue(message)
    if text.isascii() and text.isprintable():
        return text
    if any(unicodedata.category(letter) in {"Cc", "Cf", "Cs"} for letter in text):
        message = f"the case id {text!r} holds characters that cannot be seen; leave them out"
        raise InvalidValue(message)
    return unicodedata.normalize("NFC", text)


def folded_id(case_id: str) -> str:
    """The form in which ids that look alike are equal (letter case and compatibility forms folded)."""
    return unicodedata.normalize("NFKC", case_id).casefold()
