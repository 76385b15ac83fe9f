"""The support desk's agent: sorts a mail into a queue, finds its order, and drafts the reply.

It follows ``policy.md`` by rules, offline and the same each time; ``failure_modes.md`` tells where it fails.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_agenteval import AgentIdentity, Trajectory
from suites.support.agent.mail import Mail, read_mail
from suites.support.agent.order_numbers import order_numbers, order_numbers_v2
from suites.support.agent.queues import speaks_of, weigh, wish
from suites.support.agent.tools import Desk, Order, thing_named_in

if TYPE_CHECKING:
    from collections.abc import Callable

    FindNumbers = Callable[[str], list[str]]

_PRIORITY = {"safety": "urgent", "legal": "high", "disputes": "high"} | dict.fromkeys(
    ("product", "feedback", "spam", "unclear"), "low"
)
_HIGH_WHERE_THE_ORDER_IS = {"changes": {"open"}, "delivery": {"delivered", "lost"}}
_ABOUT_AN_ORDER = {"safety", "legal", "disputes", "changes", "returns", "delivery", "billing"}


def triage(input: str) -> Trajectory:
    """What the desk does with a mail: queue, priority, order number and reply."""
    return _work_on(read_mail(input), order_numbers, AgentIdentity(name="support-triage", version="1"))


def triage_v2(input: str) -> Trajectory:
    """The same desk after the change of how order numbers are found."""
    return _work_on(read_mail(input), order_numbers_v2, AgentIdentity(name="support-triage", version="2"))


def _work_on(mail: Mail, find_numbers: FindNumbers, identity: AgentIdentity) -> Trajectory:
    weights = weigh(mail.text)
    queue = max(weights, key=weights.__getitem__, default="unclear")
    desk = Desk()
    order = None if queue == "spam" else _find_order(desk, mail, queue, find_numbers)
    if sku := _thing_wanted(mail, queue, order):
        desk.check_stock(sku)
    number = order["number"] if order else None
    return Trajectory(
        output={
            "queue": queue,
            "priority": _priority(queue, order),
            "order": number,
            "reply": None if queue == "spam" else desk.draft_reply(queue, number),
        },
        steps=tuple(desk.steps),
        agent=identity,
        confidence=weights[queue] / sum(weights.values()) if weights else None,
    )


def _find_order(desk: Desk, mail: Mail, queue: str, find_numbers: FindNumbers) -> Order | None:
    """The order of the number given, else the only order of the sender."""
    numbers = find_numbers(mail.text) or find_numbers(mail.quoted)
    if numbers and (order := desk.lookup_order(_number_meant(numbers, mail, queue, find_numbers))):
        return order
    if queue not in _ABOUT_AN_ORDER:
        return None
    orders = desk.find_orders_by_email(mail.sender)
    return orders[0] if len(orders) == 1 else None


def _number_meant(numbers: list[str], mail: Mail, queue: str, find_numbers: FindNumbers) -> str:
    """Of several numbers the one that stands in a sentence with the wish, else the first."""
    if len(set(numbers)) > 1 and queue != "unclear":
        for sentence in re.split(r"(?<=[.!?])\s", mail.text):
            if speaks_of(sentence, queue) and (inside := find_numbers(sentence)):
                return inside[0]
    return numbers[0]


def _thing_wanted(mail: Mail, queue: str, order: Order | None) -> str | None:
    """The stock number of what is asked for: a new piece of the ordered thing, or the thing in question."""
    if queue == "product":
        return thing_named_in(mail.text)
    wants_new = queue == "returns" and re.search(r"\b(replacement|exchange|new ones)\b", wish(mail.text))
    return order["sku"] if order and wants_new else None


def _priority(queue: str, order: Order | None) -> str:
    if order and order["status"] in _HIGH_WHERE_THE_ORDER_IS.get(queue, ()):
        return "high"
    return _PRIORITY.get(queue, "normal")
