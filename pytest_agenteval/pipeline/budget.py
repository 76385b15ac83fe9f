"""What a run may spend, and what it has spent: calls, tokens, money, time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from threading import Lock
from typing import Final

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.clock import Clock

_AMOUNT: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<thousands>[kKmM]?)-?(?P<unit>usd|tokens|min|calls)")
_THOUSANDS: Final = {"": 1, "k": 1_000, "m": 1_000_000}
_FIELD_OF: Final = {"usd": "usd", "tokens": "tokens", "min": "minutes", "calls": "calls"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that a run may spend; None where there is no limit."""

    calls: float | None = None
    tokens: float | None = None
    usd: float | None = None
    minutes: float | None = None

    def share(self, of: int) -> Budget:
        """One of ``of`` equal parts; minutes pass for all alike. A part of the calls is a whole number."""
        parts = {name: getattr(self, name) for name in ("calls", "tokens", "usd")}
        shared = {name: None if whole is None else whole / of for name, whole in parts.items()}
        calls = shared["calls"]
        return replace(self, **{**shared, "calls": None if calls is None else float(int(calls))})


def parse_budget(texts: Iterable[str]) -> Budget:
    """The budget that is written like ``5usd``, ``200k-tokens``, ``30min`` or ``500-calls``.

    Several may be given, each in a text of its own or parted by commas. Raises InvalidValue for what is no
    budget, for nothing at all, and for one unit twice.

    >>> parse_budget(["5usd,200k-tokens"])
    Budget(calls=None, tokens=200000.0, usd=5.0, minutes=None)
    """
    found: dict[str, float] = {}
    for word in (part.strip() for text in texts for part in text.split(",")):
        amount = _AMOUNT.fullmatch(word)
        if amount is None or float(amount["number"]) == 0:
            message = f"{word!r} is no budget; write it like 5usd, 200k-tokens, 30min or 500-calls"
            raise InvalidValue(message)
        name = _FIELD_OF[amount["unit"]]
        if name in found:
            message = f"the budget names {amount['unit']} twice. Name it once"
            raise InvalidValue(message)
        found[name] = float(amount["number"]) * _THOUSANDS[amount["thousands"].lower()]
    return Budget(**found)


class Meter:
    """Counts what is spent of one of ``parts`` of a budget, from several threads, and says when nothing is left."""

    def __init__(self, budget: Budget, clock: Clock, parts: int = 1) -> None:
        self._budget, self._clock, self._begun = budget.share(parts), clock, clock.now()
        self._whole, self._parts = budget, parts
        self._lock = Lock()
        self._is_limited = any(getattr(budget, field.name) is not None for field in fields(budget))
        self._refusal = ""
        self.calls, self.tokens, self.usd = 0, 0, 0.0

    def admit(self) -> str:
        """Why no call may begin, or the empty text: then the call is counted."""
        with self._lock:
            if self._is_limited and not self._refusal:
                self._refusal = self._over()
            if not self._refusal:
                self.calls += 1
            return self._refusal

    def count(self, trials: Iterable[Trial]) -> None:
        """Count what other processes have spent on these."""
        for trial in trials:
            if trial.origin == "live" and not trial.cached:
                self.calls += 1 + trial.retries
                self.spent(trial)

    @property
    def refused(self) -> str:
        """Why a call was refused, or the empty text."""
        return self._refusal

    def spent(self, trial: Trial) -> None:
        """Count what a finished trial says it took. What it does not say cannot be held to a budget."""
        tokens, usd = trial.trajectory.tokens, trial.trajectory.cost_usd
        with self._lock:
            self.tokens += tokens or 0
            self.usd += usd or 0.0
            if self._is_limited and trial.error is None:
                self._refuse_untold("tokens", tokens, self._budget.tokens)
                self._refuse_untold("cost", usd, self._budget.usd)

    def _refuse_untold(self, what: str, told: float | None, limit: float | None) -> None:
        if limit is not None and told is None and not self._refusal:
            self._refusal = f"the budget cannot be held: the agent does not tell its {what} (steps of its Trajectory)"

    def _over(self) -> str:
        limits = self._budget
        if limits.calls is not None and self.calls >= limits.calls:
            return self._is_spent("calls", "g")
        if limits.tokens is not None and self.tokens >= limits.tokens:
            return f"{self._is_spent('tokens', ',.0f')}: {self.tokens:,}"
        if limits.usd is not None and self.usd >= limits.usd:
            return f"{self._is_spent('usd', 'g')}: {self.usd:.4f}"
        if limits.minutes is not None and self._clock.now() - self._begun >= timedelta(minutes=limits.minutes):
            return f"the budget of {limits.minutes:g} min is spent"
        return ""

    def _is_spent(self, unit: str, figures: str) -> str:
        whole, part = (format(getattr(budget, unit), figures) for budget in (self._whole, self._budget))
        each = f" ({part} for each of {self._parts} workers)" if self._parts > 1 else ""
        return f"the budget of {whole} {unit}{each} is spent"
