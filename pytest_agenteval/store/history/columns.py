"""What the index keeps of a suite in a run: its cases and trials side by side, and a column of values a metric."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import gt, lt
from typing import Any, Final, NamedTuple

from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.trial import TrialKey

_ONCE: Final = {0.0: 0.0, 1.0: 1.0}
"""The numbers that most values are: one of each is held."""

Column = Sequence[float | None]
"""A value a trial, in the order of the trials; None where the trial has none."""


class Entry(NamedTuple):
    """Of one trial: its key, the fingerprint and the tags of its case, its id, its answer's digest and its values."""

    key: TrialKey
    fingerprint: str
    tags: Sequence[str]
    trial: str
    answer: str
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRows:
    """The cases of a suite in order of their ids: the fingerprint of each, and how many trials it has."""

    cases: Sequence[str]
    fingerprints: Sequence[str]
    attempts: Sequence[int]

    def spans(self) -> Iterable[tuple[int, int]]:
        """From where to where the trials of each case stand in a column."""
        return pairwise(accumulate(self.attempts, initial=0))

    def scores(self, column: Column, answers: Sequence[tuple[str, ...]]) -> dict[str, CaseScores]:
        """By case, the values of its trials and the answers, of which each case has a tuple; without one left out."""
        found: dict[str, CaseScores] = {}
        cases = zip(self.cases, self.fingerprints, self.spans(), answers, strict=True)
        once: dict[tuple[float, ...], tuple[float, ...]] = {}  # most cases of a verdict have the same values
        for case, fingerprint, (start, end), told in cases:
            values = column[start:end]
            known = tuple([_ONCE.get(value, value) for value in values if value is not None])
            if len(known) < len(values):
                told = tuple(one for one, value in zip(told, values, strict=True) if value is not None)
            if known:
                found[case] = CaseScores(fingerprint=fingerprint, values=once.setdefault(known, known), answers=told)
        return found

    def means(self, column: Column) -> Column:
        """By case, the mean of what is known of its trials; None where nothing is."""
        return column if len(column) == len(self.cases) else [_mean(column[a:b]) for a, b in self.spans()]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteColumns:
    """A suite in a run. ``trials`` and ``answers`` have an entry a trial, ``tags`` the cases that bear each."""

    rows: CaseRows
    tags: Mapping[str, Sequence[str]]
    trials: Sequence[str]
    answers: Sequence[str]
    values: Mapping[str, Column]


def columns_of(entries: Iterable[Entry]) -> dict[str, SuiteColumns]:
    """By suite, what the entries tell, which come in the order of their keys. Raises ValueError where they do not."""
    found: dict[str, _Growing] = {}
    last = ("", "", 0)
    for entry in entries:
        if entry.key <= last:
            message = f"{entry.key} stands behind {last}"
            raise ValueError(message)
        last = entry.key
        found.setdefault(entry.key[0], _Growing()).take(entry)
    return {suite: growing.columns() for suite, growing in found.items()}


class _Growing:
    """The columns of a suite while its entries come; none of them is held."""

    def __init__(self) -> None:
        self._rows = CaseRows(cases=[], fingerprints=[], attempts=[])
        self._tags: dict[str, list[str]] = {}
        self._trials: list[str] = []
        self._answers: list[str] = []
        self._values: dict[str, list[float | None]] = {}

    def take(self, entry: Entry) -> None:
        cases, fingerprints, attempts = self._rows.cases, self._rows.fingerprints, self._rows.attempts
        assert isinstance(cases, list) and isinstance(fingerprints, list) and isinstance(attempts, list)  # noqa: PT018
        case, place = entry.key[1], len(self._trials)
        if not cases or cases[-1] != case:
            cases.append(case)
            fingerprints.append(entry.fingerprint)
            attempts.append(0)
            for tag in entry.tags:
                self._tags.setdefault(tag, []).append(case)
        attempts[-1] += 1
        self._trials.append(entry.trial)
        self._answers.append(entry.answer)
        for metric, value in entry.values.items():
            column = self._values.setdefault(metric, [])
            column.extend([None] * (place - len(column)))
            column.append(None if value is None else _ONCE.get(value, value))

    def columns(self) -> SuiteColumns:
        for column in self._values.values():
            column.extend([None] * (len(self._trials) - len(column)))
        return SuiteColumns(
            rows=self._rows,
            tags=self._tags,
            trials=self._trials,
            answers=self._answers,
            values=dict(sorted(self._values.items())),
        )


def packed(column: Column) -> bytes:
    """The column as doubles; *not a number*, which no score is, stands for None."""
    return struct.pack(f"<{len(column)}d", *[math.nan if value is None else value for value in column])


def unpacked(content: bytes) -> Column:
    """The column again. To read it as JSON would take twenty times as long."""
    column = struct.unpack(f"<{len(content) // 8}d", content)
    return [None if math.isnan(value) else value for value in column] if math.isnan(sum(column)) else column


class Moves(NamedTuple):
    """How many cases of two runs have a value in both and are the same, and of them how many rose and fell."""

    common: int
    rose: int
    fell: int


def moves(before: tuple[CaseRows, Column], now: tuple[CaseRows, Column]) -> Moves:
    """Hold each case's mean against that of the same case; an edited case is another one."""
    earlier, later = _paired(*before, *now)
    if None in earlier or None in later:
        known = [pair for pair in zip(earlier, later, strict=True) if None not in pair]
        earlier, later = [old for old, _ in known], [new for _, new in known]
    numbers: tuple[Sequence[Any], Sequence[Any]] = (later, earlier)
    return Moves(common=len(later), rose=sum(map(gt, *numbers)), fell=sum(map(lt, *numbers)))


def _paired(before: CaseRows, old: Column, now: CaseRows, new: Column) -> tuple[Column, Column]:
    earlier, later = before.means(old), now.means(new)
    if before.cases == now.cases and before.fingerprints == now.fingerprints:
        return earlier, later
    known = dict(zip(zip(before.cases, before.fingerprints, strict=True), earlier, strict=True))
    keys = zip(now.cases, now.fingerprints, strict=True)
    return [known.get(key) for key in keys], later


def _mean(values: Column) -> float | None:
    known = [float(value) for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
