"""Case files say where each case stands, and refuse what two readers would read differently."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_agenteval.store
from pytest_agenteval.errors import CaseError, IntegrityError
from pytest_agenteval.model.case import Case
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.casefiles import EXPECTATIONS, PlacedCase, append_case, read_cases, refuse_twins
from tests.store.rows import change, payloads

SCHEMA = json.loads((Path(pytest_agenteval.store.__file__).parent / "case.schema.json").read_text())
CASES = [
    Case(
        id="no-order-number",
        input="I want my money back,\nnow",
        suite="refunds",
        expect={"calls": [], "output": "012", "number": 5, "contains": "30 days"},
        tags=("fast", "must_pass"),
        failure_mode="FM-012",
    ),
    Case(id="é", input="hello", suite="refunds"),
]
TEXTS = {
    "cases.jsonl": '{"id": "no-order-number", "input": "I want my money back,\\nnow", "expect": '
    '{"calls": [], "output": "012", "number": 5, "contains": "30 days"}, '
    '"tags": ["fast"], "must_pass": true, "failure_mode": "FM-012"}\n\n'
    '{"id": "é", "input": "hello"}',
    "cases.json": '[\n  {"id": "no-order-number", "input": "I want my money back,\\nnow", "expect": '
    '{"calls": [], "output":\n "012", "number": 5, "contains": "30 days"}, '
    '"tags": ["fast", "must_pass"], "failure_mode": "FM-012"},\n\n'
    '{"id": "é", "input": "hello", "tags": null}]\n',
    "cases.yaml": """\
- id: no-order-number
  input: |-
    I want my money back,
    now
  expect: {calls: [], output: "012", number: 5, contains: 30 days}
  tags: [fast]
  must_pass: true
  failure_mode: FM-012
- id: é
  input: hello
  must_pass: false
""",
    "cases.csv": """\
