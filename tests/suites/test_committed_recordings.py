"""The committed cases and recordings are what the converters make, where the corpora are at hand."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from suites.convert import agentdojo, bfcl, llmdrift, tau
from suites.convert.corpus import SUITES

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = os.environ.get("PYTEST_AGENTEVAL_DATA", "")
CONVERTERS: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "agentdojo": ("agentdojo", agentdojo.convert),
    "bfcl": ("function_calling", bfcl.convert),
    "llmdrift": ("llmdrift", llmdrift.convert),
    "tau_bench": ("airline", tau.convert_tau),
    "tau2_bench": ("airline", tau.convert_tau2),
}
AT_HAND = [corpus for corpus in CONVERTERS if DATA and (Path(DATA) / corpus).is_dir()]


def unpacked(path: Path) -> bytes:
    """What is in a file: packers of other versions give other bytes for it."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


if AT_HAND:

    @pytest.mark.parametrize("corpus", AT_HAND)
    def test_the_committed_files_are_what_the_converter_makes_of_the_corpus(corpus: str, tmp_path: Path) -> None:
        suite, convert = CONVERTERS[corpus]
        convert(Path(DATA) / corpus, tmp_path)
        made = {path.relative_to(tmp_path): unpacked(path) for path in tmp_path.rglob("*") if path.is_file()}
        assert made
        assert made == {path: unpacked(SUITES / suite / path) for path in made}
