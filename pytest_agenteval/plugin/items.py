"""Around one item: its trial is made, its body runs, its scores are taken, and both travel on its report."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from pytest_agenteval.app.runs import Job, Trials
from pytest_agenteval.errors import AgentTargetError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.visible import one_line
from pytest_agenteval.plugin import distribution
from pytest_agenteval.plugin.cases import JOB
from pytest_agenteval.plugin.printed import printed, quoted
from pytest_agenteval.plugin.session import JOB_OF
from pytest_agenteval.store.redaction import SafeTrial

_SAFE = pytest.StashKey[SafeTrial]()

KINDS = {"agent": "agent error", "infrastructure": "infrastructure error"}
"""How an item without an answer is shown, by the kind of its fault."""


class Items:
    """The hooks and fixtures of a process that runs items (the only one, or a worker)."""

    def __init__(self, config: pytest.Config, trials: Trials) -> None:
        self._is_worker = distribution.is_worker(config)
        self._trials = trials
        config.add_cleanup(trials.close)

    @pytest.fixture
    def agenteval_job(self) -> Job:
        """The job of the item; ``pytest_fixture_setup`` gives it in place of this body."""
        pytest.fail("this fixture belongs to tests with @agent_cases alone", pytrace=False)

    @pytest.fixture
    def case(self, agenteval_job: Job) -> Case:
        """The case of the item."""
        return agenteval_job.case

    @pytest.fixture
    def trial(self, agenteval_job: Job, agent: object) -> Trial:
        """The finished trial of the item: the agent has been called by the time the body runs."""
        return self._trials.trial(agenteval_job, agent)

    @pytest.fixture
    def record_trial(self, agenteval_job: Job, agent: object) -> Callable[[object], Trial]:
        """Hand over what came of an agent that the test called itself; gives the trial."""
        return lambda answer: self._trials.record(agenteval_job, agent, answer)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> object | None:  # noqa: ANN401  # pytest's own
        """Give an item its job, and with --agent-eval-agent a stand-in for the user's agent.

        The user's fixture is not set up then: a live agent must not even be built.
        """
        given: object
        if fixturedef.argname == JOB:
            given = request.node.stash[JOB_OF]
        elif fixturedef.argname == "agent" and self._trials.replaces_the_fixture:
            given = _StandIn()
        else:
            return None
        fixturedef.cached_result = (given, fixturedef.cache_key(request), None)
        return given

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Run the body on an answer, score whatever there is, and say what an agent that erred did."""
        job = pyfuncitem.stash.get(JOB_OF, None)
        if job is None:
            return (yield)
        trial = self._trials.finished(job)
        if trial is not None and trial.error is not None:
            pyfuncitem.stash[_SAFE] = self._trials.score(job)
            _end_without_answer(pyfuncitem.stash[_SAFE])
        try:
            result = yield
        finally:
            trial = self._trials.finished(job)
            if trial is not None:
                pyfuncitem.stash[_SAFE] = self._trials.score(job)
        if trial is None:
            pytest.fail("the test handed over no trial: call record_trial(answer)", pytrace=False)
        if trial.error is not None:
            _end_without_answer(pyfuncitem.stash[_SAFE])
        if job.case.must_pass and not self._trials.succeeded(job):
            pytest.fail("the case is tagged must_pass, and this trial does not succeed", pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the trial on the report; make what an agent said harmless for a terminal, and redact it there too."""
        report = yield
        if JOB_OF not in item.stash:
            return report
        _neutralise(report, self._trials.redacted)
        safe = item.stash.get(_SAFE, None)
        if report.when == "call" and safe is not None:
            report.agenteval = encode(safe) if self._is_worker else safe  # type: ignore[attr-defined]  # ours
            if safe.error is not None and report.skipped:
                report.agenteval_kind = KINDS[safe.error.kind]  # type: ignore[attr-defined]  # ours
        return report


class _StandIn:
    """What a test that takes ``agent`` is given where the command line names another agent."""

    def __call__(self, *_: object, **__: object) -> object:
        message = "this test calls its agent itself: --agent-eval-agent and replay cannot stand in. Leave it out by -k"
        raise AgentTargetError(message)


def _end_without_answer(safe: SafeTrial) -> None:
    fault = safe.error
    assert fault is not None  # the caller has looked
    text = f"{KINDS[fault.kind]}: {one_line(f'{fault.type}: {fault.message}')}"
    if safe.case.must_pass:
        pytest.fail(f"{text} (the case is tagged must_pass)", pytrace=False)
    raise pytest.skip.Exception(text, _use_item_location=True)


def _neutralise(report: pytest.TestReport, redacted: Callable[[str], str]) -> None:
    report.sections = [(name, quoted(redacted(text))) for name, text in report.sections]
    if isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        report.longrepr = (path, line, printed(redacted(reason)))
    elif report.longrepr is not None:
        text = report.longreprtext
        shown = printed(redacted(text))
        if shown != text:
            report.longrepr = shown
