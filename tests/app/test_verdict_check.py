"""What CI may rely on: one sound, whole, green verdict of this run, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.verdictcheck import Checked, Demand, check_verdict, in_words
from pytest_agenteval.app.verdictfile import digest_of, read_verdict, with_audit_looked_at, write_verdict
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.run import FinishedRun, Rounds
from pytest_agenteval.pipeline.exits import standing
from pytest_agenteval.store.history.segments import segment_path, write_segment
from tests.app.projects import AT, cases, project, run
from tests.app.test_judging import FLOOR, approved


@pytest.fixture
def green(tmp_path: Path) -> Workspace:
    """A project whose last run of 60 cases passed its gate."""
    made = project(tmp_path, FLOOR)
    run(made, cases(60))
    approved(made)
    ended(made, cases(60))
    return made


def ended(workspace: Workspace, *of: Any, **how: Any) -> Judged:
    """A run whose verdict is written."""
    judged = run(workspace, *of, **{"ended": AT, **how})
    write_verdict(judged, judged.code, "merge", workspace)
    return judged


def worse(_: str) -> str:
    return "no"


def check(workspace: Workspace, **demand: Any) -> Checked:
    return check_verdict(workspace, Demand(**{"now": AT + timedelta(minutes=5), **demand}))


def told(workspace: Workspace, **demand: Any) -> tuple[int, str]:
    """The code, and the only thing that speaks against the verdict."""
    found = check(workspace, **demand)
    [finding] = found.findings
    return found.code, finding.text


def document(workspace: Workspace) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(workspace.verdict_file.read_text("utf-8"))
    return found


def edit(workspace: Workspace, **changes: Any) -> None:
    """Alter the file as by hand."""
    workspace.verdict_file.write_text(json.dumps(document(workspace) | changes), "utf-8")


def forge(workspace: Workspace, **changes: Any) -> None:
    """Alter the file and make its digest anew, as whoever knows how can."""
    row = document(workspace) | changes
    del row["digest"]
    workspace.verdict_file.write_text(json.dumps(row | {"digest": digest_of(row)}), "utf-8")


def test_a_sound_whole_green_verdict_is_0_and_one_sentence_says_what_was_looked_at(green: Workspace) -> None:
    found = check(green, run=document(green)["run"], max_age=timedelta(hours=1), expect_cases=60)
    assert (found.code, found.findings) == (0, ())
    assert found.sentence == (
        f"run {document(green)['run']}, ended 5 min ago, over 60 cases and 2 verdicts: "
        "its file, its causes, the scores in the history, the baselines and the audit log were looked at"
    )


def test_what_is_written_is_read_back(green: Workspace) -> None:
    read = read_verdict(green.verdict_file)
    assert (read.cases, read.trials, read.exit_code) == (60, 60, 0)
    assert set(read.baselines) == {"refunds/success"}
    assert read.audit.records == len(green.audit.records())
    assert read.audit.hash == green.audit.records()[-1].hash


def test_without_a_file_it_is_12(green: Workspace) -> None:
    green.verdict_file.unlink()
    code, text = told(green)
    assert code == 12
    assert text.endswith("no run has come to its end. Run pytest --agent-eval")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it cannot be read"),
        (b"\xff", "it cannot be read"),
        (b'{"schema": "agenteval-verdict/1", "schema": 1}', "stands twice"),
        (b"[]", "its schema is None"),
        (b'{"schema": "agenteval-verdict/9"}', "its schema is 'agenteval-verdict/9'"),
        (b'{"schema": "agenteval-verdict/1", "exit_code": 0}', "it is not as it was written"),
    ],
)
def test_what_cannot_be_read_is_12_with_the_reason(green: Workspace, content: bytes, reason: str) -> None:
    green.verdict_file.write_bytes(content)
    code, text = told(green)
    assert code == 12
    assert reason in text


def test_a_folder_in_its_place_is_12(green: Workspace) -> None:
    green.verdict_file.unlink()
    green.verdict_file.mkdir()
    assert told(green)[0] == 12


KEYS = (
    *("run", "started", "ended", "mode", "gate", "exit_code", "causes", "partial", "cases", "trials", "scores_digest"),
    *("baselines", "audit", "versions", "verdicts", "estimates", "not_evaluated", "digest"),
)


def test_the_keys_are_all_there(green: Workspace) -> None:
    assert set(document(green)) == {"schema", *KEYS}


@pytest.mark.parametrize("key", KEYS)
def test_a_hand_that_edits_any_key_is_found(green: Workspace, key: str) -> None:
    edit(green, **{key: "other"})
    code, text = told(green)
    assert code == 12
    assert "its digest does not fit" in text


@pytest.mark.parametrize("key", [key for key in KEYS if key != "digest"])
def test_a_key_that_is_gone_is_12_though_the_digest_fits(green: Workspace, key: str) -> None:
    row = document(green)
    del row["digest"], row[key]
    green.verdict_file.write_text(json.dumps(row | {"digest": digest_of(row)}), "utf-8")
    assert told(green) == (
        12,
        f"{green.verdict_file} is no verdict to rely on: a VerdictDocument needs the key {key!r}. "
        "Run pytest --agent-eval again",
    )


def test_a_verdict_of_another_run_is_12(green: Workspace) -> None:
    code, text = told(green, run="20261124T000000-aaaaaa")
    assert code == 12
    assert "not of run 20261124T000000-aaaaaa" in text


@pytest.mark.parametrize(("age", "code"), [(timedelta(minutes=5), 0), (timedelta(minutes=5, seconds=-1), 12)])
def test_a_verdict_may_be_as_old_as_was_said(green: Workspace, age: timedelta, code: int) -> None:
    assert check(green, max_age=age).code == code


def test_a_verdict_of_the_future_is_12(green: Workspace) -> None:
    code, text = told(green, now=AT - timedelta(seconds=1))
    assert code == 12
    assert "is yet to come" in text


@pytest.mark.parametrize(("expected", "code"), [(60, 0), (61, 11)])
def test_fewer_cases_than_expected_are_11(green: Workspace, expected: int, code: int) -> None:
    assert check(green, expect_cases=expected).code == code


def test_attempts_are_no_cases(green: Workspace) -> None:
    ended(green, cases(30), repeats=2)
    assert document(green)["trials"] == 60
    assert 11 in {finding.code for finding in check(green, expect_cases=60).findings}


def test_a_part_that_was_meant_is_11_though_its_run_was_0(green: Workspace) -> None:
    judged = ended(green, cases(60), partial=["refunds"])
    write_verdict(replace(judged, causes=()), 0, "merge", green)
    assert told(green) == (11, "only a part of refunds ran. Run the whole suite")


def test_a_verdict_that_judged_nothing_is_11(green: Workspace) -> None:
    forge(green, verdicts=[])
    assert told(green)[0] == 11


def test_a_run_that_the_history_does_not_have_is_12_and_says_what_to_keep(green: Workspace) -> None:
    for path in green.history.root.rglob("*.gz"):
        path.unlink()
    code, text = told(green)
    assert code == 12
    assert "its run is not in the history" in text
    assert "keep both in one place" in text


def test_scores_that_were_changed_in_the_history_are_12(green: Workspace) -> None:
    kept = green.history.read(document(green)["run"])
    segment_path(green.history.root, kept.run).unlink()
    first, *rest = kept.trials
    worse = [replace(score, value=0.0) for score in first.scores if score.metric == "success"]
    write_segment(green.history.root, replace(kept, trials=[first.with_scores(worse), *rest]))
    assert told(green)[0] == 12


def test_a_segment_of_another_run_in_its_place_is_12(green: Workspace) -> None:
    kept = green.history.read(document(green)["run"])
    path = segment_path(green.history.root, kept.run)
    path.unlink()
    write_segment(green.history.root, replace(kept, run=replace(kept.run, id="other"))).rename(path)
    assert told(green)[0] == 12


def test_a_segment_that_cannot_be_read_is_12_with_the_reason(green: Workspace) -> None:
    path = segment_path(green.history.root, green.history.read(document(green)["run"]).run)
    path.write_bytes(b"torn")
    code, text = told(green)
    assert code == 12
    assert "not a sound segment" in text


def test_an_index_that_leads_elsewhere_is_not_asked(green: Workspace) -> None:
    (Path(green.settings.root) / ".agenteval" / "index.sqlite").write_bytes(b"no index")
    assert check(green).code == 0


def test_trials_that_were_taken_out_of_the_history_are_12(green: Workspace) -> None:
    kept = green.history.read(document(green)["run"])
    segment_path(green.history.root, kept.run).unlink()
    write_segment(green.history.root, replace(kept, trials=kept.trials[1:]))
    assert told(green)[0] == 12


def _no_baseline(green: Workspace) -> None:
    green.baselines.path("refunds", "success").unlink()


def _other_baseline(green: Workspace) -> None:
    path = green.baselines.path("refunds", "success")
    path.write_text(path.read_text("utf-8").replace('"floor": 0.5', '"floor": 0.4'), "utf-8")


@pytest.mark.parametrize("change", [_no_baseline, _other_baseline])
def test_a_baseline_that_is_not_the_one_compared_with_is_12(
    green: Workspace, change: Callable[[Workspace], None]
) -> None:
    change(green)
    found = check(green)
    assert found.code == 12
    assert found.findings[-1].text.startswith("the baseline of refunds/success is not the one")


def test_a_baseline_that_came_later_is_12(green: Workspace) -> None:
    approved(green, "refunds", "error_rate")
    assert "refunds/error_rate" in told(green)[1]


def test_an_audit_log_that_lost_its_end_is_12(green: Workspace) -> None:
    green.audit.path.write_bytes(b"")
    assert told(green) == (12, "the audit log lacks what it held when the run ended. Restore it from git")


def test_an_audit_log_that_does_not_verify_is_12(green: Workspace) -> None:
    green.audit.path.write_bytes(b"{}\n")
    code, text = told(green)
    assert code == 12
    assert "the audit log does not verify" in text


def test_an_audit_log_that_does_not_verify_when_the_run_ends_is_a_cause_in_its_verdict(green: Workspace) -> None:
    green.audit.path.write_bytes(b"{}\n")
    judged = with_audit_looked_at(run(green, cases(60), ended=AT), green)
    assert with_audit_looked_at(judged, green) is judged
    write_verdict(judged, judged.code, "merge", green)
    found = check(green)
    assert (found.code, document(green)["exit_code"], document(green)["audit"]["records"]) == (12, 12, 0)
    assert "the audit log does not verify" in found.findings[-1].text


def _of_first_trial(change: Callable[[Any], Any]) -> Callable[[FinishedRun], FinishedRun]:
    return lambda kept: replace(kept, trials=[change(kept.trials[0]), *kept.trials[1:]])


@pytest.mark.parametrize(
    "change",
    [
        _of_first_trial(lambda trial: replace(trial, case_fingerprint="another")),
        _of_first_trial(lambda trial: replace(trial, answer_digest="another")),
        _of_first_trial(lambda trial: replace(trial, case=replace(trial.case, tags=("vip",)))),
        lambda kept: replace(
            kept,
            run=replace(
                kept.run,
                specs={name: replace(spec, needs=("output",), version=9) for name, spec in kept.run.specs.items()},
            ),
        ),
        lambda kept: replace(
            kept, run=replace(kept.run, rounds={"refunds": Rounds(used=1, cap=3, calls=180, saved=120)})
        ),
        lambda kept: kept,
    ],
    ids=["fingerprint", "answer", "tags", "specs", "rounds", "nothing"],
)
def test_what_the_scores_are_judged_by_is_under_the_digest_too(
    green: Workspace, change: Callable[[FinishedRun], FinishedRun], request: pytest.FixtureRequest
) -> None:
    kept = green.history.read(document(green)["run"])
    segment_path(green.history.root, kept.run).unlink()
    write_segment(green.history.root, change(kept))
    assert check(green).code == (0 if "nothing" in request.node.name else 12)


@pytest.mark.parametrize("code", [1, 10, 11, 12, 2, 137])
def test_an_exit_code_that_does_not_follow_from_the_causes_is_12(green: Workspace, code: int) -> None:
    forge(green, exit_code=code)
    assert {finding.code for finding in check(green).findings} == {12, code}


def test_a_cause_that_the_exit_code_hides_is_12(green: Workspace) -> None:
    forge(green, causes=[{"code": 1, "text": "tests failed"}])
    assert told(green) == (12, "it gives exit code 0, but 1 follows from its causes")


def test_a_red_verdict_without_its_cause_is_12(green: Workspace) -> None:
    rows = document(green)["verdicts"]
    forge(green, verdicts=[row | {"outcome": "regressed", "next_step": "look"} for row in rows])
    found = check(green)
    assert found.code == 12
    assert found.findings[0].text == "its verdict on refunds/error_rate is regressed, but no cause has the code 10"


def test_a_green_verdict_over_scores_that_are_red_when_judged_anew_is_12(green: Workspace) -> None:
    ended(green, cases(60), worse)
    verdicts = [row | {"outcome": "pass"} for row in document(green)["verdicts"]]
    forge(green, exit_code=0, causes=[], verdicts=verdicts)
    code, text = told(green)
    assert code == 12
    assert text.startswith("it is green, but its scores judged anew are not (refunds/success: below_floor)")


def test_a_red_run_gives_its_very_exit_code_and_causes(green: Workspace) -> None:
    ended(green, cases(60), worse)
    code, text = told(green)
    assert code == 10
    assert text.startswith("the run ended with exit code 10: refunds/success: ")


def test_a_red_run_without_trials_needs_no_history(green: Workspace) -> None:
    ended(green, [])
    assert check(green).code == 5


def test_of_all_256_sets_of_eight_kinds_of_causes_the_check_gives_the_code_that_stands(green: Workspace) -> None:
    kinds = (1, 2, 4, 5, 10, 11, 12, 13)
    sets = [one for size in range(len(kinds) + 1) for one in combinations(kinds, size)]
    assert len(sets) == 256
    for codes in sets:
        causes = [{"code": code, "text": "told"} for code in codes]
        forge(green, exit_code=standing(codes), causes=causes)
        assert check(green).code == standing(codes)


def test_of_several_faults_the_gravest_stands_and_all_are_told(green: Workspace) -> None:
    ended(green, cases(60), worse)
    found = check(green, run="other", expect_cases=100)
    assert found.code == 12
    assert [finding.code for finding in found.findings] == [12, 11, 10]


def test_another_file_is_looked_at_where_it_is_named(green: Workspace, tmp_path: Path) -> None:
    elsewhere = tmp_path / "artefact.json"
    green.verdict_file.rename(elsewhere)
    assert check(green, file=elsewhere).code == 0
    assert check(green).code == 12


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=119), "119 s"),
        (timedelta(minutes=2), "2 min"),
        (timedelta(hours=1), "60 min"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_a_span_is_told_in_the_largest_unit_that_fits(span: timedelta, words: str) -> None:
    assert in_words(span) == words
