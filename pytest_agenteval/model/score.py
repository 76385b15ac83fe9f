"""What a metric is, and the score that it gave to a trial."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.jsonvalue import JSON

Direction = Literal["higher", "lower"]
MetricKind = Literal["binary", "bounded", "unbounded"]
KINDS = ("binary", "bounded", "unbounded")
ON_AGENT_ERROR = ("fail", "missing", "ask")

_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}\Z")
_AGGREGATES = re.compile(r"(mean|ece|p[1-9][0-9]?|pass_at_[1-9][0-9]*|pass_hat_[1-9][0-9]*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The value that a metric gave to a trial, or the reason why there is none.

    ``value`` is a finite float, a bool, or None (*not evaluated*, with a reason). ``evidence`` is what a
    reader needs to see why.
    """

    metric: str
    value: float | bool | None
    reason: str = ""
    metric_version: int = 1
    evidence: Mapping[str, JSON] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            message = f"the score of {self.metric!r} has no value: say why in reason="
            raise InvalidValue(message)
        if self.value is not None and not math.isfinite(self.value):
            message = f"the score of {self.metric!r} is {self.value!r}; a score is finite, or None with a reason"
            raise InvalidValue(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """What is known of a metric without calling it; it travels with each run.

    ``range`` is (lowest, highest) for binary and bounded metrics, None for unbounded ones. ``aggregate``
    says how scores become one number: ``mean`` (of case means), ``p50``/``p95``… (a quantile over trials),
    ``pass_at_k``/``pass_hat_k`` (k a number), ``ece``. ``needs`` names what a trial must have, such as
    ``expect.calls``, ``steps``, ``confidence``. ``deterministic`` is False for a judge: only of a
    deterministic metric can it be said that it changed when equal answers are scored otherwise.
    ``on_agent_error`` says what an agent's error scores: ``fail`` the worst value (nothing where there is
    none), ``missing`` nothing, ``ask`` whatever the metric itself says of such a trial.
    """

    name: str
    version: int = 1
    better: Direction = "higher"
    unit: str = ""
    kind: MetricKind = "bounded"
    range: tuple[float, float] | None = (0.0, 1.0)
    aggregate: str = "mean"
    needs: tuple[str, ...] = ()
    on_agent_error: Literal["fail", "missing", "ask"] = "fail"
    deterministic: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", tuple(sorted(self.needs)))
        if not _METRIC_NAME.match(self.name):
            message = (
                f"a metric's name is made of small letters, digits and _, beginning with a letter, not {self.name!r}"
            )
            raise InvalidValue(message)
        if self.better not in ("higher", "lower"):
            message = f"better= of metric {self.name!r} is 'higher' or 'lower', not {self.better!r}"
            raise InvalidValue(message)
        if not _AGGREGATES.match(self.aggregate):
            message = (
                f"aggregate= of metric {self.name!r} is mean, pNN, pass_at_K, pass_hat_K or ece, not {self.aggregate!r}"
            )
            raise InvalidValue(message)
        if self.kind not in KINDS or self.on_agent_error not in ON_AGENT_ERROR:
            message = (
                f"metric {self.name!r}: kind= is one of {', '.join(KINDS)}, on_agent_error= one of "
                f"{', '.join(ON_AGENT_ERROR)}, not {self.kind!r} and {self.on_agent_error!r}"
            )
            raise InvalidValue(message)
        if self.range is not None and not -math.inf < self.range[0] < self.range[1] < math.inf:
            message = f"metric {self.name!r}: a range is (lowest, highest), two finite numbers, not {self.range!r}"
            raise InvalidValue(message)
        if (self.kind == "unbounded") != (self.range is None):
            message = f"metric {self.name!r}: a binary or bounded metric has a range, an unbounded one has range=None"
            raise InvalidValue(message)

    @property
    def worst(self) -> float | None:
        """The worst value there can be, or None where there is none (unbounded)."""
        if self.range is None:
            return None
        return self.range[0] if self.better == "higher" else self.range[1]

    @property
    def best(self) -> float | None:
        """The best value there can be, or None where there is none (unbounded)."""
        if self.range is None:
            return None
        return self.range[1] if self.better == "higher" else self.range[0]
