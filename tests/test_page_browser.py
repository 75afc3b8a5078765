"""The page in Chromium, with the embedded pack and a sample clip: from the sample to the finished video."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import imageio_ffmpeg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CLIPS = sorted((ROOT / "assets" / "clips").glob("*.mp4"))
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SECONDS = 1  # of the sample clip that are edited
PATIENCE = 180_000  # milliseconds for a heavy step
START_SECONDS = 120

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not (ROOT / "assets/packs/heads-256/pack.json").is_file(), reason="heads-256 is not here"),
    pytest.mark.skipif(not CLIPS, reason="the sample clips are not here"),
]


@dataclass
class Server:
    """The real app in a process of its own."""

    address: str
    runs: Path
    log: Path


@dataclass
class Visit:
    """A tab, and what the browser complained about in it."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"STIT_RUNS": str(folder / "runs"), "STIT_MAX_SECONDS": "5", "STIT_MAX_MB": "20"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("STIT_", "GRADIO_"))}
    environment |= settings | {"GRADIO_SERVER_PORT": str(port)}
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            address = f"http://127.0.0.1:{port}/"
            wait_for(address, process, log)
            yield Server(address, folder / "runs", log)
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    pytest.fail(f"The page did not open: {log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(server: Server, browser: Browser) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = Visit(context.new_page())
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("console", lambda m: opened.complaints.append(m.text) if m.type == "error" else None)
    opened.page.goto(server.address)
    opened.page.locator("#find").wait_for()
    yield opened
    context.close()


def find_face_in_sample(page: Page) -> None:
    page.locator("#samples label").first.click()
    page.locator("#clip video").wait_for()
    page.locator("#end input").fill(str(SECONDS))
    page.locator("#find").click()
    page.locator("#crops img").first.wait_for(timeout=PATIENCE)


def test_from_sample_to_finished_video(visit: Visit, server: Server, tmp_path: Path) -> None:
    page = visit.page
    find_face_in_sample(page)
    meta = next(imageio_ffmpeg.read_frames(str(CLIPS[0])))
    frames = round(SECONDS * meta["fps"])
    expect(page.locator("#summary")).to_contain_text(f"{frames} frames")

    page.locator("#to-tune").click()
    page.locator("#preset label", has_text="draft").click()
    page.locator("#tune").click()
    page.locator("#fitted img").wait_for(timeout=PATIENCE)
    expect(page.locator("#tuned")).to_contain_text("dB PSNR", timeout=PATIENCE)

    page.locator("#to-edit").click()
    page.locator("#directions input").click()
    page.get_by_role("option", name="Smile").click()
    page.keyboard.press("Escape")
    page.locator("#factor-0 input[type=number]").fill("1.5")
    page.locator("#make").click()
    page.locator("#live img").wait_for(timeout=PATIENCE)
    page.locator("#after video").wait_for(timeout=PATIENCE)
    expect(page.locator("#measures")).to_contain_text("TL-ID")

    links = [link.get_attribute("href") or "" for link in page.locator("#files a").all()]
    video, manifest = (page.request.get(next(link for link in links if link.endswith(end))) for end in ("mp4", "json"))
    result = tmp_path / "result.mp4"
    result.write_bytes(video.body())
    assert imageio_ffmpeg.count_frames_and_secs(str(result))[0] == frames
    assert next(imageio_ffmpeg.read_frames(str(result)))["size"] == meta["size"]
    edits = json.loads(manifest.body())["edits"]
    assert [(edit["direction"], edit["factor"]) for edit in edits] == [("smile", 1.5)]

    assert visit.complaints == []
    assert "Traceback" not in server.log.read_text()


def test_stop_in_tuning_ends_it_in_words(visit: Visit) -> None:
    page = visit.page
    find_face_in_sample(page)
    page.locator("#to-tune").click()
    page.locator("#preset label", has_text="paper").click()
    page.locator("#tune").click()
    expect(page.locator("#status")).to_contain_text("Fitting", timeout=PATIENCE)
    page.locator("#stop").click()
    expect(page.locator("#status")).to_contain_text("Stopped", timeout=60_000)
    expect(page.locator("#tuned")).to_be_empty()
    assert visit.complaints == []


def test_text_instead_of_a_video_is_told(visit: Visit, server: Server, tmp_path: Path) -> None:
    page = visit.page
    false = tmp_path / "holiday.mp4"
    false.write_text("This is no video.\n" * 100)
    page.locator("#clip input[type=file]").set_input_files(false)
    page.locator("#clip video").wait_for()
    page.locator("#find").click()
    told = page.locator("#status .failed")
    expect(told).to_contain_text("holiday.mp4 is not a video that can be read.", timeout=60_000)
    expect(told).to_contain_text("Use a video file")
    assert "Traceback" not in page.content()
    assert "Traceback" not in server.log.read_text()


def test_files_that_are_not_a_visitors_results_are_not_served(server: Server) -> None:
    stored = server.runs / "visitors" / "of-another" / "result.json"
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_text("{}")
    for path in (stored, ROOT / "app.py", Path("/etc/hostname")):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"{server.address}gradio_api/file={path}", timeout=30)
        assert refusal.value.code in (403, 404)
