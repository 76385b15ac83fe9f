"""An agent behind a URL, asked over real sockets by a service that also fails in every way."""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pytest_agenteval.agents import connect
from pytest_agenteval.agents.callable import EmptyAnswer
from pytest_agenteval.agents.http import HttpAgent, StatusError, retry_after
from pytest_agenteval.agents.wire import AgentAnswerError
from pytest_agenteval.contracts import Call
from pytest_agenteval.errors import AgentTargetError, InfrastructureError
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.trajectory import AgentIdentity, Step, Trajectory
from tests.agents.adversarial import DATA, kinds, payload

CALL = Call(case=Case(id="no-order", input={"text": "where is it? é"}), attempt=3)


class Service(ThreadingHTTPServer):
    """A service on a free port: ``says`` is what it is told to send, ``heard`` what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.says: bytes = b'{"output": "on its way"}'
        self.status = 200
        self.headers: dict[str, str] = {}
        self.heard: list[tuple[str, str, dict[str, str], Any]] = []
        self.connections = 0
        self.released = threading.Event()

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.command, self.path, dict(self.headers), json.loads(body)))
        getattr(self, f"act_{self.path.strip('/')}", self.act_say)()

    do_PUT = do_POST

    def begin(self, length: int) -> None:
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def act_say(self) -> None:
        self.begin(len(self.server.says))
        self.wfile.write(self.server.says)

    def act_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (self.server.says[:5], self.server.says[5:], b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def act_cut(self) -> None:
        self.begin(len(self.server.says) + 10)
        self.wfile.write(self.server.says)
        self.close_connection = True

    def act_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())  # closing the socket would wait for the files made of it
        self.close_connection = True

    def act_hangup(self) -> None:
        self.close_connection = True

    def act_leave(self) -> None:
        self.act_say()
        self.close_connection = True  # without telling: the client finds out when it comes again

    def act_garbage(self) -> None:
        self.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        self.close_connection = True

    def act_silence(self) -> None:
        self.server.released.wait(20)

    def act_drip(self) -> None:
        """A byte at a time, more often than any socket's own timeout."""
        self.send_response(200)
        self.end_headers()
        while not self.server.released.wait(0.02):
            self.wfile.write(b" ")


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    thread = threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.released.set()
        service.shutdown()
        thread.join()
        service.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as running:
        yield running


def ask(url: str, call: Call = CALL, **options: Any) -> Trajectory:
    return HttpAgent(url, **options).answer(call)


def test_the_service_is_asked_for_the_case_and_the_attempt(service: Service) -> None:
    ask(service.url("/ask?region=eu"))
    [(method, path, headers, asked)] = service.heard
    assert (method, path, headers["content-type"]) == ("POST", "/ask?region=eu", "application/json")
    assert asked == {"case": "no-order", "attempt": 3, "input": {"text": "where is it? é"}}


def test_fields_headers_and_method_are_the_users(service: Service) -> None:
    service.says = b'{"answer": "ok", "output": "not this"}'
    headers = {"Authorization": "Bearer x", "Content-Type": "application/vnd.shop+json"}
    told = ask(service.url(), headers=headers, input_field="question", output_field="answer", method="PUT")
    [(method, _, sent, asked)] = service.heard
    assert told.output == "ok"
    assert method == "PUT"
    assert (sent["authorization"], sent["content-type"]) == ("Bearer x", "application/vnd.shop+json")
    assert asked["question"] == CALL.case.input


def test_the_agent_is_known_by_its_url_without_the_query(service: Service) -> None:
    assert ask(service.url("/ask?key=secret")).agent == AgentIdentity(name=service.url("/ask"))


def test_a_whole_trajectory_may_be_answered(service: Service) -> None:
    service.says = json.dumps(
        {
            "output": {"status": "refunded"},
            "confidence": 0.75,
            "agent": {"name": "shop", "version": "4"},
            "steps": [{"kind": "tool", "name": "refund", "input": {"order": 7}, "cost_usd": 0.25}],
            "request_id": "what a service says besides",
        }
    ).encode()
    assert ask(service.url()) == Trajectory(
        output={"status": "refunded"},
        confidence=0.75,
        agent=AgentIdentity(name="shop", version="4"),
        steps=(Step(kind="tool", name="refund", input={"order": 7}, cost_usd=0.25),),
    )


