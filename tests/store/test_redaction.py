"""What must not be kept does not pass; all else passes untouched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.codec import encode
from pytest_agenteval.model.jsonvalue import JSON
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trajectory import AgentIdentity, Fault, Step, Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.redaction import Redaction, environment_secrets, personal_data, secret_patterns
from tests.store.rows import AT, payloads, trial

SECRET = "AK" + "IA" + "QF4K7TZP2WXN6MVR"
MARK = "[redacted:access_key]"
JSONS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture
def redaction() -> Redaction:
    return Redaction([secret_patterns, personal_data])


@pytest.mark.parametrize(("row", "text"), payloads("secret"), ids=[row for row, _ in payloads("secret")])
def test_the_adversarial_secrets_are_taken_out(row: str, text: str, redaction: Redaction) -> None:
    clean = redaction.text(f"see: {text}.")
    assert "[redacted:" in clean
    for part in ("4111", "jane.roe", "7946", "QF4K7TZP", "b7Qm2Zx9"):
        assert part not in clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer " + "a1B2c3D4" * 3, "Authorization: [redacted:bearer_token]"),
        ("key sk-" + "proj-" + "Ab1" * 9, "key [redacted:token]"),
        ("eyJhbGciOiJIUzI1" + ".eyJzdWIiOiIxMjM0" + ".c2lnbmF0dXJl", "[redacted:jwt]"),
        ("get https://bot:hunter2@host.example/x", "get https://[redacted:url_password]@host.example/x"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\nbye",
            "[redacted:private_key]\nbye",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIB and cut", "[redacted:private_key]"),
    ],
    ids=["bearer", "sk", "jwt", "url", "private key", "cut private key"],
)
def test_a_secret_of_a_known_form_becomes_a_mark_that_names_it(text: str, clean: str) -> None:
    assert secret_patterns(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "The bearer of this letter is responsibilities-minded",
        "sk-learn-contrib-and-other-things-like-it",
        "order 4111 1111 1111 1112, total 0.4111111111111111",
        "see https://host.example:8080/a@b and mailto:x",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "id 01JDABCDEFGHJKMNPQRSTVWXYZ at 1732435200000",
    ],
)
def test_an_ordinary_text_passes_untouched(text: str) -> None:
    assert secret_patterns(text) == text


def test_a_value_of_a_secret_named_variable_is_taken_out_in_each_form_it_takes() -> None:
    redact = environment_secrets({"SHOP_API_KEY": 'pa"ss/word+1', "HOME": "/home/dana-the-owner", "PIN_TOKEN": "1234"})
    texts = [
        'x pa"ss/word+1 y',
        json.dumps({"k": 'pa"ss/word+1'}),
        "?k=pa%22ss%2Fword%2B1",
        "/home/dana-the-owner 1234",
    ]
    assert [redact(text) for text in texts] == [
        "x [redacted:SHOP_API_KEY] y",
        '{"k": "[redacted:SHOP_API_KEY]"}',
        "?k=[redacted:SHOP_API_KEY]",
        "/home/dana-the-owner 1234",
    ]


def test_of_two_values_the_longer_is_taken_out_whole() -> None:
    redact = environment_secrets({"A_KEY": "abcdefgh", "B_KEY": "abcdefgh12345"})
    assert redact("abcdefgh12345 abcdefgh") == "[redacted:B_KEY] [redacted:A_KEY]"


def test_without_secret_variables_nothing_is_touched() -> None:
    assert environment_secrets({"HOME": "/home/dana"})("/home/dana") == "/home/dana"


def test_all_texts_of_a_trial_are_redacted_and_its_ids_and_digests_stay(redaction: Redaction) -> None:
    case = Case(
        id="a",
        input={SECRET: [SECRET]},
        suite="s",
        expect={"contains": SECRET},
        tags=("t",),
        provenance={"url": SECRET},
    )
    step = Step(kind="tool", name=f"look {SECRET}", input={"k": SECRET}, output=[SECRET], error=SECRET)
    agent = AgentIdentity(name=SECRET, version=SECRET, model=SECRET, prompt=SECRET, tools=SECRET)
    trajectory = Trajectory(output=f"it is {SECRET}", steps=(step,), agent=agent, recorded={"log": SECRET})
    score = Score(metric="success", value=None, reason=SECRET, evidence={"found": SECRET})
    raw = Trial(id="t1", case=case, trajectory=trajectory, scores=(score,), at=AT)
    safe = redaction.trial(raw)
    text = json.dumps(encode(safe))
    assert SECRET not in text
    assert text.count(MARK) == json.dumps(encode(raw)).count(SECRET)
    assert (safe.id, safe.key, safe.case_fingerprint, safe.answer_digest) == (
        raw.id, raw.key, raw.case_fingerprint, raw.answer_digest,
    )  # fmt: skip


def test_the_message_of_a_fault_is_redacted(redaction: Redaction) -> None:
    failed = trial(trajectory=Trajectory(error=Fault(kind="agent", type="KeyError", message=f"no {SECRET}")))
    assert redaction.trial(failed).error == Fault(kind="agent", type="KeyError", message=f"no {MARK}")


def test_a_trial_with_nothing_to_redact_is_the_same_object(redaction: Redaction) -> None:
    raw = trial()
    assert redaction.trial(raw) is raw


def test_two_keys_that_become_one_mark_keep_both_values(redaction: Redaction) -> None:
    other = "AK" + "IA" + "2222222222222222"
    assert redaction.value({SECRET: 1, other: 2}) == {MARK: 1, f"{MARK}'": 2}


@pytest.mark.parametrize(
    ("text", "clean"),
    [("\ud800 lone", "\ufffd lone"), ("\ud800", "\ufffd"), ("a\0b", "a\0b"), ("\ud83d\ude00", "😀")],
)
def test_halves_of_characters_become_the_replacement_sign(text: str, clean: str) -> None:
    assert Redaction([]).text(text) == clean


@given(JSONS)
def test_a_value_comes_out_encodable_and_the_second_time_as_the_same_object(value: JSON) -> None:
    redaction = Redaction([secret_patterns, personal_data])
    clean = redaction.value(value)
    json.dumps(clean, ensure_ascii=False).encode()
    assert redaction.value(clean) is clean


@given(st.text(), st.text(), JSONS)
def test_a_planted_secret_never_survives(before: str, after: str, beside: JSON) -> None:
    redaction = Redaction([environment_secrets({"THE_TOKEN": "correct-horse"})])
    clean = redaction.value({"a": [f"{before}correct-horse{after}", beside]})
    assert "correct-horse" not in json.dumps(clean)


@pytest.mark.parametrize("unit", ["-eyJ", "sk-", "://a:b", "4 ", "a.", "Bearer ", "-----BEGIN PRIVATE KEY-----", "+1 "])
def test_a_long_text_made_to_be_slow_is_not(unit: str) -> None:
    from time import process_time

    start = process_time()
    secret_patterns(personal_data(unit * (200_000 // len(unit))))
    assert process_time() - start < 2
