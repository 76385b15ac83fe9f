"""A mail as the desk reads it: who wrote, what is new, and what is only quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass

_QUOTED = re.compile(r"^(>|On .+ wrote:$|Am .+ schrieb|-{3,} ?Original)", re.MULTILINE)
_SIGNATURE = re.compile(r"^--\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail. ``text`` is what the customer says now, subject included; ``quoted`` is older."""

    sender: str
    text: str
    quoted: str


def read_mail(raw: str) -> Mail:
    r"""Take a mail apart: headers, new text, quoted text; a signature belongs to neither.

    >>> read_mail("From: ada@example.org\nSubject: Re: Late\n\nIt came.\n> Where is it?").text
    'It came.'
    """
    head, _, body = raw.partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    subject = headers.get("Subject", "")
    cut = _QUOTED.search(body)
    new, quoted = (body[: cut.start()], body[cut.start() :]) if cut else (body, "")
    new = _SIGNATURE.split(new)[0].strip()
    if subject.lower().startswith("re:"):
        return Mail(sender=headers.get("From", ""), text=new, quoted=f"{subject}\n{quoted}")
    return Mail(sender=headers.get("From", ""), text=f"{subject}\n{new}".strip(), quoted=quoted)
