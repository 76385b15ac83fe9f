"""The one place between a trial and all that leaves the process: what must not be kept is taken out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NewType, TypeVar
from urllib.parse import quote

from pytest_agenteval.contracts import Redactor
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.jsonvalue import JSON
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.secrets import SECRETS, SHORTEST_SECRET, may_hold_secrets, passes_luhn
from pytest_agenteval.model.trajectory import AgentIdentity, Fault, Step, Trajectory
from pytest_agenteval.model.trial import Trial

SafeTrial = NewType("SafeTrial", Trial)
"""A trial that may leave the process; only this module makes one."""

_T = TypeVar("_T", Case, Trajectory, Step, Fault, AgentIdentity, Score, Trial)

_SECRET_NAMES: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)

_SHORT: Final = 100
_REMEMBERED: Final = 2048
"""Texts of at most so many characters, and how many of them."""

# The first digit stands before the look behind it, so that the search leaps from digit to digit.
_CARD: Final = re.compile(r"[2-6](?<![0-9.+-].)(?:[ -]?[0-9]){12,18}(?![0-9])")
_PERSONAL: Final = re.compile(
    r"""
    (?P<email> (?<![A-Za-z0-9._%+-]) [A-Za-z0-9._%+-]{1,64}
        @ [A-Za-z0-9-]{1,63} (?:\.[A-Za-z0-9-]{1,63}){1,8} )
  | (?P<phone> (?<![\w+]) \+ [1-9] (?: [ ().-]{0,2} [0-9] ){7,14} (?![0-9]) )
    """,
    re.VERBOSE,
)


def secret_patterns(text: str) -> str:
    """The text without keys, tokens, private keys, passwords in URLs and payment cards of known shapes.

    >>> secret_patterns("see https://bot:hunter2@host.example/x")
    'see https://[redacted:url_password]@host.example/x'
    """
    if len(text) < SHORTEST_SECRET:
        return text  # the commonest texts are too short for any of them
    if may_hold_secrets(text):
        text = SECRETS.sub(_marked, text)
    return _CARD.sub(_card, text)


def personal_data(text: str) -> str:
    """The text without mail addresses and international telephone numbers; for whoever asks for it.

    >>> personal_data("mail jane.roe@example.com")
    'mail [redacted:email]'
    """
    return _PERSONAL.sub(_marked, text) if "@" in text or "+" in text else text


def environment_secrets(environ: Mapping[str, str]) -> Redactor:
    """A redactor of the values of variables whose name tells of a secret (KEY, TOKEN, SECRET, PASSWORD, …).

    Values of fewer than 8 characters are left alone: they would hit ordinary words. The forms that a value
    takes within JSON and within a URL are found too.
    """
    names: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        if _SECRET_NAMES.search(name) and len(value) >= SHORTEST_SECRET:
            for form in (value, json.dumps(value)[1:-1], quote(value, safe="")):
                names.setdefault(form, name)
    longest_first = sorted(names, key=lambda form: (-len(form), form))
    pattern = re.compile("|".join(map(re.escape, longest_first)))

    def redact(text: str) -> str:
        if not any(map(text.__contains__, longest_first)):
            return text
        return pattern.sub(lambda found: f"[redacted:{names[found[0]]}]", text)

    return redact


class Redaction:
    """All redactors of a session, as one step that a trial passes once.

    What holds nothing to redact is returned as it is, the same object.
    """

    def __init__(self, redactors: Sequence[Redactor]) -> None:
        self._redactors = tuple(redactors)
        # Names, keys and reasons are the same in trial after trial.
        self._short = lru_cache(maxsize=_REMEMBERED)(self._redacted)

    def text(self, text: str) -> str:
        """The text after all redactors. Halves of characters, which no file can hold, become U+FFFD."""
        clean = self._short(text) if len(text) <= _SHORT else self._redacted(text)
        return text if clean == text else clean  # what is remembered is an equal text, not the same

    def _redacted(self, text: str) -> str:
        clean = text if text.isascii() else _encodable(text)
        for redactor in self._redactors:
            clean = redactor(clean)
        return clean

    def value(self, value: JSON) -> JSON:
        """The JSON value with all its texts redacted, keys of objects too."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or type(value) in (bool, int, float):
            return value  # before the abstract types, which are slow to ask
        if isinstance(value, (dict, Mapping)):  # no union, which would be made at each call
            return self._mapping(value)
        if isinstance(value, (list, Sequence)):
            items = [self.value(item) for item in value]
            return value if all(map(_same, items, value)) else items
        return value

    def trial(self, trial: Trial) -> SafeTrial:
        """The trial as it may be kept. Ids, names of metrics, fingerprints and digests stay."""
        return SafeTrial(
            _with(
                trial,
                case=self._case(trial.case),
                trajectory=self._trajectory(trial.trajectory),
                scores=_items(trial.scores, [self.score(score) for score in trial.scores]),
            )
        )

    def _mapping(self, value: Mapping[str, JSON]) -> Mapping[str, JSON]:
        clean: dict[str, JSON] = {}
        for key, item in value.items():
            name = self.text(key)
            # Two secrets of one kind must not become one key, or a value would be lost.
            while name in clean:
                name += "'"
            clean[name] = self.value(item)
        same = all(map(_same, clean.values(), value.values())) and all(map(_same, clean, value))
        return value if same else clean

    def _case(self, case: Case) -> Case:
        told = None if case.provenance is None else self._mapping(case.provenance)
        return _with(case, input=self.value(case.input), expect=self._mapping(case.expect), provenance=told)

    def _trajectory(self, trajectory: Trajectory) -> Trajectory:
        steps = trajectory.steps
        fault = trajectory.error
        return _with(
            trajectory,
            output=self.value(trajectory.output),
            error=None if fault is None else self._texts(fault, "type", "message"),
            steps=None if steps is None else _items(steps, [self._step(step) for step in steps]),
            agent=self._texts(trajectory.agent, "name", "version", "model", "prompt", "tools"),
            recorded=self._mapping(trajectory.recorded),
        )

    def _step(self, step: Step) -> Step:
        error = None if step.error is None else self.text(step.error)
        return _with(
            step,
            name=self.text(step.name),
            input=self.value(step.input),
            output=self.value(step.output),
            error=error,
        )

    def score(self, score: Score) -> Score:
        """The score with its reason and evidence as they may be kept."""
        if not score.reason and not score.evidence:
            return score  # the common case, and there are many scores
        return _with(score, reason=self.text(score.reason), evidence=self._mapping(score.evidence))

    def _texts(self, value: _T, *names: str) -> _T:
        return _with(value, **{name: self.text(getattr(value, name)) for name in names})


def _with(value: _T, **fields: Any) -> _T:  # noqa: ANN401  # fields of seven types
    """The value with these fields, or itself where none of them is another object."""
    if all(getattr(value, name) is field for name, field in fields.items()):
        return value
    return replace(value, **fields)


def _items(old: tuple[_T, ...], new: list[_T]) -> tuple[_T, ...]:
    return old if all(map(_same, old, new)) else tuple(new)


def _same(one: object, other: object) -> bool:
    return one is other


def _marked(found: re.Match[str]) -> str:
    return f"[redacted:{found.lastgroup}]"


def _card(found: re.Match[str]) -> str:
    """The mark if the check digit is right: of other numbers, nine in ten are not."""
    return "[redacted:card_number]" if passes_luhn(found[0]) else found[0]


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
