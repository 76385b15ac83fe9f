"""The history for pandas: a row for each trial and metric, and the weekly table computed from those rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_agenteval import stats
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

TRIAL_COLUMNS: Final = (
    *("run", "started", "week", "suite", "partial", "candidate", "case", "attempt", "at"),
    *("origin", "agent", "agent_version", "model"),
    *("metric", "metric_version", "aggregate", "planned", "value", "correct", "reason"),
    *("confidence", "seconds", "tokens", "cost_usd"),
)
WEEK_COLUMNS: Final = ("suite", "metric", "week", "run", "n", "value")
_TIMES: Final = ("started", "at")
_NUMBERS: Final = ("planned", "value", "correct", "confidence", "seconds", "tokens", "cost_usd")


class HistoryFrames(NamedTuple):
    """``trials``: a row a trial and metric. ``weeks``: a row a suite, metric and ISO week."""

    trials: pd.DataFrame
    weeks: pd.DataFrame


def trial_frame(runs: Iterable[FinishedRun]) -> pd.DataFrame:
    """One row for each trial and metric, in the order of runs and trials, with the columns ``TRIAL_COLUMNS``.

    ``value`` is NaN where the metric was not evaluated, and ``reason`` says why; ``planned`` is how many attempts
    a case might have had where single cases needed fewer, else NaN; ``correct`` is 0 or 1 for a
    metric of calibration, else NaN. Unknown ``confidence``, ``seconds``, ``tokens`` and ``cost_usd`` are NaN.
    ``started`` and ``at`` are UTC.
    """
    import pandas as pd

    rows = [row for finished in runs for trial in finished.trials for row in _rows(finished.run, trial)]
    frame = pd.DataFrame(rows, columns=list(TRIAL_COLUMNS))
    kinds = dict.fromkeys(_NUMBERS, "float64") | dict.fromkeys(_TIMES, "datetime64[us, UTC]")
    return frame.astype(kinds | {"partial": "bool"})


def week_frame(trials: pd.DataFrame) -> pd.DataFrame:
    """By suite, metric and week, the value of the week's last run in which the suite is whole.

    ``trials`` is a frame of ``trial_frame``. ``n`` counts the cases with a value; ``value`` is NaN where
    there are none. The columns are ``WEEK_COLUMNS``.
    """
    import pandas as pd

    whole = trials[~trials["partial"] & (trials["candidate"] == "")]
    newest = whole.sort_values(["started", "run"]).groupby(["suite", "week"])["run"].transform("last")
    taken = whole[whole["run"] == newest.reindex(whole.index)]
    groups = taken.groupby(["suite", "metric", "week", "run"], sort=True)
    rows = [(*key, *_aggregated(group)) for key, group in groups]
    return pd.DataFrame(rows, columns=list(WEEK_COLUMNS))


def _rows(run: Run, trial: Trial) -> Iterator[tuple[Any, ...]]:
    case, trajectory, agent = trial.case, trial.trajectory, trial.trajectory.agent
    when = (run.id, run.started, run.week_of(case.suite), case.suite, case.suite in run.partial, run.candidate)
    what = (case.id, trial.attempt, trial.at, trial.origin, agent.name, agent.version, agent.model)
    end = (trajectory.confidence, trajectory.seconds, trajectory.tokens, trajectory.cost_usd)
    for score in trial.scores:
        spec = run.specs.get(score.metric)
        aggregate = spec.aggregate if spec else "mean"
        judged = (aggregate, run.planned(case.suite), score.value, score.evidence.get("correct"), score.reason)
        yield (*when, *what, score.metric, score.metric_version, *judged, *end)


def _aggregated(group: pd.DataFrame) -> tuple[int, float]:
    """Cases with a value, and the value of a metric in a run; NaN where there is none."""
    aggregate = group["aggregate"].iloc[0]
    if aggregate == "ece":
        group = group.dropna(subset=["confidence", "correct"])
    scored = group.dropna(subset=["value"])
    kind, _, k = aggregate.rpartition("_")
    if kind in ("pass_at", "pass_hat"):
        return _pass_k(scored, int(k), at=kind == "pass_at", decided=group["planned"].iloc[0] == int(k))
    n = scored["case"].nunique()
    if not n:
        return 0, float("nan")
    if aggregate == "mean":
        return n, float(scored.groupby("case")["value"].mean().mean())
    if aggregate == "ece":
        return n, stats.ece(scored["confidence"].tolist(), scored["correct"].tolist(), closed="right")
    return n, float(scored["value"].quantile(int(aggregate[1:]) / 100, interpolation="linear"))


def _pass_k(scored: pd.DataFrame, k: int, *, at: bool, decided: bool) -> tuple[int, float]:
    """``decided``: a case whose value was settled by fewer than its k attempts was not asked further."""
    counts = scored.groupby("case")["value"].agg(["size", "sum"])
    pairs = [(int(size), int(total)) for size, total in counts.itertuples(index=False)]
    if decided:
        pairs = [(k, k * at) if n < k and (c > 0 if at else c < n) else (n, c) for n, c in pairs]
    rate = stats.pass_k_suite(pairs, k, "at" if at else "hat")
    return rate["cases"], float("nan") if rate["mean"] is None else rate["mean"]
