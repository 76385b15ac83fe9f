"""``--agent-eval-cache``: what an agent answered in an earlier run stands in for a call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Lock

from pytest_agenteval.app.fingerprint import Fingerprints
from pytest_agenteval.app.settings import Settings
from pytest_agenteval.contracts import Agent, Call
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.coming import Order
from pytest_agenteval.pipeline.words import counted
from pytest_agenteval.store.cache import Cache
from pytest_agenteval.store.redaction import SafeTrial


class CachedAnswers:
    """The answers of live agents, kept by agent, input and attempt. From any thread."""

    def __init__(self, settings: Settings) -> None:
        self._cache = Cache(cache_folder(settings))
        self._fingerprints = Fingerprints(Path(settings.root))
        self._agents: dict[str, tuple[Agent, str]] = {}
        self._lock = Lock()

    def known(self, order: Order) -> Trial | None:
        """The trial of an order that was made by the same agent in an earlier run; no time is measured of it."""
        agent, call = order.agent, order.call
        if agent is None or agent.origin != "live":
            return None
        fingerprint = self._fingerprint(agent, call)
        kept = self._cache.get(fingerprint, key_of(agent, call))
        if kept is None or kept.at is None:
            return None
        try:
            case = agent.asked(call)
        except Exception:  # noqa: BLE001  # the agent is asked once more where what it raises is a result
            return None
        return Trial(id=order.id, case=case, trajectory=_untimed(kept.trajectory), attempt=call.attempt, at=kept.at)

    def keep(self, order: Order, trial: Trial, safe: SafeTrial) -> None:
        """Keep a trial that has an answer in which nothing had to be redacted: no result shall differ by the cache."""
        agent = order.agent
        if agent is None or agent.origin != "live" or trial.cached or trial.error is not None:
            return
        if safe.trajectory is trial.trajectory:
            self._cache.put(self._fingerprint(agent, order.call), key_of(agent, order.call), safe)

    def close(self) -> None:
        """Nothing is kept any more."""
        self._cache.close()

    def troubles(self) -> list[str]:
        """What could not be read or written, in words."""
        told = []
        if self._cache.n_unsound:
            entries = counted(self._cache.n_unsound, "entry", "entries")
            told.append(f"{entries} of the cache could not be read; passed over")
        if self._cache.refusal:
            told.append(f"the cache could not be written: {self._cache.refusal}")
        return told

    def _fingerprint(self, agent: Agent, call: Call) -> str:
        """The agent's fingerprint, taken before its first call: calls may change what it holds."""
        with self._lock:
            known = self._agents.get(call.case.suite)
            if known is None or known[0] is not agent:
                self._agents[call.case.suite] = known = (agent, self._fingerprints.of(agent))
            return known[1]


def key_of(agent: Agent, call: Call) -> str:
    """Of all that the agent is given: of the case its id and input, or the whole of it where the agent takes it."""
    case = call.case
    given = encode(case) if getattr(agent, "takes_case", True) else case.input
    return digest([case.suite, case.id, given, call.attempt, call.seed], length=32)


def cache_folder(settings: Settings) -> Path:
    """Where answers are kept."""
    return settings.path("work") / "cache"


def _untimed(trajectory: Trajectory) -> Trajectory:
    steps = trajectory.steps
    if steps is not None:
        steps = tuple(step if step.seconds is None else replace(step, seconds=None) for step in steps)
    return replace(trajectory, steps=steps, seconds=None, cached=True)
