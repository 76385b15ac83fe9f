"""The history as pandas tables."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.store.history import History
from pytest_agenteval.store.history.frames import HistoryFrames, trial_frame, week_frame


def load_history(root: str | Path = ".") -> HistoryFrames:
    """The trials and the weekly values of the project in the folder ``root`` as pandas DataFrames.

    The weekly table is computed from the trials: per suite and metric, each ISO week has the value of the
    last run of that week in which the whole suite ran. Segments that cannot be read are left out:
    ``pytest-agenteval history list`` names them, or a warning where the fault lies deep in a trial.
    """
    history = Workspace.at(Path(root)).history
    trials = trial_frame(_readable(history))
    return HistoryFrames(trials=trials, weeks=week_frame(trials))


def _readable(history: History) -> Iterator[FinishedRun]:
    for run in history.runs():
        try:
            yield history.read(run.id)
        except HistoryError as error:
            warnings.warn(f"left out: {error}", stacklevel=2)
