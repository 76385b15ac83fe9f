from __future__ import annotations

import copy
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_agenteval.model.codec import decode, encode
from pytest_agenteval.model.jsonvalue import parse
from pytest_agenteval.model.recording import RecordedTrial, RecordingHeader
from suites.convert import agentdojo, bfcl, tau
from suites.convert.corpus import NO_FINAL_TEXT, CorpusError, corpus, write_recording

if TYPE_CHECKING:
    from pathlib import Path

GOLD = agentdojo.Gold(
    [
        {
            "benchmark_version": version,
            "suite_name": "travel",
            "user_task_id": "user_task_0",
            "prompt": prompt,
            "calls": [{"function": "book", "args": {}}],
        }
        for version, prompt in (("v1", "Book it."), ("v1.1", "Book it, please."))
    ]
)


def dojo_run(**metadata: Any) -> dict[str, Any]:
    call = {"id": "1", "function": {"name": "book", "arguments": {"hotel": "Ritz"}}}
    return {
        "index": 7,
        "metadata": {
            "suite_name": "travel",
            "user_task_id": "user_task_0",
            "injection_task_id": None,
            "attack_type": None,
            "success": True,
            "security": True,
            **metadata,
        },
        "messages": [
            {"role": "system", "content": "You help."},
            {"role": "user", "content": "Book it, please."},
            {"role": "assistant", "content": "I look.", "tool_calls": [call]},
            {"role": "tool", "content": "booked", "tool_call_id": "1", "error": None},
            {"role": "assistant", "content": "Done.", "tool_calls": None},
        ],
    }


ATTACK = {"injection_task_id": "injection_task_3", "attack_type": "important_instructions"}


def test_a_run_s_calls_and_words_become_steps_and_its_last_text_the_output() -> None:
    trial = agentdojo.recorded_trial(dojo_run(), GOLD)
    assert encode(trial.trajectory) == {
        "output": "Done.",
        "steps": [
            {"kind": "message", "name": "assistant", "output": "I look."},
            {"kind": "tool", "name": "book", "input": {"hotel": "Ritz"}, "output": "booked"},
        ],
        "recorded": {"success": True},
    }


def test_a_call_whose_result_is_missing_has_no_output() -> None:
    run = dojo_run()
    del run["messages"][3:]
    trial = agentdojo.recorded_trial(run, GOLD)
    assert [step.output for step in trial.trajectory.calls] == [None]
    assert trial.trajectory.output == "I look."


def test_two_calls_with_one_id_get_each_its_own_result() -> None:
    run = dojo_run()
    run["messages"][2]["tool_calls"] *= 2
    run["messages"].insert(4, {**run["messages"][3], "content": "", "error": "no room"})
    results = [(step.output, step.error) for step in agentdojo.recorded_trial(run, GOLD).trajectory.calls]
    assert results == [("booked", None), ("", "no room")]


def test_a_call_id_used_again_later_in_the_run_finds_the_later_result() -> None:
    run = dojo_run()
    again = copy.deepcopy(run["messages"][2:4])
    again[1]["content"] = "booked twice"
    run["messages"][4:4] = again
    steps = agentdojo.recorded_trial(run, GOLD).trajectory.calls
    assert [step.output for step in steps] == ["booked", "booked twice"]


@pytest.mark.parametrize("content", [None, ""])
def test_a_run_without_a_final_text_still_has_an_output(content: str | None) -> None:
    run = dojo_run()
    run["messages"][-1]["content"] = content
    assert agentdojo.recorded_trial(run, GOLD).trajectory.output == NO_FINAL_TEXT


def test_a_run_worded_as_its_case_brings_no_input_of_its_own() -> None:
    trial = agentdojo.recorded_trial(dojo_run(), GOLD)
    assert (trial.input, trial.expect) == (None, None)
    assert trial.fingerprint == GOLD.benign("travel", "user_task_0").fingerprint


