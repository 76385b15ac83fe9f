"""Sort a text into a queue: the cues found are weighed, and the heaviest queue wins."""

from __future__ import annotations

import re

# Heavier queues stand higher in the policy; German, Spanish and French words stand beside the English ones.
_CUES: dict[str, tuple[float, str]] = {
    "safety": (
        16,
        r"(caught|catch|on) fire|burn(ed|t|ing)|smok(e|ing)|electric shock|allergic|swollen|swells"
        r"|too hot to touch|chok(ed|ing)|dangerous|hurt|burst|cut my|brennen|verschmort|humo|quemó",
    ),
    "legal": (12, r"lawyer|solicitor|court|trading standards|anwalt|abogado|avocat"),
    "disputes": (9, r"chargeback|dispute|did not make|never ordered|logged into my account"),
    "privacy": (7, r"gdpr|dsgvo|personal data|data you have|personenbezogene"),
    "changes": (
        5,
        r"cancel|stop the order|(change|wrong|different|new)\b.{0,14}\b(?<!mail )address|send \S+ to \d"
        r"|deliver to|stornier|andere adresse|cambiar la dirección|annuler",
    ),
    "returns": (
        3.5,
        r"refund\b|return\b|money back|send it back|replac|exchange|new ones|missing|broken|wrong thing"
        r"|zurückschicken|geld zurück|devolver|rembours",
    ),
    "delivery": (
        2.5,
        r"where('s| is| are)|not (arrived|here|moved|found)|nothing is here|(will|when) it (come|arrives)"
        r"|parcel|deliver|no sign of|wo bleibt|no ha llegado|pas arrivée",
    ),
    "billing": (2, r"invoice|charged twice|payment|voucher|rechnung|factura|facture"),
    "account": (1.5, r"password|log in|account|newsletter|passwort"),
    "product": (1, r"in stock|dimmable|do you ship|could the|thinking of buying|lavar|lana"),
    "feedback": (0.5, r"thank you|softest|wonderful|ugly"),
    "spam": (20, r"unsubscribe|verify your account"),
}
_DENIED = re.compile(r"(do not|don't|not|nobody was) (want|need|send|cancel|dangerous|hurt)[^.,;!?\n]*")
_ASKED_ONLY = re.compile(r"\b(could|can|might) (the|it)\b[^.!?\n]*\?")
_COMMAND = re.compile(r"(system: )?ignore (all |your )?previous instructions.*")


def wish(text: str) -> str:
    """The text in small letters, without what the customer denies and without commands to the machine.

    >>> wish("I do NOT want a refund, just a replacement")
    'i , just a replacement'
    """
    return _COMMAND.sub("", _DENIED.sub("", text.lower()))


def weigh(text: str) -> dict[str, float]:
    """The weight of each queue of which the wish holds cues: its own weight, once for each different cue.

    A command to the machine is spam where nothing else is wished.

    >>> weigh("I do NOT want a refund, just a replacement")
    {'returns': 3.5}
    """
    wished = wish(text)
    weights = {queue: weight * _cues_in(wished, queue) for queue, (weight, _) in _CUES.items()}
    found = {queue: weight for queue, weight in weights.items() if weight}
    return found or ({"spam": 1.0} if _COMMAND.search(text.lower()) else {})


def speaks_of(text: str, queue: str) -> bool:
    """Whether the wish in a text holds a cue of the queue."""
    return _cues_in(wish(text), queue) > 0


def _cues_in(text: str, queue: str) -> int:
    """How many different cues; a danger that is only asked about is none."""
    heard = _ASKED_ONLY.sub("", text) if queue == "safety" else text
    return len({found[0] for found in re.finditer(_CUES[queue][1], heard)})
