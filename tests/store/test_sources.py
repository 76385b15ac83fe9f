"""A metric's digest changes with what it computes, and with nothing else."""

from __future__ import annotations

import pytest

from pytest_agenteval.model.case import Case
from pytest_agenteval.store.sources import Sources
from pytest_agenteval.store.testfiles import agent_tests

TEST = '''
import pathlib
import judges
from pytest_agenteval import metric
from words import WORDS
RUBRIC = (pathlib.Path(__file__).parent / "rubrics" / "tone.md").read_text()
OTHER = 3

def helper(text):
    """Say it."""
    return text in WORDS  # why

@metric(name="tone", better="higher")
def judged(trial):
    """A judge."""
    return helper(trial.output) and judges.ask(RUBRIC)

@metric
def other(trial):
    return OTHER

short = metric(range=None)(helper)
'''
FILES = {
    "suites/a/test_a.py": TEST,
    "suites/a/words.py": "WORDS = ['a']\nUNUSED = 1\n",
    "judges.py": "def ask(rubric):\n    return MODEL\nMODEL = 'm'\n",
    "suites/a/rubrics/tone.md": "Be kind.",
}


def digest(metric: str = "tone", **changes: str) -> str:
    files = FILES | {path: changes[key] for key, path in KEYS.items() if key in changes}
    found = Sources(files.get).metric_digest("suites/a/test_a.py", metric)
    assert found is not None
    return found


KEYS = {
    "test": "suites/a/test_a.py",
    "words": "suites/a/words.py",
    "judges": "judges.py",
    "rubric": "suites/a/rubrics/tone.md",
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return text in WORDS", "return text not in WORDS"),
        ("helper(trial.output) and", "helper(trial.output) or"),
        ('better="higher"', 'better="lower"'),
        ("OTHER = 3", "OTHER = 3\nWORDS.append('b')"),
        ("OTHER = 3", "OTHER = 3\ndef helper(text): return True"),
        ("@metric\n", "judged = metric(name='tone')(helper)\n@metric\n"),
        ("from words import WORDS", "from words import UNUSED as WORDS"),
    ],
)
def test_another_computation_is_another_digest(old: str, new: str) -> None:
    changed = TEST.replace(old, new)
    assert changed != TEST
    assert digest(test=changed) != digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A judge.", "A kind judge."),
        ('"""Say it."""', ""),
        ("  # why", ""),
        ("OTHER = 3", "OTHER = 4"),
        ("import metric", "import Case, metric"),
        ("def helper(text):", "def helper( text ):\n\n"),
        ('better="higher"', "better='higher'"),
    ],
)
def test_words_layout_and_what_the_metric_does_not_reach_do_not_count(old: str, new: str) -> None:
    changed = TEST.replace(old, new)
    assert changed != TEST
    assert digest(test=changed) == digest()


@pytest.mark.parametrize(
    "change",
    [
        {"words": "WORDS = ['a', 'b']\nUNUSED = 1\n"},
        {"judges": "def ask(rubric):\n    return MODEL\nMODEL = 'cheaper'\n"},
        {"rubric": "Anything goes."},
    ],
    ids=str,
)
def test_files_of_the_project_that_it_reaches_count(change: dict[str, str]) -> None:
    assert digest(**change) != digest()


IMPORTS = [
    "def helper(text):\n    from shop.judges import ask\n    return ask(text)",
    "def helper(text):\n    import shop.judges as j\n    return j.ask(text)",
    "try:\n    from shop.judges import ask as helper\nexcept ImportError:\n    helper = None",
    "if True:\n    import shop.judges as helper",
    "from shop.judges import ask as helper",
]


@pytest.mark.parametrize("place", ["src", "lib", "suites", ""])
@pytest.mark.parametrize("helper", IMPORTS)
def test_a_helper_is_found_in_src_and_where_pythonpath_says_wherever_it_is_imported(helper: str, place: str) -> None:
    test = f"from pytest_agenteval import metric\n{helper}\n\n@metric\ndef tone(trial):\n    return helper(trial)\n"

    def digest_with(body: str) -> str | None:
        files = {
            "suites/a/test_a.py": test,
            f"{place}/shop/judges.py".lstrip("/"): f"def ask(text):\n    return {body}\n",
        }
        return Sources(files.get, ["./lib/"]).metric_digest("suites/a/test_a.py", "tone")

    assert digest_with("True") != digest_with("text")
    assert digest_with("True") == digest_with("True  # why")


def test_files_that_a_function_imports_are_among_those_that_may_define_a_metric() -> None:
    files = {"t.py": "def late():\n    from judges import tone\n", "src/judges.py": "tone = 1\n"}
    assert Sources(files.get).with_imported(["t.py"]) == ("src/judges.py", "t.py")


