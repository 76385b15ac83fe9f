"""How far a run has come, in a line: what is done, how it stands, what it has taken, and how long it may still take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_agenteval.model.trial import Trial

_MINUTE, _THOUSAND, _TEN_CENTS = 60, 1000, 0.1

_FEWEST = 3
"""Items and seconds that must be over before it is said how long the rest may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A run at one moment: None is what nobody tells. ``seconds`` have passed since the first item."""

    done: int
    total: int
    seconds: float
    in_flight: int | None = None
    metric: str = ""
    score: float | None = None
    tokens: int | None = None
    usd: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes if it goes on as it went; None where too little has been seen."""
        if self.done < _FEWEST or self.seconds < _FEWEST:
            return None
        return self.seconds / self.done * (self.total - self.done)

    def words(self) -> str:
        """The line.

        >>> Progress(done=120, total=500, seconds=41, in_flight=16, metric="success", score=0.825, usd=1.2).words()
        '120 of 500, 16 in flight, success 0.82, 1.20 usd, 2 min 10 s left'
        >>> Progress(done=1, total=2, seconds=0.1, tokens=210_400).words()
        '1 of 2, 210k tokens'
        >>> Progress(done=500, total=500, seconds=4205, in_flight=0, usd=0.0042).words()
        '500 of 500 in 1 h 10 min, 0.0042 usd'
        """
        is_over = self.done >= self.total
        left = None if is_over else self.seconds_left
        parts = (
            f"{self.done:,} of {self.total:,}" + (f" in {_span(self.seconds)}" if is_over else ""),
            f"{self.in_flight} in flight" if self.in_flight else "",
            "" if self.score is None else f"{self.metric} {self.score:.2f}",
            "" if self.usd is None else f"{_money(self.usd)} usd",
            "" if self.tokens is None else f"{_short(self.tokens)} tokens",
            "" if left is None else f"{_span(left)} left",
        )
        return ", ".join(filter(None, parts))


class Tally:
    """Adds up what trials tell: the mean of the first of ``metrics`` that there is, and what was spent on them."""

    def __init__(self, metrics: Iterable[str]) -> None:
        self._sums: dict[str, tuple[float, int]] = dict.fromkeys(metrics, (0.0, 0))
        self._seen: set[tuple[str, str]] = set()
        self._tokens: int | None = None
        self._usd: float | None = None

    def take(self, trial: Trial) -> None:
        """Add a scored trial; what items that share it tell twice counts once, and the cache costs nothing."""
        for score in trial.scores:
            if score.metric in self._sums and score.value is not None and self._is_new(trial, score.metric):
                total, n = self._sums[score.metric]
                self._sums[score.metric] = (total + score.value, n + 1)
        if not trial.cached and self._is_new(trial, ""):
            tokens, usd = trial.trajectory.tokens, trial.trajectory.cost_usd
            if tokens is not None:
                self._tokens = (self._tokens or 0) + tokens
            if usd is not None:
                self._usd = (self._usd or 0.0) + usd

    def progress(self, done: int, total: int, seconds: float, in_flight: int | None = None) -> Progress:
        """How the run stands, of whose ``total`` items so many are done."""
        metric = next((name for name, (_, n) in self._sums.items() if n), "")
        value, n = self._sums.get(metric, (0.0, 0))
        return Progress(
            done=done,
            total=total,
            seconds=seconds,
            in_flight=in_flight,
            metric=metric,
            score=value / n if n else None,
            tokens=self._tokens,
            usd=self._usd,
        )

    def _is_new(self, trial: Trial, what: str) -> bool:
        known = len(self._seen)
        self._seen.add((trial.id, what))
        return len(self._seen) > known


def _span(seconds: float) -> str:
    """Two units at most, and no more exact than one can tell."""
    minutes, rest = divmod(max(round(seconds), 1), _MINUTE)
    if minutes >= _MINUTE:
        return f"{minutes // _MINUTE} h {minutes % _MINUTE} min"
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest // 10 * 10} s" if rest // 10 else f"{minutes} min"


def _money(usd: float) -> str:
    return f"{usd:,.2f}" if usd >= _TEN_CENTS else f"{usd:.4f}"


def _short(count: int) -> str:
    """'950', '21k', '3.2M'."""
    if count < 10 * _THOUSAND:
        return f"{count:,}"
    return f"{count // _THOUSAND}k" if count < _THOUSAND**2 else f"{count / _THOUSAND**2:.1f}M"