id,input,tags,failure_mode,expect.calls,expect.output,expect.number,expect.contains
no-order-number,"I want my money back,
now",fast; must_pass,FM-012,[],"0""12",5,30 days
é,hello,,,,,,
""",
}
LINES = {"cases.jsonl": (1, 3), "cases.json": (2, 5), "cases.yaml": (1, 9), "cases.csv": (2, 4)}


def read(folder: Path, name: str, text: str | bytes) -> list[PlacedCase]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_cases(path, "refunds")


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order mark"])
@pytest.mark.parametrize("name", TEXTS)
def test_each_format_gives_the_same_cases_with_their_lines(name: str, mark: str, end: str, tmp_path: Path) -> None:
    # A CSV cell that is a number is one, so that a text of digits needs another format.
    text = TEXTS[name].replace('"0""12"', "012")
    placed = read(tmp_path, name, mark + text.replace("\n", end))
    assert [one.case for one in placed] == CASES
    assert [one.place for one in placed] == [f"{tmp_path / name}:{line}" for line in LINES[name]]


@pytest.mark.parametrize("name", ["c.json", "c.yaml"])
def test_the_list_may_stand_under_cases(name: str, tmp_path: Path) -> None:
    text = {"c.json": '{"cases": [\n{"id": "a", "input": 1}\n]}', "c.yaml": "cases:\n- {id: a, input: x}\n"}[name]
    [placed] = read(tmp_path, name, text)
    assert (placed.case.id, placed.place) == ("a", f"{tmp_path / name}:2")


def test_an_empty_list_is_a_file_without_cases(tmp_path: Path) -> None:
    assert [read(tmp_path, f"c{n}{end}", text) for n, (end, text) in enumerate(
        [(".jsonl", ""), (".json", "[]"), (".yaml", "[]"), (".csv", "id,input\n")]
    )] == [[], [], [], []]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.txt", "", r"c\.txt is no case file: its name must end in \.jsonl, \.json"),
        ("c.jsonl", '{"id": "a", "input": 1}\n{"id": }', r"c\.jsonl:2:8: not JSON"),
        ("c.jsonl", '{"id": "a", "input": NaN}', r"c\.jsonl:1: NaN is not"),
        ("c.jsonl", "[1]", r"c\.jsonl:1: a case is an object"),
        ("c.jsonl", '{"id": "a", "inptu": 1}', r"c\.jsonl:1: unknown key 'inptu' .*; did you mean 'input'"),
        ("c.jsonl", '{"id": "a"}', r"c\.jsonl:1: a case needs the key 'input'"),
        ("c.jsonl", '{"id": 7, "input": 1}', r"c\.jsonl:1: id must be a text; quote it, not 7"),
        ("c.jsonl", '{"id": "a-r2", "input": 1}', r"c\.jsonl:1: .*ends like the n-th repeat"),
        ("c.jsonl", '{"id": "a", "input": 1, "tags": [1]}', r":1: tags must be a list of texts"),
        ("c.jsonl", '{"id": "a", "input": 1, "must_pass": "yes"}', r":1: must_pass must be true or false"),
        ("c.jsonl", '{"id": "a", "input": 1, "expect": {"contain": "x"}}', r"'contain'; did you mean"),
        ("c.jsonl", '{"id": "a", "input": 1, "expect": {"call_mode": "x"}}', r"did you mean 'calls_mode'"),
        ("c.json", '{"id": "a", "input": 1}', r"c\.json:1: a case file in JSON is a list"),
        ("c.json", '[\n{"id": "a",}]', r"c\.json:2:12: not JSON"),
        ("c.json", '[\n{"id": "a", "id": "b"}]', r"c\.json:2: the key 'id' stands twice"),
        ("c.yaml", "id: a\ninput: b\n", r"c\.yaml:1: a case file in YAML is a list"),
        ("c.yaml", "", r"c\.yaml:1: a case file in YAML is a list"),
        ("c.yaml", "- id: no\n  input: x\n", r"c\.yaml:1:7: 'no' is read as a bool by some; quote it"),
        ("c.yaml", "- id: true\n  input: x\n", r":1:7: the id true is read as a bool.*quote it: \"true\""),
        ("c.yaml", "- id: a\n  input: 12\n", r"c\.yaml:2:10: the input 12 is read as a int"),
        ("c.yaml", "- id: a\n  input: 1:30\n", r"c\.yaml:2:10: '1:30' is read as a int by some"),
        ("c.yaml", "- id: a\n  input: 2026-01-01\n", r":2:10: '2026-01-01' is read as a timestamp"),
        ("c.yaml", "- id: a\n  input: x\n  expect: {number: .inf}\n", r":3:20: '\.inf' is read as a float"),
        ("c.yaml", "- id: a\n  input: x\n  expect: {1: 2}\n", r":3:12: the key '1' is not read as a text"),
        ("c.yaml", "- <<: {id: a}\n  input: x\n", r":1:3: the key '<<' is not read as a text"),
        ("c.yaml", "- id: [a\n", r"c\.yaml:2:1: not YAML"),
        ("c.yaml", "- just a text\n", r"c\.yaml:1: a case is an object"),
        ("c.yaml", "- id: a\n  input: \x07\n", r"c\.yaml.*: not YAML"),
        ("c.yaml", "- " + "[" * 5000, r"c\.yaml:1:\d+: nested deeper than 100"),
        ("c.csv", "id,inptu\na,b\n", r"c\.csv:1: unknown column 'inptu'; did you mean 'input'"),
        ("c.csv", "id,id\na,b\n", r"c\.csv:1: the column 'id' stands twice"),
        ("c.csv", "id,input\na,b,c\n", r"c\.csv:2: 3 cells under 2 columns"),
        ("c.csv", 'id,input\na,"b\n', r"c\.csv:\d: not CSV"),
        ("c.csv", 'id,input,expect.fields\na,b,"{""x"": 1, ""x"": 2}"\n', r":2: column .*: the key 'x'"),
        ("c.csv", "input\nb\n", r"c\.csv:2: a case needs the key 'id'"),
        ("c.jsonl", b'{"id": "a", "input": "\xff"}', r"c\.jsonl:1: not UTF-8 text"),
    ],
)  # fmt: skip
def test_what_is_no_case_is_refused_with_its_place(name: str, text: str | bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=said):
        read(tmp_path, name, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"none\.jsonl cannot be read: No such file"):
        read_cases(tmp_path / "none.jsonl", "refunds")


@pytest.mark.parametrize(("row", "text"), payloads("yaml"), ids=[row for row, _ in payloads("yaml")])
def test_hostile_yaml_is_refused(row: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"c\.yaml:\d+(:\d+)?: "):
        read(tmp_path, "c.yaml", "- " + text.replace("\n", "\n  ").rstrip(" "))


@pytest.mark.parametrize("name", ["c.jsonl", "c.json"])
@pytest.mark.parametrize("kind", ["json_depth", "json_number"])
def test_hostile_json_is_refused_or_read_as_it_stands(kind: str, name: str, tmp_path: Path) -> None:
    for row, text in payloads(kind):
        line = f'{{"id": "a", "input": {text}}}'
        content = line if name == "c.jsonl" else f"[{line}]"
        if row in ("V049", "V050"):  # plain values
            assert read(tmp_path, name, content)[0].case.input == json.loads(text)
        else:
            with pytest.raises(CaseError, match=rf"{name}:1: "):
                read(tmp_path, name, content)


@pytest.mark.parametrize(("row", "content"), [pair for pair in payloads("encoding") if isinstance(pair[1], bytes)])
def test_bad_bytes_are_refused_and_nul_is_not_json(row: str, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"c\.jsonl:1"):
        read(tmp_path, "c.jsonl", b'{"id": "a", "input": "' + content + b'"}')


@pytest.mark.parametrize("row", ["V066", "V068"])
def test_ids_that_look_alike_are_refused_with_both_places(row: str) -> None:
    ids = dict(payloads("case_id"))
    twin = {"V066": ids["V067"], "V068": "refund-1"}[row]
    placed = [PlacedCase(case=Case(id=one, input=1), place=place) for one, place in [(ids[row], "a:1"), (twin, "b:2")]]
    with pytest.raises(CaseError, match=r"b:2: .* stands already at a:1"):
        refuse_twins(placed)


def test_different_ids_are_let_through() -> None:
    refuse_twins([PlacedCase(case=case, place="x") for case in CASES])


def test_an_added_case_is_read_back_and_its_change_recorded(tmp_path: Path) -> None:
    path, audit = tmp_path / "cases" / "new.jsonl", Audit(tmp_path / "changes.jsonl")
    places = [append_case(path, case, change(), audit) for case in CASES]
    assert [(one.case, one.place) for one in read_cases(path, "refunds")] == list(zip(CASES, places, strict=True))
    assert path.read_bytes().endswith(b"}\n")
    assert len(audit.records()) == 2
    assert sorted(one.name for one in path.parent.iterdir()) == ["new.jsonl"]


@pytest.mark.parametrize(
    "before", ['{"id": "z", "input": 1}', '{"id": "z", "input": 1}\n', '\n{"id": "z", "input": 1}\n\n']
)
def test_a_missing_or_doubled_last_line_end_is_put_right(before: str, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(before)
    place = append_case(path, CASES[1], change(), Audit(tmp_path / "changes.jsonl"))
    assert path.read_text() == before.rstrip("\n") + '\n{"id": "é", "input": "hello"}\n'
    assert read_cases(path, "refunds")[-1].place == place


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            Case(id="É", input="other", suite="refunds"),
            r"c\.jsonl:3: the id 'É', which looks like 'é', stands already at",
        ),
        (Case(id="x", input="hello", suite="refunds"), r"c\.jsonl:2: this case stands here already, as 'é'"),
    ],
)
def test_no_case_is_added_twice(case: Case, said: str, tmp_path: Path) -> None:
    path, audit = tmp_path / "c.jsonl", Audit(tmp_path / "changes.jsonl")
    for one in CASES:
        append_case(path, one, change(), audit)
    content = path.read_bytes()
    with pytest.raises(CaseError, match=said):
        append_case(path, case, change(), audit)
    assert path.read_bytes() == content
    assert len(audit.records()) == 2


def test_a_case_is_added_to_json_lines_only(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"a name that ends in \.jsonl"):
        append_case(tmp_path / "c.yaml", CASES[0], change(), Audit(tmp_path / "changes.jsonl"))


def test_a_broken_audit_log_stops_the_adding(tmp_path: Path) -> None:
    (tmp_path / "changes.jsonl").write_text("torn")
    with pytest.raises(IntegrityError):
        append_case(tmp_path / "c.jsonl", CASES[0], change(), Audit(tmp_path / "changes.jsonl"))
    assert not (tmp_path / "c.jsonl").exists()


ROWS: list[tuple[Any, bool]] = [
    ({"id": "a", "input": "x"}, True),
    ({"id": "a", "input": None, "expect": {}, "tags": [], "failure_mode": None, "provenance": None}, True),
    ({"id": "a", "input": {"x": [1]}, "expect": {"tone": "kind"}, "tags": ["t"], "must_pass": True}, True),
    ({"id": "a" * 200, "input": 1, "provenance": {"run": "r"}}, True),
    ({"id": "a" * 201, "input": 1}, False),
    ({"id": "", "input": 1}, False),
    ({"id": " ", "input": 1}, False),
    ({"id": "a-r12", "input": 1}, False),
    ({"id": "a\u200bb", "input": 1}, False),
    ({"id": "x\0.json", "input": 1}, False),
    ({"id": 1, "input": 1}, False),
    ({"id": "a"}, False),
    ({"input": 1}, False),
    ({"id": "a", "input": 1, "other": 1}, False),
    ({"id": "a", "input": 1, "expect": []}, False),
    ({"id": "a", "input": 1, "tags": "t"}, False),
    ({"id": "a", "input": 1, "tags": [1]}, False),
    ({"id": "a", "input": 1, "failure_mode": 12}, False),
    ({"id": "a", "input": 1, "provenance": "here"}, False),
    ({"id": "a", "input": 1, "must_pass": "true"}, False),
    ("a", False),
    (None, False),
]


def is_valid(instance: object) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(instance)


def is_read(folder: Path, rows: object) -> bool:
    try:
        read(folder, "c.json", json.dumps(rows))
    except CaseError:
        return False
    return True


@pytest.mark.parametrize(("row", "good"), ROWS)
def test_the_published_schema_and_the_reader_agree(row: object, good: bool, tmp_path: Path) -> None:
    assert is_read(tmp_path, [row]) is good
    assert is_valid([row]) is good
    assert is_valid({"cases": [row]}) is good
    assert is_valid(row) is good


def test_the_published_schema_is_a_schema_and_names_every_expectation() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    case = SCHEMA["$defs"]["case"]["properties"]
    assert tuple(case["expect"]["properties"]) == EXPECTATIONS


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSONS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


@given(given_input=JSONS, tone=JSONS, tags=st.lists(TEXT))
def test_any_case_survives_being_added(
    given_input: Any, tone: Any, tags: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("added")
    case = Case(id="a", input=given_input, suite="refunds", expect={"tone": tone}, tags=tuple(tags))
    append_case(folder / "c.jsonl", case, change(), Audit(folder / "changes.jsonl"))
    assert [one.case for one in read_cases(folder / "c.jsonl", "refunds")] == [case]


@given(text=st.text(alphabet='[]{}",:-&*!#|>\n aid1é\\"input'))
@pytest.mark.parametrize("name", ["c.jsonl", "c.json", "c.yaml", "c.csv"])
def test_any_text_is_read_or_refused_and_nothing_else(
    name: str, text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        found: object = read(folder, name, text)
    except CaseError as error:
        found = str(error)
    assert isinstance(found, list) or str(found).startswith(str(folder / name))


def test_without_pyyaml_the_install_line_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(CaseError, match=r"c\.yaml needs PyYAML.*pip install 'pytest-agenteval\[yaml\]'"):
        read(tmp_path, "c.yaml", "[]")


def test_a_tag_on_a_plain_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"c\.yaml:1:7: the tag '!mine' is not read"):
        read(tmp_path, "c.yaml", "- id: !mine a\n  input: x\n")
