"""An agent behind a URL: JSON over HTTP, with the standard library's client.

No redirect is followed and no proxy taken from the environment: the one host asked is the one named.
"""

from __future__ import annotations

import http.client
import ipaddress
import select
import socket
import ssl
import time
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from pytest_agenteval.agents.deadline import Deadlines
from pytest_agenteval.agents.wire import LONGEST_ANSWER, AgentAnswerError, question, read_answer, time_limit
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError, InfrastructureError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import AgentIdentity, Trajectory
from pytest_agenteval.model.trial import Origin

_METHODS = ("POST", "PUT", "PATCH")
_PROVIDER_FAILED = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_Idle = deque[http.client.HTTPConnection]


class StatusError(InfrastructureError):
    """The service answered with a status that speaks of itself and not of the agent: 408, 425, 429, 5xx.

    ``retry_after`` is the number of seconds that it asks to wait, or None.
    """

    def __init__(self, url: str, status: int, retry_after: float | None) -> None:
        super().__init__(f"{url} answered with status {status}: the service failed, not the agent")
        self.status = status
        self.retry_after = retry_after


class HttpAgent:
    """An agent that answers JSON over HTTP; connections are kept and used again.

    ``input_field`` and ``output_field`` are the keys of the question and of the answer, ``timeout`` the
    seconds that a whole call may take. Certificates are verified. Raises AgentTargetError on a URL or an
    option that cannot be used.

    >>> HttpAgent("http://127.0.0.1:8000/ask?key=1").identity.name
    'http://127.0.0.1:8000/ask'
    """

    origin: Origin = "live"
    takes_case = False

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        input_field: str = "input",
        output_field: str = "output",
        method: str = "POST",
        timeout: float = 60.0,
    ) -> None:
        self._url = _checked_url(url)
        self._headers = _checked_headers(headers or {})
        self._input_field, self._output_field = input_field, output_field
        if method not in _METHODS:
            message = f"method= is one of {', '.join(_METHODS)}, which carry a body, not {method!r}"
            raise AgentTargetError(message)
        self._method = method
        self._timeout = time_limit(timeout)
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None
        self._name = f"{self._url.scheme}://{self._url.netloc}{self._url.path}"
        self.identity = AgentIdentity(name=self._name)
        self._idle: _Idle = deque()
        self._deadlines = Deadlines()
        weakref.finalize(self, _close_all, self._idle)

    def asked(self, call: Call) -> Case:
        """The case, unchanged."""
        return call.case

    def begun(self, _call: Call) -> None:
        """Now: the agent is alive."""

    def answer(self, call: Call) -> Trajectory:
        """What the service answers.

        Raises StatusError or InfrastructureError where the service or the network failed, TimeoutError
        where the time limit is over, AgentAnswerError or EmptyAnswer where what came is no answer.
        """
        sent = self._exchange(question(call, input_field=self._input_field))
        return read_answer(sent, self.identity, output_field=self._output_field)

    def _exchange(self, body: bytes) -> bytes:
        ends = time.monotonic() + self._timeout
        connection = self._connected()
        path = f"{self._url.path or '/'}{'?' if self._url.query else ''}{self._url.query}"
        try:
            with self._until(ends, connection):
                connection.request(self._method, path, body, self._headers)
                response = connection.getresponse()
                answer = response.read(LONGEST_ANSWER + 1)
                if response.length and len(answer) <= LONGEST_ANSWER:
                    raise http.client.IncompleteRead(answer, response.length)
        except BaseException:  # also Ctrl-C: half an answer left in a kept connection would be the next one's
            connection.close()
            raise
        if response.isclosed() and connection.sock is not None:
            self._idle.append(connection)
        else:
            connection.close()
        self._refuse_status(response)
        if len(answer) > LONGEST_ANSWER:
            message = f"{self._name} sent more than {LONGEST_ANSWER // 2**20} MiB"
            raise AgentAnswerError(message)
        return answer

    def _connected(self) -> http.client.HTTPConnection:
        """A kept connection that is still open, or a new one."""
        with suppress(IndexError):  # none is left
            while not _is_open(kept := self._idle.pop()):
                kept.close()
            return kept
        host, port = str(self._url.hostname), self._url.port
        if self._tls is None:
            fresh = http.client.HTTPConnection(host, port, timeout=self._timeout)
        else:
            fresh = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
        try:
            fresh.connect()
        except (OSError, UnicodeError) as error:
            fresh.close()
            message = f"{self._name} cannot be reached: {error}. Does the service run?"
            raise InfrastructureError(message) from error
        return fresh

    @contextmanager
    def _until(self, ends: float, connection: http.client.HTTPConnection) -> Iterator[None]:
        """Cut the connection at the time limit: a socket's own begins anew with each byte that drips in."""
        try:
            with self._deadlines.cut(connection.sock, ends):
                yield
            if time.monotonic() >= ends:  # the cut may look like the end of the answer
                raise TimeoutError
        except (http.client.HTTPException, OSError) as error:
            # A socket's own timeout, and whatever comes of the cut, are the time limit.
            if isinstance(error, TimeoutError) or time.monotonic() >= ends:
                message = f"{self._name} did not answer within {self._timeout:g} s"
                raise TimeoutError(message) from error
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> Exception:
        if isinstance(error, OSError | http.client.IncompleteRead):
            return InfrastructureError(f"the connection to {self._name} broke: {error!r:.200}")
        return AgentAnswerError(f"{self._name} does not speak HTTP: {type(error).__name__}: {error!s:.200}")

    def _refuse_status(self, response: http.client.HTTPResponse) -> None:
        status = response.status
        if status in _PROVIDER_FAILED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise StatusError(self._name, status, retry_after(response.getheader("Retry-After")))
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            target = response.getheader("Location")
            moved = f"; no redirect is followed, name {target!r:.200} instead" if target else ""
            message = f"{self._name} refused the question with status {status} {response.reason:.80}{moved}"
            raise AgentAnswerError(message)


