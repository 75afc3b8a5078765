"""The page behind a password, as a public one: who gets in, what is asked, and what answers without."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio.routes import HTTPException
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError, AuthenticationError

from benchmarks.page_server import Server, serve
from page.server.login import AT_ONCE, MOST_WAITING, check_password
from page.server.probe import probe
from tests.support.drawn_face import write_clip
from tests.support.tiny_page import tiny_settings

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("login")
    settings = {**tiny_settings(folder), "STIT_PASSWORD": PASSWORD, "STIT_PUBLIC": "on"}
    with serve(folder, settings) as served:
        yield served
        assert "Traceback" not in served.log.read_text()


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder = tmp_path_factory.mktemp("downloads")
    return Client(server.address, auth=("anybody", PASSWORD), verbose=False, download_files=folder)


def test_nothing_but_health_answers_without_the_password(server: Server) -> None:
    with httpx.Client(base_url=server.address) as stranger:
        for path in ("config", "gradio_api/info", "gradio_api/queue/data?session_hash=abcdefghijk"):
            assert stranger.get(path).status_code == 401, path
        assert stranger.post("gradio_api/call/directions", json={"data": []}).status_code == 401
        assert stranger.post("gradio_api/upload", files={"files": ("clip.mp4", b"x")}).status_code == 401
        assert stranger.post("login", data={"username": "a", "password": "wrong horse"}).status_code == 400
        assert stranger.get("config").status_code == 401
        health = stranger.get("health")
        assert (health.status_code, health.json()["status"]) == (200, "ok")
        assert stranger.post("login", data={"username": "a", "password": PASSWORD}).status_code == 200
        assert stranger.get("config").status_code == 200
    well, said = probe({"GRADIO_SERVER_PORT": str(server.port)})
    assert well
    assert json.loads(said)["worker"]["alive"] is True


def test_programs_log_in_and_say_that_they_may_edit(client: Client, server: Server, tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError):
        Client(server.address, verbose=False)
    clip = handle_file(str(write_clip(tmp_path / "face.mp4")))
    with pytest.raises(AppError, match="set consent=True"):
        client.predict(clip, api_name="/preflight")
    left = [path for path in (server.runs / "page").rglob("face.mp4") if "sample" not in str(path)]
    assert not left, "what was refused is not kept"
    found = client.predict(clip, True, api_name="/preflight")
    assert found["frames"] == 6
    assert client.predict(found["run"], api_name="/delete_run")


def test_a_probe_without_a_page_fails() -> None:
    well, said = probe({"GRADIO_SERVER_PORT": "9"})
    assert not well
    assert "does not answer" in said


def test_who_guesses_waits_and_a_crowd_is_refused() -> None:
    async def guess_all() -> list[object]:
        check = check_password(PASSWORD, wrong_seconds=0.01)
        assert await check("anybody", PASSWORD)
        assert not await check("anybody", PASSWORD[:-1])
        assert not await check("", "")
        guesses = [check("anybody", "wrong") for _ in range(MOST_WAITING + 5)]
        return await asyncio.gather(*guesses, return_exceptions=True)

    found = asyncio.run(guess_all())
    assert found.count(False) == MOST_WAITING
    refused = [error for error in found if isinstance(error, HTTPException)]
    assert [error.status_code for error in refused] == [429] * 5
    assert AT_ONCE < MOST_WAITING
