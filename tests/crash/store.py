"""Kills writers of the stores at random points: ``python -m tests.crash.store 1000`` prints what was lost.

A writer says of each trial that it is acknowledged, by one byte on a pipe, when the journal has returned; and of each
segment, when the history has. A process of its own, since it forks: the writers find all modules loaded.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from json import dumps
from pathlib import Path

from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.store.history import History
from pytest_agenteval.store.journal import Journal, kept_trials, read_journals
from pytest_agenteval.store.redaction import Redaction
from tests.store.rows import AT, score, trial

_LONGEST = 0.03
"""Seconds that a writer may live."""
_TRIALS = 10
"""In a run; each is so long that a line takes the disk some time."""


@dataclass(kw_only=True)
class Counts:
    kills: int = 0
    acknowledged: int = 0
    sealed: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    unreadable: int = 0


def write(root: Path, said: int) -> None:
    """Trials into a journal, and those into a segment, run after run, until the end comes."""
    made = [trial(f"c{n}") for n in range(_TRIALS)]
    redaction, history = Redaction([]), History(root / "history", root / "index.sqlite")
    for number in range(10**6):
        folder = root / "runs" / f"r{number}"
        journal = Journal(folder)
        for one in made:
            long = replace(one, id=f"r{number}-{one.id}", trajectory=replace(one.trajectory, output="x" * 20_000))
            safe = redaction.trial(long)
            journal.called(safe)
            os.write(said, b"t")
            journal.scored(safe, [score(1.0)])
        journal.close()
        run = Run(id=f"r{number}", started=AT + timedelta(seconds=number), ended=AT + timedelta(seconds=number))
        history.append(FinishedRun(run=run, trials=tuple(read_journals(folder).trials)))
        os.write(said, b"s")


def killed(root: Path, after: float) -> str:
    """What a writer has said when it is killed."""
    heard, said = os.pipe()
    writer = os.fork()
    if not writer:
        try:
            write(root, said)
        finally:
            os._exit(1)
    os.close(said)
    time.sleep(after)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    with os.fdopen(heard, "rb") as stream:
        return stream.read().decode()


def check(root: Path, said: str, counts: Counts) -> None:
    """Compare what was acknowledged with what is there."""
    counts.kills += 1
    counts.acknowledged += said.count("t")
    counts.sealed += said.count("s")
    for number, part in enumerate(said.split("s")):
        folder = root / "runs" / f"r{number}"
        content, lines = read_journals(folder), b"".join(path.read_bytes() for path in folder.glob("journal-*"))
        acknowledged = {f"r{number}-{trial(f'c{n}').id}" for n in range(part.count("t"))}
        counts.lost += len(acknowledged - set(kept_trials(folder)))
        counts.doubled += lines.count(b'"event":"called"') - lines.count(b'"event":"scored"') > 1
        counts.torn += content.n_torn
    history = History(root / "history", root / "index.sqlite")
    runs = {run.id for run in history.runs()}
    counts.unreadable += len(history.problems()) + sum(len(history.read(run).trials) != _TRIALS for run in runs)
    counts.lost += sum(f"r{number}" not in runs for number in range(said.count("s")))
    counts.lost += len([name for name in runs if int(name[1:]) > said.count("s")])  # nobody made such a run


def main(kills: int, seed: int) -> Counts:
    chance, counts = random.Random(seed), Counts()
    for _ in range(kills):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            check(root, killed(root, chance.uniform(0, _LONGEST)), counts)
    return counts


if __name__ == "__main__":
    began = time.monotonic()
    found = main(int(sys.argv[1]), seed=int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns())
    sys.stdout.write(f"{dumps({**asdict(found), 'minutes': round((time.monotonic() - began) / 60, 1)})}\n")
    sys.exit(bool(found.lost or found.doubled or found.unreadable))
