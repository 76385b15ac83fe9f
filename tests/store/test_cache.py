"""Kept answers: what was put is got, and whatever is not as it was written is not there."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from time import process_time

import pytest

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.store.cache import Cache
from pytest_agenteval.store.redaction import SafeTrial


def answer(text: str) -> SafeTrial:
    return SafeTrial(Trial(id="t", case=Case(id="a", input="x"), trajectory=Trajectory(output=text)))


def filled(folder: Path, n: int = 20) -> Path:
    cache = Cache(folder)
    for number in range(n):
        cache.put("shop", f"key{number}", answer(f"answer {number}"))
    cache.close()
    return folder / "shop.jsonl"


def found(folder: Path, n: int = 20) -> tuple[list[int], Cache]:
    cache = Cache(folder)
    kept = {number: cache.get("shop", f"key{number}") for number in range(n)}
    wrong = [number for number, one in kept.items() if one and one.trajectory.output != f"answer {number}"]
    assert not wrong
    return [number for number, one in kept.items() if one], cache


def test_what_was_put_is_got_by_a_later_cache_of_that_agent_alone(tmp_path: Path) -> None:
    filled(tmp_path)
    kept, cache = found(tmp_path)
    assert kept == list(range(20))
    assert cache.get("another", "key1") is None
    assert (cache.n_unsound, cache.refusal) == (0, "")


def test_of_two_answers_by_one_key_the_later_counts(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for text in ("first", "second"):
        cache.put("shop", "key", answer(text))
    kept = Cache(tmp_path).get("shop", "key")
    assert kept is not None
    assert kept.trajectory.output == "second"


def test_no_cut_and_no_changed_byte_ever_gives_another_answer(tmp_path: Path) -> None:
    file = filled(tmp_path)
    whole, chance = file.read_bytes(), random.Random(0)
    for _ in range(150):
        place = chance.randrange(len(whole))
        changed = whole[:place] if chance.random() < 0.5 else bytearray(whole)
        if isinstance(changed, bytearray):
            changed[place] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        kept, cache = found(tmp_path)
        assert len(kept) < 20
        assert cache.n_unsound <= 2
        assert cache.n_unsound or changed[-1:] in (b"\n", b"")  # cut between two lines nothing is torn


def test_a_torn_line_does_not_spoil_what_is_put_after_it(tmp_path: Path) -> None:
    file = filled(tmp_path)
    file.write_bytes(file.read_bytes()[:-5] + b"\nwhat somebody else wrote\n{}\ntorn")
    cache = Cache(tmp_path)
    assert cache.get("shop", "key19") is None
    assert cache.n_unsound == 4
    cache.put("shop", "key19", answer("answer 19"))
    assert found(tmp_path)[0] == list(range(20))


@pytest.mark.parametrize("in_the_way", ["a file", "a folder"])
def test_what_cannot_be_read_or_written_fails_nothing_and_is_told(tmp_path: Path, in_the_way: str) -> None:
    folder = tmp_path / "cache"
    if in_the_way == "a file":
        folder.write_text("no folder", "utf-8")
    else:
        (folder / "shop.jsonl").mkdir(parents=True)
    cache = Cache(folder)
    assert cache.get("shop", "key") is None
    cache.put("shop", "key", answer("x"))
    cache.close()
    assert cache.n_unsound == 1
    assert "shop.jsonl" in cache.refusal or str(folder) in cache.refusal


def test_two_caches_and_many_threads_write_at_once(tmp_path: Path) -> None:
    caches = [Cache(tmp_path), Cache(tmp_path)]

    def put(number: int) -> None:
        for turn in range(50):
            caches[number % 2].put("shop", f"key{number}", answer(f"answer {number}" if turn else "x" * 9000))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept, cache = found(tmp_path, 6)
    assert (kept, cache.n_unsound) == (list(range(6)), 0)


def test_two_thousand_entries_are_read_in_well_under_a_second(tmp_path: Path) -> None:
    filled(tmp_path, 2000)
    begun = process_time()
    assert len(found(tmp_path, 2000)[0]) == 2000
    assert process_time() - begun < 0.7  # 0.05 s; a busy machine and a measured run take longer


def test_a_closed_cache_holds_no_file_open(tmp_path: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    filled(tmp_path)
    assert len(list(Path("/dev/fd").iterdir())) == before
