"""A change cannot lower the bar that judges it: what gets round it ends red, its honest twin green.

Each change is made to the working tree of a real git repository, whose branch ``main`` is the base.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_agenteval.app.base import read_base
from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.runs import RunOptions
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import BaselineError, SettingsError
from pytest_agenteval.pipeline.loosening import GUARDS
from tests.app import bars
from tests.app.bars import (
    APPROVED,
    BILLING,
    CASES,
    HELPER,
    RUBRIC,
    SETTINGS,
    SUITE,
    Edit,
    approve_in_base,
    baseline,
    both,
    in_json,
    judged,
    matching,
    moved,
    removed,
    swap,
    written,
)
from tests.store.repositories import commit, git, put, repository


@dataclass(frozen=True, kw_only=True)
class Lowering:
    """A change that would lower its own bar.

    ``guard`` finds it; ``alone``: nothing else would. ``honest`` is the twin that goes green: another edit, or
    None for the very same one once the base has an approval of it. ``code`` is what it ends with.
    """

    edit: Edit
    guard: str
    honest: Edit | None = None
    alone: bool = False
    code: int = 10


def untouched(_root: Path) -> None:
    """The twin of what no approval could make judgeable: the project as it is."""


def in_baseline(metric: str, **changes: Any) -> Edit:
    """Change keys of a baseline's file: ``bar__floor=0.1`` is the floor of its bar; None takes a key away."""

    def change(data: dict[str, Any]) -> None:
        for path, value in changes.items():
            *outer, key = path.split("__")
            place = data
            for name in outer:
                place = place[name]
            if value is None:
                del place[key]
            else:
                place[key] = value

    return in_json(baseline(metric), change)


def in_rows(metric: str, key: str, value: Any, *, of: int = 3) -> Edit:
    """Change a key of the first few cases in a baseline's file."""

    def change(data: dict[str, Any]) -> None:
        for row in list(data["cases"].values())[:of]:
            if value is None:
                del row[key]
            else:
                row[key] = value

    return in_json(baseline(metric), change)


def in_row(metric: str, case: str, values: list[float]) -> Edit:
    return in_json(baseline(metric), lambda data: data["cases"][case].update(screen=values))


def without_rows(metric: str, *, of: int = 1) -> Edit:
    def change(data: dict[str, Any]) -> None:
        for case in list(data["cases"])[:of]:
            del data["cases"][case]

    return in_json(baseline(metric), change)


def without_answers(data: dict[str, Any]) -> None:
    for row in data["cases"].values():
        del row["answers"]


RENEWED = in_baseline("contains", approval__reason="the same values, approved anew")
SAME_SPEC = '@metric(name="{name}", better="higher", unit="fraction", kind="binary", needs={needs})\n'
OWN_CONTAINS = SAME_SPEC.format(name="contains", needs=["expect.contains", "output"])


def own_contains(body: str, imports: str = "") -> Edit:
    """A metric of the project's own that goes by the name of a built-in one."""
    return both(
        swap(SUITE, "WRITTEN = [", f"{imports}{OWN_CONTAINS}{body}\n\nWRITTEN = ["),
        swap(SUITE, '["success", "contains", tone', '["success", own, tone'),
    )


def quarantine_file(suite: str, case: str) -> Edit:
    row = {
        "owner": "Dana", "since": "2026-11-20", "until": "2026-12-20", "reason": "flaky", "run": "r1",
        "metric": "success", "values": [1, 0],
    }  # fmt: skip
    text = {"schema": "agenteval-quarantine/1", "suite": suite, "cases": {case: row}}
    return written(f"quarantine/{suite}.json", json.dumps(text))


INI = "\n[tool.pytest.ini_options]\naddopts = "
C01 = '{"id": "c01", "input": "q1", '
ANY = r'\{"id": "c0[0-3]".*\n'

