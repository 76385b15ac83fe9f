"""A session with ``--agent-eval``: collects jobs, and hands each item its job."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_agenteval.app.registry import Registry, offers_hooks
from pytest_agenteval.app.runs import (
    Job,
    Plan,
    RunOptions,
    adaptive_suites,
    plan_of,
    with_always_measured,
)
from pytest_agenteval.app.trials import Trials
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.contracts import Metric
from pytest_agenteval.errors import AgentEvalError, CaseError, IntegrityError, SettingsError
from pytest_agenteval.model.trial import TrialKey
from pytest_agenteval.model.visible import visible
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.clock import SystemClock
from pytest_agenteval.plugin import collect, dealing, distribution
from pytest_agenteval.plugin.cases import JOB
from pytest_agenteval.plugin.terminal import say

Roots = tuple[Path, Path]
"""The project's root and pytest's, which are the same but for pytest 8.0."""

JOB_OF = pytest.StashKey[Job]()
PLAN = pytest.StashKey[Plan]()
RESUMED = pytest.StashKey[str]()
"""The id of the run that goes on, in the process that tells."""


class Collector:
    """Turns marked tests into items with a job, and keeps the plan of what will run."""

    def __init__(
        self, config: pytest.Config, workspace: Workspace, registry: Registry, options: RunOptions, trials: Trials
    ) -> None:
        self._workspace, self._registry, self._options = workspace, registry, options
        self._settings = workspace.settings
        self._reader = collect.CaseReader(workspace.settings)
        self._trials = trials
        self._problems: list[str] = []
        self._files: set[Path] = set()
        self._unreadable: set[Path] = set()
        self._config = config
        self._roots = roots_of(config, workspace)

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Remember which test files are read."""
        self._files.add(collector.path)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """A file that cannot be collected is as good as left out: pytest may go on without it when told to."""
        report = yield
        if report.failed:
            self._unreadable.add(collector.path)
        return report

    # First of all, so that the cases' ids stand before the user's own parameters.
    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One item an attempt. What is wrong with a case file is kept, and told at the end with exit 4."""
        try:
            mark = collect.mark_of(metafunc)
            if mark is None:
                return
            collect.refuse_misuse(metafunc)
            cases = self._reader.cases(mark, metafunc.definition.path, collect.place_of(metafunc.definition))
            with_always_measured(mark.metrics, self._registry)
        except AgentEvalError as error:
            self._problems.append(str(error))
            return
        collect.parametrise(metafunc, mark, cases, self._options.repeats or mark.repeats)

    def pytest_plugin_registered(self, plugin: object) -> None:
        """A conftest below the root comes too late for its hooks to be asked."""
        try:
            refuse_lower_conftest(plugin, self._roots)
        except AgentEvalError as error:
            self._problems.append(str(error))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None]:
        """Give each item its job; what other plug-ins deselect makes its suite partial."""
        try:
            all_jobs = self._give_jobs(items)
        except AgentEvalError as error:
            self._problems.append(str(error))
            all_jobs = {}
        if not self._config.option.collectonly:
            self._problems += self._known_before({job.suite for job in all_jobs.values()})
        yield
        if self._problems:
            items[:] = []
        adaptive = adaptive_suites(all_jobs.values())
        with_job = [(item, item.stash[JOB_OF]) for item in items if JOB_OF in item.stash]
        collect.in_rounds(items, {item: (job.suite, job.attempt) for item, job in with_job if job.suite in adaptive})
        left = {item.nodeid: item.stash[JOB_OF] for item in items if JOB_OF in item.stash}
        if not self._config.option.collectonly:
            self._make_agents({job.suite for job in left.values()})
        partial = {job.suite for node, job in all_jobs.items() if node not in left}
        partial |= self._partly_collected(left)
        # A test that calls its agent itself cannot be asked again without its body.
        own = {
            item.stash[JOB_OF].suite
            for item in items
            if JOB_OF in item.stash and "trial" not in getattr(item, "fixturenames", ())
        }
        again = {job.suite for job in left.values()} - own
        plan = plan_of(left, partial=partial, problems=self._problems, looks_again=again)
        if self._options.shard is not None:
            plan = dealing.keep_own(self._config, items, left, plan, self._options.shard)
        if plan.problems:
            items[:] = []
        plan = replace(plan, n_kept=self._trials.n_kept(left.values()))
        self._config.stash[PLAN] = plan
        distribution.publish(self._config, self._settings, plan)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Around all items: before anything is judged, nothing is under way, and the journal is on the disk."""
        try:
            return (yield)
        finally:
            try:
                self._trials.close()
            except IntegrityError as error:
                distribution.tell_trouble(self._config, str(error))
                pytest.exit(str(error), returncode=exits.INTEGRITY)

    def pytest_report_collectionfinish(self) -> list[str]:
        """Tell what the gate will be able to see in this run."""
        plan = self._config.stash.get(PLAN, None)
        if plan is None or self._config.option.collectonly or distribution.distributes(self._config):
            return []
        return [*resume_line(self._config, plan), *sight_lines(self._workspace, plan, self._options)]

    def _known_before(self, suites: set[str]) -> Iterator[str]:
        """What the end of the run would find to be wrong, and nobody should pay agent calls for."""
        from pytest_agenteval.app.judging import misspelt

        named = self._config.getoption("agent_eval_run_id")
        if named and self._workspace.history.has(named):
            yield f"--agent-eval-run-id {named}: the history has this run; an id is used once. Name another"
        yield from misspelt(sorted(suites), self._workspace)

    def _make_agents(self, suites: set[str]) -> None:
        for suite in sorted(suites):
            try:
                self._trials.make_agent(suite)
            except AgentEvalError as error:
                self._problems.append(str(error))

    def _give_jobs(self, items: list[pytest.Item]) -> dict[str, Job]:
        jobs: dict[str, Job] = {}
        agents: dict[TrialKey, tuple[object, str]] = {}
        metrics: dict[int, tuple[Metric, ...]] = {}
        for item in items:
            mark = collect.mark_of(item)
            if mark is None or not isinstance(item, pytest.Function):
                continue
            collect.refuse_unittest(item)
            callspec = getattr(item, "callspec", None)
            if callspec is None or JOB not in callspec.params:  # its cases were refused, and that is told
                continue
            case, attempt = callspec.params[JOB]
            suite = case.suite + collect.agent_parameters(item)
            if id(mark) not in metrics:
                metrics[id(mark)] = with_always_measured(mark.metrics, self._registry)
            case = case if case.suite == suite else replace(case, suite=suite)
            cap = mark.repeats if mark.adaptive and not self._options.repeats else 0
            job = Job(suite=suite, case=case, attempt=attempt, metrics=metrics[id(mark)], cap=cap)
            item.stash[JOB_OF] = jobs[item.nodeid] = job
            agent = collect.agent_definition(item)
            before = agents.setdefault(job.key, (agent, item.nodeid))
            if before[0] is not agent:
                message = (
                    f"{before[1]} and {item.nodeid} share the trial of case {case.id!r} in suite {suite!r}, but their "
                    f"fixtures 'agent' differ. Put one of the tests into a suite of its own"
                )
                raise CaseError(message)
        return jobs

    def _partly_collected(self, jobs: Mapping[str, Job]) -> set[str]:
        """Suites of which a node id, --lf or a single file names only a part."""
        suites = {job.suite for job in jobs.values()}
        if any("::" in str(arg) for arg in self._config.args) or self._only_last_failed():
            return suites
        folder = self._settings.path("suite_folder")
        read = self._files - self._unreadable
        return {suite for suite in suites if collect.unread_files(read, self._config, _suite_path(folder, suite))}

    def _only_last_failed(self) -> bool:
        config = self._config
        cache = getattr(config, "cache", None)
        return bool(config.getoption("lf", False) and cache and cache.get("cache/lastfailed", {}))


