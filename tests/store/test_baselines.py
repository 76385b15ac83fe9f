"""Baselines are clean to review and strict when read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import BaselineError, IntegrityError
from pytest_agenteval.model.baseline import Baseline
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.baselines import Baselines, baseline_of, text_of
from tests.store.rows import baseline, change, payloads

TEXT = """\
{
  "schema": "agenteval-baseline/1",
  "suite": "refunds",
  "spec": {"kind": "binary", "name": "success", "unit": "fraction"},
  "bar": {"floor": 0.8, "margin": 0.03},
  "estimate": {"high": 0.9, "low": 0.1, "method": "t", "metric": "success", "n": 2, "suite": "refunds", \
"value": 0.4166666666666667},
  "approval": {"at": "2026-11-24T09:00:00Z", "by": "dana", "reason": "first release", "run": "01JD"},
  "agent": {"name": "desk", "version": "2"},
  "cases": {
    "a": {"answers": ["x", "y", "z"], "fingerprint": "f1", "held_back": [1], "screen": [1, 0]},
    "é": {"fingerprint": "f2", "screen": [0.3333333333333333]}
  }
}
"""


@pytest.fixture
def store(tmp_path: Path) -> Baselines:
    return Baselines(tmp_path / "baselines", Audit(tmp_path / "audit" / "changes.jsonl"))


def test_the_file_has_a_line_a_case_and_always_the_same_bytes(store: Baselines) -> None:
    path = store.write(baseline(), change())
    assert path == store.root / "refunds" / "success.json"
    assert path.read_bytes() == TEXT.encode()


def test_what_was_written_is_read(store: Baselines) -> None:
    store.write(baseline(), change())
    assert store.read("refunds", "success") == baseline()


def test_a_baseline_that_is_not_there_is_none(store: Baselines) -> None:
    assert store.read("refunds", "success") is None
    assert store.all() == []


def test_the_change_stands_in_the_audit_log_before_the_file_is_written(store: Baselines, tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "changes.jsonl").write_text("torn")
    with pytest.raises(IntegrityError):
        store.write(baseline(), change())
    assert store.read("refunds", "success") is None


def test_suites_and_metrics_are_listed_by_their_true_names(store: Baselines) -> None:
    for suite, metric in [("refunds[gpt]", "steps"), ("ünï/../x", "success"), ("refunds[gpt]", "cost_usd")]:
        store.write(baseline(suite, metric), change())
    (store.root / "approvals").mkdir()
    (store.root / "approvals" / "one.json").write_text("{}")
    assert store.suites() == ["refunds[gpt]", "ünï/../x"]
    assert store.metrics("refunds[gpt]") == ["cost_usd", "steps"]
    assert [(one.suite, one.metric) for one in store.all()] == [
        ("refunds[gpt]", "cost_usd"), ("refunds[gpt]", "steps"), ("ünï/../x", "success"),
    ]  # fmt: skip
    assert store.path("ünï/../x", "success").parent.parent == store.root


@pytest.mark.parametrize(
    "text", ["\ufeff" + TEXT, TEXT.replace("\n", "\r\n")], ids=["byte-order mark", "Windows line ends"]
)
def test_marks_and_line_ends_of_windows_are_borne(text: str, store: Baselines) -> None:
    path = store.write(baseline(), change())
    path.write_bytes(text.encode())
    assert store.read("refunds", "success") == baseline()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[1, 0]", "[NaN, 0]", r":10: NaN is not a JSON number"),
        ("[1, 0]", "[1e999, 0]", r":10: the number 1e999 is too large"),
        ("[1, 0]", f"[{'9' * 400}, 0]", r":10: case 'a': "),
        ("[1, 0]", f"[{'9' * 6000}, 0]", r":10: Exceeds the limit"),
        ("[1, 0]", '["1", 0]', r":10: case 'a': .*a number is due"),
        ("[1, 0]", "[true, 0]", r":10: case 'a': .*a number is due"),
        ("[1, 0]", "[1, 0, 1]", r":10: case 'a': 3 answers stand beside 4 values"),
        ('"é": {"fingerprint": "f2", ', '"a": {"fingerprint": "f2", ', r":11: the key 'a' stands twice"),
        ('"held_back": [1]', '"screen": [1]', r":10: the key 'screen' stands twice"),
        ('"floor": 0.8', '"floor": Infinity', r":5: Infinity is not a JSON number"),
        ('"floor": 0.8', '"flor": 0.8', r"unknown key 'flor' in a Bar; did you mean 'floor'"),
        ('"screen": [0.3333333333333333]', '"screen": []', r":11: case 'é': a case .* has a value"),
        ("[0.3333333333333333]}", "[0.3333333333333333]", r":14:1: not JSON"),
        ("\n  }\n}\n", "", r":11:\d+: not JSON: .*restore it from git"),
        ('  "bar"', "<<<<<<< HEAD\n  \"bar\"", r":5: git left a conflict here"),
        ("baseline/1", "baseline/2", r"'agenteval-baseline/2'.*Upgrade pytest-agenteval"),
        ('"suite": "refunds",\n', '"suiet": "refunds",\n', r"unknown key 'suiet'; did you mean 'suite'"),
        ('"suite": "refunds",\n', "", r"the key 'suite' is missing"),
        ('"suite": "refunds",\n', '"suite": 1,\n', r"'suite' a text"),
        ('"suite": "refunds",\n', '"suite": "other",\n', r"is the baseline of other/success"),
        ('"name": "success"', '"name": "steps"', r"is the baseline of refunds/steps"),
        ('"by": "dana"', '"by": ""', r"missing: \['by'\]"),
        ('{\n  "schema"', "[" * 200 + '{\n  "schema"', r":1: nested deeper"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_with_its_place(old: str, new: str, said: str, store: Baselines) -> None:
    path = store.write(baseline(), change())
    assert old in TEXT
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(BaselineError, match=rf"success\.json.*{said}"):
        store.read("refunds", "success")


@pytest.mark.parametrize(("row", "text"), payloads("baseline"), ids=[row for row, _ in payloads("baseline")])
def test_a_file_of_another_shape_closes_the_gate(row: str, text: str) -> None:
    with pytest.raises(BaselineError, match=r"its schema is None.*pytest-agenteval baseline approve"):
        baseline_of(text, "success.json")


def test_bytes_that_are_no_text_are_refused_with_their_line(store: Baselines) -> None:
    path = store.write(baseline(), change())
    path.write_bytes(TEXT.encode().replace(b"dana", b"\xff\xfe"))
    with pytest.raises(BaselineError, match=r"success\.json:7: not UTF-8 text"):
        store.read("refunds", "success")


def test_a_symbolic_link_is_refused_for_reading_and_writing(store: Baselines, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text(TEXT, encoding="utf-8")
    path = store.path("refunds", "success")
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere.json")
    for attempt in (
        lambda: store.read("refunds", "success"),
        store.all,
        lambda: store.write(baseline(), change()),
    ):
        with pytest.raises(BaselineError, match="is a symbolic link"):
            attempt()


def test_a_file_in_the_wrong_folder_is_refused(store: Baselines) -> None:
    path = store.write(baseline(), change())
    path.parent.rename(store.root / "returns")
    with pytest.raises(BaselineError, match=r"belongs at .*refunds.success\.json"):
        store.all()


def test_a_file_that_may_not_be_read_names_the_cause(store: Baselines) -> None:
    store.path("refunds", "success").mkdir(parents=True)
    with pytest.raises(BaselineError, match=r"success\.json cannot be read: Is a directory"):
        store.read("refunds", "success")


def test_values_of_one_case_under_two_fingerprints_are_refused() -> None:
    mixed = replace(baseline(), held_back={"a": CaseScores(fingerprint="f9", values=(1.0,), answers=("z",))})
    with pytest.raises(BaselineError, match="case 'a' has two fingerprints"):
        text_of(mixed)


CASES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0]), min_size=1),
)


@given(screen=CASES, held_back=CASES)
def test_any_values_come_back_bit_for_bit(screen: dict[str, list[float]], held_back: dict[str, list[float]]) -> None:
    def scores(values: dict[str, list[float]]) -> dict[str, CaseScores]:
        return {
            case: CaseScores(fingerprint="f", values=tuple(numbers), answers=tuple("d" for _ in numbers))
            for case, numbers in values.items()
        }

    kept = replace(baseline(), screen=scores(screen), held_back=scores(held_back))
    assert baseline_of(text_of(kept), "x") == kept


@given(data=st.data())
def test_a_file_cut_or_changed_anywhere_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TEXT) - 1))
    text = TEXT[:at] + data.draw(st.sampled_from(["", TEXT[at + 1 :], "NaN" + TEXT[at:], "[" + TEXT[at:]]))
    try:
        found: object = baseline_of(text, "x")
    except BaselineError as error:
        found = str(error)
    assert isinstance(found, Baseline) or str(found).startswith("x:")


def test_the_bytes_do_not_depend_on_locale_or_zone(tmp_path: Path) -> None:
    command = (
        "import sys; from tests.store.rows import baseline;"
        "from pytest_agenteval.store.baselines import text_of;"
        "sys.stdout.buffer.write(text_of(baseline()).encode())"
    )
    for variables in (
        {"LC_ALL": "C", "TZ": "Asia/Tokyo"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "America/Adak"},
    ):
        made = subprocess.run(
            [sys.executable, "-c", command],
            env=os.environ | variables,
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
        )
        assert made.stdout == TEXT.encode()


def test_the_text_is_json_that_anyone_can_read() -> None:
    assert json.loads(TEXT)["cases"]["a"]["screen"] == [1, 0]
