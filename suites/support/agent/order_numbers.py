"""Find the order numbers in what a customer wrote, each in the form of the order book."""

from __future__ import annotations

import re

# A bare number counts only behind a word that announces it: postcodes have five digits too.
_ANY_FORM = re.compile(
    r"""
    \bA\s?[-–/]?\s?(\d\d\s?\d{3})\b  # A-10234, a10234, A 10 234, A/10234
    | (?:\#|\b(?:order|number(?:\sis)?|n[orº°])[\s.:_]*)(\d{5})\b  # #10234, order no. 10234, nº 10234
    | \A(\d{5})\b  # the subject begins with it
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LETTER_DASH_DIGITS = re.compile(r"\b[AM]-\d{5}\b", re.IGNORECASE)


def order_numbers(text: str) -> list[str]:
    """The numbers in the order in which they stand.

    >>> order_numbers("Keep a10234, cancel order no. 10235")
    ['A-10234', 'A-10235']
    """
    return [f"A-{''.join(found.groups('')).replace(' ', '')}" for found in _ANY_FORM.finditer(text)]


def order_numbers_v2(text: str) -> list[str]:
    """The numbers in the order in which they stand; marketplace orders (M-) are found too.

    Version 2: asks for the letter and the dash, so that a tracking number is no longer looked up as an order.

    >>> order_numbers_v2("Order A-10234 and M-20417, tracking number 99310")
    ['A-10234', 'M-20417']
    """
    return [found.upper() for found in _LETTER_DASH_DIGITS.findall(text)]