def test_what_an_imported_file_has_beside_it_does_not_count() -> None:
    assert digest(words="WORDS = ['a']\nUNUSED = 2\n") == digest()


def test_a_file_that_moves_with_all_that_it_reaches_keeps_its_digest() -> None:
    moved = {path.replace("suites/a/", "suites/b/"): text for path, text in FILES.items()}
    assert Sources(moved.get).metric_digest("suites/b/test_a.py", "tone") == digest()


def test_of_a_metric_that_is_not_found_by_name_the_whole_file_counts() -> None:
    assert digest("made_by_a_factory") != digest("made_by_a_factory", test=TEST.replace("OTHER = 3", "OTHER = 4"))
    assert Sources(FILES.get).metric_digest("suites/a/gone.py", "tone") is None


def test_metrics_are_found_by_the_names_that_they_go_by() -> None:
    file = Sources(FILES.get).file("suites/a/test_a.py")
    assert file is not None
    assert file.metrics == {"tone": "judged", "other": "other", "helper": "short"}


CASES = """
import pytest
from pytest_agenteval import *
from shared import MORE
pytestmark = [pytest.mark.skipif(True, reason="x")]
LOOP = [*LOOP]
ONE = Case(id="one", input="q", expect={"contains": ["a"]}, tags=["must_pass"])

@pytest.mark.xfail
@agent_cases([ONE, Case(id="two", input={"a": [1]})], *MORE, load_cases("more.jsonl"), repeats=3)
def test_a(trial): ...

class TestB:
    @agent_cases(load_cases("b.csv"))
    def test_b(self, trial): ...
"""
SHARED = 'from pytest_agenteval import Case\nMORE = (Case(id="three", input="t"),)\n'


def test_cases_that_are_written_out_are_read_without_running_anything() -> None:
    found = agent_tests(Sources({"t.py": CASES, "shared.py": SHARED}.get), "t.py")
    assert found is not None
    assert found.cases == (
        Case(id="one", input="q", expect={"contains": ["a"]}, tags=("must_pass",)),
        Case(id="two", input={"a": [1]}),
        Case(id="three", input="t"),
    )
    assert (found.files, found.complete) == (("more.jsonl", "b.csv"), True)
    assert found.repeats == {"one": 3, "two": 3, "three": 3, "more.jsonl": 3, "b.csv": 1}
    assert found.excused == {"test_a": ("skipif", "xfail"), "TestB::test_b": ("skipif",)}


@pytest.mark.parametrize(
    "given",
    ["[Case(id=f'{n}', input=n) for n in range(3)]", "made()", "NOWHERE", "load_cases(name)", "Case(id=1)", "[*LOOP]"],
)
def test_cases_that_only_running_would_tell_leave_the_list_open(given: str) -> None:
    source = CASES.replace("*MORE", given)
    found = agent_tests(Sources({"t.py": source, "shared.py": SHARED}.get), "t.py")
    assert found is not None
    assert not found.complete
    assert len(found.cases) == 2


def test_of_adaptive_repeats_the_greatest_number_counts() -> None:
    source = CASES.replace("repeats=3", "repeats='adaptive', max_repeats=6")
    found = agent_tests(Sources({"t.py": source}.get), "t.py")
    assert found is not None
    assert found.repeats["one"] == 6


@pytest.mark.parametrize(
    "line", ["N = 4", "N: int = 4", "M = 4\nN = M", "from shared import N", "from shared import O as N"]
)
def test_attempts_are_followed_to_the_constant_of_a_module(line: str) -> None:
    source = f"{line}\n" + CASES.replace("repeats=3", "repeats=N")
    found = agent_tests(Sources({"t.py": source, "shared.py": SHARED + "N = 4\nO = N\n"}.get), "t.py")
    assert found is not None
    assert found.repeats["one"] == 4


def test_attempts_that_are_not_written_out_are_not_guessed() -> None:
    found = agent_tests(Sources({"t.py": CASES.replace("repeats=3", "repeats=N")}.get), "t.py")
    assert found is not None
    assert found.repeats["one"] is None


def test_of_unknown_cases_the_least_number_of_attempts_is_sure() -> None:
    more = "".join(
        f"\n@agent_cases({given}, repeats={n})\ndef test_{n}(trial): ...\n"
        for given, n in (("made()", 2), ("ONE, made()", 5))
    )
    found = agent_tests(Sources({"t.py": CASES + more, "shared.py": SHARED}.get), "t.py")
    assert found is not None
    assert (found.repeats[""], found.repeats["one"]) == (2, 5)


@pytest.mark.parametrize("text", ["def test_x(): ...", "not python (", "x" * 3 + "(" * 5000])
def test_other_files_have_no_agent_tests(text: str) -> None:
    assert agent_tests(Sources({"t.py": text}.get), "t.py") is None
