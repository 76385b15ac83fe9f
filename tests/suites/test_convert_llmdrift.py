from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_agenteval.model.codec import encode
from suites.convert import llmdrift
from suites.convert.corpus import CorpusError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROW = {"dataset": "prime", "id": "7", "query": "Is 11 a prime number?", "ref_answer": "yes", "answer": "Yes, it is."}


def test_a_question_and_an_answer_are_kept_as_digests_with_the_verdict() -> None:
    trial = llmdrift.recorded_trial(ROW)
    assert encode(trial) == {
        "case": "prime/7",
        "fingerprint": llmdrift.case_of(ROW).fingerprint,
        "trajectory": {"output": "sha256:d33516bf822e", "recorded": {"success": True}},
    }


def test_a_reworded_question_is_another_case_of_the_same_id() -> None:
    reworded = llmdrift.case_of({**ROW, "query": "Is 11 prime?"})
    assert reworded.id == llmdrift.case_of(ROW).id
    assert reworded.fingerprint != llmdrift.case_of(ROW).fingerprint


@pytest.mark.parametrize("key", ["dataset", "id", "query"])
def test_a_row_without_what_tells_it_from_others_is_refused(key: str) -> None:
    with pytest.raises(CorpusError, match=f"has no '{key}'"):
        llmdrift.case_of({**ROW, key: ""})


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("[Yes]", True),
        ("yes.", True),
        ("[No]", False),
        ("No. Or, on second thoughts, yes.", True),
        ("It is.", False),
        ("Yesterday it was.", False),
        ("", False),
    ],
)
def test_an_answer_is_right_if_its_yes_or_else_its_no_is_the_due_one(answer: str, right: bool) -> None:
    assert llmdrift.right_on_prime({**ROW, "answer": answer}) is right


@pytest.mark.parametrize(("usable", "passed"), [("1", True), ("0", False)])
def test_a_program_passes_if_the_judge_took_it_as_it_stood(usable: str, passed: bool) -> None:
    row: Mapping[str, str] = {**ROW, "Directly Usable": usable, "ref_answer": ""}
    assert llmdrift.recorded_trial(row).trajectory.recorded == {"success": passed}


def test_a_judge_who_said_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(CorpusError, match="the answer to 7 is usable is neither 0 nor 1: ''"):
        llmdrift.recorded_trial({**ROW, "Directly Usable": ""})
