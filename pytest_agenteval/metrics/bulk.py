"""Metrics over many recorded outputs: a number of eight bytes for each, and a reason where there is none."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, NamedTuple

from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import AgentEvalError, InvalidValue, MetricError
from pytest_agenteval.metrics.declare import FunctionMetric
from pytest_agenteval.metrics.scoring import as_score, failed, score_trial
from pytest_agenteval.model.case import Case, checked_id
from pytest_agenteval.model.codec import near
from pytest_agenteval.model.jsonvalue import JSON
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import Fault, Trajectory
from pytest_agenteval.model.trial import Trial

Row = Mapping[str, Any]

FIELDS: Final = ("id", "input", "output", "confidence", "seconds")
"""What a row may tell beside ``expect.KEY`` and ``recorded.KEY``."""

_OBJECTS: Final = ("expect", "recorded")
NOTHING: Final = Fault(kind="agent", type="EmptyAnswer", message="the agent answered nothing: the output is empty")
"""Why a row has no output where it is null, or text that says nothing."""


class Scores(Mapping[str, Score]):
    """What one metric says of each row, by the row's id and in the order of the rows. Evidence is not kept."""

    def __init__(self, metric: Metric, places: Mapping[str, int]) -> None:
        self.spec: MetricSpec = metric.spec
        self._metric, self._places = metric, places
        self._values = array("d")
        self._reasons: dict[int, str] = {}
        self._absent: set[int] = set()  # places without a value; what stands there is no number, and stays in here
        self._whole: list[Score] = []
        self._takes_bools = _takes_bools(metric.spec)

    def __getitem__(self, row: str) -> Score:
        place = self._places[row]
        reason = self._reasons.get(place, "")
        value = None if place in self._absent else self._values[place]
        return Score(metric=self.spec.name, metric_version=self.spec.version, value=value, reason=reason)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Scores({self.spec.name}: n={self.n}, mean={self.mean})"

    @property
    def n(self) -> int:
        """How many rows have a value."""
        return len(self._values) - len(self._absent)

    @property
    def mean(self) -> float | None:
        """The mean of the values; None where there are none."""
        return math.fsum(self.numbers) / self.n if self.n else None

    @property
    def not_evaluated(self) -> dict[str, str]:
        """By id, why a row has no value."""
        absent, reasons = self._absent, self._reasons
        return {row: reasons[place] for row, place in self._places.items() if place in absent} if absent else {}

    @property
    def whole(self) -> Sequence[Score]:
        """The scores with their evidence: of a metric of calibration alone, which is made of it."""
        return self._whole

    @property
    def numbers(self) -> Sequence[float]:
        """The values in the order of the rows, those without one left out."""
        if not self._absent:
            return self._values
        return array("d", [value for place, value in enumerate(self._values) if place not in self._absent])

    def take(self, rows: _Block) -> None:
        """Score some more rows."""
        told = self._metric.told if isinstance(self._metric, FunctionMetric) else ()
        columns = [rows.column(name) for name in told]
        if columns and not any(None in column for column in columns):
            self._judge(columns)
            return
        for place in range(len(rows.rows)):
            arguments = [column[place] for column in columns]
            if not arguments or None in arguments:
                self._keep(rows.score(self._metric, place))
            else:
                self._judge([(one,) for one in arguments])

    def _judge(self, columns: Sequence[Sequence[JSON]]) -> None:
        """What the metric's own function says of outputs and expectations, with no trial made of them."""
        assert isinstance(self._metric, FunctionMetric)
        spec, add, takes_bools = self.spec, self._values.append, self._takes_bools
        judgements = map(self._metric.function, *columns)
        end = len(self._values) + len(columns[0])
        while len(self._values) < end:  # behind an error, they go on
            try:
                for judged in judgements:
                    if takes_bools and (judged is True or judged is False):
                        add(judged)
                    else:
                        self._keep(as_score(spec, judged))
                if len(self._values) < end:
                    raise StopIteration  # the function did, and map took that for the end
            except Exception as error:  # noqa: BLE001  # as score_trial: a metric may raise anything
                self._keep(failed(spec, error))

    def _keep(self, score: Score) -> None:
        if score.reason:
            self._reasons[len(self._values)] = score.reason
        if score.value is None:
            self._absent.add(len(self._values))
        self._values.append(math.nan if score.value is None else score.value)
        if score.value is not None and self.spec.aggregate == "ece":
            self._whole.append(score)


def _takes_bools(spec: MetricSpec) -> bool:
    """Whether True and False are values of the metric just as they are."""
    try:
        return all(as_score(spec, value).value is value for value in (True, False))
    except MetricError:
        return False


