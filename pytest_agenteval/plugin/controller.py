"""The one process that collects the trials, lets them be judged, writes, and tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_agenteval.app.judging import Cause, Judged, judge_run, seal
from pytest_agenteval.app.recording import record
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.runs import Plan, RunOptions, run_folder
from pytest_agenteval.app.verdictfile import conclude
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.trial import Trial, TrialKey
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.clock import Clock
from pytest_agenteval.plugin import distribution, terminal, verdictreports
from pytest_agenteval.plugin.adaptive import REPEATS
from pytest_agenteval.plugin.session import PLAN
from pytest_agenteval.plugin.termination import Terminated

if TYPE_CHECKING:
    from pytest_agenteval.app.base import Base

_COLORS = {"agent error": {"red": True}, "infrastructure error": {"yellow": True}, "not called": {"yellow": True}}


class Controller:
    """Hooks of the process that tells the user: the only one, or xdist's controller."""

    def __init__(
        self,
        config: pytest.Config,
        run: Run,
        workspace: Workspace,
        registry: Registry,
        options: RunOptions,
        *,
        clock: Clock,
        base: Base | None = None,
    ) -> None:
        self._config, self._run, self._workspace = config, run, workspace
        self._registry, self._options, self._clock, self._base = registry, options, clock, base
        self._by_base = base is not None
        self._excused: set[str] = set()
        self._refused: Counter[str] = Counter()
        self._published: Plan | None = None
        self._trials: dict[TrialKey, Trial] = {}
        self._second: dict[TrialKey, Trial] = {}
        self._judged: Judged | None = None
        self._judged_at: tuple[tuple[int, int, int], Judged] | None = None
        self._exit_code = 0
        self._collected_badly = self._stopped_by_failures = False
        self._is_interrupted = self._is_terminated = False
        self._troubles: list[Cause] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Take the last run's verdict away: a session that is killed must not leave it to be read as its own."""
        if not self._config.option.collectonly:
            with suppress(OSError):  # what cannot be taken away cannot be written either: told at the end, exit 12
                self._workspace.verdict_file.unlink(missing_ok=True)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember a collection error: pytest alone ends with 2, under xdist it forgets why."""
        self._collected_badly |= report.failed

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember who ended it: -x or --maxfail stops xdist with 2, where pytest alone ends with 1."""
        self._stopped_by_failures |= str(excinfo.value).startswith("stopping after ")
        self._is_interrupted = not isinstance(excinfo.value, pytest.exit.Exception | pytest.Session.Interrupted)
        self._is_terminated = isinstance(excinfo.value, Terminated)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401  # xdist's own type
        """Remember what a worker could not write."""
        if text := distribution.trouble_of(node):
            self._troubles.append(Cause(code=exits.INTEGRITY, text=text))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the trial off the report; scores of items that share a trial are joined."""
        failed_last = self._config.pluginmanager.get_plugin("lfplugin")
        if failed_last is not None and getattr(report, "agenteval_kind", None) is not None:
            failed_last.lastfailed[report.nodeid] = True  # skipped for pytest, but --lf shall repeat it
        if self._is_excused(report):
            self._excused.add(self._test_of(report))
        self.refuse(report)
        data = getattr(report, "agenteval", None)
        if data is not None:
            if not isinstance(data, Trial):  # JSON from a worker
                data = report.agenteval = decode(Trial, data)  # type: ignore[attr-defined]  # ours
            _join(self._trials, data)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """An item without an answer is shown as its own kind."""
        kind = getattr(report, "agenteval_kind", None)
        return None if kind is None else (kind, kind[0].upper(), (kind.upper(), _COLORS[kind]))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Judge, write, publish the verdicts, and set the exit code that stands."""
        if not self._config.option.collectonly:
            self._finish(session)
        yield
        own = int(session.exitstatus)  # --max-warnings is counted last of all
        if self._judged is not None and own != self._exit_code:
            self._conclude(self._judged, own)
            session.exitstatus = self._exit_code

    def _finish(self, session: pytest.Session) -> None:
        own = self._own_code(session)
        try:
            judged = self._judge(own)
        except Exception as error:  # noqa: BLE001  # a fault of ours must end red, and be told
            run = replace(self._run, ended=self._clock.now())
            kept = run_folder(self._workspace.settings, run.id)
            text = f"the run could not be judged: {type(error).__name__}: {error}. Its trials are kept in {kept}"
            cause = Cause(code=exits.INTEGRITY, text=text)
            judged = Judged(finished=FinishedRun(run=run, trials=()), causes=(cause,))
        self._conclude(judged, own)
        session.exitstatus = self._exit_code
        session.testscollected += len(judged.verdicts)  # the terminal counts its percentages against this
        self._publish(judged)

    def _publish(self, judged: Judged) -> None:
        verdictreports.publish(self._config, judged, self._workspace, self._options)
        self._registry.observe("agenteval_run_judged", run=judged.finished.run, verdicts=judged.verdicts)

    def _own_code(self, session: pytest.Session) -> int:
        """Pytest's own exit code; a collection error is 2 and a first failure 1, also under xdist."""
        own = int(session.exitstatus)
        if own == exits.OK and session.testsfailed:  # pytest.exit(returncode=0) in a fixture's teardown
            own = exits.TESTS_FAILED
        if own == exits.INTERRUPTED and self._stopped_by_failures:
            return exits.TESTS_FAILED
        if own == exits.INTERRUPTED and self._is_terminated:
            return exits.TERMINATED
        excused = self._config.getoption("continue_on_collection_errors", False)
        return exits.INTERRUPTED if own == exits.TESTS_FAILED and self._collected_badly and not excused else own

    def doubts(self) -> Mapping[str, frozenset[str]]:
        """By suite, the cases that the gate wants to see once more; none where it cannot judge."""
        try:
            return self._judged_now().doubts
        except Exception:  # noqa: BLE001  # the end of the session meets it again, and tells it
            return {}

    def refuse(self, report: pytest.TestReport) -> None:
        """Remember it if no trial was made for the report's item, since the budget is spent."""
        refusal = getattr(report, "agenteval_refusal", None)
        if refusal is not None:
            self._refused[refusal] += 1

    def take_again(self, trial: Trial) -> None:
        """Take a trial of the second look."""
        _join(self._second, trial)

    def _judged_now(self) -> Judged:
        """What the trials so far come to; judged once where nothing has come since."""
        seen = (len(self._trials), len(self._second), len(self._excused))
        if self._judged_at is None or self._judged_at[0] != seen:
            self._judged_at = (seen, self._judged_anew())
        judged = self._judged_at[1]
        run = replace(judged.finished.run, ended=self._clock.now())
        return replace(judged, finished=replace(judged.finished, run=run))

    def _judged_anew(self) -> Judged:
        repeats = self._config.stash.get(REPEATS, None)
        if repeats is None:
            return self.judged_by(self.plan or Plan(), list(self._trials.values()))
        return repeats.judged()

    @property
    def plan(self) -> Plan | None:
        """What will run, once it is known."""
        found = self._config.stash.get(PLAN, None) or self._published
        if found is None:
            found = self._published = distribution.published_plan(self._workspace.settings, self._run.id)
        return found

    @property
    def trials(self) -> Mapping[TrialKey, Trial]:
        """Those that have come in; of the second look, none."""
        return self._trials

    def judged_by(self, plan: Plan, trials: Sequence[Trial]) -> Judged:
        """Judge these, and those of the second look so far."""
        return judge_run(
            replace(self._run, ended=self._clock.now()),
            trials,
            plan,
            self._workspace,
            self._options,
            second_look=list(self._second.values()),
            base=self._base,
            excused=self._excused,
        )

    def counts(self, suite: str, attempt: int) -> bool:
        """Whether the attempts of this number count, where not all have been needed."""
        repeats = self._config.stash.get(REPEATS, None)
        return repeats is None or repeats.counts(suite, attempt)

    def _is_excused(self, report: pytest.TestReport) -> bool:
        """Whether an agent's item need not pass: it is expected to fail, or skipped by something else than us."""
        if not self._by_base or not (report.skipped or hasattr(report, "wasxfail")):
            return False
        plan, repeats = self.plan or Plan(), self._config.stash.get(REPEATS, None)
        if getattr(report, "agenteval_kind", None) is not None or report.nodeid not in plan.shares:
            return False
        if repeats is None or report.nodeid not in plan.items:
            return True
        suite, case, attempt, _ = plan.items[report.nodeid]
        return hasattr(report, "wasxfail") or repeats.settled.needs((suite, case, int(attempt)))

    def _test_of(self, report: pytest.TestReport) -> str:
        """'suites/refunds/test_refunds.py::TestAll::test_refund', from the project's root."""
        path, _, name = report.nodeid.partition("::")
        root = Path(self._workspace.settings.root).resolve()
        file = (self._config.rootpath / path).resolve()
        place = file.relative_to(root).as_posix() if file.is_relative_to(root) else path
        return f"{place}::{name.partition('[')[0]}"

    def _judge(self, own: int) -> Judged:
        judged = self._judged_now()
        if own in exits.CUT_OFF or self._troubles:  # not sealed either: it can go on
            return replace(judged, verdicts=(), causes=tuple(self._troubles))
        return replace(judged, causes=(*judged.causes, *self._write(judged))).without(self._refused)

    def _conclude(self, judged: Judged, own: int) -> None:
        """Join pytest's own code to the causes, and write what is left of the run."""
        if own not in (exits.OK, *(cause.code for cause in judged.causes)):
            judged = replace(judged, causes=(*judged.causes, Cause(code=own, text=self._words(own))))
        self._judged = self._left(judged)
        self._exit_code = self._judged.code

    def _words(self, own: int) -> str:
        if own not in exits.CUT_OFF or not self._is_interrupted:
            return exits.own_words(own)
        return f"interrupted: gate not judged. Go on: pytest --agent-eval --agent-eval-resume {self._run.id}"

    def _left(self, judged: Judged) -> Judged:
        return conclude(judged, self._options.gate, self._workspace)

    def _write(self, judged: Judged) -> list[Cause]:
        causes = seal(judged, self._workspace)
        if self._options.record:
            causes += record(judged, self._workspace)
        return causes

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what was measured and what the gate says of it."""
        if self._judged is not None:
            terminal.summarise(terminalreporter, self._judged, self._exit_code, self._details)

    @property
    def _details(self) -> str:
        return f"details in {self._workspace.settings.work}/verdict.json"


def _join(known: dict[TrialKey, Trial], trial: Trial) -> None:
    """Items that share a trial bring their own scores each."""
    before = known.get(trial.key)
    known[trial.key] = trial if before is None else before.with_scores(trial.scores)
