"""What plug-ins and the project itself bring: metrics, sections, redactors, agents. One pluggy manager."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

from pytest_agenteval import hookspecs
from pytest_agenteval.contracts import Agent, Metric, Redactor, Section
from pytest_agenteval.errors import MetricError, SettingsError, UsageError
from pytest_agenteval.model.codec import near
from pytest_agenteval.model.visible import visible

ALWAYS_MEASURED = ("error_rate", "latency_seconds", "tokens", "cost_usd")
"""Scored on every trial, whatever a test names."""


_PACKAGE = Path(__file__).parent.parent


class BuiltIn:
    """What comes with the project, through the same hooks as anybody's."""

    @hookspecs.hookimpl
    def agenteval_metrics(self) -> Sequence[Metric]:
        """The metrics that go by a plain name."""
        from pytest_agenteval.metrics import built_in_metrics

        return built_in_metrics()

    @hookspecs.hookimpl
    def agenteval_redactors(self) -> Sequence[Redactor]:
        """Known forms of secrets, and the values of secret-named environment variables."""
        from pytest_agenteval.store.redaction import environment_secrets, secret_patterns

        return [secret_patterns, environment_secrets(os.environ)]

    @hookspecs.hookimpl
    def agenteval_sections(self) -> Sequence[Section]:
        """The sections of the report."""
        from pytest_agenteval.report.sections import built_in_sections

        return built_in_sections()


class Registry:
    """Asks the plug-ins. A plug-in that names what another has already named is an error."""

    def __init__(self, plugins: Iterable[object] = (), modules: Iterable[str] = (), root: str | None = None) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._manager.register(BuiltIn())
        self._manager.load_setuptools_entrypoints("pytest_agenteval")
        for plugin in [*plugins, *(_imported(name, root) for name in modules)]:
            if not self._manager.is_registered(plugin):
                _refuse_unmarked(self._manager, plugin)
                self._manager.register(plugin)
        _refuse_unknown(self._manager)
        self._metrics: dict[str, Metric] | None = None
        self._observers: dict[str, list[pluggy.HookImpl]] = {}

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """All metrics by name."""
        if self._metrics is None:
            found = [metric for several in self._manager.hook.agenteval_metrics() for metric in several]
            self._metrics = _by_name(found, lambda metric: metric.spec.name, "metric")
        return self._metrics

    def metric(self, named: str | Metric) -> Metric:
        """The metric of that name, or the metric itself. Raises MetricError with the near match."""
        if not isinstance(named, str):
            if not hasattr(named, "spec"):
                message = f"{named!r} is no metric: decorate the function with @metric, or name a built-in one"
                raise MetricError(message)
            return named
        if named not in self.metrics:
            message = f"there is no metric {named!r}{near(named, list(self.metrics))}"
            raise MetricError(message)
        return self.metrics[named]

    def sections(self) -> list[Section]:
        """The report's sections in their order."""
        found = [section for several in self._manager.hook.agenteval_sections() for section in several]
        return sorted(_by_name(found, lambda section: section.name, "section").values(), key=lambda one: one.order)

    def redactors(self) -> list[Redactor]:
        """Every redactor."""
        return [redactor for several in self._manager.hook.agenteval_redactors() for redactor in several]

    def agent(self, target: str) -> Agent | None:
        """The agent that a plug-in makes of the target, or None."""
        made: Agent | None = self._manager.hook.agenteval_agent(target=target, options={})
        return made

    def observe(self, hook: str, **values: object) -> None:
        """Tell the observers; an exception of theirs becomes a warning and changes nothing."""
        if hook not in self._observers:
            self._observers[hook] = getattr(self._manager.hook, hook).get_hookimpls()
        for implementation in self._observers[hook]:
            try:
                implementation.function(*(values[name] for name in implementation.argnames))
            except Exception as error:  # noqa: BLE001  # an observer cannot alter a verdict
                message = f"{hook} of {implementation.plugin_name}: {type(error).__name__}: {error}"
                with warnings.catch_warnings():
                    warnings.simplefilter("always")  # also where the project makes errors of its warnings
                    warnings.warn(visible(message), stacklevel=2)


def origin_of(metric: Metric) -> str:
    """The file in which a metric is defined, the empty text for one that comes with this project.

    It is told by the code that runs, and not by the module that the metric says it is of, nor by what it says
    that it wraps. Code that has no file, or goes by the name of other code of ours, is of '?'.
    """
    codes = [code for function in _functions_of(metric) if (code := _code_of(function)) is not None]
    foreign = [file for code in codes if not (file := Path(code.co_filename)).is_relative_to(_PACKAGE)]
    if foreign:
        return str(foreign[0].resolve())
    ours = {code for one in _built_in_of(metric.spec.name) for code in map(_code_of, _functions_of(one))}
    outermost = _code_of(next(iter(_functions_of(metric)), None))
    return "" if outermost is not None and (not ours or outermost in ours) else "?"


def _built_in_of(name: str) -> list[Metric]:
    from pytest_agenteval.metrics import built_in_metrics

    return [metric for metric in built_in_metrics() if metric.spec.name == name]


def _code_of(function: object) -> Any:  # noqa: ANN401  # what stands there is anybody's
    return getattr(function, "__code__", None)


def _functions_of(metric: Metric) -> Iterator[object]:
    """The functions that make up a metric, outermost first; of an object all that its classes define."""
    from pytest_agenteval.metrics.declare import FunctionMetric

    if type(metric) is not FunctionMetric:
        for kind in type(metric).__mro__:
            yield from (one for one in vars(kind).values() if hasattr(one, "__code__"))
        return
    function: object = metric.function
    while function is not None:
        yield function
        function = getattr(function, "func", None) or getattr(function, "__wrapped__", None)


def offers_hooks(plugin: object) -> bool:
    """Whether an object has any ``agenteval_`` hook."""
    return any(name.startswith("agenteval_") for name in dir(plugin))


def _refuse_unmarked(manager: pluggy.PluginManager, plugin: object) -> None:
    """A hook that lost its decorator would be passed over in silence."""
    for name in dir(plugin):
        if name in hookspecs.NAMES and manager.parse_hookimpl_opts(plugin, name) is None:
            where = getattr(plugin, "__file__", None) or repr(plugin)
            message = f"{name} in {where} is not decorated: put @hookimpl of pytest_agenteval above it"
            raise UsageError(message)


def _refuse_unknown(manager: pluggy.PluginManager) -> None:
    """A decorated hook of a name that there is not is a misspelt one."""
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        known = ", ".join(sorted(hookspecs.NAMES))
        message = f"{error}. The hooks are {known}"
        raise UsageError(message) from error


def _imported(name: str, root: str | None) -> object:
    """The module; one that lies in the project's root is found there, wherever the command is typed."""
    if root is not None and root not in sys.path:
        sys.path.append(root)
    try:
        return importlib.import_module(name)
    except Exception as error:  # a module may raise anything while it is read
        message = (
            f"the plug-in {name!r} of [tool.pytest-agenteval] plugins cannot be imported: "
            f"{type(error).__name__}: {error}. Mend it, or take it out of the list"
        )
        raise SettingsError(message) from error


def _by_name(found: Sequence[Any], name_of: Callable[[Any], str], what: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for one in found:
        if name_of(one) in named:
            message = f"two plug-ins bring a {what} {name_of(one)!r}: {named[name_of(one)]!r} and {one!r}. Rename one"
            raise MetricError(message) if what == "metric" else UsageError(message)
        named[name_of(one)] = one
    return named
