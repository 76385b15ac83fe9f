"""Around one item: its trial is made, its body runs, its scores are taken, and both travel on its report."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

from pytest_agenteval.app.runs import Job
from pytest_agenteval.app.trials import NotCalled, Trials
from pytest_agenteval.errors import AgentTargetError, IntegrityError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.visible import one_line
from pytest_agenteval.pipeline import exits
from pytest_agenteval.plugin import distribution, hearing, timeouts
from pytest_agenteval.plugin.ahead import Ahead
from pytest_agenteval.plugin.cases import JOB
from pytest_agenteval.plugin.light import Light
from pytest_agenteval.plugin.printed import printed, quoted
from pytest_agenteval.plugin.session import JOB_OF
from pytest_agenteval.plugin.terminal import KINDS
from pytest_agenteval.store.redaction import SafeTrial

_SAFE = pytest.StashKey[SafeTrial]()
_NOT_CALLED = pytest.StashKey[str]()

NOT_CALLED = "not called"
"""How an item is shown for which the budget was not enough."""


class Items:
    """The hooks and fixtures of a process that runs items (the only one, or a worker)."""

    def __init__(self, config: pytest.Config, trials: Trials, ahead: Ahead) -> None:
        self._config, self._is_worker = config, distribution.is_worker(config)
        self._unwritten = ""
        self._trials, self._ahead = trials, ahead
        self._knows_its_share = False
        self._light = Light(config, ahead, self._complete)
        config.pluginmanager.register(self._light, "agenteval-light")
        config.pluginmanager.register(timeouts, "agenteval-timeouts")
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
    def trial(self, request: pytest.FixtureRequest, agenteval_job: Job, agent: object) -> Trial:
        """The finished trial of the item: the agent has been called by the time the body runs."""
        return self._asked(request.node, agenteval_job, agent)

    @pytest.fixture
    def record_trial(self, agenteval_job: Job, agent: object) -> Callable[[object], Trial]:
        """Hand over what came of an agent that the test called itself; gives the trial."""
        return lambda answer: self._trials.record(agenteval_job, agent, answer)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Tell what is to come; a worker of xdist learns its share with its first item."""
        hearing.listen(session.config)
        # What is collected stays to the end: the collector, which pytest calls there, need not look at it any more.
        gc.unfreeze()
        gc.freeze()
        if not self._is_worker:
            self._ahead.expect(session.items)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Around an item: afterwards nothing that was called ahead for it waits for anybody."""
        if self._is_worker and not self._knows_its_share:
            self._knows_its_share = True
            self._ahead.expect(item.session.items)
        try:
            return (yield)
        finally:
            self._light.ran(item)
            if JOB_OF in item.stash:
                self._ahead.over(item.stash[JOB_OF])

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

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Hand the item what is ours without a fixture's way, which costs as much as a plain item.

        The trial itself is asked for when all is set up; until then None stands in its place.
        """
        job = item.stash.get(JOB_OF, None)
        if job is not None and isinstance(item, pytest.Function):
            item.funcargs.update({JOB: job, "case": job.case})
            if "trial" in item.fixturenames:
                item.funcargs["trial"] = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Run the body on an answer, score whatever there is, and say what an agent that erred did."""
        job = pyfuncitem.stash.get(JOB_OF, None)
        if job is None:
            return (yield)
        with self._evaluated(pyfuncitem, job):
            return (yield)

    @contextmanager
    def _evaluated(self, item: pytest.Function, job: Job) -> Generator[None]:
        """Around the body: the agent has answered before it, and what there is is scored after it."""
        _forget(item)
        if "trial" in item.funcargs:
            self._ahead.begin(item, job)
            item.funcargs["trial"] = self._asked(item, job, item.funcargs["agent"])
        trial = self._trials.finished(job)
        if trial is not None:
            self._add_sections(item, job)
            if trial.error is not None:
                item.stash[_SAFE] = self._scored(job)
                _end_without_answer(item.stash[_SAFE])
        try:
            yield
        finally:
            trial = self._trials.finished(job)
            if trial is not None:
                item.stash[_SAFE] = self._scored(job)
        if trial is None:
            pytest.fail("the test handed over no trial: call record_trial(answer)", pytrace=False)
        if trial.error is not None:
            _end_without_answer(item.stash[_SAFE])
        if job.case.must_pass and not self._trials.succeeded(job):
            pytest.fail("the case is tagged must_pass, and this trial does not succeed", pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the trial on the report; make what an agent said harmless for a terminal, and redact it there too."""
        report = yield
        if JOB_OF in item.stash:
            self._complete(report, item)
        return report

    def _complete(self, report: pytest.TestReport, item: pytest.Item) -> None:
        """Put the trial on the report, and make what an agent said harmless there."""
        _neutralise(report, self._trials.redacted)
        safe = item.stash.get(_SAFE, None)
        if report.when == "call" and safe is not None:
            report.agenteval = encode(safe) if self._is_worker else safe  # type: ignore[attr-defined]  # ours
            if safe.error is not None and report.skipped:
                report.agenteval_kind = KINDS[safe.error.kind]  # type: ignore[attr-defined]  # ours
        elif report.skipped and _NOT_CALLED in item.stash:
            report.agenteval_kind = NOT_CALLED  # type: ignore[attr-defined]  # ours
            report.agenteval_refusal = item.stash[_NOT_CALLED]  # type: ignore[attr-defined]  # ours

    def _asked(self, item: pytest.Item, job: Job, agent: object) -> Trial:
        """The trial; where nothing can be written the run ends: what is paid for must not be lost."""
        if self._unwritten:
            pytest.fail(self._unwritten, pytrace=False)
        try:
            with timeouts.clock_held(item):
                return self._trials.trial(job, agent)
        except NotCalled as refusal:
            item.stash[_NOT_CALLED] = str(refusal)
            reason = f"not called: {refusal}"
            raise pytest.skip.Exception(reason, _use_item_location=True) from None
        except IntegrityError as error:
            self._end(error)

    def _scored(self, job: Job) -> SafeTrial:
        try:
            return self._trials.score(job)
        except IntegrityError as error:
            self._end(error)

    def _end(self, error: IntegrityError) -> NoReturn:
        """End the run; to xdist a worker that exits is an internal error, so it fails what is left to it, uncalled."""
        if not self._is_worker:
            pytest.exit(str(error), returncode=exits.INTEGRITY)
        self._unwritten = str(error)
        distribution.tell_trouble(self._config, self._unwritten)
        pytest.fail(self._unwritten, pytrace=False)

    def _add_sections(self, item: pytest.Item, job: Job) -> None:
        heard = self._trials.heard(job)
        for where, text in heard.sections() if heard is not None else ():
            item.add_report_section("call", where, text)


class _StandIn:
    """What a test that takes ``agent`` is given where the command line names another agent."""

    def __call__(self, *_: object, **__: object) -> object:
        message = "this test calls its agent itself: --agent-eval-agent and replay cannot stand in. Leave it out by -k"
        raise AgentTargetError(message)


def _forget(item: pytest.Item) -> None:
    """Forget what came of an item that runs once more: in a second look, or by a plug-in that reruns."""
    if _SAFE in item.stash:
        del item.stash[_SAFE]
    if _NOT_CALLED in item.stash:
        del item.stash[_NOT_CALLED]


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
