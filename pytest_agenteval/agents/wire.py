"""What agents outside the process are asked and answer: one JSON object each way.

Asked: ``{"case": id, "attempt": n, "input": …}``. Answered: ``{"output": …}`` and, where the agent
tells them, ``steps``, ``confidence`` and ``agent`` as in a Trajectory; or a JSON text alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from pytest_agenteval.agents.callable import EmptyAnswer, as_trajectory
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError, InvalidValue
from pytest_agenteval.model.codec import decode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory

LONGEST_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer; an agent that sends more has erred."""

_TOLD = ("steps", "confidence", "agent")


class AgentAnswerError(Exception):
    """What the agent sent is no answer. That is the agent's error, not its infrastructure's."""


def question(call: Call, *, input_field: str = "input") -> bytes:
    """The question as JSON in ASCII."""
    asked = {"case": call.case.id, "attempt": call.attempt, input_field: call.case.input}
    return json.dumps(asked, allow_nan=False).encode("ascii")


def read_answer(sent: bytes, identity: AgentIdentity, *, output_field: str = "output") -> Trajectory:
    """The trajectory of an answer; bytes that are no UTF-8 become U+FFFD.

    Keys that are not ours are left alone, since a service may say more than it is asked. Raises
    EmptyAnswer where nothing was sent, AgentAnswerError where what was sent is no answer.

    >>> read_answer(b'{"output": "refunded", "confidence": 0.9}', AgentIdentity(name="shop")).confidence
    0.9
    """
    text = sent.decode("utf-8", "replace").strip()
    if not text:
        message = "the agent sent nothing"
        raise EmptyAnswer(message)
    try:
        answer = parse(text)
        if isinstance(answer, Mapping) and output_field in answer:
            answer = _whole(answer, output_field)
        elif not isinstance(answer, str):
            message = f"the agent sent neither a text nor an object with {output_field!r}: {text:.200}"
            raise AgentAnswerError(message)
    except InvalidValue as error:
        message = f"the agent sent no answer in JSON ({error}): {text:.200}"
        raise AgentAnswerError(message) from error
    return as_trajectory(answer, identity)


def _whole(answer: Mapping[str, object], output_field: str) -> Trajectory:
    if answer[output_field] is None:
        message = f"the agent answered nothing: {output_field!r} is null"
        raise EmptyAnswer(message)
    told = {name: answer[name] for name in _TOLD if name in answer and name != output_field}
    return decode(Trajectory, {"output": answer[output_field], **told})


def time_limit(seconds: object) -> float:
    """The seconds, checked. Raises AgentTargetError where they are no time that can be waited."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        message = f"timeout= is a number of seconds above 0, not {seconds!r}"
        raise AgentTargetError(message)
    return float(seconds)
