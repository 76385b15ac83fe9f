"""The end of a session that makes one shard of a run: nothing is judged, and all is left for the merge."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.app.judging import Cause, Judged
from pytest_agenteval.app.runs import Plan, run_folder
from pytest_agenteval.app.shards import SHARD_SCHEMA, ShardEnd, write_shard
from pytest_agenteval.errors import IntegrityError
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline import exits
from pytest_agenteval.plugin.controller import Controller
from pytest_agenteval.plugin.items import NOT_CALLED


class ShardController(Controller):
    """Collects the trials of one shard; only the whole, once it is merged, can be judged."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # the same as a Controller's
        super().__init__(*arguments, **named)
        assert self._options.shard is not None  # the caller has looked
        self._shard = self._options.shard
        self._by_base = True  # the merge may have one
        self._failed: set[tuple[str, str, str]] = set()
        self._not_called: Counter[str] = Counter()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember also what the merge cannot see from the trials."""
        super().pytest_runtest_logreport(report)
        if getattr(report, "agenteval_kind", None) == NOT_CALLED and isinstance(report.longrepr, tuple):
            self._not_called[report.longrepr[2].removeprefix("Skipped: ").removeprefix("not called: ")] += 1
        data = getattr(report, "agenteval", None)
        if data is not None and report.failed:
            trial = data if isinstance(data, Trial) else decode(Trial, data)
            suite, case, attempt = trial.key
            self._failed |= {(suite, case, str(attempt))} if trial.case.must_pass else set()

    def _own_code(self, session: pytest.Session) -> int:
        """Pytest's own exit code; a shard may come away empty, where there are more shards than cases."""
        own = super()._own_code(session)
        return exits.OK if own == exits.NOTHING_COLLECTED and self._whole.planned else own

    @property
    def _whole(self) -> Plan:
        return self.plan or Plan()

    def _judge(self, own: int) -> Judged:
        trials = [self._trials[key] for key in sorted(self._trials)]
        run = replace(self._run, ended=self._clock.now())
        problems = () if own in exits.CUT_OFF else self._whole.problems
        causes = tuple(Cause(code=exits.USAGE, text=problem) for problem in problems)
        return Judged(finished=FinishedRun(run=run, trials=trials), causes=causes)

    def _words(self, own: int) -> str:
        if own not in exits.CUT_OFF or not self._is_interrupted:
            return exits.own_words(own)
        return "interrupted: run this shard again as it was, and what it has is not called again"

    def _publish(self, judged: Judged) -> None:
        """There is no verdict to tell."""

    def _left(self, judged: Judged) -> Judged:
        settings = self._workspace.settings
        end = ShardEnd(
            schema=SHARD_SCHEMA,
            shard=self._shard,
            run=judged.finished.run,
            options=self._options,
            plan=self._whole,
            causes=tuple(cause for cause in judged.causes if cause.text not in self._whole.problems),
            excused=tuple(sorted(self._excused)),
            failed=tuple(sorted(self._failed)),
            not_called=dict(self._not_called),
        )
        try:
            write_shard(run_folder(settings, self._run.id), end, Path(settings.root).resolve())
        except IntegrityError as error:
            return replace(judged, causes=(*judged.causes, Cause(code=exits.INTEGRITY, text=str(error))))
        return judged

    @property
    def _details(self) -> str:
        return f"{self._shard}: its trials are judged by pytest-agenteval merge"
