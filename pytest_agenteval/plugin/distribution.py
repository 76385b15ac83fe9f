"""xdist: the controller tells the workers which run it is; the workers tell it what they collected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.app.runs import Plan, run_folder
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.store.files import write_atomically

_RUN = "agenteval_run"
_AHEAD = 2
"""Items that a worker has in hand while the next unit is sent to it; the same figure as xdist's."""


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of xdist."""
    return hasattr(config, "workerinput")


def distributes(config: pytest.Config) -> bool:
    """Whether this process is xdist's controller, which runs no items itself."""
    return not is_worker(config) and config.getoption("dist", "no") != "no" and bool(config.getoption("tx", []))


def worker_name(config: pytest.Config) -> str:
    """'gw0' in a worker, 'main' in a serial run: it names the process's own journal."""
    return str(getattr(config, "workerinput", {}).get("workerid", "main"))


def run_id(config: pytest.Config) -> str | None:
    """The id that the controller gave to the run, in a worker."""
    return getattr(config, "workerinput", {}).get(_RUN)


def start(config: pytest.Config, run: str, settings: Settings) -> None:
    """Register what the controller does for its workers."""
    config.pluginmanager.register(_Distributor(run, settings), "agenteval-distributor")


def publish(config: pytest.Config, settings: Settings, plan: Plan) -> None:
    """In a worker: write what was collected where the controller reads it."""
    run = run_id(config)
    if run is not None:
        text = json.dumps(encode(plan))
        write_atomically(_plan_file(settings, run, worker_name(config)), text.encode("utf-8", "replace"))


def published_plan(settings: Settings, run: str) -> Plan | None:
    """The plan that the workers published; they all collect the same."""
    for file in sorted(run_folder(settings, run).glob("collected-*.json")):
        return decode(Plan, json.loads(file.read_text("utf-8")))
    return None


def _plan_file(settings: Settings, run: str, name: str) -> Path:
    return run_folder(settings, run) / f"collected-{name}.json"


class _Distributor:
    def __init__(self, run: str, settings: Settings) -> None:
        self._run, self._settings = run, settings

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401  # xdist's own type
        """Give each worker the run's id."""
        node.workerinput[_RUN] = self._run

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> object | None:  # noqa: ANN401  # the same
        """Deal whole cases: items that share a trial, and all attempts of a case, go to one worker.

        The attempts of a case whose repeats are adaptive are dealt one by one: the next may not be needed.
        """
        if config.getoption("dist") not in ("load", "loadscope"):
            return None
        from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # xdist ships no types

        settings, run = self._settings, self._run

        class CaseScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
            _plan = Plan()

            def schedule(self) -> None:
                self._plan = published_plan(settings, run) or Plan()
                # The largest shares would go first; the rounds of adaptive repeats stay in their order.
                largest_first = getattr(config.option, "loadscopereorder", True)
                config.option.loadscopereorder = largest_first and not self._plan.adaptive
                super().schedule()

            def _split_scope(self, nodeid: str) -> str:
                return self._plan.shares.get(nodeid, nodeid)

            def _reschedule(self, node: Any) -> None:  # noqa: ANN401  # xdist's own type
                # A worker runs its last item only when it knows what follows; xdist gives the one that
                # replaces a crashed worker a single unit, and both would wait for ever.
                work = self.assigned_work[node]
                while self.workqueue and not node.shutting_down and self._pending_of(work) <= _AHEAD:
                    super()._reschedule(node)
                if not self.workqueue and not node.shutting_down:
                    node.shutdown()

            def remove_node(self, node: Any) -> str | None:  # noqa: ANN401  # the same
                # xdist would run the item that killed its worker again, and kill one worker after the other.
                units = list(self.assigned_work[node].items())
                crashed = next((item for _, unit in units for item, done in unit.items() if not done), None)
                for scope, unit in units:
                    unit.update({crashed: True} if crashed in unit else {})
                    if all(unit.values()):
                        del self.assigned_work[node][scope]
                super().remove_node(node)
                return crashed

        return CaseScheduling(config, log)