@pytest.mark.parametrize("says", [b'"a plain text"', b' {"output": "a plain text"}\n'])
def test_a_text_alone_is_an_answer_too(service: Service, says: bytes) -> None:
    service.says = says
    assert ask(service.url()).output == "a plain text"


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (b"<html>login</html>", "no answer in JSON.*<html>login"),
        (b'{"answer": "x"}', "object with 'output'"),
        (b"[1, 2]", "neither a text nor an object"),
        (
            b'{"output": "x", "steps": [{"kind": "tool", "nmae": "y"}]}',
            "unknown key 'nmae'.*did you mean 'name'",
        ),
        (b'{"output": "x", "confidence": "high"}', "confidence of a Trajectory: a number is due"),
        (b'{"output": "x", "confidence": 7}', r"a confidence lies in \[0, 1\]"),
        (b'{"output": "x", "agent": {"nmae": "shop"}}', "unknown key 'nmae'"),
        (b'{"output": {"a": 1, "a": 2}}', "'a' stands twice"),
        (b"A" * (8 * 2**20 + 1), "more than 8 MiB"),
    ],
)
def test_what_is_no_answer_is_the_agents_error(service: Service, says: bytes, message: str) -> None:
    service.says = says
    with pytest.raises(AgentAnswerError, match=message):
        ask(service.url())


@pytest.mark.parametrize("row", [*kinds("json_number"), *kinds("json_depth")])
def test_numbers_and_nesting_that_cannot_be_held_are_the_agents_error(service: Service, row: str) -> None:
    service.says = b'{"output": %s}' % payload(row).encode()
    with pytest.raises(AgentAnswerError, match="no answer in JSON"):
        ask(service.url())


@pytest.mark.parametrize("row", kinds("encoding"))
def test_bytes_that_are_no_utf8_are_replaced(service: Service, row: str) -> None:
    said = payload(row)
    service.says = (
        json.dumps({"output": said}).encode() if isinstance(said, str) else b'"%s"' % said.replace(b"\0", b"\\u0000")
    )
    output = str(ask(service.url()).output)
    assert output.encode("utf-8")
    assert row == "V041" or "\ufffd" in output


def test_an_answer_just_under_the_limit_is_whole(service: Service) -> None:
    service.says = json.dumps(payload("V035")).encode()
    assert ask(service.url()).output == payload("V035")


@pytest.mark.parametrize("row", kinds("path"))
def test_a_case_id_that_looks_like_a_path_is_only_text(service: Service, row: str) -> None:
    ask(service.url(), Call(case=Case(id=payload(row), input="x")))
    assert service.heard[0][3]["case"] == payload(row)


@pytest.mark.parametrize("says", [b"", b" \n", b'{"output": null}', b'{"output": " "}', b'""'])
def test_nothing_said_is_nothing_answered(service: Service, says: bytes) -> None:
    service.says = says
    with pytest.raises(EmptyAnswer):
        ask(service.url())


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
def test_a_failing_service_is_no_error_of_the_agent(service: Service, status: int) -> None:
    service.status, service.headers = status, {"Retry-After": "7"}
    with pytest.raises(StatusError, match=f"status {status}") as caught:
        ask(service.url())
    assert (caught.value.status, caught.value.retry_after) == (status, 7.0)
    assert isinstance(caught.value, InfrastructureError)


def test_a_failing_service_that_talks_without_end_is_still_the_one_that_failed(service: Service) -> None:
    service.status, service.says = 503, b"A" * (8 * 2**20 + 1)
    with pytest.raises(StatusError, match="status 503"):
        ask(service.url())


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refused_question_is_the_agents_error(service: Service, status: int) -> None:
    service.status = status
    with pytest.raises(AgentAnswerError, match=f"refused the question with status {status}"):
        ask(service.url())


def test_a_redirect_is_told_and_not_followed(service: Service) -> None:
    service.status, service.headers = 307, {"Location": service.url("/elsewhere")}
    with pytest.raises(AgentAnswerError, match=r"307.*no redirect is followed.*/elsewhere"):
        ask(service.url())
    assert len(service.heard) == 1


def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    asked = retry_after(later)
    assert asked is not None
    assert 95 < asked <= 100


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1e9", "²"])
def test_a_retry_after_that_tells_no_time_is_none(header: str | None) -> None:
    assert retry_after(header) is None


def test_a_time_that_has_passed_is_no_wait() -> None:
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize("fault", ["reset", "hangup", "cut"])
def test_a_broken_connection_is_infrastructure(service: Service, fault: str) -> None:
    with pytest.raises(InfrastructureError, match="broke"):
        ask(service.url(f"/{fault}"))


def test_a_refused_connection_is_infrastructure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        with pytest.raises(InfrastructureError, match=r"cannot be reached.*Does the service run\?"):
            ask(f"http://127.0.0.1:{taken.getsockname()[1]}/")


@pytest.mark.parametrize("host", ["no-such-host.invalid", f"{'a' * 64}.invalid"])
def test_a_name_that_is_not_known_is_infrastructure(host: str) -> None:
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        ask(f"http://{host}/")


