"""The beginning of a session with ``--agent-eval``: what the command line and the settings ask for."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from pytest_agenteval.app.registry import Registry, offers_hooks
from pytest_agenteval.app.resuming import note_run, refuse_begun, resumed
from pytest_agenteval.app.runs import RunOptions, Shard, new_run_id, parse_shard, run_folder, versions
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.app.trials import Trials
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import AgentEvalError, IntegrityError, SettingsError
from pytest_agenteval.model.run import Run
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.budget import parse_budget
from pytest_agenteval.pipeline.clock import Clock, SystemClock
from pytest_agenteval.plugin import cached, calloff, collect, default_agent, distribution
from pytest_agenteval.plugin.session import (
    RESUMED,
    Collector,
    Roots,
    SightAtTheController,
    refuse_lower_conftest,
    roots_of,
)
from pytest_agenteval.plugin.termination import Termination
from pytest_agenteval.store.files import refusals_of, refuse_unwritable
from pytest_agenteval.store.history.segments import segment_path

if TYPE_CHECKING:
    from pytest_agenteval.app.base import Base


def start(config: pytest.Config) -> None:
    """Read the settings, make the run, and register what the process needs. Wrong settings end it: exit 4."""
    from pytest_agenteval.plugin import adaptive, progress, secondlook
    from pytest_agenteval.plugin.controller import Controller
    from pytest_agenteval.plugin.sharding import ShardController

    clock = SystemClock()
    try:
        workspace = Workspace.at(collect.project_folder(config))
        registry = Registry(
            _hook_plugins(config, roots_of(config, workspace)), workspace.settings.plugins, workspace.settings.root
        )
        options = _options(config, Path(workspace.settings.root))
        base = _base(config, workspace, options)
        _ = registry.metrics  # a name that two plug-ins give is told now
        run = _run(config, workspace, options, clock)
    except IntegrityError as error:
        _refuse(error, workspace)
    except AgentEvalError as error:
        raise pytest.UsageError(str(error)) from error

    def take_part() -> None:
        _take_part(config, run, workspace, registry, options)

    # Before the conftests' fixtures are read, which go before it.
    config.pluginmanager.register(default_agent, "agenteval-default-agent")
    trials = None
    try:
        _make_folder(workspace.settings, run)
        if not distribution.is_worker(config):
            refuse_unwritable(segment_path(workspace.settings.path("history"), run).parent)
            note_run(run_folder(workspace.settings, run.id), run)
        if distribution.distributes(config) or distribution.is_worker(config):
            calloff.register(config, workspace.settings, run.id)
        if distribution.distributes(config):
            distribution.start(config, run.id, workspace.settings)
            config.pluginmanager.register(SightAtTheController(config, workspace, options, run.id), "agenteval-sight")
            cached.tell_troubles(config)
        else:
            trials = _take_part(config, run, workspace, registry, options)
    except IntegrityError as error:
        _refuse(error, workspace)
    if not distribution.is_worker(config):
        kind = ShardController if options.shard else Controller
        config.pluginmanager.register(Termination(), "agenteval-termination")
        controller = kind(config, run, workspace, registry, options, clock=clock, base=base)
        config.pluginmanager.register(controller, "agenteval-controller")
        progress.watch(config, workspace.settings, lambda: controller.plan, trials)
        watching = adaptive.Watching(config, controller, workspace, run_folder(workspace.settings, run.id))
        config.pluginmanager.register(watching, "agenteval-watching")
        if options.shard is None:  # no shard can look again: the gate judges the whole
            secondlook.register(config, controller, take_part)


def _take_part(
    config: pytest.Config, run: Run, workspace: Workspace, registry: Registry, options: RunOptions
) -> Trials:
    """Collect and run items in this process."""
    from pytest_agenteval.plugin import adaptive, exitguard
    from pytest_agenteval.plugin.ahead import Ahead
    from pytest_agenteval.plugin.items import Items

    exitguard.stand_guard(config)
    settings = workspace.settings
    trials = Trials(
        run,
        settings,
        registry,
        options,
        clock=SystemClock(),
        name=distribution.process_name(config),
        processes=distribution.n_processes(config),
    )
    skipping = adaptive.Skipping(config, run_folder(settings, run.id))
    ahead = Ahead(trials, distribution.dealt_to(config, settings), skipping.needs)
    config.pluginmanager.register(Collector(config, workspace, registry, options, trials), "agenteval-collector")
    config.pluginmanager.register(ahead, "agenteval-ahead")
    config.pluginmanager.register(Items(config, trials, ahead), "agenteval-items")
    config.pluginmanager.register(skipping, "agenteval-skipping")
    if trials.cached is not None:
        cached.tell_troubles(config, trials.cached)
    return trials


def _run(config: pytest.Config, workspace: Workspace, options: RunOptions, clock: Clock) -> Run:
    """The run of this session: a new one, the one whose worker this is, or one that goes on."""
    named, asked = config.getoption("agent_eval_run_id"), config.getoption("agent_eval_resume")
    run = Run(
        id=distribution.run_id(config) or named or new_run_id(clock),
        started=clock.now(),
        mode=options.mode,
        candidate=options.agent or "",
        versions=versions(),
    )
    if distribution.is_worker(config):
        return run
    if asked is not None:
        if named:
            message = "--agent-eval-resume goes on with a run under its own id. Leave out --agent-eval-run-id"
            raise SettingsError(message)
        run = resumed(workspace, asked, run)
        config.stash[RESUMED] = run.id
    elif named and options.shard is None:  # a shard that is run again goes on, too
        refuse_begun(workspace, named)
    return run


def _refuse(error: IntegrityError, workspace: Workspace) -> NoReturn:
    """End the session before the first, paid call; the last run's verdict must not be read as this one's."""
    with suppress(OSError):
        workspace.verdict_file.unlink(missing_ok=True)
    pytest.exit(str(error), returncode=exits.INTEGRITY)


def _make_folder(settings: Settings, run: Run) -> None:
    """Make the folder of the run. Raises IntegrityError where it may not be made: before the first, paid call."""
    folder = run_folder(settings, run.id)
    with refusals_of(folder, "made"):
        folder.mkdir(parents=True, exist_ok=True)
        ignore = settings.path("work") / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# Made anew by each run: not for git.\n*\n", "utf-8")


def _base(config: pytest.Config, workspace: Workspace, options: RunOptions) -> Base | None:
    """The base that the command line names, for the process that judges."""
    ref = _typed(config, "--agent-eval-base") or config.getoption("agent_eval_base")
    if not ref or distribution.is_worker(config) or config.option.collectonly:
        return None
    if options.partial_is_meant:
        message = (
            "--agent-eval-base judges whole suites, and --agent-eval-partial judges nothing. Leave one of them out"
        )
        raise SettingsError(message)
    from pytest_agenteval.app.base import read_base

    return read_base(workspace, ref, options, start=collect.project_folder(config))


def _typed(config: pytest.Config, option: str) -> str:
    """The value of an option as it was typed: a conftest may have changed what pytest keeps of it."""
    found = ""
    for word, after in pairwise([*map(str, config.invocation_params.args), ""]):
        name, is_one_word, value = word.partition("=")
        if name == option:
            found = value if is_one_word else after
    return found


def _options(config: pytest.Config, root: Path) -> RunOptions:
    repeats = config.getoption("agent_eval_repeats")
    if repeats is not None and repeats < 1:
        message = f"--agent-eval-repeats {repeats} makes no attempt; it is at least 1"
        raise SettingsError(message)
    concurrency = config.getoption("agent_eval_concurrency")
    if concurrency is not None and concurrency < 1:
        message = f"--agent-eval-concurrency {concurrency} calls no agent; it is at least 1"
        raise SettingsError(message)
    budget = config.getoption("agent_eval_budget")
    return RunOptions(
        mode=config.getoption("agent_eval_mode"),
        gate=config.getoption("agent_eval_gate"),
        agent=config.getoption("agent_eval_agent"),
        repeats=repeats,
        record=config.getoption("agent_eval_record"),
        partial_is_meant=config.getoption("agent_eval_partial"),
        concurrency=concurrency,
        budget=parse_budget(budget) if budget else None,
        cache=config.getoption("agent_eval_cache"),
        stops_early=bool(config.getoption("maxfail")) or bool(config.getoption("stepwise", False)),
        paths=collect.named_paths(config, root),
        shard=_shard(config),
    )


def _shard(config: pytest.Config) -> Shard | None:
    """The part of a run that this session makes, if it is one."""
    text = config.getoption("agent_eval_shard")
    if not text:
        return None
    shard = parse_shard(text)
    if not config.getoption("agent_eval_run_id"):
        message = (
            f"--agent-eval-shard {text} is a part of a run: name the run, for all parts, by --agent-eval-run-id ID"
        )
        raise SettingsError(message)
    if _typed(config, "--agent-eval-base") or config.getoption("agent_eval_base"):
        message = "--agent-eval-base judges, and a shard is not judged. Give the base to pytest-agenteval merge --base"
        raise SettingsError(message)
    return shard


def _hook_plugins(config: pytest.Config, roots: Roots) -> list[object]:
    """Every pytest plug-in, the root conftest among them, that has an ``agenteval_`` hook."""
    found = [plugin for plugin in config.pluginmanager.get_plugins() if offers_hooks(plugin)]
    for plugin in found:
        refuse_lower_conftest(plugin, roots)
    return found
