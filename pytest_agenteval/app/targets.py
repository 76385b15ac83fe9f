"""Which agent a suite's trials are made by, where the command line says so."""

from __future__ import annotations

from pathlib import Path

from pytest_agenteval.app.isolation import kept_apart
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.contracts import Agent
from pytest_agenteval.errors import AgentTargetError, RecordingError
from pytest_agenteval.model.codec import near
from pytest_agenteval.store.files import safe_name

_ENDINGS = (".jsonl", ".jsonl.gz")


class Targets:
    """Resolves ``--agent-eval-agent`` and ``--agent-eval-mode=replay``, suite by suite."""

    def __init__(self, settings: Settings, registry: Registry, mode: str, target: str | None) -> None:
        self._settings, self._registry, self._mode, self._target = settings, registry, mode, target
        self._made: dict[str, Agent] = {}

    @property
    def given(self) -> bool:
        """Whether the command line decides, and not the user's fixture."""
        return self._target is not None or self._mode == "replay"

    def agent_for(self, suite: str) -> Agent | None:
        """The agent of the suite, made once; None where the fixture decides."""
        if not self.given:
            return None
        if suite not in self._made:
            self._made[suite] = kept_apart(self._make(suite), suite, self._settings)
        return self._made[suite]

    def _make(self, suite: str) -> Agent:
        from pytest_agenteval.agents import connect

        if self._target is not None:
            recording = recording_named(self._settings, suite, self._target)
            if recording is not None:
                return connect(str(recording))
            if self._mode != "replay":
                return self._registry.agent(self._target) or connect(self._target)
        return connect(str(the_recording(self._settings, suite, self._target)))


def recordings_of(settings: Settings, suite: str) -> Path:
    """The folder of the suite's recordings; a suite ``refunds[gpt]`` shares that of refunds."""
    return settings.path("suite_folder") / suite.partition("[")[0] / "recordings"


def parameter_of(suite: str) -> str:
    """'gpt' of the suite ``refunds[gpt]``, else the empty text."""
    return suite.partition("[")[2].removesuffix("]")


def recording_named(settings: Settings, suite: str, name: str) -> Path | None:
    """The suite's recording of that name, if there is one; ``gpt/4`` was written under its safe name."""
    folder = recordings_of(settings, suite)
    there = set(folder.rglob("*"))  # looked up, not probed: a name may be too long for a path, or lead elsewhere
    files = (folder / f"{told}{ending}" for told in (name, safe_name(name)) for ending in _ENDINGS)
    return next((file for file in files if file in there), None)


def the_recording(settings: Settings, suite: str, name: str | None) -> Path:
    """The recording to replay: the named one, that of the suite's parameter, or the only one there is."""
    folder = recordings_of(settings, suite)
    names = sorted(_stem(file) for file in folder.glob("*") if file.name.endswith(_ENDINGS))
    wanted = name or parameter_of(suite) or (names[0] if len(names) == 1 else None)
    found = recording_named(settings, suite, wanted) if wanted else None
    if found is not None:
        return found
    if not names:
        message = f"suite {suite!r} has no recording in {folder}; make one: pytest --agent-eval --agent-eval-record"
        raise RecordingError(message)
    if wanted is None:
        message = f"suite {suite!r} has several recordings; choose one: --agent-eval-agent {' | '.join(names)}"
        raise AgentTargetError(message)
    message = f"suite {suite!r} has no recording {wanted!r}{near(wanted, names)}; there are: {', '.join(names)}"
    raise AgentTargetError(message)


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".jsonl")