def test_a_reworded_run_brings_its_wording_and_that_wording_s_fingerprint() -> None:
    run = dojo_run()
    run["messages"][1]["content"] = "Book it."
    trial = agentdojo.recorded_trial(run, GOLD)
    assert (trial.input, trial.expect) == ("Book it.", {"calls": ["book"]})
    assert trial.fingerprint == GOLD.benign("travel", "user_task_0", "Book it.").fingerprint
    assert trial.fingerprint != GOLD.benign("travel", "user_task_0").fingerprint


def test_a_prompt_of_no_version_is_refused() -> None:
    run = dojo_run()
    run["messages"][1]["content"] = "Cancel it."
    with pytest.raises(CorpusError, match="travel/user_task_0 is that of no version: 'Cancel it"):
        agentdojo.recorded_trial(run, GOLD)


def test_what_the_attack_achieved_is_recorded_under_attack_only() -> None:
    under_attack = agentdojo.recorded_trial(dojo_run(**ATTACK, success=False), GOLD)
    assert under_attack.case == "travel/user_task_0+injection_task_3"
    assert under_attack.trajectory.recorded == {"success": False, "attack_succeeded": True}
    assert agentdojo.recorded_trial(dojo_run(), GOLD).trajectory.recorded == {"success": True}


def test_an_attacked_run_in_another_wording_than_its_case_is_refused() -> None:
    run = dojo_run(**ATTACK)
    run["messages"][1]["content"] = "Book it."
    with pytest.raises(CorpusError, match="is not worded as its case"):
        agentdojo.recorded_trial(run, GOLD)


@pytest.mark.parametrize("value", [None, ""])
def test_a_run_without_the_id_of_its_task_is_refused(value: str | None) -> None:
    with pytest.raises(CorpusError, match="run 7 has no 'user_task_id'"):
        agentdojo.recorded_trial(dojo_run(user_task_id=value), GOLD)


def answer(**fields: Any) -> dict[str, Any]:
    counts = {"input_token_count": 20, "output_token_count": 5, "latency": 1.23456}
    return {"idx": 3, "result": [{"area": "{}"}], **counts, **fields}


def test_an_answer_is_kept_as_a_digest_with_its_tokens_seconds_and_verdict() -> None:
    trial = bfcl.recorded_trial("simple", 3, answer(), passed=False)
    assert encode(trial) == {
        "case": "simple/3",
        "fingerprint": bfcl.case_of("simple", 3).fingerprint,
        "trajectory": {
            "output": "sha256:d4016618e15c",
            "steps": [{"kind": "model", "tokens_in": 20, "tokens_out": 5}],
            "seconds": 1.2346,
            "recorded": {"success": False},
        },
    }


def test_other_answers_have_other_digests() -> None:
    one, other = (bfcl.recorded_trial("simple", 3, answer(result=text), passed=True) for text in ("a", "b"))
    assert one.trajectory.output != other.trajectory.output


@pytest.mark.parametrize("absent", [0, None])
def test_the_tokens_and_the_seconds_of_a_failed_call_are_not_known(absent: int | None) -> None:
    record = answer(input_token_count=absent, output_token_count=absent, latency=absent)
    trajectory = bfcl.recorded_trial("simple", 3, record, passed=False).trajectory
    assert trajectory.tokens is None
    assert trajectory.seconds is None


def test_an_answer_of_no_token_to_a_question_of_some_is_known() -> None:
    (step,) = bfcl.recorded_trial("simple", 3, answer(output_token_count=0), passed=False).trajectory.steps or ()
    assert (step.tokens_in, step.tokens_out) == (20, 0)


def test_an_answer_without_latency_has_no_seconds() -> None:
    record = answer()
    del record["latency"]
    assert bfcl.recorded_trial("simple", 3, record, passed=True).trajectory.seconds is None


@pytest.mark.parametrize("named", [{"idx": 3}, {"idx": None, "id": "simple_3"}])
def test_a_record_may_name_its_case_by_number_or_by_id(named: dict[str, Any]) -> None:
    record = {key: value for key, value in {**answer(), **named}.items() if value is not None}
    assert bfcl.recorded_trial("simple", 3, record, passed=True).case == "simple/3"


@pytest.mark.parametrize("named", [{"idx": 4}, {"idx": None}, {"idx": "simple_13"}])
def test_a_record_that_names_another_case_or_none_is_refused(named: dict[str, Any]) -> None:
    with pytest.raises(CorpusError, match="position 3 of simple names the case"):
        bfcl.recorded_trial("simple", 3, answer(**named), passed=True)


