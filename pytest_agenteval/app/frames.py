"""The history as pandas tables."""

from __future__ import annotations

from pathlib import Path

from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.store.history.frames import HistoryFrames, trial_frame, week_frame


def load_history(root: str | Path = ".") -> HistoryFrames:
    """The trials and the weekly values of the project in the folder ``root`` as pandas DataFrames.

    The weekly table is computed from the trials: per suite and metric, each ISO week has the value of the
    last run of that week in which the whole suite ran. Segments that cannot be read are left out;
    ``pytest-agenteval history list`` names them.
    """
    history = Workspace.at(Path(root)).history
    trials = trial_frame(history.read(run.id) for run in history.runs())
    return HistoryFrames(trials=trials, weeks=week_frame(trials))