LOWERINGS: dict[str, Lowering] = {
    # What the settings and the baseline files ask
    "the floor is lowered": Lowering(edit=swap(SETTINGS, "floor = 0.5", "floor = 0.1"), guard="floor", alone=True),
    "the floor is taken out": Lowering(edit=swap(SETTINGS, ", floor = 0.5", ""), guard="floor", alone=True),
    "a floor is put on another metric instead": Lowering(
        edit=both(swap(SETTINGS, ", floor = 0.5", ""), swap(SETTINGS, "tone = {}", "tone = { floor = 0.5 }")),
        guard="floor",
    ),
    "the floor in the baseline file is lowered": Lowering(edit=in_baseline("contains", bar__floor=0.1), guard="floor"),
    "the floor in the baseline file is taken out": Lowering(
        edit=in_baseline("contains", bar__floor=None), guard="floor"
    ),
    "a table of the suite's own name hides the floor": Lowering(
        edit=swap(SETTINGS, "floor = 0.5", "floor = 0.0"), guard="floor"
    ),
    "the ceiling is raised": Lowering(
        edit=swap(SETTINGS, "ceiling = 200", "ceiling = 900"), guard="ceiling", alone=True
    ),
    "the ceiling is taken out": Lowering(edit=swap(SETTINGS, "{ ceiling = 200 }", "{}"), guard="ceiling"),
    "the ceiling becomes a floor": Lowering(edit=swap(SETTINGS, "{ ceiling = 200 }", "{ floor = 1 }"), guard="ceiling"),
    "the ceiling of the error rate is raised": Lowering(
        edit=swap(SETTINGS, "ceiling = 0.02", "ceiling = 0.5"), guard="ceiling"
    ),
    "the error rate is given a ceiling where it had to be 0": Lowering(
        edit=swap(SETTINGS, "tone = {}", "tone = {}\nerror_rate = { ceiling = 0.3 }"), guard="ceiling"
    ),
    "the margin is raised": Lowering(
        edit=swap(SETTINGS, "margin = 0.05", "margin = 0.5"),
        honest=swap(SETTINGS, "margin = 0.05", "margin = 0.01"),
        guard="margin",
    ),
    "the margin in the baseline file is raised": Lowering(
        edit=in_baseline("tone", bar__margin=0.9), guard="margin", alone=True
    ),
    "the margin is raised in both places": Lowering(
        edit=both(swap(SETTINGS, "margin = 0.05", "margin = 0.5"), in_baseline("success", bar__margin=0.5)),
        guard="margin",
    ),
    "a margin is set where the default was in force": Lowering(
        edit=swap(SETTINGS, "contains = {}", "contains = { margin = 0.9 }"),
        honest=swap(SETTINGS, "contains = {}", "contains = { margin = 0.01 }"),
        guard="margin",
    ),
    "the margin of an unbounded metric is raised": Lowering(
        edit=in_baseline("length", bar__margin=300), guard="margin"
    ),
    "no slice gates any more": Lowering(edit=swap(SETTINGS, ', slices = ["fr"]', ""), guard="gating_slice", alone=True),
    "the list of gating slices is empty": Lowering(
        edit=swap(SETTINGS, 'slices = ["fr"]', "slices = []"), guard="gating_slice"
    ),
    "an easier slice gates instead": Lowering(
        edit=swap(SETTINGS, 'slices = ["fr"]', 'slices = ["must_pass"]'), guard="gating_slice"
    ),
    "a metric is taken out of the gate": Lowering(
        edit=swap(SETTINGS, "contains = {}\n", ""), guard="metric_removed", alone=True
    ),
    "the gate table of the suite is gone": Lowering(
        edit=matching(SETTINGS, r"\[tool.pytest-agenteval.suites.refunds.gate\]\n(.+\n)+", ""), guard="metric_removed"
    ),
    "all settings are gone": Lowering(edit=written(SETTINGS, ""), guard="metric_removed"),
    "the settings of the time before are back": Lowering(edit=written(SETTINGS, APPROVED), guard="floor"),
    "the suite's table is misspelt": Lowering(
        edit=swap(SETTINGS, "suites.refunds.gate", "suites.refund.gate"),
        guard="metric_removed",
        honest=untouched,
        code=4,
    ),
    "a metric is no longer measured": Lowering(
        edit=both(swap(SETTINGS, "contains = {}\n", ""), swap(SUITE, '"success", "contains"', '"success"')),
        guard="metric_removed",
        honest=untouched,
        code=4,
    ),
    "a metric is removed everywhere": Lowering(
        edit=both(
            swap(SETTINGS, "contains = {}\n", ""),
            swap(SUITE, '"success", "contains"', '"success"'),
            removed(baseline("contains")),
        ),
        guard="baseline_removed",
        code=4,
    ),
    # The baselines
    "a baseline is removed": Lowering(
        edit=removed(baseline("tone")),
        guard="baseline_removed",
        honest=in_baseline("tone", bar__floor=0.3),
        alone=True,
    ),
    "all baselines of a suite are removed": Lowering(
        edit=removed("baselines/refunds"), guard="baseline_removed", honest=untouched
    ),
    "the baselines are looked for elsewhere": Lowering(
        edit=swap(SETTINGS, "owner =", 'baselines = "references"\nowner ='),
        guard="baseline_removed",
        honest=both(
            swap(SETTINGS, "owner =", 'baselines = "references"\nowner ='),
            moved("baselines", "references"),
        ),
    ),
    "a baseline is moved to another suite": Lowering(
        edit=moved(baseline("contains"), baseline("contains", "billing")),
        guard="baseline_removed",
        honest=untouched,
        code=4,
    ),
    "values of a baseline are lowered": Lowering(
        edit=both(in_rows("contains", "screen", [0]), in_baseline("contains", approval__run="another")),
        guard="baseline_lower",
        honest=RENEWED,
        alone=True,
    ),
    "a baseline is written anew to the same mean": Lowering(
        edit=both(in_row("length", "c00", [26.0]), in_row("length", "c09", [18.0])),
        guard="baseline_rewritten",
        honest=in_row("length", "c09", [21.0]),
        alone=True,
    ),
    "values that are held back are lowered": Lowering(
        edit=in_rows("contains", "held_back", [0]), guard="baseline_lower"
    ),
    "the estimate in a baseline is lowered": Lowering(
        edit=both(in_baseline("contains", estimate__value=0.9), in_baseline("contains", estimate__low=0.5)),
        guard="baseline_lower",
    ),
    "values of which lower ones are better are raised": Lowering(
        edit=in_rows("length", "screen", [90.0]), guard="baseline_lower", honest=in_rows("length", "screen", [21.0])
    ),
    "every value of a baseline is lowered": Lowering(
        edit=in_rows("tone", "screen", [0], of=99), guard="baseline_lower", honest=RENEWED
    ),
    "a case is taken out of a baseline": Lowering(
        edit=without_rows("contains"), guard="baseline_fewer_cases", alone=True
    ),
    "half of the cases are taken out of a baseline": Lowering(
        edit=without_rows("contains", of=8), guard="baseline_fewer_cases"
    ),
    "nothing is held back any more": Lowering(
        edit=both(in_json(baseline("contains"), without_answers), in_rows("contains", "held_back", None, of=99)),
        guard="baseline_fewer_values",
        alone=True,
    ),
    "the answers are taken out of a baseline": Lowering(
        edit=in_json(baseline("contains"), without_answers), guard="baseline_fewer_values"
    ),
    # The metrics
    "the direction in the baseline file is flipped": Lowering(
        edit=in_baseline("contains", spec__better="lower"), guard="direction", honest=untouched, alone=True
    ),
    "the direction of a metric is flipped": Lowering(
        edit=swap(SUITE, 'better="higher", unit="fraction"', 'better="lower", unit="fraction"'),
        guard="direction",
        honest=untouched,
    ),
    "the direction of an unbounded metric is flipped": Lowering(
        edit=swap(SUITE, 'better="lower"', 'better="higher"'), guard="direction", honest=untouched
    ),
    "what a metric needs is changed in the baseline file": Lowering(
        edit=in_baseline("contains", spec__needs=["expect.output"]), guard="declaration", alone=True
    ),
    "an agent's error no longer counts": Lowering(
        edit=swap(SUITE, 'unit="fraction")', 'unit="fraction", on_agent_error="missing")'), guard="declaration"
    ),
    "the aggregate of a metric is another": Lowering(
        edit=swap(SUITE, "range=None)", 'range=None, aggregate="p50")'), guard="declaration", honest=untouched
    ),
    "a metric is no longer deterministic": Lowering(
        edit=swap(SUITE, 'unit="fraction")', 'unit="fraction", deterministic=False)'), guard="declaration"
    ),
    "the range of a metric is another": Lowering(
        edit=swap(SUITE, 'unit="fraction")', 'unit="fraction", range=(0, 9))'), guard="declaration", honest=untouched
    ),
    "the version in the baseline file is another": Lowering(
        edit=in_baseline("contains", spec__version=2), guard="version", honest=untouched, alone=True
    ),
    "the version of a metric is another": Lowering(
        edit=swap(SUITE, 'unit="fraction")', 'unit="fraction", version=2)'), guard="version", honest=untouched
    ),
    "the judge is made kinder": Lowering(
        edit=swap(SUITE, "return is_polite(str(trial.output), RUBRIC.split())", "return True"),
        guard="source",
        honest=swap(SUITE, '"""Whether the answer is polite."""', "# Polite or not."),
        alone=True,
    ),
    "the rubric is made kinder": Lowering(
        edit=written(RUBRIC, "thanks please no yes\n"), guard="source", honest=written("suites/refunds/notes.md", "x")
    ),
    "the judge's helper is made kinder": Lowering(
        edit=swap(HELPER, "return any(", "return True or any("),
        guard="source",
        honest=swap(HELPER, '"""What is polite."""', "# What is polite, in words."),
    ),
    "the judge is replaced further down": Lowering(
        edit=swap(SUITE, "WRITTEN = [", 'tone = metric(name="tone", unit="fraction")(lambda trial: True)\nWRITTEN = ['),
        guard="source",
    ),
    "the judge's helper is hidden by another": Lowering(
        edit=swap(SUITE, "WRITTEN = [", "def is_polite(text, words): return True\nWRITTEN = ["), guard="source"
    ),
    "the judge comes from another file": Lowering(
        edit=both(
            written(
                "suites/refunds/kinder.py",
                "from pytest_agenteval import metric\n@metric(unit='fraction')\ndef tone(trial): return True\n",
            ),
            swap(SUITE, "WRITTEN = [", "from kinder import tone\nWRITTEN = ["),
        ),
        guard="source",
    ),
    "the judge is made by a factory": Lowering(
        edit=swap(
            SUITE,
            "WRITTEN = [",
            "def made(name): return metric(name=name, unit='fraction')(lambda _: 1)\ntone = made('tone')\nWRITTEN = [",
        ),
        guard="source",
    ),
    "an own metric goes by the name of a built-in one": Lowering(
        edit=own_contains("def own(trial): return True"), guard="built_in_replaced", alone=True
    ),
    "an own metric says that it wraps the built-in one": Lowering(
        edit=own_contains(
            "@functools.wraps(contains.function)\ndef own(trial): return True",
            "import functools\nfrom pytest_agenteval.metrics import contains\n",
        ),
        guard="built_in_replaced",
    ),
    "another built-in metric goes by the name": Lowering(
        edit=both(
            swap(
                SUITE,
                "WRITTEN = [",
                "from pytest_agenteval.metrics import success\n"
                f"own = {OWN_CONTAINS.strip()[1:]}(success.function)\nWRITTEN = [",
            ),
            swap(SUITE, '["success", "contains", tone', '["success", own, tone'),
        ),
        guard="built_in_replaced",
    ),
    # The cases
    "a case is removed from the file": Lowering(
        edit=matching(CASES, r'\{"id": "c09".*\n', ""), guard="case_removed", alone=True
    ),
    "a case that is written out is removed": Lowering(
        edit=matching(SUITE, r'    Case\(id="bye".*\n', ""), guard="case_removed"
    ),
    "one case fewer is generated": Lowering(edit=swap(SUITE, "range(4)", "range(3)"), guard="case_removed"),
    "a case is given another name": Lowering(edit=swap(CASES, '"c09"', '"d09"'), guard="case_removed"),
    "cases are loaded from another file": Lowering(
        edit=both(
            swap(SUITE, '"requests.jsonl"', '"fewer.jsonl"'),
            moved(CASES, CASES.replace("requests", "fewer")),
            matching(CASES.replace("requests", "fewer"), ANY, "", count=1),
        ),
        guard="case_removed",
        honest=both(
            swap(SUITE, '"requests.jsonl"', '"renamed.jsonl"'),
            moved(CASES, CASES.replace("requests", "renamed")),
        ),
    ),
    "a whole test is removed": Lowering(
        edit=matching(SUITE, r"@agent_cases\(\[Case\(id=f(.*\n)+", ""), guard="case_removed"
    ),
    "the input of a case is made easier": Lowering(
        edit=swap(CASES, C01, C01.replace("q1", "easy")), guard="case_edited", alone=True
    ),
    "the expectation of a case is weakened": Lowering(
        edit=matching(CASES, r'("id": "c05".*)"30 days"', r'\1"days"'), guard="case_edited"
    ),
    "a case expects nothing any more": Lowering(
        edit=matching(CASES, r'("id": "c09".*"expect": )\{.*?\]\}', r"\1{}"), guard="case_edited"
    ),
    "a case that is written out expects less": Lowering(
        edit=swap(SUITE, 'input="bye", expect={"contains": ["30 days"]}', 'input="bye", expect={"contains": ["days"]}'),
        guard="case_edited",
    ),
    "generated cases expect less": Lowering(
        edit=swap(SUITE, 'f"made {n}", expect={"contains": ["days"]}', 'f"made {n}", expect={"contains": ["d"]}'),
        guard="case_edited",
        honest=swap(SUITE, "range(4)", "range(5)"),
    ),
    "an expectation is edited, and its baseline with it": Lowering(
        edit=both(
            matching(CASES, r'("id": "c05".*)"30 days"', r'\1"days"'),
            *(in_json(baseline(name), lambda data: data["cases"].pop("c05")) for name in ("success", "contains")),
        ),
        guard="case_edited",
    ),
    "a case need not pass any more": Lowering(
        edit=swap(SUITE, ', tags=["must_pass"]', ""), guard="must_pass", alone=True
    ),
    "a case is no longer asked for a metric": Lowering(
        edit=swap(
            SUITE,
            "@agent_cases(WRITTEN, ",
            '@agent_cases(WRITTEN[1:], metrics=["contains", tone, length], repeats=2)\ndef test_bye(trial): ...\n\n\n'
            "@agent_cases(WRITTEN[:1], ",
        ),
        guard="case_not_scored",
        honest=swap(
            SUITE,
            "@agent_cases(WRITTEN, ",
            '@agent_cases(WRITTEN[1:], metrics=["success", "contains", tone, length], repeats=2)\n'
            "def test_bye(trial): ...\n\n\n@agent_cases(WRITTEN[:1], ",
        ),
        alone=True,
    ),
    "an easy case joins a slice that gates": Lowering(
        edit=matching(CASES, r'("id": "c09".*"tags": )\[\]', r'\1["fr"]'),
        guard="slice_tag",
        honest=matching(
            CASES, r"\Z", '{"id": "new", "input": "n", "tags": ["fr"], "expect": {"contains": ["d"]}}\n', count=1
        ),
    ),
    "a case leaves a slice that gates": Lowering(
        edit=matching(CASES, r'("id": "c05".*)"fr"', r'\1"de"'), guard="slice_tag", alone=True
    ),
    "a case that is written out leaves a slice that gates": Lowering(
        edit=swap(SUITE, ', tags=["fr"]', ""), guard="slice_tag"
    ),
    "a case is quarantined": Lowering(edit=quarantine_file("refunds", "c03"), guard="quarantined", alone=True),
    # What runs, and how
    "an exception becomes the provider's fault": Lowering(
        edit=swap(SETTINGS, '["shop.Down"]', '["shop.Down", "ValueError"]'),
        guard="infrastructure",
        honest=swap(SETTINGS, 'infrastructure = ["shop.Down"]', "retries = 5\nagent_timeout = 90"),
        alone=True,
    ),
    "replay is chosen in addopts": Lowering(
        edit=swap(
            SETTINGS, "[tool.pytest-agenteval]", f'{INI[1:]}"-q --agent-eval-mode replay"\n[tool.pytest-agenteval]'
        ),
        guard="options",
        alone=True,
    ),
    "another agent is chosen in a pytest.ini": Lowering(
        edit=written("pytest.ini", "[pytest]\naddopts = --agent-eval-agent=good\n"),
        guard="options",
        honest=written("pytest.ini", "[pytest]\naddopts = -q\n"),
    ),
    "a part is meant, says a pytest.toml": Lowering(
        edit=written("pytest.toml", '[pytest]\naddopts = ["--agent-eval-partial"]\n'), guard="options"
    ),
    "the tests of a suite are removed": Lowering(edit=removed(BILLING), guard="suite_deselected", alone=True),
    "a suite goes by another name": Lowering(
        edit=moved("suites/billing", "suites/money"),
        guard="suite_deselected",
        honest=moved(BILLING, BILLING.replace("test_billing", "test_money")),
    ),
    "a suite's tests have no agent cases any more": Lowering(
        edit=written(BILLING, "def test_billing(): ...\n"), guard="suite_deselected"
    ),
    "fewer attempts are made": Lowering(edit=swap(SUITE, "repeats=2", "repeats=1"), guard="repeats", alone=True),
    "a test is expected to fail": Lowering(
        edit=both(
            swap(SUITE, "@agent_cases(WRITTEN", "@pytest.mark.xfail\n@agent_cases(WRITTEN"),
            swap(SUITE, "from pathlib", "import pytest\nfrom pathlib"),
        ),
        guard="excused",
        alone=True,
    ),
    # Several at once
    "a floor is lowered among many that are raised": Lowering(
        edit=both(
            swap(SETTINGS, "floor = 0.5", "floor = 0.4"),
            swap(SETTINGS, "tone = {}", "tone = { floor = 0.6 }"),
            swap(SETTINGS, "ceiling = 200", "ceiling = 100"),
        ),
        guard="floor",
    ),
    "a case is removed while others are added": Lowering(
        edit=both(
            matching(CASES, r'\{"id": "c09".*\n', ""),
            matching(CASES, r"\Z", '{"id": "new", "input": "new", "expect": {"contains": ["30 days"]}}\n', count=1),
        ),
        guard="case_removed",
        honest=matching(CASES, r"\Z", '{"id": "new", "input": "new", "expect": {"contains": ["30 days"]}}\n', count=1),
    ),
}

