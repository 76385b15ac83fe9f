"""The tables of the workloads: ratios round by round, targets met or missed, and work that is always the same."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest

from benchmarks import lines as recorded
from benchmarks import measure, table, work
from benchmarks.measure import Contender, Round, Sample
from benchmarks.peers import FOLDER, PEERS
from benchmarks.table import Target, Workload

FLOOR, OURS = "bare", "ours"
ROUNDS: list[Round] = [
    {FLOOR: Sample(wall=1, cpu=1, mb=10), OURS: Sample(wall=1.5, cpu=3, mb=20, told={"connections": 64})},
    {FLOOR: Sample(wall=4, cpu=1, mb=10), OURS: Sample(wall=4.4, cpu=2, mb=30, told={"connections": 64})},
    {FLOOR: Sample(wall=2, cpu=1, mb=10), OURS: Sample(wall=4.0, cpu=2, mb=20, told={"connections": 60})},
]


@pytest.mark.parametrize("module", [measure, table, work, recorded], ids=lambda module: module.__name__)
def test_the_examples_of_the_benchmarks_run(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]  # a module


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_not_the_ratio_of_the_medians() -> None:
    target = Target(what="W", of=OURS, figure="wall", against=FLOOR, must=1.45, stretch=2)
    assert target.values(ROUNDS) == [1.5, 1.1, 2.0]
    assert target.line(ROUNDS) == "| W | 1.500 (1.100-2.000) × | ≤ 1.45 × | **missed** by 0.05 × | ≤ 2 × | met |"


def test_a_target_may_be_a_difference_or_a_figure_that_the_process_told() -> None:
    more = Target(
        what="W", of=OURS, figure="wall", against=FLOOR, by="difference", scale=1000, unit="ms more", must=600
    )
    assert more.values(ROUNDS) == pytest.approx([500, 400, 2000])
    told = Target(what="W", of=OURS, figure="connections", unit="connections", must=64)
    assert told.line(ROUNDS).endswith("| ≤ 64 connections | met | | |")


@pytest.mark.parametrize(("floor", "ratios"), [(FLOOR, "1.50 | 2.00"), ("", " | ")])
def test_each_contestant_has_a_row_with_its_ratios_where_there_is_a_floor(floor: str, ratios: str) -> None:
    contenders = [Contender(name=name, command=(), project=Path()) for name in (FLOOR, OURS)]
    rows = list(table.lines(Workload(title="W", contenders=contenders, floor=floor), ROUNDS))
    assert rows[-1] == f"| ours | 4.000 (1.500-4.400) | 2.00 | 30 | {ratios} | connections 64 |"


def test_the_recorded_lines_are_the_same_each_time_and_wrong_as_often_as_promised() -> None:
    made = list(recorded.recorded_lines(4000))
    assert made == list(recorded.recorded_lines(4000))
    rows = [json.loads(line) for line in made]
    found = [work.checks(row["output"], work.Asked(row["id"], "", row["expected"], row["needle"])) for row in rows]
    assert sum(exact for exact, _, _ in found) / len(rows) == pytest.approx(0.9, abs=0.015)
    assert sum(not valid for _, _, valid in found) / len(rows) == pytest.approx(0.05, abs=0.01)
    assert sum(map(len, made)) / len(made) == pytest.approx(500, abs=20)


def test_the_agent_is_right_about_every_case() -> None:
    for name in work.WORKS:
        assert all(all(work.checks(work.answer(case.input), case)) for case in work.WORKS[name].cases)


def test_each_peer_has_its_program_and_pinned_packages() -> None:
    for peer in PEERS.values():
        assert (FOLDER / f"{peer.program}.py").is_file()
        assert all("==" in package for package in peer.packages)
        assert peer.options.keys() <= work.WORKS.keys()
