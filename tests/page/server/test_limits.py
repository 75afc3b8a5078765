"""How much one visitor may ask for, on the real server with small limits: words at once, and nobody hangs."""

from __future__ import annotations

import http.client
import json
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from benchmarks.page_server import Server, serve

pytest_plugins = ["tests.support.fixtures_browser"]
API = "/gradio_api"
SLOW_CLIP = ["young woman turning", "smile=1", "draft", None, 3.0, "", None, False]
FORM = {"Content-Type": "multipart/form-data; boundary=frame"}
LIMITS = {
    "STIT_QUEUE": "3",
    "STIT_VISITOR_JOBS": "2",
    "STIT_VISITOR_UPLOADS": "1",
    "STIT_UPLOAD_MINUTES": "0.03",
    "STIT_VISITOR_CALLS": "6",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny: dict[str, str]) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("limits"), tiny | LIMITS) as served:
        yield served
        assert "Traceback" not in served.log.read_text()


def ask(server: Server, method: str, path: str, value: Any = None, **headers: str) -> http.client.HTTPResponse:
    """The answer, whose body is not read yet."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    body = None if value is None else json.dumps(value).encode()
    connection.request(method, path, body, {"Content-Type": "application/json", **headers})
    return connection.getresponse()


def call(server: Server, name: str, data: list[Any], cookie: str) -> tuple[int, dict[str, Any]]:
    """Begin a call of one of the API's functions."""
    answer = ask(server, "POST", f"{API}/call/{name}", {"data": data}, Cookie=f"stit-key={cookie}")
    return answer.status, json.loads(answer.read())


def test_jobs_beyond_those_of_a_visitor_and_of_all_are_refused(server: Server) -> None:
    begun = []
    for cookie, said in (
        ("a", b"generating"),
        ("a", b"generating"),
        ("a", b"2 jobs waiting or running already"),
        ("b", b"generating"),
        ("b", b"generating"),
        ("c", b"Too many people are waiting"),
    ):
        status, event = call(server, "edit", SLOW_CLIP, cookie)
        assert status == 200
        answer = ask(server, "GET", f"{API}/call/edit/{event['event_id']}", Cookie=f"stit-key={cookie}")
        read = b""
        while b"\n\n" not in read:
            read += answer.read1()
        assert said in read, read
        begun.append(answer)
    for answer in begun:
        answer.close()  # whoever hangs up leaves nothing


def test_calls_beyond_those_of_a_minute_are_refused(server: Server) -> None:
    cookie = uuid.uuid4().hex
    assert [call(server, "directions", [""], cookie)[0] for _ in range(6)] == [200] * 6
    status, answer = call(server, "directions", [""], cookie)
    assert status == 429
    assert "6 functions within a minute" in answer["detail"]
    assert call(server, "directions", [""], uuid.uuid4().hex)[0] == 200


@contextmanager
def begin_upload(server: Server, cookie: str) -> Iterator[socket.socket]:
    """An upload of which a little has come."""
    head = (
        f"POST {API}/upload HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 4000000\r\n"
        f"Cookie: stit-key={cookie}\r\nContent-Type: {FORM['Content-Type']}\r\n\r\n"
        '--frame\r\nContent-Disposition: form-data; name="files"; filename="clip.mp4"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.2) as connection:
        connection.sendall(head.encode())
        yield connection


def test_an_upload_that_comes_byte_by_byte_ends_in_words_and_leaves_nothing(server: Server) -> None:
    with begin_upload(server, "slow") as connection:
        for _ in range(100):
            connection.sendall(b"x")
            with suppress(TimeoutError):
                connection.recv(1, socket.MSG_PEEK)
                break
        connection.settimeout(60)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert "It took longer than 0.03 minutes" in answer.read().decode()
    assert [path for path in (server.runs / "page").iterdir() if not path.is_dir()] == []


def test_uploads_at_once_beyond_those_of_a_visitor_are_refused(server: Server) -> None:
    with begin_upload(server, "d"):
        answer = ask(server, "POST", f"{API}/upload", {}, Cookie="stit-key=d")
        assert answer.status == 429
        assert "may have 1 on the way" in answer.read().decode()
        other = ask(server, "POST", f"{API}/upload", {}, Cookie="stit-key=e")
        assert other.status != 429


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/config", 200),
        ("GET", "/theme.css", 200),
        ("GET", "/nowhere", 404),
        ("GET", f"{API}/run/edit", 404),
        ("POST", f"{API}/call/none", 404),
        ("GET", f"{API}/heartbeat/abcdefghijk", 200),
        ("GET", f"{API}/file=/etc/passwd", 403),
        ("GET", "/monitoring", 403),
    ],
)
def test_every_answer_says_what_may_be_done_with_it(server: Server, method: str, path: str, status: int) -> None:
    answer = ask(server, method, path, {} if method == "POST" else None)
    assert answer.status == status
    assert answer.getheader("Referrer-Policy") == "no-referrer"
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    policy = answer.getheader("Content-Security-Policy") or ""
    assert "frame-ancestors 'self' https://huggingface.co" in policy
    assert "script-src 'self' blob: 'unsafe-eval'" in policy
