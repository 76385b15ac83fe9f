"""The exceptions of the project. Each message says what is wrong, why, and the next step.

::

    AgentEvalError
    ├── UsageError            exit 4: the run could not begin or be judged as asked
    │   ├── SettingsError     pyproject.toml
    │   ├── CaseError         a case or a case file
    │   ├── BaselineError     a baseline file, or approving one
    │   ├── QuarantineError   the quarantine of a suite, or putting a case into it
    │   ├── RecordingError    a recording
    │   ├── MetricError       a metric that is unknown, or twice the same name
    │   ├── ShardError        the shards of a run cannot be merged
    │   ├── HistoryError      a segment of the history, or a question it cannot answer
    │   └── AgentTargetError  what --agent-eval-agent or connect() names
    ├── InvalidValue          a value that cannot be (a frozen type refused it)
    ├── IntegrityError        exit 12: something could not be written, or does not verify
    ├── InfrastructureError   raise it from an agent: the provider failed, not the agent
    └── NotRecorded           asked of a trial what it did not record
"""

from __future__ import annotations


class AgentEvalError(Exception):
    """Base of all errors of the project."""


class UsageError(AgentEvalError):
    """The user can mend it; the exit code is 4."""


class SettingsError(UsageError):
    """The settings in pyproject.toml cannot be read as asked."""


class CaseError(UsageError):
    """A case or a case file cannot be used."""


class BaselineError(UsageError):
    """A baseline cannot be read, or may not be written."""


class QuarantineError(UsageError):
    """The quarantine of a suite cannot be read, or a case may not be quarantined."""


class RecordingError(UsageError):
    """A recording cannot be read, or holds nothing for a case."""


class MetricError(UsageError):
    """A metric is unknown, twice named, or wrongly declared."""


class ShardError(UsageError):
    """The shards of a run are not all there, or are no parts of one."""


class HistoryError(UsageError):
    """A segment of the history cannot be read, or the history cannot answer."""


class AgentTargetError(UsageError):
    """A target given for the agent names nothing that can be called."""


class InvalidValue(AgentEvalError, ValueError):
    """A value that its type refuses."""


class IntegrityError(AgentEvalError):
    """A store could not be written, or what it holds does not verify; the exit code is 12."""


class InfrastructureError(AgentEvalError):
    """Raise this from an agent when its provider failed.

    Such a trial is *not evaluated*: it is never a failure of the agent, and never a score.
    """


class NotRecorded(AgentEvalError):
    """The trial did not record what was asked, so there is no answer, not even *no*."""
