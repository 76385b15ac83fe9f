"""The trials that a session will need, in the order of their items, and which of them may be called ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.heard import Heard
from pytest_agenteval.pipeline.tries import Tries

if TYPE_CHECKING:
    from pytest_agenteval.pipeline.loop import LoopThread

Source = tuple[Hashable, Hashable]
"""Where an agent comes from, and which of its instances it is: an item is given the agent of its own source."""


class State(Enum):
    """How far an order has come."""

    WAITING = auto()
    BEGUN = auto()
    KEPT = auto()  # it has a trial, which is being written down
    OVER = auto()


@dataclass(slots=True, eq=False)
class Order:
    """A trial to be made: what is asked, and in time what came of it.

    ``source`` is None where the agent is known no sooner than its item. ``refused`` says why no call was made,
    ``trouble`` is what kept a trial from being made or written down. ``ends`` is when the try under way is given up,
    ``loop`` where its agent's coroutine runs, ``is_past``: its item is over.
    """

    id: str
    call: Call
    source: Source | None = None
    place: int = 0
    heard: Heard = field(default_factory=Heard)
    state: State = State.WAITING
    agent: Agent | None = None
    context: Context | None = None
    is_ahead: bool = False
    is_past: bool = False
    tries: Tries | None = None
    ends: float | None = None
    loop: LoopThread | None = None
    trial: Trial | None = None
    trouble: Exception | None = None
    refused: str = ""

    @property
    def is_async(self) -> bool:
        """Whether its agent is one for an event loop; blocking ones say nothing."""
        return getattr(self.agent, "is_async", False)

    def reset(self) -> None:
        """As if nothing had been done for it."""
        self.__init__(self.id, self.call, self.source, self.place)  # type: ignore[misc]  # all fields anew


class Book(Protocol):
    """Who keeps the trials."""

    def known(self, order: Order) -> Trial | None:
        """A trial that need not be made, since there is one."""

    def keep(self, order: Order, trial: Trial) -> None:
        """Write a trial down; called on the thread that made it."""

    def needed(self, order: Order) -> bool:
        """Whether the order may be called ahead by now."""


class Coming:
    """The orders that wait. Not safe by itself: the engine holds its lock."""

    def __init__(self, needed: Callable[[Order], bool]) -> None:
        self._needed = needed
        self._waiting: dict[Hashable, deque[Order]] = {}
        self._live: dict[Hashable, tuple[Hashable, Agent, Context]] = {}
        self._n_placed = 0

    def put(self, orders: Iterable[Order]) -> None:
        """Add orders in the order of their items; those without a source wait for their item."""
        for order in orders:
            order.place = self._n_placed = self._n_placed + 1
            if order.source is not None:
                self._waiting.setdefault(order.source[0], deque()).append(order)

    def serve(self, source: Source, agent: Agent) -> None:
        """From now on this agent answers what its source's orders ask."""
        origin, instance = source
        self._live[origin] = (instance, agent, copy_context())

    def withdraw(self, source: Source) -> None:
        """The agent of that source goes down."""
        origin, instance = source
        if origin in self._live and self._live[origin][0] == instance:
            del self._live[origin]

    def next(self) -> Order | None:
        """The earliest order that may be called now, with its agent; it does not wait any more."""
        found: tuple[int, Hashable] | None = None
        for origin in self._live:
            order = self._first(origin)
            if order is not None and (found is None or order.place < found[0]):
                found = (order.place, origin)
        return None if found is None else self._taken(found[1])

    def _first(self, origin: Hashable) -> Order | None:
        """The next order of an agent that is up, unless another instance of it must be made before."""
        waiting = self._waiting.get(origin, ())
        while waiting and (waiting[0].is_past or waiting[0].state is not State.WAITING):
            waiting.popleft()  # its item came first
        if not waiting:
            return None
        order = waiting[0]
        assert order.source is not None  # put() has looked
        same = order.source[1] == self._live[origin][0]
        return order if same and self._needed(order) else None

    def _taken(self, origin: Hashable) -> Order:
        order = self._waiting[origin].popleft()
        _, order.agent, context = self._live[origin]
        order.context = context.copy()
        order.is_ahead = True
        return order
