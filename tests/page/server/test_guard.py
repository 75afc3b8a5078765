"""The real server under hostile hands, over raw sockets: uploads, bodies, origins, shapes, sessions, folders."""

from __future__ import annotations

import http.client
import json
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.page_server import Server, serve
from page.server.shapes import MISFIT
from page.ui.words import run_gone_here
from stit_core.directions.library import Card, save_direction
from stit_core.packs.loading import find_pack
from tests.support.drawn_face import write_clip
from tests.support.tiny_pack import make_direction, write_pack

MAX_MB = 5
MIB = 2**20
API = "/gradio_api"
OUTSIDE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("guard")
    pack = write_pack(folder / "packs")
    save_direction(find_pack(str(pack)), make_direction(1), Card("smile"), folder / "directions")
    settings = {
        "STIT_PACK": str(pack),
        "STIT_DIRECTIONS": str(folder / "directions"),
        "STIT_MAX_MB": str(MAX_MB),
        "STIT_VISITOR_UPLOADS": "32",
    }
    with serve(folder, settings) as served:
        yield served
        log = served.log.read_text()
        assert "Traceback" not in log, log
        assert "ERROR" not in log, log


@pytest.fixture(scope="module")
def functions(server: Server) -> dict[str, int]:
    """The page's functions by the names of their handlers; of those that share one, the first."""
    config = json.loads(get(server, "/config")[1])
    named: dict[str, int] = {}
    for dependency in config["dependencies"]:
        named.setdefault(str(dependency["api_name"]), dependency["id"])
    return named


# --- Requests -----------------------------------------------------------------------------------------------------


def connect(server: Server) -> http.client.HTTPConnection:
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    return http.client.HTTPConnection(host, int(port), timeout=60)


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    connection = connect(server)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def get(server: Server, path: str, **headers: str) -> tuple[int, str]:
    return ask(server, "GET", path, None, headers)


def post(server: Server, path: str, value: Any, **headers: str) -> tuple[int, str]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ask(server, "POST", API + path, body, {"Content-Type": "application/json", **headers})


def new_session() -> str:
    return uuid.uuid4().hex[:11]


def call(server: Server, function: int, data: list[Any], session: str = "", **more: Any) -> dict[str, Any]:
    """Call a function of the page as the browser does; its last message."""
    session = session or new_session()
    status, text = post(server, "/queue/join", {"fn_index": function, "data": data, "session_hash": session, **more})
    assert status == 200, text
    _, stream = get(server, f"{API}/queue/data?session_hash={session}")
    messages = [json.loads(line[5:]) for line in stream.splitlines() if line.startswith("data:")]
    return next(message for message in messages if message["msg"] == "process_completed")


def form(data: bytes, disposition: str = 'name="files"; filename="clip.mp4"', end: bool = True) -> bytes:
    """A multipart body of one part."""
    tail = b"\r\n--frame--\r\n" if end else b""
    return f"--frame\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + data + tail


FORM = {"Content-Type": "multipart/form-data; boundary=frame"}


def upload(server: Server, body: bytes, query: str = "", **headers: str) -> tuple[int, str]:
    return ask(server, "POST", f"{API}/upload{query}", body, {**FORM, **headers})


def strays(server: Server) -> list[str]:
    return [path.name for path in (server.runs / "page").iterdir() if not path.is_dir()]


def wait_for_strays(server: Server, there: bool) -> None:
    until = time.monotonic() + 30
    while bool(found := strays(server)) != there:
        assert time.monotonic() < until, f"there are {len(found)} files"
        time.sleep(0.05)


# --- Uploads ------------------------------------------------------------------------------------------------------


