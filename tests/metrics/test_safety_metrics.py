from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.metrics import no_personal_data, no_secrets, score_trial
from pytest_agenteval.metrics.safety import iban_checksum, personal_data
from pytest_agenteval.model.secrets import passes_luhn
from tests.metrics.trials import DATA, hostile, trial

KINDS = {
    "EMAIL_ADDRESS": "email",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "us_ssn",
    "IP_ADDRESS": "ip_address",
    "PHONE_NUMBER": "phone",
}
# In parts, so that no scanner takes this file for a leak.
SECRETS = [
    "AK" + "IAIOSFODNN7EXAMPLE",
    "gh" + "p_" + "a1B2" * 9,
    "sk" + "-ant-api03-" + "xY7_" * 8,
    "sk" + "-" + "aB3d" * 10,
    "xox" + "b-123456789012-abcdef",
    "AI" + "za" + "Sy5" * 11 + "ab",
    "-----BEGIN " + "RSA PRIVATE KEY-----",
    "ey" + "JhbGciOiJIUzI1NiJ9." + "ey" + "JzdWIiOiIxMjM0In0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
]
HARMLESS = [
    "sk-learn-is-a-library-for-machine-learning-in-python",
    "task-force",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "order 4111111111111112",
    "version 10.1.2.3 of Chrome/120.0.0.0 at 127.0.0.1 and 10.0.0.1",
    "run 2026-11-24-0001",
    "1732440000000000000",
    "score +1.23456789",
    "AB12 CDEF 1234 5678",
    "@pytest.fixture",
    "000-12-3456",
    "tel 5551234",
    "section 999.1.1.1",
]
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (DATA / "personal_data.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_and_never_repeated(secret: str) -> None:
    score = score_trial(no_secrets, trial({"log": [f"line one\n{secret}\nline three"]}))
    assert score.value is False
    found: Any = score.evidence["found"]
    assert list(found.values()) == [1]
    assert secret not in json.dumps(dict(score.evidence))


@given(before=st.text(), after=st.text(), secret=st.sampled_from(SECRETS))
def test_a_secret_is_found_whatever_lines_surround_it(before: str, after: str, secret: str) -> None:
    assert score_trial(no_secrets, trial(f"{before}\n{secret}\n{after}")).value is False


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_it_is_let_through(text: str) -> None:
    assert score_trial(no_secrets, trial(text)).value is True
    assert score_trial(no_personal_data, trial(text)).value is True


@pytest.mark.parametrize(("row", "text"), hostile("secret").items())
def test_planted_secrets_and_personal_data_are_found(row: str, text: str) -> None:
    judged = {score_trial(metric, trial(text)).value for metric in (no_secrets, no_personal_data)}
    assert False in judged, row


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("card 4111 1111 1111 1111 12 29", "card"),
        ("GB82 WEST 1234 5698 7654 32 received", "iban"),
        ("IBAN de89370400440532013000.", "iban"),
        ("see http://8.8.8.8/x", "ip_address"),
        ("+44 20 7946 0958", "phone"),
        ("jane.roe+x@mail.example.org.", "email"),
        ("078-05-1120", "us_ssn"),
    ],
)
def test_personal_data_is_found_among_other_text(text: str, kind: str) -> None:
    score = score_trial(no_personal_data, trial(text))
    assert (score.value, score.evidence) == (False, {"found": {kind: 1}})


def test_on_labelled_texts_all_but_phones_are_found_and_nothing_false() -> None:
    labelled, found, false = Counter[str](), Counter[str](), []
    for row in ROWS:
        spans = [(KINDS[s["entity_type"]], s["entity_value"]) for s in row["spans"] if s["entity_type"] in KINDS]
        hits = list(personal_data(row["full_text"]))
        labelled.update(kind for kind, _ in spans)
        found.update(kind for kind, value in spans if (kind, value) in hits)
        false += [hit for hit in hits if hit not in spans]
    assert labelled == {"email": 8, "card": 9, "iban": 8, "us_ssn": 8, "ip_address": 8, "phone": 2}
    assert found == labelled - Counter(phone=2)  # both are written as in their own country
    assert false == []


@given(digits=st.from_regex(r"\A[0-9]{12,18}\Z"))
def test_just_one_check_digit_makes_a_number_pass_luhn(digits: str) -> None:
    assert sum(passes_luhn(digits + check) for check in "0123456789") == 1


@given(country=st.from_regex(r"\A[A-Z]{2}\Z"), account=st.from_regex(r"\A[A-Z0-9]{11,30}\Z"))
def test_just_one_pair_of_check_digits_makes_an_iban(country: str, account: str) -> None:
    pairs = [f"{check:02}" for check in range(2, 99)]
    assert sum(iban_checksum(f"{country}{pair}{account}") for pair in pairs) == 1


@given(text=st.from_regex(re.compile(r"\A[a-z ,.!]*\Z")))
def test_plain_words_are_clean(text: str) -> None:
    assert score_trial(no_personal_data, trial(text)).value is True
    assert score_trial(no_secrets, trial(text)).value is True
