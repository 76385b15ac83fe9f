"""Plug-ins: whatever offers a hook is asked, a name is one's alone, and an observer changes nothing."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval import hookspecs
from pytest_agenteval.agents import adapt
from pytest_agenteval.app.registry import ALWAYS_MEASURED, Registry, offers_hooks
from pytest_agenteval.contracts import Agent, Metric
from pytest_agenteval.errors import MetricError, SettingsError, UsageError
from pytest_agenteval.metrics.declare import metric
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.trial import Trial

CHANGE = Change(at=datetime(2026, 1, 1, tzinfo=UTC), actor="d", action="a", subject="s", reason="r")


@metric
def is_polite(trial: Trial) -> bool:
    return "please" in str(trial.output)


def quietly(text: str) -> str:
    return text.lower()


class Polite:
    """A plug-in with everything a plug-in can bring."""

    @hookspecs.hookimpl
    def agenteval_metrics(self) -> Sequence[Metric]:
        return [is_polite]

    @hookspecs.hookimpl
    def agenteval_redactors(self) -> Sequence[Any]:
        return [quietly]

    @hookspecs.hookimpl
    def agenteval_sections(self) -> Sequence[Any]:
        return [Last()]

    @hookspecs.hookimpl
    def agenteval_agent(self, target: str, options: Mapping[str, str]) -> Agent | None:
        return adapt(str.upper) if target == "loud" and options == {} else None


class Last:
    """A section behind all others."""

    name, order = "last", 10_000

    def __call__(self, view: Any) -> Sequence[Any]:
        return []


def test_the_built_in_metrics_redactors_and_sections_are_there_without_any_plug_in() -> None:
    registry = Registry()
    assert set(ALWAYS_MEASURED) < set(registry.metrics)
    assert registry.redactors()
    orders = [section.order for section in registry.sections()]
    assert orders == sorted(orders)
    assert registry.agent("loud") is None


def test_a_plug_in_brings_its_metrics_redactors_sections_and_agents() -> None:
    registry = Registry([Polite()])
    assert registry.metric("is_polite") is is_polite
    assert registry.redactors().count(quietly) == 1
    assert registry.sections()[-1].name == "last"
    assert isinstance(registry.agent("loud"), Agent)
    assert registry.agent("quiet") is None


def test_the_same_plug_in_is_asked_once() -> None:
    plugin = Polite()
    assert Registry([plugin, plugin]).redactors().count(quietly) == 1


class AlsoPolite:
    """A plug-in that names what Polite names."""

    agenteval_metrics = Polite.agenteval_metrics


class AlsoLast:
    """A plug-in that shows what Polite shows."""

    agenteval_sections = Polite.agenteval_sections


def test_a_name_that_two_plug_ins_bring_is_an_error() -> None:
    with pytest.raises(MetricError, match=r"two plug-ins bring a metric 'is_polite': .* Rename one"):
        _ = Registry([Polite(), AlsoPolite()]).metrics
    with pytest.raises(UsageError, match="two plug-ins bring a section 'last'"):
        Registry([Polite(), AlsoLast()]).sections()


def test_an_unknown_metric_is_refused_with_the_near_match() -> None:
    with pytest.raises(MetricError, match=r"there is no metric 'sucess'; did you mean 'success'\?"):
        Registry().metric("sucess")
    with pytest.raises(MetricError, match="is no metric: decorate the function with @metric"):
        Registry().metric(print)  # type: ignore[arg-type]  # a user's mistake
    assert Registry().metric(is_polite) is is_polite


PLUGIN = """
from pytest_agenteval import hookimpl, metric

@metric
def {name}(trial):
    return True

@hookimpl
def agenteval_metrics():
    return [{name}]
"""


def test_a_module_of_the_settings_is_a_plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_plugin_of_settings.py").write_text(PLUGIN.format(name="of_settings"), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert "of_settings" in Registry(modules=["my_plugin_of_settings"]).metrics
    del sys.modules["my_plugin_of_settings"]


@pytest.mark.parametrize(
    ("source", "said"), [(None, "ModuleNotFoundError"), ("raise KeyError('x')", "KeyError"), ("def", "SyntaxError")]
)
def test_a_module_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, said: str
) -> None:
    if source is not None:
        (tmp_path / "broken_plugin.py").write_text(source, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match=f"the plug-in 'broken_plugin' of .* cannot be imported: {said}"):
        Registry(modules=["broken_plugin"])


def test_an_installed_distribution_is_a_plug_in_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entry_plugin.py").write_text(PLUGIN.format(name="of_entry_point"), "utf-8")
    info = tmp_path / "entry_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: entry-plugin\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[pytest_agenteval]\nentry = entry_plugin\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert "of_entry_point" in Registry().metrics
    del sys.modules["entry_plugin"]


class Watching:
    """An observer that notes what it is told."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookspecs.hookimpl
    def agenteval_change_recorded(self, change: Change) -> None:
        self.seen.append(change)


class Failing:
    """An observer that raises."""

    @hookspecs.hookimpl
    def agenteval_change_recorded(self, change: Change) -> None:
        raise ValueError(change.actor)


def test_an_observer_that_raises_becomes_a_warning_and_the_others_are_told_all_the_same() -> None:
    first, last = Watching(), Watching()
    registry = Registry([first, Failing(), last])
    for _ in range(2):
        with pytest.warns(UserWarning, match="agenteval_change_recorded of .*: ValueError: d"):
            registry.observe("agenteval_change_recorded", change=CHANGE)
    assert first.seen == last.seen == [CHANGE, CHANGE]


def test_without_observers_nothing_happens() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Registry().observe("agenteval_change_recorded", change=CHANGE)


def test_what_has_a_hook_of_ours_offers_it() -> None:
    assert offers_hooks(Polite())
    assert not offers_hooks(sys)


def test_a_module_in_the_projects_root_is_found_wherever_the_command_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_plugin_of_the_root.py").write_text("", "utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert Registry(modules=["a_plugin_of_the_root"], root=str(tmp_path)).metrics


def test_a_hook_without_its_decorator_is_refused() -> None:
    class Forgetful:
        def agenteval_metrics(self) -> list[object]:
            return []

    with pytest.raises(UsageError, match=r"agenteval_metrics in .* is not decorated: put @hookimpl"):
        Registry([Forgetful()])


def test_a_misspelt_hook_is_refused_with_the_names_there_are() -> None:
    class Misspelt:
        @hookspecs.hookimpl
        def agenteval_metrix(self) -> list[object]:
            return []

    with pytest.raises(UsageError, match=r"agenteval_metrix.*The hooks are"):
        Registry([Misspelt()])