def test_a_service_that_speaks_no_http_errs(service: Service) -> None:
    with pytest.raises(AgentAnswerError, match="does not speak HTTP"):
        ask(service.url("/garbage"))


@pytest.mark.parametrize("fault", ["silence", "drip"])
def test_the_time_limit_holds_for_the_whole_call(service: Service, fault: str) -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"did not answer within 0\.3 s"):
        ask(service.url(f"/{fault}"), timeout=0.3)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("path", ["/", "/chunks"])
def test_one_connection_serves_many_calls(service: Service, path: str) -> None:
    agent = HttpAgent(service.url(path))
    assert [agent.answer(CALL).output for _ in range(5)] == ["on its way"] * 5
    assert service.connections == 1


def test_a_refusal_does_not_cost_the_connection(service: Service) -> None:
    agent = HttpAgent(service.url())
    service.status = 500
    with pytest.raises(StatusError):
        agent.answer(CALL)
    service.status = 200
    agent.answer(CALL)
    assert service.connections == 1


def test_a_kept_connection_that_the_service_left_is_replaced(service: Service) -> None:
    agent = HttpAgent(service.url("/leave"))
    for _ in range(3):
        assert agent.answer(CALL).output == "on its way"
        time.sleep(0.05)  # the farewell is on its way
    assert service.connections == 3


def test_a_connection_that_the_service_will_not_keep_is_not_kept(service: Service) -> None:
    service.headers = {"Connection": "close"}
    agent = HttpAgent(service.url())
    assert [agent.answer(CALL).output for _ in range(2)] == ["on its way"] * 2
    assert service.connections == 2


def test_calls_of_many_threads_do_not_mix(service: Service) -> None:
    agent = HttpAgent(service.url(), output_field="output")
    answers: list[str] = []

    def ask_often() -> None:
        answers.extend(str(agent.answer(CALL).output) for _ in range(10))

    threads = [threading.Thread(target=ask_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["on its way"] * 80
    assert service.connections <= 8


def test_no_proxy_is_taken_from_the_environment(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    assert ask(service.url()).output == "on its way"


@pytest.fixture
def secure() -> Iterator[Service]:
    service = Service()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / "self_signed.pem")
    service.socket = context.wrap_socket(service.socket, server_side=True)
    with serving(service) as running:
        yield running


def localhost(service: Service, path: str = "/") -> str:
    return service.url(path, "https").replace("127.0.0.1", "localhost")


def test_a_certificate_that_nobody_signed_is_refused(secure: Service) -> None:
    with pytest.raises(InfrastructureError, match="certificate verify failed"):
        ask(localhost(secure))
    assert not secure.heard


def test_a_trusted_certificate_is_good_for_its_own_name_only(secure: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(DATA / "self_signed.pem"))
    assert ask(localhost(secure)).output == "on its way"
    with pytest.raises(InfrastructureError, match=r"not valid for '127\.0\.0\.1'"):
        ask(secure.url("/", "https"))


def test_the_time_limit_holds_under_tls_too(secure: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(DATA / "self_signed.pem"))
    with pytest.raises(TimeoutError, match="did not answer"):
        ask(localhost(secure, "/drip"), timeout=0.5)


def test_a_service_without_tls_is_not_asked_over_https(service: Service) -> None:
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        ask(service.url("/", "https"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://", "is no URL of an agent"),
        ("http://host:port/", "is no URL"),
        ("http://[::1/", "is no URL"),
        ("http://host/a b", "is no URL of an agent"),
        ("http://host/\r\nX: y", "is no URL of an agent"),
        ("http://höst/", "is no URL of an agent"),
        ("http://ann:opensesame@host/", "headers="),
        ("http://2852039166/", "link-local"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("http://[fe80::1]/", "link-local"),
    ],
)
def test_a_url_that_cannot_be_an_agents_is_refused_before_any_call(url: str, message: str) -> None:
    with pytest.raises(AgentTargetError, match=message) as caught:
        connect(url)
    assert "opensesame" not in str(caught.value)


def test_a_machines_metadata_is_never_asked() -> None:
    with pytest.raises(AgentTargetError, match="link-local"):
        connect(payload("V081"))


@pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X\n": "a"}, {"X": "é"}, {"X": 1}])
def test_a_header_cannot_smuggle_another(headers: dict[str, str]) -> None:
    with pytest.raises(AgentTargetError, match="printable ASCII"):
        connect("http://host/", headers=headers)


def test_a_method_without_a_body_is_refused() -> None:
    with pytest.raises(AgentTargetError, match="POST, PUT, PATCH"):
        connect("http://host/", method="GET")
