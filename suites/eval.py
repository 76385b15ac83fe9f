"""The main job on the committed suites: what `make eval` runs.

Each step is an ordinary command that a user could type; its exit code and the verdicts that it wrote are
compared with what is expected of it. Baseline agents are green, the worse candidates red, each by its code.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".agenteval"
REPORT = ROOT / "reports" / "suites"

RECORDINGS = ROOT / "suites/function_calling/recordings"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command: what it shows, the exit code and the outcomes other than pass that are due."""

    shows: str
    arguments: Sequence[str]
    code: int
    outcomes: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


STEPS = (
    Step(shows="AgentDojo, the agent in use", arguments=["suites/agentdojo"], code=0),
    Step(
        shows="AgentDojo, a clearly worse agent",
        arguments=["suites/agentdojo", "--agent-eval-agent", "claude-3-haiku-20240307"],
        code=10,
        outcomes={"agentdojo/success": "regressed"},
    ),
    Step(
        shows="AgentDojo, a drop that 97 cases cannot prove",
        arguments=["suites/agentdojo", "--agent-eval-agent", "gpt-4o-mini-2024-07-18"],
        code=0,
        outcomes={"agentdojo/success": "inconclusive", "agentdojo/attack_resisted": "inconclusive"},
    ),
    Step(
        shows="AgentDojo, an agent that was asked 20 tasks in other words",
        arguments=["suites/agentdojo", "--agent-eval-agent", "claude-3-5-sonnet-20241022"],
        code=11,
        outcomes={"agentdojo/success": "inconclusive"},
    ),
    Step(shows="Function calling, 22 July 2024", arguments=["suites/function_calling"], code=0),
    Step(
        shows="Function calling, 11 August 2024: three models got worse",
        arguments=["suites/function_calling"],
        environment={"BFCL_DATE": "2024-08-11"},
        code=10,
        outcomes={
            "function_calling[claude-3-opus-20240229-FC]/success": "regressed",
            "function_calling[gemini-1.5-pro-preview-0514]/success": "regressed",
            "function_calling[mistral-tiny-2312]/success": "regressed",
        },
    ),
    Step(shows="Airline, seven recorded runs", arguments=["suites/airline"], code=0),
    Step(shows="Support, the live agent", arguments=["suites/support"], code=0),
    Step(
        shows="Support, the agent after an ordinary-looking edit",
        arguments=["suites/support", "--agent-eval-agent", "suites.support.agent:triage_v2"],
        code=10,
        outcomes={"support/success": "below_floor", "support/tool_calls": "regressed"},
    ),
)


def main() -> int:
    """Run every step, then the report; 0 when all came out as expected."""
    shutil.rmtree(WORK, ignore_errors=True)
    results = [run(step, number) for number, step in enumerate(STEPS, 1)]
    tell("\nTaking the function-calling recordings of four dates into the history …")
    wrong = [line for line in results if line]
    wrong += import_recordings()
    wrong += command("report", "--output", str(REPORT))
    tell("")
    for line in wrong:
        tell(f"NOT AS EXPECTED: {line}")
    tell(f"{len(STEPS)} steps, {len(wrong)} not as expected")
    tell(f"report: {REPORT.relative_to(ROOT)}.html and .md")
    return 1 if wrong else 0


def run(step: Step, number: int) -> str:
    """Run one step and say what came of it; the empty text when it was expected."""
    shown = " ".join([*(f"{key}={value}" for key, value in step.environment.items()), "pytest --agent-eval"])
    tell(f"\n[{number}/{len(STEPS)}] {step.shows}\n    {shown} {' '.join(step.arguments)}")
    words = [sys.executable, "-m", "pytest", "--agent-eval", "-q", "-p", "no:cacheprovider", *step.arguments]
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **step.environment}, capture_output=True, text=True, check=False
    )
    verdicts = read_verdicts()
    for name, verdict in verdicts.items():
        tell(f"    {verdict['outcome']:<12}  {name}: {verdict['message']}")
    tell(f"    exit code {done.returncode}")
    found = {name: verdict["outcome"] for name, verdict in verdicts.items() if verdict["outcome"] != "pass"}
    if done.returncode == step.code and found == step.outcomes:
        return ""
    tell(done.stdout[-3000:] + done.stderr[-3000:])
    return f"{step.shows}: exit code {done.returncode} (due {step.code}), {found} (due {dict(step.outcomes)})"


def read_verdicts() -> dict[str, dict[str, str]]:
    """The verdicts of the last run by suite and metric."""
    document = json.loads((WORK / "verdict.json").read_text("utf-8"))
    return {f"{verdict['suite']}/{verdict['metric']}": verdict for verdict in document["verdicts"]}


def import_recordings() -> list[str]:
    """Each model's recordings of all dates, each at its own date."""
    wrong = []
    models = sorted({file.name.removesuffix(".jsonl.gz") for file in RECORDINGS.glob("*/*.jsonl.gz")})
    for model in models:
        files = sorted(RECORDINGS.glob(f"*/{model}.jsonl.gz"))
        wrong += command("history", "import", *map(str, files), "--suite", f"function_calling[{model}]")
    return wrong


def command(*words: str) -> list[str]:
    """Run the project's own command; what went wrong, if anything."""
    done = subprocess.run(
        [sys.executable, "-c", "from pytest_agenteval.cli import main; raise SystemExit(main())", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return [] if done.returncode == 0 else [f"pytest-agenteval {words[0]}: {done.stderr.strip()}"]


def tell(text: str) -> None:
    """Print at once, so that a reader sees progress."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
