"""The trials of a stored run, scored by other metrics and kept as a run of its own; no agent is called."""

from __future__ import annotations

import importlib
import importlib.util
import secrets
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.runs import versions
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics.scoring import score_trial
from pytest_agenteval.model.codec import near
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.aggregate import measured_of
from pytest_agenteval.pipeline.tally import Tally
from pytest_agenteval.store.history.stream import open_segment
from pytest_agenteval.store.redaction import Redaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescore:
    """A run and the metrics to score it by: names, ``module:function`` or ``file.py:function``.

    ``stands``: the new scores stand for the run's week in place of the stored ones.
    """

    run: str
    metrics: tuple[str, ...]
    stands: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """The run as it was stored, the new one, and the names of the metrics that were asked.

    ``changed`` counts, by suite and metric, the trials whose score is another.
    """

    stored: FinishedRun
    anew: FinishedRun
    metrics: tuple[str, ...]
    changed: Mapping[tuple[str, str], int]


def rescore(workspace: Workspace, registry: Registry, wanted: Rescore) -> Rescored:
    """Score the run's trials by the metrics and append the result to the history, dated as the run is.

    Other scores of the trials stay. What is scored is what was stored: where something was redacted, a metric
    may say otherwise than it did of the raw trial. The trials go by one at a time, however many there are.
    Raises MetricError, HistoryError.
    """
    stored = workspace.history.open(wanted.run)
    root = Path(workspace.settings.root)
    metrics = [registry.metric(_found(named, root)) for named in wanted.metrics]
    run = replace(
        stored.run,
        id=f"{stored.run.id}-{secrets.token_hex(3)}",  # sorts behind the run whose trials it has
        mode="rescored",
        aside="" if wanted.stands else f"run {stored.run.id} scored anew",
        specs={**stored.run.specs, **{metric.spec.name: metric.spec for metric in metrics}},
        versions=versions(),
    )
    redaction = Redaction(registry.redactors())
    tallies: dict[str, Tally] = {}
    changed: Counter[tuple[str, str]] = Counter()
    with workspace.history.writer(run) as segment:
        for trial in stored.trials:
            anew = _scored(run, trial, metrics, redaction)
            segment.add(anew)
            tallies.setdefault(trial.case.suite, Tally()).take(anew)
            changed.update(_differing(trial, anew, metrics))
        for trial in stored.second_look:
            segment.add(_scored(run, trial, metrics, redaction), aside="second_look")
        path = segment.seal(tuple(_estimates(run, tallies)))
    names = tuple(metric.spec.name for metric in metrics)
    return Rescored(stored=stored, anew=open_segment(path), metrics=names, changed=changed)


def _scored(run: Run, trial: Trial, metrics: Sequence[Metric], redaction: Redaction) -> Trial:
    scores = [redaction.score(score_trial(metric, trial)) for metric in metrics]
    # An id of its own: a trial's id leads to one run.
    return replace(trial.with_scores(scores), id=f"{run.id}-{digest(list(trial.key), length=8)}")


def _differing(trial: Trial, anew: Trial, metrics: Sequence[Metric]) -> Iterator[tuple[str, str]]:
    """The suite and the name of each metric whose value is another now."""
    before, now = ({score.metric: score.value for score in one.scores} for one in (trial, anew))
    for metric in metrics:
        if before.get(metric.spec.name) != now[metric.spec.name]:
            yield trial.case.suite, metric.spec.name


def _estimates(run: Run, tallies: Mapping[str, Tally]) -> Iterator[Estimate]:
    """Those of all metrics of each suite; the values by case of one metric at a time are held."""
    for suite, tally in tallies.items():
        for metric in tally.metrics:
            yield measured_of(suite, run.specs[metric], tally, planned=run.planned(suite)).estimate


def _found(named: str, root: Path) -> str | Metric:
    """The name of a metric, or the metric that stands in a module or a file."""
    place, _, name = named.rpartition(":")
    if not place:
        return named
    module = _module(place, root)
    found: Metric | None = getattr(module, name, None)
    if found is None:
        message = f"{place} has no {name!r}{near(name, dir(module))}"
        raise MetricError(message)
    return found


def _module(place: str, root: Path) -> ModuleType:
    if str(root) not in sys.path:
        sys.path.append(str(root))
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(Path(place).stem, root / place)
        assert spec is not None  # the name ends in .py
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception as error:  # a module may raise anything while it is read
        message = f"{place} cannot be read: {type(error).__name__}: {error}. Mend it, or name another metric"
        raise MetricError(message) from error
    return module