@dataclass(frozen=True, slots=True)
class Fields:
    """Where a row tells what: the names of its keys, by ``output``, ``expect.KEY`` and so on."""

    named: Mapping[str, str]

    @classmethod
    def of(cls, told: Mapping[str, str]) -> Fields:
        """Raises InvalidValue where a row can tell nothing of that name."""
        for name in told:
            kind, dot, key = name.partition(".")
            if name not in FIELDS and not (dot and key and kind in _OBJECTS):
                known = [*FIELDS, *(f"{kind}.KEY" for kind in _OBJECTS)]
                message = f"fields= has {name!r}, which is none of {', '.join(known)}{near(name, known)}"
                raise InvalidValue(message)
        return cls({**{name: name for name in FIELDS}, **told})

    def column(self, rows: Sequence[Row], name: str) -> list[Any]:
        """What the rows tell of it; None where one tells nothing."""
        if (key := self.named.get(name)) is not None:
            return [row.get(key) for row in rows]
        kind, _, inner = name.partition(".")
        objects = [row.get(kind) for row in rows]
        return [one.get(inner) if isinstance(one, Mapping) else None for one in objects]

    def object_of(self, row: Row, kind: str) -> dict[str, Any]:
        """All that the row tells of one kind, ``expect`` or ``recorded``."""
        whole = row.get(kind)
        found = dict(whole) if isinstance(whole, Mapping) else {}
        mapped = [(name, key) for name, key in self.named.items() if name.startswith(f"{kind}.")]
        return found | {name.partition(".")[2]: row.get(key) for name, key in mapped}


class _Block:
    """Some rows: columns of what they tell, and trials where a metric wants to see one."""

    def __init__(self, rows: Sequence[Row], ids: Sequence[str], fields: Fields) -> None:
        self.rows = rows
        self._ids, self._fields = ids, fields
        self._columns: dict[str, list[Any]] = {}
        self._trials: dict[int, Trial | str] = {}

    def column(self, name: str) -> list[Any]:
        """What the rows tell of it, None for nothing; text that says nothing is no output."""
        if name not in self._columns:
            found = self._fields.column(self.rows, name)
            if name == "output":
                found = [None if isinstance(one, str) and (not one or one.isspace()) else one for one in found]
            self._columns[name] = found
        return self._columns[name]

    def score(self, metric: Metric, place: int) -> Score:
        """The metric's score of the trial that the row makes."""
        if place not in self._trials:
            try:
                self._trials[place] = self._trial(place)
            except (AgentEvalError, TypeError) as error:
                self._trials[place] = str(error)
        made = self._trials[place]
        if isinstance(made, Trial):
            return score_trial(metric, made)
        return Score(metric=metric.spec.name, metric_version=metric.spec.version, value=None, reason=made)

    def _trial(self, place: int) -> Trial:
        row, named = self.rows[place], self._fields.named
        output = self.column("output")[place]
        expect, recorded = (self._fields.object_of(row, kind) for kind in _OBJECTS)
        trajectory = Trajectory(
            output=output,
            error=NOTHING if output is None else None,
            confidence=row.get(named["confidence"]),
            seconds=row.get(named["seconds"]),
            recorded=recorded,
        )
        case = Case(id=self._ids[place], input=row.get(named["input"]), expect=expect)
        return Trial(id=case.id, case=case, trajectory=trajectory)


class Taken(NamedTuple):
    """What came of many rows: by name what each metric says, and by number why rows were refused."""

    scores: Mapping[str, Scores]
    refused: Mapping[int, str]


class Bulk:
    """Takes rows block by block, and keeps of each its id and its scores."""

    def __init__(self, metrics: Iterable[Metric], fields: Mapping[str, str]) -> None:
        self._fields = Fields.of(fields)
        self._places: dict[str, int] = {}
        self._scores = {metric.spec.name: Scores(metric, self._places) for metric in metrics}
        self._refused: dict[int, str] = {}

    def take(self, numbers: Sequence[int], rows: Sequence[Row], refused: Mapping[int, str]) -> None:
        """Score some rows, numbered from 1; others were refused."""
        self._refused.update(refused)
        key = self._fields.named["id"]
        ids = [row.get(key, number) for number, row in zip(numbers, rows, strict=True)]
        if not self._are_fit(ids, rows):
            fit = self._fit_ones(ids, numbers, rows)
            ids, rows = list(fit), list(fit.values())
        self._places.update(zip(ids, count(len(self._places))))
        block = _Block(rows, ids, self._fields)
        for scores in self._scores.values():
            scores.take(block)

    def _are_fit(self, ids: Sequence[Any], rows: Sequence[Row]) -> bool:
        """Whether all rows have an output, and an id of their own: asked of many at once, since most do."""
        try:
            is_each = ids == [checked_id(one) for one in ids] and len(set(ids)) == len(ids)
        except InvalidValue:
            return False
        output = self._fields.named["output"]
        return is_each and self._places.keys().isdisjoint(ids) and all([output in row for row in rows])

    def _fit_ones(self, ids: Sequence[Any], numbers: Iterable[int], rows: Sequence[Row]) -> dict[str, Row]:
        """By id the rows that are; the others are refused, each with the reason."""
        fit: dict[str, Row] = {}
        output = self._fields.named["output"]
        for told, number, row in zip(ids, numbers, rows, strict=True):
            try:
                row_id = checked_id(str(told) if type(told) is int else told)
            except InvalidValue as error:
                self._refused[number] = str(error)
                continue
            if output not in row:
                self._refused[number] = f"it has no {output!r}, which is to be its output"
            elif row_id in self._places or row_id in fit:
                self._refused[number] = f"its id {row_id!r} is that of an earlier row; give each row an id of its own"
            else:
                fit[row_id] = row
        return fit

    def result(self) -> Taken:
        """What the metrics say of the rows so far."""
        return Taken(self._scores, dict(sorted(self._refused.items())))
