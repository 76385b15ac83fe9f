"""A run: one session over one or more suites, and the window of runs that a report looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trial import Trial

Mode = Literal["live", "replay", "import", "rescored"]


def week_of(at: datetime) -> str:
    """The ISO week of the UTC instant.

    >>> from datetime import UTC, datetime
    >>> week_of(datetime(2027, 1, 1, tzinfo=UTC))
    '2026-W53'
    """
    return at.astimezone(UTC).strftime("%G-W%V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How far the adaptive repeats of a suite went: ``used`` of at most ``cap`` attempts a case count.

    ``calls`` are the trials that all attempts would have been, ``saved`` those of them that were not made.
    """

    used: int
    cap: int
    calls: int
    saved: int

    @property
    def planned(self) -> int | None:
        """How many attempts a case might have had where single ones needed fewer; None if the suite stopped before."""
        return self.cap if self.used == self.cap else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is known of a run besides its trials.

    ``partial`` names the suites of which only a part ran, ``candidate`` is another agent that the command
    line put in place of the suites' own: neither becomes a week's value. ``recorded`` has the time of each suite
    that was replayed from a recording which tells one. ``specs`` are the metrics as they were in this run.
    ``looked_again`` names the suites of which the gate took a second look, ``rounds`` has those whose repeats
    were adaptive, ``cached`` how many trials of each suite were kept from earlier runs. ``aside`` says what the run is
    kept for where it stands for no week in spite of being whole: the scores of another run, taken anew.
    """

    id: str
    started: datetime
    ended: datetime | None = None
    mode: Mode = "live"
    partial: tuple[str, ...] = ()
    candidate: str = ""
    aside: str = ""
    recorded: Mapping[str, datetime] = field(default_factory=dict)
    specs: Mapping[str, MetricSpec] = field(default_factory=dict)
    looked_again: tuple[str, ...] = ()
    rounds: Mapping[str, Rounds] = field(default_factory=dict)
    cached: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.started.tzinfo is None:
            message = f"the start of run {self.id!r} has no time zone; times are aware UTC"
            raise InvalidValue(message)

    def week_of(self, suite: str) -> str:
        """The ISO week that the suite's values belong to: a replay is dated by its recording."""
        return week_of(self.recorded.get(suite, self.started))

    def planned(self, suite: str) -> int | None:
        """How many attempts a case of the suite might have had where single ones needed fewer, else None."""
        return self.rounds[suite].planned if suite in self.rounds else None

    def stands_for(self, suite: str) -> bool:
        """Whether the run tells how the suite's own agent does on the whole suite."""
        return suite not in self.partial and not self.candidate and not self.aside


class StoredTrials(Sequence[Trial]):
    """Trials in canonical order that stay in their store: each time they are gone through they are read anew."""

    def __init__(self, read: Callable[[], Iterator[Trial]]) -> None:
        self._read = read
        self._n: int | None = None

    def __iter__(self) -> Iterator[Trial]:
        n = 0
        for n, trial in enumerate(self._read(), 1):  # noqa: B007  # the last one is how many there are
            yield trial
        self._n = n

    def __len__(self) -> int:
        return sum(1 for _ in self) if self._n is None else self._n

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401  # a trial, or a list of them for a slice
        if isinstance(place, int) and place >= 0:
            for trial in islice(self, place, None):
                return trial
            raise IndexError(place)
        return list(self)[place]


def in_order(trials: Sequence[Trial]) -> Sequence[Trial]:
    """The trials in canonical order: suite, case id, attempt."""
    return trials if isinstance(trials, StoredTrials) else sorted(trials, key=lambda trial: trial.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run with its trials in canonical order (suite, case id, attempt) and its estimates.

    ``second_look`` are the trials made once more of what the gate had doubts about, ``unneeded`` those under way
    when the adaptive repeats of their suite or case were settled; estimates leave both out.
    """

    run: Run
    trials: Sequence[Trial]
    second_look: Sequence[Trial] = ()
    unneeded: Sequence[Trial] = ()
    estimates: tuple[Estimate, ...] = ()

    def suites(self) -> tuple[str, ...]:
        """The suites of which the run has trials; of stored ones those that it measured."""
        if isinstance(self.trials, StoredTrials):
            return tuple(sorted({one.suite for one in self.estimates}))
        return tuple(sorted({trial.case.suite for trial in self.trials}))

    def of_suite(self, suite: str) -> Sequence[Trial]:
        """The trials of one suite."""
        if isinstance(self.trials, StoredTrials):
            is_only = self.suites() == (suite,)
            return (
                self.trials
                if is_only
                else StoredTrials(lambda: (one for one in self.trials if one.case.suite == suite))
            )
        return [trial for trial in self.trials if trial.case.suite == suite]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekValue:
    """The value of one metric of one suite in one ISO week: that of the week's last whole run."""

    week: str
    suite: str
    run: str
    at: datetime
    estimate: Estimate
