"""What an agent prints and logs while other items run is kept with the item whose trial it is."""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper
from typing import Any, TextIO

import pytest

from pytest_agenteval.pipeline.heard import HEARD

_STREAMS = {"out": "stdout", "err": "stderr"}
_HANDLERS = ("caplog_handler", "report_handler")


def listen(config: pytest.Config) -> None:
    """From now on what a call under way says goes to its own item; with ``-s`` it goes to the terminal, as asked."""
    capture = getattr(config.pluginmanager.get_plugin("capturemanager"), "_global_capturing", None)
    for name, where in _STREAMS.items():
        stream = getattr(capture, name, None)
        # pytest puts one of these two in place of sys.stdout whenever it begins or ends to capture. There is no public
        # way to be asked: where a future pytest has none of them, what an agent prints is the running item's, as ever.
        inner = getattr(stream, "syscapture", None)
        if inner is not None:
            _put_between(inner, "tmpfile", where, config)
        elif stream is not None:
            _split_itself(getattr(stream, "tmpfile", None), where, config)
        _put_between(inner or stream, "_old", where, config)
    logs = config.pluginmanager.get_plugin("logging-plugin")
    handler = _LogOfCalls(getattr(logs, "formatter", None))
    logging.getLogger().addHandler(handler)
    config.add_cleanup(lambda: logging.getLogger().removeHandler(handler))
    for name in _HANDLERS:
        if hasattr(logs, name):
            getattr(logs, name).addFilter(_is_of_no_call)


class _Split:
    """A stream that takes aside what is said in a call under way."""

    def __init__(self, stream: TextIO, where: str) -> None:
        self._stream, self._where = stream, where

    def write(self, text: str) -> int:
        heard = HEARD.get()
        if heard is None:
            return self._stream.write(text)
        heard.write(self._where, text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the stream has
        return getattr(self._stream, name)


class _LogOfCalls(logging.Handler):
    """Keeps what is logged in a call; the rest goes where it went without a handler of ours."""

    def __init__(self, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        heard = HEARD.get()
        if heard is not None:
            heard.write("log", f"{self.format(record)}\n")
        elif logging.lastResort and logging.getLogger().handlers == [self] and record.levelno >= logging.WARNING:
            logging.lastResort.handle(record)


def _is_of_no_call(_: logging.LogRecord) -> bool:
    return HEARD.get() is None


def _split_itself(stream: Any, where: str, config: pytest.Config) -> None:  # noqa: ANN401  # private
    """With ``--capture=sys`` pytest reads what it put in place, and insists on its kind."""
    kind: Any = type(stream)
    if not isinstance(stream, TextIOWrapper):
        return

    def write(self: Any, text: str) -> int:  # noqa: ANN401  # the same
        heard = HEARD.get()
        if heard is None:
            return int(kind.write(self, text))
        heard.write(where, text)
        tee = getattr(self, "_other", None)  # of --capture=tee-sys
        return len(text) if tee is None else int(tee.write(text))

    stream.__class__ = type(kind.__name__, (kind,), {"write": write})
    config.add_cleanup(lambda: setattr(stream, "__class__", kind))


def _put_between(inner: Any, attribute: str, where: str, config: pytest.Config) -> None:  # noqa: ANN401  # private
    stream = getattr(inner, attribute, None)
    if stream is None or isinstance(stream, _Split):
        return
    split = _Split(stream, where)
    setattr(inner, attribute, split)
    config.add_cleanup(lambda: setattr(inner, attribute, stream))
    if getattr(sys, where) is stream:
        setattr(sys, where, split)