def score_file(*failed: int, wrong: int) -> list[dict[str, Any]]:
    head: dict[str, Any] = {"correct_count": 400 - wrong, "total_count": 400}
    return [{"file": "simple_score.json", "record": record} for record in (head, *({"id": id_} for id_ in failed))]


def test_a_failed_case_is_told_by_its_position_from_one() -> None:
    assert bfcl.failures(score_file(1, 400, wrong=2)) == {"simple": {0, 399}}


def test_a_lost_or_repeated_failure_is_found_by_the_count() -> None:
    for failed in ((1,), (1, 1)):
        with pytest.raises(CorpusError, match="simple: 2 failures are counted, 1 are listed"):
            bfcl.failures(score_file(*failed, wrong=2))


def test_a_missing_case_of_a_scored_category_is_refused() -> None:
    result = {"file": "gorilla_openfunctions_v1_test_java_result.json", "record": answer(idx=0)}
    with pytest.raises(CorpusError, match="java 1 of 100"):
        bfcl.trials_of([result], {"java": set()})


def tau_record(**fields: Any) -> dict[str, Any]:
    call = {"id": "c", "function": {"name": "cancel", "arguments": '{"id": "X1"}'}}
    task = {"instruction": "You want to cancel.", "actions": [{"name": "cancel", "kwargs": {"id": "X1"}}]}
    return {
        "task_id": 4,
        "trial": 2,
        "reward": 1.0,
        "info": {"task": task},
        "traj": [
            {"role": "user", "content": "Cancel X1."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "cancelled", "name": "cancel", "tool_call_id": "c"},
            {"role": "assistant", "content": "It is cancelled."},
            {"role": "user", "content": "###STOP###"},
        ],
        **fields,
    }


def test_a_repeated_trial_becomes_an_attempt_counted_from_one() -> None:
    trial = tau.tau_trial(tau_record())
    assert (trial.case, trial.attempt) == ("task-004", 3)
    assert encode(trial.trajectory) == {
        "output": "It is cancelled.",
        "steps": [{"kind": "tool", "name": "cancel", "input": {"id": "X1"}, "output": "cancelled"}],
        "recorded": {"success": True},
    }


@pytest.mark.parametrize("key", ["task_id", "trial"])
def test_a_repeated_trial_without_its_task_or_number_is_refused(key: str) -> None:
    with pytest.raises(CorpusError, match=f"has no '{key}'"):
        tau.tau_trial(tau_record(**{key: None}))


def test_task_zero_and_trial_zero_are_ids_like_any_other() -> None:
    trial = tau.tau_trial(tau_record(task_id=0, trial=0))
    assert (trial.case, trial.attempt) == ("task-000", 1)


def test_a_result_of_another_call_is_not_taken_for_this_one_s() -> None:
    record = tau_record()
    record["traj"][2]["tool_call_id"] = "other"
    assert [step.output for step in tau.tau_trial(record).trajectory.calls] == [None]


TASK = {"id": "7", "user_scenario": {"persona": None, "instructions": {"domain": "airline"}}}
CASE = tau.tau2_case("tau2_airline", TASK)


def tau2_run(**fields: Any) -> dict[str, Any]:
    call = {"id": "c", "name": "cancel", "arguments": {"id": "X1"}}
    return {
        "task_id": "7",
        "start_time": "2025-08-01T15:53:27.541447",
        "duration": 12.5,
        "agent_cost": 0.0,
        "reward_info": {"reward": 1.0, "action_checks": [{"action_match": True}, {"action_match": False}]},
        "messages": [
            {"role": "assistant", "content": "Hello", "usage": None},
            {"role": "user", "content": None, "tool_calls": [{**call, "name": "reboot"}]},
            {"role": "assistant", "content": None, "tool_calls": [call], "usage": usage(10, 2)},
            {"role": "tool", "id": "c", "content": "no such id", "error": True},
            {"role": "assistant", "content": "Bye", "usage": usage(20, 3)},
        ],
        **fields,
    }


