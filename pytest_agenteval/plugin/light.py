"""Items that need nothing of their own run by a short protocol: one phase in place of three.

pytest sets up, calls and takes down each item, each with its own capture, log handlers and fixture requests. An item
whose fixtures are all shared, and up, needs none of that: its body is called with them. Hooks of other plug-ins that
look at the phases make all items run by pytest's own protocol, and so does whatever else an item asks for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from pytest_agenteval.pipeline.heard import HEARD, Heard
from pytest_agenteval.plugin.ahead import Ahead
from pytest_agenteval.plugin.cases import JOB
from pytest_agenteval.plugin.session import JOB_OF, PLAN

_PHASES = ("pytest_runtest_setup", "pytest_runtest_call", "pytest_runtest_teardown", "pytest_runtest_makereport")
_OPTIONS = ("usepdb", "trace", "setuponly", "setupshow", "setupplan", "log_cli_level", "log_file", "log_level")
_SETTINGS = ("log_cli", "log_cli_level", "log_file", "log_level")
_MARKS = frozenset({"agent_cases", "usefixtures", "parametrize"})
_HARMLESS = ("_pytest.", "pytest_agenteval.", "_hypothesis_pytestplugin")
"""pytest itself, ourselves, and Hypothesis, whose plug-in looks at its own tests alone, of which none is light."""

_CURRENT = "PYTEST_CURRENT_TEST"


class Light:
    """Knows which items may run by the short protocol, and runs them."""

    def __init__(
        self, config: pytest.Config, ahead: Ahead, complete: Callable[[pytest.TestReport, pytest.Item], None]
    ) -> None:
        self._config, self._ahead, self._complete = config, ahead, complete
        self._before: pytest.Item | None = None
        self._is_allowed: bool | None = None
        self._ends_are_heard = True

    def ran(self, item: pytest.Item) -> None:
        """Remember which item ran last."""
        self._before = item

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run an item that needs no more by the short protocol; leave the others to pytest."""
        if not isinstance(item, pytest.Function) or not self._may_run(item, nextitem):
            return None
        hook, where = item.ihook, item.location
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=where)
        os.environ[_CURRENT] = f"{item.nodeid} (call)".replace("\x00", "(null)")
        self._call(item)
        if self._ends_are_heard:
            done = pytest.CallInfo.from_call(lambda: None, "teardown")
            hook.pytest_runtest_logreport(report=pytest.TestReport.from_item_and_call(item, done))
        os.environ.pop(_CURRENT, None)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=where)
        return True

    def _may_run(self, item: pytest.Function, nextitem: pytest.Item | None) -> bool:
        """Whether nothing is to be set up for the item, and nothing taken down after it."""
        before = self._before
        if before is None or before.parent is not item.parent or nextitem is None or nextitem.parent is not item.parent:
            return False
        job = item.stash.get(JOB_OF, None)
        if self._is_allowed is None:
            self._is_allowed = _nobody_looks(self._config)
            self._ends_are_heard = _ends_are_heard(self._config)
        # Of adaptive repeats, one is left out where it would be set up.
        if not self._is_allowed or job is None or job.cap or self._ahead.shared_with(item) is None:
            return False
        return all(mark.name in _MARKS for mark in item.iter_markers())

    def _call(self, item: pytest.Function) -> None:
        hook = item.ihook
        with self._captured(item), _heard(item):
            reraise = (pytest.exit.Exception, KeyboardInterrupt)
            call = pytest.CallInfo.from_call(lambda: self._body(item), "call", reraise=reraise)
        if call.excinfo is None:
            report = pytest.TestReport.from_item_and_call(item, call)
            self._complete(report, item)
        else:
            report = hook.pytest_runtest_makereport(item=item, call=call)
        hook.pytest_runtest_logreport(report=report)
        if report.failed:
            hook.pytest_exception_interact(node=item, call=call, report=report)

    def _captured(self, item: pytest.Item) -> AbstractContextManager[None]:
        """What processes write that the body or an agent starts is pytest's to capture."""
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        captured: AbstractContextManager[None] = capture.item_capture("call", item) if capture else nullcontext()
        return captured

    def _body(self, item: pytest.Function) -> None:
        job = item.stash[JOB_OF]
        ours = {JOB: job, "case": job.case, "trial": None}
        item.funcargs.update({**item.callspec.params, **(self._ahead.shared_with(item) or {}), **ours})
        item.runtest()


@contextmanager
def _heard(item: pytest.Item) -> Generator[None]:
    """What pytest captures in phases, which are left out here, is kept as what a call says is."""
    heard = Heard()
    token = HEARD.set(heard)
    try:
        yield
    finally:
        HEARD.reset(token)
        for where, text in heard.sections():
            item.add_report_section("call", where, text)


def _nobody_looks(config: pytest.Config) -> bool:
    """Whether only pytest's own plug-ins and ours take part in the phases of an item, and nothing is shown of them."""
    settings = _SETTINGS if config.pluginmanager.has_plugin("logging-plugin") else ()
    if any(config.getoption(name, None) for name in _OPTIONS) or any(config.getini(name) for name in settings):
        return False
    return all(module.startswith(_HARMLESS) for name in _PHASES for module in _listeners(config, name))


def _ends_are_heard(config: pytest.Config) -> bool:
    """Whether somebody waits for the report of a teardown: JUnit, adaptive repeats, or another plug-in."""
    if config.getoption("xmlpath", None) or config.stash[PLAN].adaptive:
        return True
    return not all(module.startswith(_HARMLESS) for module in _listeners(config, "pytest_runtest_logreport"))


def _listeners(config: pytest.Config, hook: str) -> Iterator[str]:
    """The modules of the plug-ins that implement a hook."""
    for implementation in getattr(config.hook, hook).get_hookimpls():
        plugin = implementation.plugin
        yield getattr(plugin, "__name__", None) or type(plugin).__module__
