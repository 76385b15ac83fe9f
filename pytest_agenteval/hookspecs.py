"""The ways in for plug-ins: the hooks of the ``agenteval`` plug-in manager, and its two markers.

Register an implementation as entry point of the group ``pytest_agenteval``, in the project's root
``conftest.py``, in any pytest plug-in, or in a module named in ``[tool.pytest-agenteval] plugins``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pytest_agenteval.contracts import Agent, Metric, Redactor, Section
    from pytest_agenteval.model.change import Change
    from pytest_agenteval.model.run import Run
    from pytest_agenteval.model.trial import Trial
    from pytest_agenteval.model.verdict import Verdict

PROJECT = "agenteval"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def agenteval_metrics() -> Sequence[Metric]:
    """Metrics that may then be named in ``metrics=``. Asked once; a name given twice is an error."""
    return ()


@hookspec
def agenteval_sections() -> Sequence[Section]:
    """Sections of the report, each with a name and an order. Asked once a report."""
    return ()


@hookspec
def agenteval_redactors() -> Sequence[Redactor]:
    """What is taken out of every text before it leaves the process. Asked once a session."""
    return ()


@hookspec(firstresult=True)
def agenteval_agent(target: str, options: Mapping[str, str]) -> Agent | None:
    """Make the agent that ``--agent-eval-agent`` names. Asked once; return None if it is not yours."""
    return None


@hookspec
def agenteval_trial_scored(trial: Trial) -> None:
    """A trial was scored; its texts are redacted. Called once a scored item, in its own process."""


@hookspec
def agenteval_run_judged(run: Run, verdicts: Sequence[Verdict]) -> None:
    """The gate has judged. Called once a session, in the controller; nothing here alters a verdict."""


@hookspec
def agenteval_change_recorded(change: Change) -> None:
    """A baseline or a case file was changed, and the change is in the audit log. Called after it."""


NAMES = frozenset(name for name in dir() if name.startswith("agenteval_"))
"""The names of all hooks."""
