"""What is counted of the trials of one suite while they go by: numbers and digests, and no trial is held."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial, TrialKey

_ONCE: Final = {0.0: 0.0, 1.0: 1.0}
"""The numbers that most values are: one of each is held."""

_NOBODY: Final = frozenset[str]()
_CALIBRATION: Final = frozenset({"confidence", "correct"})


class Attempts(NamedTuple):
    """The attempts at a case that were asked for a metric: of those with a value it, and the answer that it is of.

    ``reason`` is what the score of the first one says, ``not_asked`` whether none has the expectation it needs.
    ``scores`` are whole where evidence of calibration stands in them.
    """

    case: str
    fingerprint: str
    tags: tuple[str, ...]
    values: tuple[float, ...]
    answers: tuple[str, ...]
    reason: str
    not_asked: bool
    scores: tuple[Score, ...]


@dataclass(slots=True)
class _Case:
    """A case: what is known of it, and from where on its trials stand in the columns."""

    name: str
    fingerprint: str
    tags: tuple[str, ...]
    start: int
    answers: tuple[str, ...] = ()


@dataclass(slots=True)
class _Column:
    """The scores of one metric in the order of the trials; *not a number*, which no score is, stands for no value.

    ``told`` says by number what the tally knows beside the value: 0 for a trial that was not asked.
    """

    values: array[float] = field(default_factory=lambda: array("d"))
    told: array[int] = field(default_factory=lambda: array("I"))
    scores: dict[int, Score] = field(default_factory=dict)

    def fill(self, n: int) -> None:
        """Make it as long as there are trials: the last ones were not asked."""
        missing = n - len(self.values)
        self.values.extend([math.nan] * missing)
        self.told.extend([0] * missing)


class Tally:
    """Takes the trials of one suite, those of a case one behind another in the order of the attempts."""

    def __init__(self) -> None:
        self._cases: list[_Case] = []
        self._answers: list[str] = []
        self._columns: dict[str, _Column] = {}
        self._told: dict[tuple[str, bool], int] = {}

    @classmethod
    def of(cls, trials: Iterable[Trial]) -> Tally:
        """The tally of these trials."""
        made = cls()
        for trial in trials:
            made.take(trial)
        return made

    def take(self, trial: Trial) -> None:
        """Count the next trial."""
        place, case = len(self._answers), trial.case
        if not self._cases or self._cases[-1].name != case.id:
            self._end_case()
            self._cases.append(_Case(case.id, trial.case_fingerprint, case.tags, place))
        self._answers.append(trial.answer_digest)
        for score in trial.scores:
            column = self._columns.get(score.metric) or self._columns.setdefault(score.metric, _Column())
            if len(column.values) < place:
                column.fill(place)
            column.values.append(math.nan if score.value is None else score.value)
            not_asked = bool(score.evidence) and str(score.evidence.get("needs", "")).startswith("expect.")
            column.told.append(self._told.setdefault((score.reason, not_asked), len(self._told) + 1))
            if score.evidence and score.evidence.keys() >= _CALIBRATION:
                column.scores[place] = score

    @property
    def metrics(self) -> list[str]:
        """The metrics that any trial was scored by, in the order of their names."""
        return sorted(self._columns)

    def attempts(self, metric: str, without: Container[str] = _NOBODY) -> Iterator[Attempts]:
        """By case, the attempts that were asked for the metric; left out are the cases in ``without``."""
        column = self._columns.get(metric, _Column())
        column.fill(len(self._answers))
        self._end_case()
        told = [("", False), *self._told]
        starts = [*(case.start for case in self._cases), len(self._answers)]
        for case, end in zip(self._cases, starts[1:], strict=True):
            asked = [place for place in range(case.start, end) if column.told[place]]
            if not asked or case.name in without:
                continue
            known = [place for place in asked if column.values[place] == column.values[place]]
            answers = case.answers
            if len(known) < len(answers):
                answers = tuple([self._answers[place] for place in known])
            yield Attempts(
                case=case.name,
                fingerprint=case.fingerprint,
                tags=case.tags,
                values=tuple([_ONCE.get(value, value) for value in map(column.values.__getitem__, known)]),
                answers=answers,
                reason=told[column.told[asked[0]]][0],
                not_asked=all(told[column.told[place]][1] for place in asked),
                scores=tuple([column.scores[place] for place in known if place in column.scores]),
            )

    def _end_case(self) -> None:
        """Make one tuple of the last case's answers, which all metrics share."""
        if self._cases and not self._cases[-1].answers:
            last = self._cases[-1]
            last.answers = tuple(self._answers[last.start :])


@dataclass(slots=True)
class Seen:
    """What was seen of a suite while its trials went by: their scores, where they come from, and the first's time."""

    tally: Tally = field(default_factory=Tally)
    origins: set[str] = field(default_factory=set)
    began: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """All trials of a look, gone through once.

    ``unfinished`` are those that were due and did not come, ``cached`` counts by suite those of earlier runs.
    """

    suites: dict[str, Seen]
    unfinished: set[TrialKey]
    cached: Counter[str]

    @classmethod
    def of(cls, trials: Sequence[Trial], due: set[TrialKey] | None = None) -> Look:
        """Go through the trials, which stand in order."""
        found: dict[str, Seen] = {}
        unfinished, cached = due or set(), Counter[str]()
        for trial in trials:
            seen = found.get(trial.case.suite) or found.setdefault(trial.case.suite, Seen())
            seen.tally.take(trial)
            seen.origins.add(trial.origin)
            seen.began = trial.at if seen.began is None else min(trial.at, seen.began)
            unfinished.discard(trial.key)
            if trial.cached:
                cached[trial.case.suite] += 1
        return cls(suites=found, unfinished=unfinished, cached=cached)

    def recorded(self, started: datetime) -> dict[str, datetime]:
        """The time of each suite whose trials were all recorded before the run: that of its first one."""
        replayed = {name: seen.began for name, seen in self.suites.items() if seen.origins == {"replay"}}
        return {name: began for name, began in replayed.items() if began is not None and began < started}
