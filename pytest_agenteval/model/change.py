"""A change: the audit record without which no baseline, case file or policy is altered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.jsonvalue import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who changed what, when and why. The store adds its place in the chain when it is written."""

    at: datetime
    actor: str
    action: str
    subject: str
    reason: str
    before: JSON = None
    after: JSON = None

    def __post_init__(self) -> None:
        missing = [name for name in ("actor", "action", "subject", "reason") if not getattr(self, name).strip()]
        if missing:
            message = f"a change names its actor, action, subject and reason; empty: {', '.join(missing)}"
            raise InvalidValue(message)