class SightAtTheController:
    """Under xdist the workers collect, and the controller tells what the gate will be able to see."""

    def __init__(self, config: pytest.Config, workspace: Workspace, options: RunOptions, run: str) -> None:
        self._config, self._workspace, self._options, self._run = config, workspace, options, run
        self._told = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Tell it when the first worker has collected."""
        plan = distribution.published_plan(self._workspace.settings, self._run)
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._told or plan is None or reporter is None:
            return
        self._told = True
        for line in (*resume_line(self._config, plan), *sight_lines(self._workspace, plan, self._options)):
            say(reporter, line)


def resume_line(config: pytest.Config, plan: Plan) -> list[str]:
    """How much of a run that goes on is done."""
    run = config.stash.get(RESUMED, None)
    return [] if run is None else [visible(f"resuming run {run}: {plan.n_kept} of {len(plan.planned)} done")]


def sight_lines(workspace: Workspace, plan: Plan, options: RunOptions) -> list[str]:
    """What the gate of each suite will be able to see; a shard has none."""
    if options.shard is not None:
        return [dealing.shard_line(plan, options.shard)]
    from pytest_agenteval.app.sight import sights

    now = SystemClock().now()
    return [visible(line) for line in sights(workspace, plan, live=options.mode == "live", at=now)]


def _suite_path(folder: Path, suite: str) -> Path:
    return folder.resolve() / suite.partition("[")[0]


def refuse_lower_conftest(plugin: object, roots: Roots) -> None:
    """An ``agenteval_`` hook in a conftest below the project's root is an error that says where to move it."""
    file = Path(getattr(plugin, "__file__", None) or "")
    if file.name == "conftest.py" and file.parent not in roots and offers_hooks(plugin):
        message = f"{file} has an agenteval_ hook, but only the conftest.py of {roots[0]} may. Move it there"
        raise SettingsError(message)


def roots_of(config: pytest.Config, workspace: Workspace) -> Roots:
    """The project's root and pytest's."""
    return Path(workspace.settings.root), config.rootpath