def usage(tokens_in: int, tokens_out: int) -> dict[str, int]:
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}


def test_a_run_keeps_what_is_scored_and_the_stored_cost_as_it_is() -> None:
    trial = tau.tau2_trial(CASE, tau2_run())
    assert encode(trial) == {
        "case": "tau2_airline/007",
        "fingerprint": CASE.fingerprint,
        "at": "2025-08-01T15:53:27.541447Z",
        "trajectory": {
            "output": "Bye",
            "steps": [
                {"kind": "model", "tokens_in": 30, "tokens_out": 5, "cost_usd": 0.0},
                {"kind": "tool", "name": "cancel", "input": {"id": "X1"}, "error": "no such id"},
            ],
            "seconds": 12.5,
            "recorded": {"success": True, "actions_matched": 1, "actions_checked": 2},
        },
    }


def test_tokens_that_no_message_tells_are_not_known() -> None:
    messages = [{"role": "assistant", "content": "Hello", "usage": None}]
    assert tau.tau2_trial(CASE, tau2_run(messages=messages)).trajectory.tokens is None


def test_a_cost_that_is_not_stored_is_not_known() -> None:
    assert tau.tau2_trial(CASE, tau2_run(agent_cost=None)).trajectory.cost_usd is None


@pytest.mark.parametrize("checks", [None, []])
def test_a_run_without_action_checks_has_no_count_of_them(checks: list[Any] | None) -> None:
    found = {"reward": 0.0, "action_checks": checks}
    assert tau.tau2_trial(CASE, tau2_run(reward_info=found)).trajectory.recorded == {"success": False}


@pytest.mark.parametrize("placeholder", [None, "", "1970-01-01T00:00:00", "0001-01-01T00:00:00"])
def test_a_missing_or_placeholder_time_is_not_known(placeholder: str | None) -> None:
    assert tau.tau2_trial(CASE, tau2_run(start_time=placeholder)).at is None


@pytest.mark.parametrize("duration", [None, 0, 0.0, -1.0])
def test_a_duration_that_cannot_be_is_not_known(duration: float | None) -> None:
    assert tau.tau2_trial(CASE, tau2_run(duration=duration)).trajectory.seconds is None


def test_a_start_that_is_no_time_is_refused() -> None:
    with pytest.raises(CorpusError, match="the start of tau2_airline/007 is no time: 'yesterday'"):
        tau.tau2_trial(CASE, tau2_run(start_time="yesterday"))


@pytest.mark.parametrize("task_id", [None, ""])
def test_a_task_without_an_id_is_refused(task_id: str | None) -> None:
    with pytest.raises(CorpusError, match="a task of tau2_airline has no 'id'"):
        tau.tau2_case("tau2_airline", {**TASK, "id": task_id})


def test_a_run_in_which_nothing_was_said_still_has_an_output() -> None:
    assert tau.last_text([{"role": "user", "content": "Hello?"}]) == NO_FINAL_TEXT


def test_a_recording_holds_exactly_its_values_and_no_clock(tmp_path: Path) -> None:
    header = bfcl.header_of("gpt-4o-2024-05-13-FC", "2024-07-06")
    trials = [bfcl.recorded_trial("simple", 3, answer(), passed=True), tau.tau_trial(tau_record())]
    paths = [tmp_path / name for name in ("one.jsonl.gz", "other.jsonl.gz")]
    for path in paths:
        write_recording(path, header, trials)
    first, *rows = gzip.decompress(paths[0].read_bytes()).decode().splitlines()
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert json.loads(first)["schema"] == "agenteval-recording/1"
    assert decode(RecordingHeader, parse(first)) == header
    assert [decode(RecordedTrial, parse(row)) for row in rows] == trials


def test_a_corpus_that_is_not_at_hand_is_named_with_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_AGENTEVAL_DATA", raising=False)
    with pytest.raises(CorpusError, match="'bfcl' is not at hand; set PYTEST_AGENTEVAL_DATA"):
        corpus("bfcl")
    monkeypatch.setenv("PYTEST_AGENTEVAL_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match="'bfcl' is not at hand"):
        corpus("bfcl")
