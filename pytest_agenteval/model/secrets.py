"""The known shapes of secrets: what redaction takes out, and what the metric ``no_secrets`` looks for."""

from __future__ import annotations

import re
from typing import Final

SHORTEST_SECRET: Final = 8
"""No text with fewer characters is a secret."""

# Each alternative begins where a run of its own letters begins and has no nested repeats, so that the
# search is linear in the text; the lookaheads demand a digit, which ordinary hyphenated words do not have.
SECRETS: Final = re.compile(
    r"""
    (?P<private_key> -----BEGIN\ [A-Z0-9 ]{0,40}PRIVATE\ KEY (?:\ BLOCK)?----- [\s\S]*?
        (?: -----END\ [A-Z0-9 ]{0,40}PRIVATE\ KEY (?:\ BLOCK)?----- | \Z ) )
  | (?P<access_key> (?<![A-Za-z0-9]) (?: AKIA | ASIA | ABIA | ACCA ) [A-Z0-9]{16} (?![A-Za-z0-9]) )
  | (?P<token> (?<![A-Za-z0-9]) (?:
        gh[opsur]_[A-Za-z0-9]{36,} | github_pat_[A-Za-z0-9_]{22,} | glpat-[A-Za-z0-9_-]{20,}
      | xox[abeoprs]-[A-Za-z0-9-]{10,} | AIza[A-Za-z0-9_-]{35} | npm_[A-Za-z0-9]{36} | hf_[A-Za-z0-9]{30,}
      | pypi-[A-Za-z0-9_-]{50,} | SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}
      | [sr]k_(?:live|test)_[A-Za-z0-9]{16,} | sk-(?=[A-Za-z_-]{0,80}[0-9])[A-Za-z0-9_-]{20,} ) )
  | (?P<jwt> (?<![A-Za-z0-9_-]) eyJ[A-Za-z0-9_-]{8,} \. eyJ[A-Za-z0-9_-]{8,} \. [A-Za-z0-9_-]* )
  | (?P<bearer_token> \b[Bb](?:earer|EARER) [ \t]{1,4}
        (?=[A-Za-z._~+/-]{0,80}[0-9]) [A-Za-z0-9._~+/-]{16,} ={0,2} )
  | (?P<url_password> (?<=://) [^\s/?\#:@]{0,128} : [^\s/?\#@]{1,256} (?=@) )
    """,
    re.VERBOSE,
)
# A text without any of these has no match, which is found out in a hundredth of the time.
_HINTS: Final = (
    *("-----BEGIN", "AKIA", "ASIA", "ABIA", "ACCA", "gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_"),
    *("glpat-", "xox", "AIza", "npm_", "hf_", "pypi-", "SG.", "k_live_", "k_test_", "sk-"),
    *("eyJ", "earer", "EARER", "://"),
)


def may_hold_secrets(text: str) -> bool:
    """Whether a search is worth its while."""
    return any(map(text.__contains__, _HINTS))


def passes_luhn(number: str) -> bool:
    """Whether the digits of a card number pass its checksum (ISO/IEC 7812-1).

    >>> passes_luhn("4111 1111 1111 1111"), passes_luhn("4111 1111 1111 1112")
    (True, False)
    """
    digits = [int(digit) for digit in reversed(number) if digit.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
