"""The history as pandas tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_agenteval.app.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


class HistoryFrames(NamedTuple):
    """``trials``: a row a trial and metric. ``weeks``: a row a suite, metric and ISO week."""

    trials: pd.DataFrame
    weeks: pd.DataFrame


def load_history(root: str | Path = ".") -> HistoryFrames:
    """The trials and the weekly values of the project in the folder ``root`` as pandas DataFrames.

    The weekly table is computed from the trials: per suite and metric, each ISO week has the value of the
    last run of that week in which the whole suite ran. Segments that cannot be read are left out;
    ``pytest-agenteval history`` names them.
    """
    from pytest_agenteval.store.history.frames import trial_frame, week_frame

    history = Workspace.at(Path(root)).history
    trials = trial_frame(history.read(run.id) for run in history.runs())
    return HistoryFrames(trials=trials, weeks=week_frame(trials))
