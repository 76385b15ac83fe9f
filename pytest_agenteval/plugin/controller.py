"""The one process that collects the trials, lets them be judged, writes, and tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_agenteval.app.judging import Cause, Judged, judge_run, seal
from pytest_agenteval.app.recording import record
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.runs import Plan, RunOptions
from pytest_agenteval.app.verdictfile import write_verdict
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import AgentEvalError
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.run import Clock
from pytest_agenteval.plugin import distribution, terminal, verdictreports
from pytest_agenteval.plugin.session import PLAN

_COLORS = {"agent error": {"red": True}, "infrastructure error": {"yellow": True}}


class Controller:
    """Hooks of the process that tells the user: the only one, or xdist's controller."""

    def __init__(
        self,
        config: pytest.Config,
        run: Run,
        workspace: Workspace,
        registry: Registry,
        options: RunOptions,
        clock: Clock,
    ) -> None:
        self._config, self._run, self._workspace = config, run, workspace
        self._registry, self._options, self._clock = registry, options, clock
        self._trials: dict[TrialKey, Trial] = {}
        self._judged: Judged | None = None
        self._exit_code = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the trial off the report; scores of items that share a trial are joined."""
        data = getattr(report, "agenteval", None)
        if data is not None:
            trial = decode(Trial, data)
            known = self._trials.get(trial.key)
            self._trials[trial.key] = trial if known is None else known.with_scores(trial.scores)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """An item without an answer is shown as its own kind."""
        kind = getattr(report, "agenteval_kind", None)
        return None if kind is None else (kind, kind[0].upper(), (kind.upper(), _COLORS[kind]))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge, write, publish the verdicts, and set the exit code that stands."""
        if self._config.option.collectonly:
            return
        plan = self._config.stash.get(PLAN, None) or distribution.published_plan(self._workspace.settings, self._run.id)
        run = replace(self._run, ended=self._clock.now())
        trials = list(self._trials.values())
        judged = judge_run(run, trials, plan or Plan(), self._workspace, self._options)
        own = int(session.exitstatus)
        if own in (exits.INTERRUPTED, exits.INTERNAL_ERROR):
            judged = replace(judged, verdicts=(), causes=(Cause(code=own, text="interrupted: gate not judged"),))
        judged = replace(judged, causes=(*judged.causes, *self._write(judged)))
        self._judged, self._exit_code = judged, exits.standing([own, judged.code])
        try:
            write_verdict(judged, self._exit_code, self._options.gate, self._workspace)
        except AgentEvalError as error:
            self._judged = replace(judged, causes=(*judged.causes, Cause(code=exits.INTEGRITY, text=str(error))))
            self._exit_code = exits.standing([own, self._judged.code])
        session.testscollected += len(judged.verdicts)  # the terminal counts its percentages against this
        verdictreports.publish(self._config, self._judged, self._workspace, self._options.gate)
        self._registry.observe("agenteval_run_judged", run=run, verdicts=judged.verdicts)
        session.exitstatus = self._exit_code

    def _write(self, judged: Judged) -> list[Cause]:
        causes = seal(judged, self._workspace)
        if self._options.record:
            causes += record(judged, self._workspace)
        return causes

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what was measured and what the gate says of it."""
        if self._judged is not None:
            terminal.summarise(terminalreporter, self._judged, self._exit_code, self._workspace)
