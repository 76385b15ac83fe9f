"""The command ``pytest-agenteval``: words in, use cases called, words out."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code follows the same table as a run's.

    What the user can mend is told on standard error, without a traceback.
    """
    from pytest_agenteval.cli.parser import parser
    from pytest_agenteval.errors import AgentEvalError, IntegrityError
    from pytest_agenteval.model.visible import visible
    from pytest_agenteval.pipeline import exits

    options = parser().parse_args(arguments)
    try:
        return int(options.act(options))
    except IntegrityError as error:
        code, text = exits.INTEGRITY, str(error)
    except AgentEvalError as error:
        code, text = exits.USAGE, str(error)
    sys.stderr.write(f"pytest-agenteval: {visible(text)}\n")
    return code
