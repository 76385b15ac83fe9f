"""What all tests share: pytester, Hypothesis's profiles, and the rule that CI proves everything."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

# Kept loaded: pytester forgets what an inner run imported first, and compiled modules bear no second import.
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pytest
import scipy.special
import scipy.stats  # noqa: F401
from coverage import Coverage
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

pytest_plugins = ["pytester"]

if "PYTEST_XDIST_WORKER" in os.environ:
    # What a test starts runs code that tests in this process measure as well; measuring it again takes minutes.
    for _name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
        del os.environ[_name]

# Bytecode is kept even where the environment forbids it: each of a thousand inner sessions would compile all anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No deadline and no complaint of slowness: a busy machine is not a broken law.
# PYTEST_AGENTEVAL_FULL takes the slow proofs whole: `make test-full`.
_EXAMPLES = 500 if "PYTEST_AGENTEVAL_FULL" in os.environ else 25
settings.register_profile("ours", deadline=None, max_examples=_EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


@pytest.fixture(scope="session", autouse=True)
def _the_same_in_ci_as_at_home() -> Iterator[None]:
    """Hide CI from what is tested; a test about CI sets it itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "BUILD_NUMBER"):
            patch.delenv(name, raising=False)
        yield


# Simulations, and whole recordings judged: they run lines that other tests run and measure, a million times.
UNMEASURED = {
    "app/test_plan_is_calibrated.py",
    "benchmarks/test_gate_table.py",
    "pipeline/test_adaptive.py",
    "pipeline/test_simulated_gate.py",
    "pipeline/test_two_looks.py",
    "report/test_function_calling_report.py",
    "suites/test_all_pairs.py",
    "suites/test_figures_from_recordings.py",
    "suites/test_gate_of_the_committed_suites.py",
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    measuring = Coverage.current() if "/".join(item.path.parts[-2:]) in UNMEASURED else None
    if measuring is None:
        return (yield)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()


def unproven(config: pytest.Config) -> list[str]:
    """Node ids of what was skipped or expected to fail, where CI is set; empty in a worker of xdist."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or not os.environ.get("CI"):
        return []
    return [report.nodeid for kind in ("skipped", "xfailed") for report in terminal.stats.get(kind, ())]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK and unproven(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if missing := unproven(terminalreporter.config):
        terminalreporter.section("not proven", red=True)
        terminalreporter.line("CI is set, where each test must run and pass; skipped or expected to fail:")
        for nodeid in missing:
            terminalreporter.line(f"  {nodeid}")
