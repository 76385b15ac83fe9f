"""An agent's fingerprint: another one where its code or its values may have changed, the same one where not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

MAKE = """
import functools, json, os, sys
from pathlib import Path
from pytest_agenteval.agents import adapt
from pytest_agenteval.app.fingerprint import Fingerprints
import support
made = eval(sys.argv[1], vars(support))
print(Fingerprints(Path.cwd()).of(adapt(made)))
"""

SUPPORT = """
import functools, os, threading
import prices

MODEL = os.environ.get("MODEL", "small")
LOCK = threading.Lock()
TOOLS = {len: "counts"}

def ask(text):
    with LOCK:
        return f"{MODEL} {prices.CURRENCY} {TOOLS} {text}"

def shop(text, *, model="small"):
    import discounts
    return ask(text)

def made_for(model):
    return lambda text: f"{model} {text}"

class Shop:
    def __init__(self, model):
        self.model, self.client, self.myself = model, object(), self
    def __call__(self, text):
        return self.model
    def answer_to(self, text):
        return self.model
"""


class Place:
    """A project whose agents' fingerprints are asked in processes of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.put("make.py", MAKE)
        self.put("support.py", SUPPORT)
        self.put("prices.py", "import os\nCURRENCY = os.environ.get('CURRENCY', 'EUR')\n")
        self.put("discounts.py", "RATE = 0.1\n")
        self.put("suites/refunds/test_refunds.py", "def test_refund(trial): assert trial.output\n")
        self.put("suites/refunds/conftest.py", "import pytest\n")

    def put(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")

    def of(self, *makers: str, **environment: str) -> list[str]:
        """One fingerprint a maker, from one process each; those of several run at once."""
        started = [
            subprocess.Popen(
                [sys.executable, "make.py", maker],
                cwd=self.root,
                env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "random", **environment},
                stdout=subprocess.PIPE,
                text=True,
            )
            for maker in makers
        ]
        found = [process.communicate()[0].strip() for process in started]
        assert all(len(one) == 32 for one in found)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_agents_are_given_tells_them_apart_and_stays_the_same_in_another_process(place: Place) -> None:
    makers = [
        "shop",
        "functools.partial(shop, model='small')",
        "functools.partial(shop, model='large')",
        "made_for('small')",
        "made_for('large')",
        "Shop('small')",
        "Shop('large')",
        "Shop('small').answer_to",
        "Shop('large').answer_to",
    ]
    first = place.of(*makers)
    assert len(set(first)) == len(makers)
    assert place.of(*makers) == first


def test_a_global_that_comes_from_the_environment_is_seen_through_what_calls_it(place: Place) -> None:
    [plain], [of_model], [of_currency] = (
        place.of("shop"),
        place.of("shop", MODEL="large"),
        place.of("shop", CURRENCY="$"),
    )
    assert len({plain, of_model, of_currency}) == 3
    assert place.of("shop", UNUSED="1") == [plain]


@pytest.mark.parametrize(
    ("file", "text", "is_seen"),
    [
        ("support.py", SUPPORT + "\n# edited\n", True),
        ("discounts.py", "RATE = 0.2\n", True),  # loaded by the first call alone
        ("suites/refunds/conftest.py", "import pytest  # edited\n", True),
        ("suites/refunds/test_refunds.py", "def test_refund(trial): assert trial.output != 'no'\n", False),
        ("suites/refunds/test_refunds.py", "import pytest\n@pytest.fixture\ndef agent(): ...\n", True),
        ("new-1.0.dist-info/METADATA", "", True),  # something was installed
        ("README.md", "edited", False),
        (".venv/lib/other.py", "x = 1\n", False),
        ("env/lib/other.py", "x = 1\n", False),
    ],
)
def test_which_edited_files_make_it_another_agent(place: Place, file: str, text: str, is_seen: bool) -> None:
    place.put("env/pyvenv.cfg", "")
    before = place.of("shop")
    place.put(file, text)
    assert (place.of("shop") != before) is is_seen


def test_the_package_of_an_agent_that_lies_elsewhere_is_seen_and_no_other(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("theirs", "other"):
        (elsewhere / name).mkdir()
        (elsewhere / name / "__init__.py").write_text("", "utf-8")
    (elsewhere / "theirs" / "agent.py").write_text("import other\ndef bot(text): return text\n", "utf-8")
    way = "__import__('sys').path.append(PLACE) or __import__('theirs.agent').agent.bot".replace(
        "PLACE", repr(str(elsewhere))
    )
    before = place.of(way)
    (elsewhere / "other" / "__init__.py").write_text("edited = 1", "utf-8")
    assert place.of(way) == before
    (elsewhere / "theirs" / "prompt.py").write_text("TEXT = 'edited'", "utf-8")
    assert place.of(way) != before