def break_off(server: Server, announced: int, sent: int) -> None:
    """An upload that ends before its time."""
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    head = (
        f"POST {API}/upload HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {announced}\r\n"
        f"Content-Type: {FORM['Content-Type']}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + form(b"x" * sent, end=False))
        wait_for_strays(server, True)  # its file


def test_uploads_that_break_off_leave_nothing(server: Server) -> None:
    for _ in range(20):
        break_off(server, 4 * MIB, 2 * MIB)
    wait_for_strays(server, False)


def test_an_upload_beside_one_that_breaks_off_arrives(server: Server, tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.mp4", 3).read_bytes()
    body = form(data)
    connection = connect(server)
    connection.putrequest("POST", f"{API}/upload")
    for name, value in {**FORM, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(body[: len(body) // 2])
    break_off(server, 4 * MIB, 1 * MIB)
    time.sleep(0.5)
    connection.send(body[len(body) // 2 :])
    answer = connection.getresponse()
    assert answer.status == 200
    (path,) = json.loads(answer.read())
    assert Path(path).read_bytes() == data
    wait_for_strays(server, False)


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (form(b"x" * 100, end=False), ""),
        (form(b"x" * 100, 'name="other"; filename="clip.mp4"'), ""),
        (form(b"x" * 100, 'name="files"'), ""),
        (form(b"x" * 100, 'name="files"'), "?upload_id=abc"),
        (form(b"x" * 100, 'filename="clip.mp4"'), ""),
        (form(b"x" * 100, 'name="files"; filename="' + "a" * 900 + '.mp4"'), ""),
        (form(b"x" * 100, 'name="files"; filename="a\0b.mp4"'), ""),
        (form(b"x" * 100, 'name="files"; filename=""'), ""),
        (b"no form at all", ""),
        (b"", ""),
    ],
)
def test_an_upload_of_the_wrong_shape_ends_in_words_and_leaves_nothing(server: Server, body: bytes, query: str) -> None:
    status, text = upload(server, body, query)
    assert status < 500, text
    assert status == 200 or len(text) > 10
    wait_for_strays(server, False)


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_over_the_limit_is_refused_in_words(server: Server, chunked: bool) -> None:
    data = form(b"x" * ((MAX_MB + 1) * 10**6))
    body: Any = iter([data[:MIB], data[MIB:]]) if chunked else data
    connection = connect(server)
    connection.request("POST", f"{API}/upload", body, FORM, encode_chunked=chunked)
    answer = connection.getresponse()
    assert (answer.status, "maximum allowed size of 5" in answer.read().decode()) == (413, True)
    wait_for_strays(server, False)


# --- Bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/queue/join", "/component_server", "/call/edit", "/cancel", "/reset", "/nowhere"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_on_every_route(server: Server, path: str, chunked: bool) -> None:
    body = b'{"data": ["' + b"x" * 3_000_000 + b'"]}'
    sent: Any = iter([body[:MIB], body[MIB:]]) if chunked else body
    connection = connect(server)
    connection.request("POST", API + path, sent, {"Content-Type": "application/json"}, encode_chunked=chunked)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "maximum allowed size" in answer.read().decode()


def test_a_form_over_the_limit_is_refused_where_there_is_no_upload(server: Server) -> None:
    status, _ = ask(server, "POST", f"{API}/component_server", form(b"x" * 3_000_000), FORM)
    assert status == 413
    status, _ = ask(server, "POST", "/login", form(b"x" * 3_000_000), FORM)
    assert status == 413


# --- Origins ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=frame"]
)
def test_what_another_page_sends_is_not_carried_out(server: Server, functions: dict[str, int], kind: str) -> None:
    body = json.dumps({"fn_index": functions["arrive"], "data": [], "session_hash": new_session()}).encode()
    before = len(list(server.runs.glob("visitors/*")))
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", "http://localhost:1"):
        for path in ("/queue/join", "/component_server", "/cancel"):
            status, text = ask(server, "POST", API + path, body, {"Content-Type": kind, "Origin": origin})
            assert status == 403, origin
            assert "STIT_ORIGINS" in text
        status, _ = upload(server, form(b"x"), Origin=origin)
        assert status == 403
    status, _ = ask(server, "POST", f"{API}/queue/join", body, {"Content-Type": kind})
    assert status == 415, "of a type that a page may send to anybody"
    assert len(list(server.runs.glob("visitors/*"))) == before


def test_a_page_elsewhere_gets_nothing(server: Server) -> None:
    headers = {"Origin": "https://evil.example"}
    assert get(server, "/config", **headers)[0] == 403
    connection = connect(server)
    connection.request("POST", f"{API}/queue/join", b"{}", {"Sec-Fetch-Site": "cross-site"})
    assert connection.getresponse().status == 403


def test_the_page_itself_is_served_under_its_names(server: Server) -> None:
    port = server.address.rstrip("/").rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert get(server, "/config", Host=host, Origin=f"http://{host}")[0] == 200
    assert get(server, "/config", Origin=f"http://localhost:{port}")[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.0.2.7", ""])
def test_a_foreign_host_is_refused(server: Server, host: str) -> None:
    for path in ("/", "/config", f"{API}/info"):
        status, text = get(server, path, Host=host)
        assert status == 403
        assert "STIT_ORIGINS" in text
    assert get(server, "/", **{"X-Forwarded-Host": host or "evil.example"})[0] == 403


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.0\r\nOrigin: https://evil.example\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: 127.0.0.1\r\nOrigin: http://[broken\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: [broken\r\nOrigin: http://127.0.0.1\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: [broken\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: \xff\r\nOrigin: \xff\r\n\r\n",
    ],
)
def test_headers_that_cannot_be_read_are_refused(server: Server, head: str) -> None:
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode("latin-1"))
        answer = connection.makefile("rb").read()
    assert answer.split()[1] in (b"400", b"403"), answer


# --- Shapes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"data": NaN}',
        b'{"data": [1e999], "fn_index": 0, "session_hash": "abc"}',
        b'{"data": [' + b"9" * 400 + b'], "fn_index": 0, "session_hash": "abc"}',
        b'{"data": ["\\ud800"], "fn_index": 0, "session_hash": "abc"}',
        b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"data": [' + b"[]," * 200_000 + b"[]]}",
        b"\xff\xfe\xfd",
        {"data": []},
        {"data": [], "fn_index": 0},
        {"data": [], "fn_index": 99_999, "session_hash": "abc"},
        {"data": [], "fn_index": "0", "session_hash": "abc"},
        {"data": [], "fn_index": None, "session_hash": "abc"},
        {"data": [], "fn_index": True, "session_hash": "abc"},
        {"data": "x", "fn_index": 0, "session_hash": "abc"},
        {"data": None, "fn_index": 0, "session_hash": "abc"},
        {"data": [], "fn_index": 0, "session_hash": 5},
        {"data": [], "fn_index": 0, "session_hash": "a" * 10_000},
        {"data": [], "fn_index": 0, "session_hash": "../x"},
        {"data": [""] * 9, "fn_index": 0, "session_hash": "abc", "batched": True},
        {"data": [""] * 9, "fn_index": 0, "session_hash": "abc", "trigger_id": "x"},
        {"component_id": 99_999, "fn_name": "job_state", "session_hash": "abc", "data": None},
        {"component_id": None, "fn_name": "job_state", "session_hash": "abc", "data": None},
        {"component_id": 1, "fn_name": "__class__", "session_hash": "abc", "data": None},
        {"component_id": 1, "fn_name": "_id", "session_hash": "abc", "data": None},
        {"component_id": 1, "fn_name": 7, "session_hash": "abc", "data": None},
        {"component_id": 1, "fn_name": "x"},
    ],
)
def test_a_call_of_the_wrong_shape_is_refused_in_words(server: Server, body: Any) -> None:
    for path in ("/queue/join", "/component_server", "/call/nobody", "/call/v2/nobody", "/run/predict", "/api/edit"):
        status, text = post(server, path, body)
        assert 400 <= status < 500, (path, status, text)
        assert json.loads(text)["detail"]


@pytest.mark.parametrize("sent", [None, 5, "x", [], [1, 2], {}, {"id": None}, {"id": {"a": []}}, {"id": "x" * 1000}])
def test_events_of_the_wrong_shape_end_in_words(server: Server, functions: dict[str, int], sent: Any) -> None:
    _, run = arrived(server, functions)
    picked, pair = {"chosen": sent, "picked": sent}, ["", ""]
    second = {"choose": picked, "choose_method": picked, "show_earlier": pair, "compare": pair}
    for name in ("take_sample", "pick", "choose_region", "peek", *second):
        data = [run, *([second[name]] if name in second else [])]
        ended_in_words(call(server, functions[name], data, event_data=sent))


@pytest.mark.parametrize("value", [None, 5, "x", [], ["x"], {}, {"path": "/etc/passwd"}, {"path": {}}, True, -1e300])
def test_values_of_the_wrong_shape_end_in_words(server: Server, value: Any) -> None:
    config = json.loads(get(server, "/config")[1])
    for dependency in config["dependencies"]:
        if dependency["api_visibility"] == "private" and dependency["backend_fn"]:
            ended_in_words(call(server, dependency["id"], [value] * len(dependency["inputs"])))


def test_parts_that_are_asked_for_nonsense_answer(server: Server) -> None:
    config = json.loads(get(server, "/config")[1])
    parts = [(part["id"], name) for part in config["components"] for name in part["props"].get("server_fns") or ()]
    assert {name for _, name in parts} >= {"job_state", "player_state", "player_frames"}
    for component, name in parts:
        for data in (None, 5, "x", [], {}, {"run": {}}, {"run": "x"}, {"id": [], "since": "x"}, {"id": "a b c"}):
            body = {"component_id": component, "fn_name": name, "session_hash": new_session(), "data": data}
            status, text = post(server, "/component_server", body)
            line = {"line": run_gone_here()} if name == "job_state" else {}
            assert (status, json.loads(text)) == (200, {"known": False} | line)


@pytest.mark.parametrize("name", ["preflight", "edit", "directions"])
@pytest.mark.parametrize("value", [None, 5, {}, [], True, OUTSIDE])
def test_errors_of_the_api_have_a_message(server: Server, name: str, value: Any) -> None:
    status, text = post(server, f"/call/{name}", {"data": [value] * {"preflight": 1, "edit": 8, "directions": 1}[name]})
    assert status == 200, text
    _, stream = get(server, f"{API}/call/{name}/{json.loads(text)['event_id']}")
    assert "event: error" in stream, stream
    told = json.loads(stream.split("data: ")[-1])
    assert told["error"], told
    assert "passwd" not in told["error"].replace("passwd'", "")


@pytest.mark.parametrize(
    ("name", "sent", "told"),
    [
        ("edit", [], MISFIT),
        ("edit", ["no such sample"], MISFIT),
        ("edit", ["no such sample", "smile=1"], "This is no clip."),
        ("edit", ["young woman turning", "5: smile=1; 5: age=1"], "named twice"),
        ("batch", [], MISFIT),
        ("batch", [[5], "smile=1"], "This is no clip."),
        ("preflight", [], "This is no clip."),
    ],
)
def test_values_at_the_end_may_be_left_out(server: Server, name: str, sent: list[Any], told: str) -> None:
    status, text = post(server, f"/call/{name}", {"data": sent})
    assert status == 200, text
    _, stream = get(server, f"{API}/call/{name}/{json.loads(text)['event_id']}")
    assert told in json.loads(stream.split("data: ")[-1])["error"]


def test_a_function_of_the_api_without_any_value_answers(server: Server) -> None:
    _, text = post(server, "/call/directions", {"data": []})
    _, stream = get(server, f"{API}/call/directions/{json.loads(text)['event_id']}")
    assert "event: complete" in stream, stream


def ended_in_words(message: dict[str, Any]) -> None:
    """A call succeeded, or says why not."""
    if not message["success"]:
        assert message["output"]["error"], message


def arrived(server: Server, functions: dict[str, int], session: str = "") -> tuple[str, str]:
    """A session and the id of its new run."""
    session = session or new_session()
    data = call(server, functions["arrive"], [], session)["output"]["data"]
    return session, next(value for value in data if isinstance(value, str) and len(value) == 22)


# --- Sessions -----------------------------------------------------------------------------------------------------


def test_a_sessions_hash_is_no_key_to_its_run(server: Server, functions: dict[str, int]) -> None:
    session, run = arrived(server, functions)
    taken = call(server, functions["take_sample"], [run], session, event_data={"id": "young woman turning"})
    assert taken["success"]
    config = json.loads(get(server, "/config")[1])
    for dependency in config["dependencies"]:
        if (
            dependency["api_visibility"] == "private"
            and dependency["api_name"] != "arrive"
            and dependency["backend_fn"]
        ):
            message = call(server, dependency["id"], [None] * len(dependency["inputs"]), session)
            told = json.dumps(message)
            assert run not in told
            assert "young-woman-turning.mp4" not in told.split("/samples/")[0]
    status, text = get(server, f"{API}/deep_link?session_hash={session}")
    assert status == 404
    assert run not in text
    assert "young-woman" in json.dumps(call(server, functions["restore"], [run])), "the id alone is enough"


def test_nobody_listens_to_the_session_of_another_browser(server: Server, functions: dict[str, int]) -> None:
    session, mine = new_session(), {"Cookie": "a=b; stit-key=abc"}
    body = {"fn_index": functions["arrive"], "data": [], "session_hash": session}
    assert post(server, "/queue/join", body, **mine)[0] == 200
    for headers in ({}, {"Cookie": "stit-key=other"}, {"Cookie": "stit-key=\xff"}):
        for path in (f"queue/data?session_hash={session}", f"heartbeat/{session}"):
            assert get(server, f"{API}/{path}", **headers)[0] == 403
        status, text = post(server, "/queue/join", body, **headers)
        assert (status, "another browser" in text) == (403, True)
    status, stream = get(server, f"{API}/queue/data?session_hash={session}", **mine)
    assert (status, "process_completed" in stream) == (200, True)


@pytest.mark.parametrize("path", ["deep_link?session_hash=x", "proxy=https://example.org/x", "vibe-code/", "stream/x"])
def test_what_the_page_does_not_use_is_closed(server: Server, path: str) -> None:
    assert get(server, f"{API}/{path}")[0] == 404
    assert post(server, f"/{path}", {})[0] == 404


def memory(server: Server) -> float:
    """Megabytes that the server holds."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads the memory as Linux tells it")
def test_strangers_do_not_fill_the_memory(server: Server, functions: dict[str, int]) -> None:
    config = json.loads(get(server, "/config")[1])
    (component,) = (
        part["id"] for part in config["components"] if "job_state" in (part["props"].get("server_fns") or ())
    )
    poll = {"component_id": component, "fn_name": "job_state", "data": {"run": "x"}}
    join = {"fn_index": functions["hand_on"], "data": ["", None]}

    def come(strangers: int) -> None:
        for _ in range(strangers):
            session = new_session()
            assert post(server, "/component_server", poll | {"session_hash": session})[0] == 200
            assert post(server, "/queue/join", join | {"session_hash": session})[0] == 200

    come(100)  # after which as many are kept as ever are
    before = memory(server)
    come(400)
    assert memory(server) < before + 40, "each of them is kept"


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads the memory as Linux tells it")
def test_large_bodies_do_not_fill_the_memory(server: Server) -> None:
    before = memory(server)
    for _ in range(3):
        status, _ = post(server, "/queue/join", b'{"data": [' + b"[]," * 16_000_000 + b"[]]}")
        assert status == 413
    assert memory(server) < before + 60


def test_who_does_not_fetch_answers_gets_no_more(server: Server, functions: dict[str, int]) -> None:
    body = {"fn_index": functions["hand_on"], "data": ["", None], "session_hash": new_session()}
    for _ in range(100):
        status, text = post(server, "/queue/join", body)
        if status != 200:
            break
    assert status == 429
    assert "not fetched" in json.loads(text)["detail"]
    assert call(server, functions["hand_on"], ["", None])["success"], "others are not held up"


# --- Folders ------------------------------------------------------------------------------------------------------


def test_nobody_else_can_list_the_runs(server: Server, functions: dict[str, int]) -> None:
    _, run = arrived(server, functions)
    for folder in (server.runs, server.runs / "visitors", server.runs / "page", server.runs / "visitors" / run):
        assert folder.stat().st_mode & 0o777 == 0o700, folder
