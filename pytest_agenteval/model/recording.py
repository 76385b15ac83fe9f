"""A recording: kept trials to replay. A file of JSON lines, the first of which is the header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pytest_agenteval.model.jsonvalue import JSON
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory

RECORDING_SCHEMA = "agenteval-recording/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingHeader:
    """The first line: which agent was recorded, when, in which suite, and under which licence."""

    schema: str = RECORDING_SCHEMA
    agent: AgentIdentity = field(default_factory=AgentIdentity)
    at: datetime | None = None
    suite: str = ""
    source: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTrial:
    """One further line: what the agent did on a case.

    ``fingerprint`` is that of the case when it was recorded; replay refuses another one. ``input`` and
    ``expect`` stand only where the agent was asked the case in another wording than the suite has: then
    the trial is of that wording, and its fingerprint tells it apart.
    """

    case: str
    attempt: int = 1
    fingerprint: str = ""
    input: JSON = None
    expect: Mapping[str, JSON] | None = None
    trajectory: Trajectory
    at: datetime | None = None
