"""xdist: the controller tells the workers which run it is; the workers tell it what they collected."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.app.runs import Plan, run_folder
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.store.files import write_atomically

_RUN = "agenteval_run"
_TROUBLE = "agenteval_trouble"
_AHEAD = 2
"""Items that a worker has in hand while the next unit is sent to it; the same figure as xdist's."""


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of xdist."""
    return hasattr(config, "workerinput")


def distributes(config: pytest.Config) -> bool:
    """Whether this process is xdist's controller, which runs no items itself."""
    return not is_worker(config) and config.getoption("dist", "no") != "no" and bool(config.getoption("tx", []))


def worker_name(config: pytest.Config) -> str:
    """'gw0' in a worker, 'main' in a serial run."""
    return str(getattr(config, "workerinput", {}).get("workerid", "main"))


def process_name(config: pytest.Config) -> str:
    """The name of this process's files in the run's folder."""
    return of_shard(config, worker_name(config))


def of_shard(config: pytest.Config, name: str) -> str:
    """The name of a file in the run's folder, which several shards of the run may share."""
    shard = config.getoption("agent_eval_shard", None)
    return f"{shard.replace('/', '-of-')}-{name}" if shard else name


def n_processes(config: pytest.Config) -> int:
    """How many processes run items: the workers of xdist, or this one."""
    return int(getattr(config, "workerinput", {}).get("workercount", 1))


def run_id(config: pytest.Config) -> str | None:
    """The id that the controller gave to the run, in a worker."""
    return getattr(config, "workerinput", {}).get(_RUN)


def tell_trouble(config: pytest.Config, text: str) -> None:
    """In a worker: tell the controller at the end that something could not be written."""
    if is_worker(config):
        config.workeroutput[_TROUBLE] = text  # type: ignore[attr-defined]  # xdist's


def trouble_of(node: Any) -> str:  # noqa: ANN401  # xdist's own type
    """At the controller: what the worker has told, or the empty text; one that crashed tells nothing."""
    return str(getattr(node, "workeroutput", {}).get(_TROUBLE, ""))


def start(config: pytest.Config, run: str, settings: Settings) -> None:
    """Register what the controller does for its workers."""
    config.pluginmanager.register(_Distributor(run, settings), "agenteval-distributor")


def publish(config: pytest.Config, settings: Settings, plan: Plan) -> None:
    """In a worker: write what was collected where the controller reads it."""
    run = run_id(config)
    if run is not None:
        text = json.dumps(encode(plan))
        write_atomically(_plan_file(settings, run, process_name(config)), text.encode("utf-8", "replace"))


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

        made: object = _case_scheduling(LoadScopeScheduling, self._settings, self._run)(config, log)
        return made


def _case_scheduling(base: Any, settings: Settings, run: str) -> Any:  # noqa: ANN401, C901  # a class; xdist ships no types
    class CaseScheduling(base):  # type: ignore[misc]  # the same
        _plan = Plan()
        _is_dealt = False

        def schedule(self) -> None:
            self._plan = published_plan(settings, run) or Plan()
            super().schedule()

        def _split_scope(self, nodeid: str) -> str:
            return self._plan.shares.get(nodeid, nodeid)

        def _assign_work_unit(self, node: Any) -> None:  # noqa: ANN401  # the same
            if not self._is_dealt:
                self._is_dealt = True
                self._deal()
            if self.workqueue:
                super()._assign_work_unit(node)

        def _deal(self) -> None:
            """All cases are dealt in advance, in turn, so that each worker can call its own ones ahead.

            But not adaptive repeats, of which nobody knows yet how many are needed.
            """
            cases = {share for nodeid, share in self._plan.shares.items() if nodeid not in self._plan.items}
            units = [(scope, unit) for scope, unit in self.workqueue.items() if scope in cases]
            nodes = self.nodes
            hands = [units[number :: len(nodes)] for number in range(len(nodes))]
            dealt = {node.gateway.id: [scope for scope, _ in hand] for node, hand in zip(nodes, hands, strict=True)}
            write_atomically(_dealt_file(self.config, settings, run), json.dumps(dealt).encode())
            place = {nodeid: index for index, nodeid in enumerate(self.collection)}
            for node, hand in zip(nodes, hands, strict=True):
                self.assigned_work[node].update(hand)
                for scope, _ in hand:
                    del self.workqueue[scope]
                # In the order in which they were collected: round by round, and not case by case.
                node.send_runtest_some(sorted(place[nodeid] for _, unit in hand for nodeid in unit))

        def _reschedule(self, node: Any) -> None:  # noqa: ANN401  # the same
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

    return CaseScheduling


def dealt_to(config: pytest.Config, settings: Settings) -> Callable[[str], bool]:
    """Whether the case of that share was dealt to this process in advance; all are, where there is no other."""
    run = run_id(config)
    if run is None:
        return lambda _: True
    return lambda share: share in _hand(_dealt_file(config, settings, run), worker_name(config))


@cache
def _hand(file: Path, worker: str) -> frozenset[str]:
    """What a worker was dealt; nothing where the file is not there: it is written before the first item is."""
    return frozenset(json.loads(file.read_text("utf-8")).get(worker, ())) if file.exists() else frozenset()


def _dealt_file(config: pytest.Config, settings: Settings, run: str) -> Path:
    return run_folder(settings, run) / of_shard(config, "dealt.json")
