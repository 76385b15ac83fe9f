"""The desk: the shop's order book as tools, and a record of each call."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pytest_agenteval import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_agenteval.model.jsonvalue import JSON

Order: TypeAlias = dict[str, str]
"""What the book knows of an order: number, email, sku, status."""

_T = TypeVar("_T", bound="JSON")
_BOOK = json.loads((Path(__file__).parents[1] / "orders.json").read_text(encoding="utf-8"))
_ORDERS: dict[str, dict[str, str]] = _BOOK["orders"]
_STOCK: dict[str, dict[str, Any]] = _BOOK["stock"]

_ANSWERS = {
    "safety": "Please stop using it and keep it away from people. A colleague calls you today.",
    "legal": "Our management answers you within one working day.",
    "disputes": "We have stopped the order and are looking into the payment.",
    "privacy": "We do what you ask within the month that the law gives us, and confirm it.",
    "changes": "We change it if the parcel has not left our house, and tell you either way.",
    "returns": "A colleague sends you the return label or the new piece.",
    "delivery": "We are asking the carrier and write to you tomorrow.",
    "billing": "Our accounts are looking into it.",
    "account": "Here is how to get back into your account.",
    "product": "Here is what we know of it.",
    "feedback": "We have read it and passed it on.",
    "unclear": "Could you tell us in a sentence what we can do for you?",
}


class Desk:
    """The tools at hand while one mail is worked on; ``steps`` tells what was done with them."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def lookup_order(self, number: str) -> Order | None:
        """The order of that number, or None where the book does not know it."""
        return self._record("lookup_order", _order, number=number)

    def find_orders_by_email(self, address: str) -> list[Order]:
        """All orders of that customer, oldest number first."""
        return self._record("find_orders_by_email", _orders_of, address=address)

    def check_stock(self, sku: str) -> int:
        """How many of that thing are on the shelf."""
        return self._record("check_stock", lambda sku: int(_STOCK[sku]["count"]), sku=sku)

    def draft_reply(self, template: str, order: str | None) -> str:
        """The text that a colleague will see before it is sent."""
        return self._record("draft_reply", _reply, template=template, order=order)

    def _record(self, name: str, tool: Callable[..., _T], **arguments: str | None) -> _T:
        started = perf_counter()
        output = tool(**arguments)
        seconds = perf_counter() - started
        self.steps.append(Step(kind="tool", name=name, input=arguments, output=output, seconds=seconds))
        return output


def thing_named_in(text: str) -> str | None:
    """The stock number of the thing that a text names by the last word of its name.

    >>> thing_named_in("Do you have mugs?")
    'MUGS-08'
    """
    lowered = text.lower()
    return next((sku for sku, row in _STOCK.items() if row["name"].split()[-1] in lowered), None)


def _order(number: str) -> Order | None:
    found = _ORDERS.get(number)
    return {"number": number, **found} if found else None


def _orders_of(address: str) -> list[Order]:
    return [{"number": key, **row} for key, row in sorted(_ORDERS.items()) if row["email"] == address]


def _reply(template: str, order: str | None) -> str:
    about = f" about order {order}" if order else ""
    return f"Thank you for your mail{about}. {_ANSWERS[template]}"