def retry_after(header: str | None) -> float | None:
    """The seconds that a Retry-After header asks to wait, from a number or a date; None where it tells none.

    >>> retry_after("120"), retry_after("soon")
    (120.0, None)
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _checked_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        message = f"{url!r:.200} is no URL: {error}"
        raise AgentTargetError(message) from error
    if parts.scheme not in {"http", "https"} or not host or not _is_printable(url) or " " in url:
        message = f"{url!r:.200} is no URL of an agent; write it like https://agent.example.org/ask, in ASCII"
        raise AgentTargetError(message)
    if parts.username is not None:
        message = f"the URL of {host} holds a user's name; give headers={{'Authorization': …}} instead"
        raise AgentTargetError(message)
    if _is_link_local(host):
        message = f"{host} is a link-local address: no agent lives there, but a machine's own secrets do"
        raise AgentTargetError(message)
    return parts


def _is_printable(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isprintable()


def _is_link_local(host: str) -> bool:
    """Whether the host is an address, however written, of the link itself; a name is not looked up."""
    try:
        [found, *_] = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    address = ipaddress.ip_address(found[4][0])
    return (getattr(address, "ipv4_mapped", None) or address).is_link_local


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of each call; a user's own replace ours."""
    for name, value in headers.items():
        if not (_is_printable(name) and _is_printable(value)):
            message = f"headers= are texts of printable ASCII; {name!r:.80} is not"
            raise AgentTargetError(message)
    own = {name.lower(): value for name, value in headers.items()}
    return {"content-type": "application/json", "accept": "application/json", **own}


def _is_open(connection: http.client.HTTPConnection) -> bool:
    """Whether nothing came on an idle connection: what comes there is its end."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)


def _close_all(idle: _Idle) -> None:
    while idle:
        idle.pop().close()
