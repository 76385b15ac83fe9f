"""With CI set, a run with a skipped test or an expected failure is not green (tests/conftest.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.architecture.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

UNPROVEN = {
    "test_skip": "import pytest\n@pytest.mark.skip(reason='later')\ndef test_one(): ...\n",
    "test_skipped_module": "import pytest\npytest.importorskip('no_such_library')\n",
    "test_xfail": "import pytest\n@pytest.mark.xfail\ndef test_one(): assert False\n",
}


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text())
    pytester.makepyfile(test_proven="def test_two(): ...\n")
    return pytester.path


@pytest.mark.parametrize("how", [("-p", "no:xdist"), ("-n", "1")], ids=["serial", "xdist"])
def test_each_skipped_proof_is_named_and_fails_the_run_in_ci(
    pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CI", "true")
    for name, source in UNPROVEN.items():
        (project / f"{name}.py").write_text(source)
    result = pytester.runpytest_subprocess(*how)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = result.stdout.str().partition("CI is set, ")[2]
    assert [name for name in UNPROVEN if f"{name}.py" not in said] == []


def test_a_skipped_proof_is_let_through_at_home(pytester: pytest.Pytester, project: Path) -> None:
    (project / "test_skip.py").write_text(UNPROVEN["test_skip"])
    assert pytester.runpytest_subprocess("-p", "no:xdist").ret == pytest.ExitCode.OK


def test_a_run_that_proves_everything_passes_in_ci(
    pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    assert pytester.runpytest_subprocess("-n", "1").ret == pytest.ExitCode.OK
