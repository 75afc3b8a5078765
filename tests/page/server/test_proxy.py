"""The page behind a real nginx, below a subpath, with the configuration of docs/nginx.conf."""

from __future__ import annotations

import dataclasses
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.page_server import CHROMIUM, Server, find_face, free_port, run_of, serve, start_tuning, visit
from tests.support.drawn_face import write_clip
from tests.support.reverse_proxy import NAME, NGINX, proxied

pytest_plugins = ["tests.support.fixtures_browser"]
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
CLIP = "Anna Schmidt.mp4"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny: dict[str, str]) -> Iterator[Server]:
    """A page behind nginx, as docs/hosting.md sets it up; its address is the proxy's."""
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    settings = {
        "GRADIO_ROOT_PATH": "/studio",
        "STIT_PROXY": "127.0.0.1",
        "STIT_ORIGINS": f"http://{NAME}:{port}",
        "STIT_PUBLIC": "off",
    }
    with serve(folder, tiny | settings) as behind, proxied(folder / "nginx", port, behind.port) as address:
        yield dataclasses.replace(behind, address=address)


def connect(server: Server) -> tuple[http.client.HTTPConnection, dict[str, str]]:
    """A connection to the proxy, which a name of this machine leads to, and the header that names it."""
    port = int(server.address.split(":")[2].split("/")[0])
    return http.client.HTTPConnection("127.0.0.1", port, timeout=30), {"Host": f"{NAME}:{port}"}


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_from_an_upload_to_the_video_below_a_subpath(browser: Browser, server: Server, tmp_path: Path) -> None:
    elsewhere: list[str] = []
    with visit(browser, server) as tab:
        page = tab.page
        assert page.url.startswith(f"{server.address}?run=")
        page.on("request", lambda request: elsewhere.append(request.url))
        page.locator("#clip input[type=file]").first.set_input_files(write_clip(tmp_path / CLIP, frames=8))
        page.locator("#trim .trim-first").wait_for()
        find_face(page)
        start_tuning(page)
        page.locator("#to-edit").click()
        page.locator("#dials .chip", has_text="Younger").click()
        page.locator("#wipe .wipe-after").first.wait_for()
        page.locator("#make").click()
        page.wait_for_function("document.querySelector('.stit-player')?.player.feed.count > 1")
        page.locator("#measures .measures").wait_for()
        page.wait_for_function("document.querySelector('.stit-player').player.media === 'video'")
        shown = page.locator(".stit-player video").first
        expect(shown).to_have_js_property("videoWidth", 240)
        with page.expect_download() as started:
            page.locator("#get-video").click()
        assert started.value.path().stat().st_size > 1000
        run = run_of(page)
    away = [url for url in elsewhere if not url.startswith((server.address, "blob:", "data:"))]
    assert away == [], "nothing comes from another host, or from beside the subpath"
    written = server.log.read_text() + "".join(path.read_text() for path in server.log.parent.glob("nginx/*.log"))
    for secret in (run, "Anna", str(server.runs)):
        assert secret not in written


def test_events_are_not_held_back(server: Server) -> None:
    connection, headers = connect(server)
    edit = {"data": ["young woman turning", "smile=1", "draft", None, 0.4, "", None, False]}
    body = {"Content-Type": "application/json"}
    connection.request("POST", "/studio/gradio_api/call/edit", json.dumps(edit), headers | body)
    event = json.loads(connection.getresponse().read())["event_id"]
    connection.request("GET", f"/studio/gradio_api/call/edit/{event}", headers=headers)
    answer, read = connection.getresponse(), b""
    while b"\n\n" not in read:
        read += answer.read1()
    connection.close()  # and nothing is left of the call
    assert read.startswith(b"event: generating")
    assert b"complete" not in read, "what happened on the way came with the end"


def test_the_page_below_the_subpath_knows_where_it_is(server: Server) -> None:
    connection, headers = connect(server)
    connection.request("GET", "/studio?run=x", headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location")) == (301, "/studio/?run=x")
    answer.read()
    connection.request("GET", "/studio/config", headers=headers)
    answer = connection.getresponse()
    assert f'"root":"{server.address.rstrip("/")}"' in answer.read().decode()
    assert answer.getheader("Referrer-Policy") == "no-referrer"


def test_a_foreign_page_is_refused_behind_the_proxy_too(server: Server) -> None:
    own = {"Origin": server.address.removesuffix("/studio/"), "Content-Type": "application/json"}
    for origin, status in ((own["Origin"], 404), ("https://evil.example", 403), ("http://127.0.0.1:7860", 403)):
        # A connection each: nginx ends one whose request is refused before its body was passed on.
        connection, headers = connect(server)
        connection.request("POST", "/studio/gradio_api/call/none", b"{}", headers | own | {"Origin": origin})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status, origin
