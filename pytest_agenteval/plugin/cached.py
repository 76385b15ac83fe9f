"""What of the cache could not be read or written: each process tells the one that tells the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_agenteval.plugin import distribution

if TYPE_CHECKING:
    from pytest_agenteval.app.cached import CachedAnswers

_TROUBLES = "agenteval_cache"


def tell_troubles(config: pytest.Config, cached: CachedAnswers | None = None) -> None:
    """Have those of the process's cache told; xdist's controller has none, and tells those of its workers."""
    config.pluginmanager.register(_Troubles(config, cached))


class _Troubles:
    def __init__(self, config: pytest.Config, cached: CachedAnswers | None) -> None:
        self._config, self._cached = config, cached
        self._of_workers: list[str] = []

    def pytest_sessionfinish(self) -> None:
        """In a worker: hand them to the controller."""
        if distribution.is_worker(self._config):
            getattr(self._config, "workeroutput")[_TROUBLES] = self._own()  # noqa: B009  # xdist's

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401  # xdist's own type
        """Take those of a worker; one that was killed tells none."""
        self._of_workers += getattr(node, "workeroutput", {}).get(_TROUBLES, ())

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print each once."""
        for text in dict.fromkeys([*self._own(), *self._of_workers]):
            terminalreporter.line(f"agent evaluation: {text}", yellow=True)

    def _own(self) -> list[str]:
        return [] if self._cached is None else self._cached.troubles()