TIGHTENINGS: dict[str, Edit] = {
    "nothing": untouched,
    "a higher floor": swap(SETTINGS, "floor = 0.5", "floor = 0.6"),
    "a further floor": swap(SETTINGS, "tone = {}", "tone = { floor = 0.4 }"),
    "a lower ceiling": swap(SETTINGS, "ceiling = 200", "ceiling = 100"),
    "a smaller margin": swap(SETTINGS, "margin = 0.05", "margin = 0.03"),
    "a further slice that gates": swap(SETTINGS, 'slices = ["fr"]', 'slices = ["fr", "must_pass"]'),
    "a further case": matching(CASES, r"\Z", '{"id": "new", "input": "n", "expect": {"contains": ["d"]}}\n', count=1),
    "a further tag": swap(SUITE, 'tags=["fr"]', 'tags=["fr", "must_pass"]'),
    "a further attempt": swap(SUITE, "repeats=2", "repeats=3"),
    "a further metric": swap(SUITE, '["success", "contains"', '["success", "contains", "excludes"'),
    "a new suite": both(
        written("suites/new/test_new.py", bars.FILES[BILLING].replace("success", "contains")),
        matching(
            SETTINGS, r"\Z", "\n[tool.pytest-agenteval.suites.new.gate]\nerror_rate = { ceiling = 0.5 }\n", count=1
        ),
    ),
    "an exception that is no longer excused": swap(SETTINGS, '["shop.Down"]', "[]"),
    "more time and more retries": swap(SETTINGS, "owner =", "retries = 9\nagent_timeout = 300\nowner ="),
    "other words in a docstring": swap(SUITE, '"""Whether the answer is polite."""', '"""Polite?"""'),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bars.template(tmp_path_factory.mktemp("template") / "repo")


@pytest.fixture
def fresh(template: Path, tmp_path: Path) -> Any:
    """Makes copies of the repository."""

    def copy(name: str = "repo") -> Path:
        return Path(shutil.copytree(template, tmp_path / name, symlinks=True))

    return copy


def changed(root: Path, edit: Edit) -> Judged:
    edit(root)
    return judged(root)


def in_base(root: Path) -> None:
    """Merge the working tree into ``main``, and be one commit ahead of it."""
    commit(root, {}, "merged")
    git(root, "branch", "-q", "-f", "main", "HEAD")
    commit(root, {}, "ahead")


def told(found: Judged) -> str:
    verdicts = [f"{one.suite}/{one.metric}: {one.outcome}: {one.message}" for one in found.verdicts]
    return "\n".join([str(found.code), *verdicts, *(cause.text for cause in found.causes)])


def test_there_are_more_than_sixty_of_them_and_each_guard_has_one() -> None:
    assert len(LOWERINGS) >= 60
    assert {one.guard for one in LOWERINGS.values()} == set(GUARDS)


@pytest.mark.parametrize("name", LOWERINGS)
def test_a_change_that_lowers_its_own_bar_is_red_and_its_honest_twin_green(name: str, fresh: Any) -> None:
    lowering = LOWERINGS[name]
    red = changed(fresh("red"), lowering.edit)
    assert red.code == lowering.code, told(red)
    assert lowering.guard in {one.guard for one in red.loosenings}, told(red)
    assert any(f"{one.before} in the base, {one.after} here" in told(red) for one in red.loosenings)
    twin = fresh("twin")
    if lowering.honest is None:
        approve_in_base(twin, red)
    green = changed(twin, lowering.honest or lowering.edit)
    assert (green.code, green.loosenings) == (0, ()), told(green)


@pytest.mark.parametrize("name", TIGHTENINGS)
def test_tightening_and_what_is_new_is_free(name: str, fresh: Any) -> None:
    green = changed(fresh(), TIGHTENINGS[name])
    new = {verdict.suite for verdict in green.verdicts} - {"refunds", "billing"}
    assert green.loosenings == ()
    assert green.code == (10 if new else 0), told(green)  # a new suite has no baseline yet, and nothing is looser


@pytest.mark.parametrize("guard", GUARDS)
def test_switching_a_guard_off_lets_a_change_through(guard: str, fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    [lowering, *_] = [one for one in LOWERINGS.values() if one.guard == guard and one.alone]
    monkeypatch.delitem(GUARDS, guard)
    green = changed(fresh(), lowering.edit)
    assert (green.code, green.loosenings) == (0, ()), told(green)


FLOOR = LOWERINGS["the floor is lowered"].edit


def test_the_message_names_both_bars_the_verdict_by_the_bases_and_the_next_step(fresh: Any) -> None:
    red = changed(fresh(), FLOOR)
    [verdict] = [one for one in red.verdicts if one.outcome == "loosened"]
    assert "this change lowers its own bar: floor in the settings: 0.5 in the base, 0.1 here" in verdict.message
    assert "by the base's bar: inconclusive (from 1.0000 to 1.0000" in verdict.message
    assert "pytest-agenteval baseline approve --loosening --base main --reason '…'" in verdict.next_step
    assert red.base


def test_the_run_is_held_to_the_base_even_where_a_guard_is_blind(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fresh()
    monkeypatch.delitem(GUARDS, "floor")
    monkeypatch.setattr(bars, "shop", lambda text: "no" if text < "q7" else "thanks, within 30 days")
    found = changed(root, both(FLOOR, in_baseline("success", bar__margin=0.05)))
    assert found.code == 10
    assert {one.outcome.value for one in found.verdicts if one.metric == "success"} & {"regressed", "below_floor"}


def test_tighter_settings_of_the_change_count_at_once(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "shop", lambda text: "no" if text in {"q1", "q2"} else "thanks, within 30 days")
    found = changed(fresh(), swap(SETTINGS, "floor = 0.5", "floor = 1.0"))
    assert found.code == 10
    assert "below_floor" in {one.outcome.value for one in found.verdicts if one.metric == "success"}


def test_an_approval_in_the_change_itself_does_not_count_and_is_told(fresh: Any) -> None:
    root = fresh()
    path = bars.approval_file(root, changed(root, FLOOR))
    red = judged(root)
    assert red.code == 10
    assert f"{path.relative_to(root)} stands in this change, and only an approval in the base counts" in told(red)


def test_an_expired_approval_does_not_count_and_is_told(fresh: Any) -> None:
    root = fresh("twin")
    path = approve_in_base(root, changed(fresh("red"), FLOOR), days=-30)
    red = changed(root, FLOOR)
    assert red.code == 10
    assert f"{path.relative_to(root)} of the base expired on 2026-11-2" in told(red)


def test_an_approval_is_of_exactly_what_it_was_given_for(fresh: Any) -> None:
    root = fresh("twin")
    approve_in_base(root, changed(fresh("red"), FLOOR))
    red = changed(root, swap(SETTINGS, "floor = 0.5", "floor = 0.05"))
    assert red.code == 10
    assert [one.after for one in red.loosenings] == ["0.05"]


def test_an_approval_that_was_written_wrongly_by_hand_allows_nothing(fresh: Any) -> None:
    root = fresh("twin")
    red = changed(fresh("red"), FLOOR)
    path = bars.approval_file(root, red)
    path.write_text(path.read_text("utf-8").replace('"0.1"', '"0.05"'), "utf-8")
    commit(root, {}, "by hand")
    git(root, "branch", "-q", "-f", "main", "HEAD")
    commit(root, {}, "up to date")
    assert changed(root, swap(SETTINGS, "floor = 0.5", "floor = 0.05")).code == 10


def test_several_loosenings_of_which_one_is_approved_are_red(fresh: Any) -> None:
    root = fresh("twin")
    approve_in_base(root, changed(fresh("red"), FLOOR))
    red = changed(root, both(FLOOR, swap(SETTINGS, "ceiling = 200", "ceiling = 900")))
    assert red.code == 10
    assert [one.guard for one in red.loosenings] == ["ceiling"]


@pytest.mark.parametrize("named", [("suites/refunds",), ("suites/refunds/test_refunds.py",)])
def test_suites_outside_the_paths_that_the_command_line_names_need_not_run(fresh: Any, named: tuple[str, ...]) -> None:
    root = fresh()
    (root / BILLING).unlink()
    options = RunOptions(paths=named)
    assert judged(root, options=options).code == 0
    assert judged(root, options=RunOptions(paths=("suites",))).code == 10


def test_attempts_that_the_command_line_sets_are_no_loosening(fresh: Any) -> None:
    root = fresh()
    swap(SUITE, "repeats=2", "repeats=1")(root)
    assert judged(root, options=RunOptions(repeats=1)).code == 0


def test_a_project_in_a_folder_of_a_larger_repository_is_held_to_its_own_base(tmp_path: Path, template: Path) -> None:
    root = tmp_path / "all" / "shop"
    shutil.copytree(template, root, ignore=partial(lambda _folder, names: {".git"} & set(names)))
    repository(tmp_path / "all", {"other.txt": "x"})
    commit(tmp_path / "all", {"README.md": "x"})
    assert judged(root).code == 0
    assert changed(root, FLOOR).code == 10


def test_a_table_that_is_nearer_than_the_bases_is_refused(tmp_path: Path) -> None:
    repository(tmp_path, {SETTINGS: "[tool.pytest-agenteval]\n", "shop/README.md": "x"})
    commit(tmp_path, {f"shop/{SETTINGS}": "[tool.pytest-agenteval]\n"})
    with pytest.raises(SettingsError, match="in the base the project's settings stand in"):
        read_base(Workspace.at(tmp_path / "shop"), "main", RunOptions())


def test_a_suite_that_is_a_file_elsewhere_is_known_by_its_place(fresh: Any) -> None:
    root = fresh()
    commit(root, {"checks/test_mail.py": bars.FILES[BILLING]})
    git(root, "branch", "-q", "-f", "main", "HEAD")
    commit(root, {}, "ahead")
    base = read_base(Workspace.at(root), "main", RunOptions())
    assert base.rules.suites == {"billing", "checks.mail", "refunds"}
    assert set(base.rules.cases["checks.mail"]) == {"b0", "b1"}


def test_a_case_that_is_quarantined_in_the_base_may_stay_so_and_no_longer(fresh: Any) -> None:
    root = fresh()
    quarantine_file("refunds", "c03")(root)
    commit(root, {}, "quarantine")
    git(root, "branch", "-q", "-f", "main", "HEAD")
    commit(root, {}, "ahead")
    assert judged(root).code == 0
    red = changed(root, swap("quarantine/refunds.json", "2026-12-20", "2026-12-30"))
    assert [one.after for one in red.loosenings] == ["quarantined from 2026-11-20 until 2026-12-30"]


MORE = "".join(f'{{"id": "n{n}", "input": "new", "expect": {{"contains": ["days"]}}}}\n' for n in range(400))


def test_easy_new_cases_do_not_lift_the_old_ones_over_the_floor(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fresh()
    swap(SETTINGS, 'margin = 0.05, floor = 0.5, slices = ["fr"]', "margin = 1.0, floor = 0.9")(root)
    in_baseline("success", bar__margin=1.0)(root)
    in_base(root)
    matching(CASES, r"\Z", MORE, count=1)(root)
    assert judged(root).code == 0
    monkeypatch.setattr(bars, "shop", lambda text: "no, thanks" if text[0] == "q" else "thanks, within 30 days")
    [found] = [one for one in judged(root).verdicts if one.metric == "success" and one.suite == "refunds"]
    assert found.outcome == "below_floor"
    assert "on the cases that the base knows 0.3000 [" in found.message
    assert "over 20 cases: proven to break floor 0.9; with the new ones: pass (" in found.message


LOADS = """from pytest_agenteval import agent_cases, load_cases
@agent_cases(load_cases("{}"), metrics=["success"])
def test_billing(trial): ...
"""
ALIAS = """from pytest_agenteval import Case, agent_cases
many = agent_cases(Case(id="b0", input="invoice"), metrics=["success"])
@many
def test_alias(trial): ...
"""
ROW = '{"id": "b0", "input": "invoice", "tags": ["must_pass"]}\n'


def linked(root: Path) -> None:
    put(root, {BILLING: LOADS.format("b.jsonl"), "data/b.jsonl": ROW})
    (root / BILLING).with_name("b.jsonl").symlink_to("../../data/b.jsonl")


@pytest.mark.parametrize(
    ("edit", "complete", "cases"),
    [
        (untouched, True, {"b0", "b1"}),
        (both(written(BILLING, LOADS.format("../b.jsonl")), written("suites/b.jsonl", ROW)), True, {"b0"}),
        (written(BILLING, LOADS.format("nowhere.jsonl")), False, set()),
        (both(written(BILLING, LOADS.format("b.jsonl")), written("suites/billing/b.jsonl", "[")), False, set()),
        (linked, False, set()),
        (written("suites/billing/test_alias.py", ALIAS), False, {"b0", "b1"}),
        (written("suites/shared.py", ALIAS), False, {"b0", "b1"}),
        (swap(BILLING, "from", "from shared import test_other\nfrom"), False, {"b0", "b1"}),
    ],
    ids=["written", "above", "missing", "broken", "link", "alias", "lent", "imported"],
)
def test_only_where_all_cases_could_be_read_a_baseline_may_have_others(
    fresh: Any, edit: Edit, complete: bool, cases: set[str]
) -> None:
    root = fresh()
    edit(root)
    in_base(root)
    found = read_base(Workspace.at(root), "main", RunOptions()).rules
    assert ("billing" in found.complete) is complete
    assert set(found.cases["billing"]) == cases


def test_a_suite_that_a_pattern_in_testpaths_names_must_run(fresh: Any) -> None:
    root = fresh()
    matching(SETTINGS, r"\Z", '\n[tool.pytest.ini_options]\ntestpaths = ["suites/*"]\n', count=1)(root)
    in_base(root)
    assert judged(root).code == 0
    assert [one.guard for one in changed(root, removed(BILLING)).loosenings] == ["suite_deselected"]


def test_a_baseline_of_the_base_that_cannot_be_read_ends_the_run_and_names_the_file(fresh: Any) -> None:
    root = fresh()
    swap(baseline("tone"), '"bar"', '"bra"')(root)
    commit(root, {}, "broken")
    git(root, "branch", "-q", "-f", "main", "HEAD")
    commit(root, {}, "ahead")
    with pytest.raises(BaselineError, match=r"baselines/refunds/tone\.json of the base"):
        judged(root)


def test_settings_that_have_moved_are_refused(tmp_path: Path, template: Path) -> None:
    root = tmp_path / "all" / "shop"
    shutil.copytree(template, root, ignore=partial(lambda _folder, names: {".git"} & set(names)))
    repository(tmp_path / "all", {SETTINGS: "[tool.pytest-agenteval]\n"})
    commit(tmp_path / "all", {"README.md": "x"})
    (root / SETTINGS).unlink()
    with pytest.raises(SettingsError, match="in the base the project's settings stand in"):
        read_base(Workspace.at(root), "main", RunOptions(), start=root)
