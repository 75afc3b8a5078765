"""The documented API, called by Gradio's own client over the network."""

from __future__ import annotations

import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from page.studio.studio import Studio
from page.ui.api import endpoints
from stit_core.config import VideoConfig
from stit_core.media import probing
from tests.support.drawn_face import write_clip
from tests.support.page_cases import PATIENCE, begin, finish, make_studio, wait_for

pytest_plugins = ["tests.support.fixtures_pack"]


@pytest.fixture(scope="module")
def studio(tiny_environment: pytest.MonkeyPatch, face_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    made = make_studio(tmp_path_factory.mktemp("api"), {"drawn face": face_clip})
    tiny_environment.setenv("GRADIO_TEMP_DIR", str(made.settings.served))
    tiny_environment.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    return made


@pytest.fixture(scope="module")
def client(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with gr.Blocks() as page:
        for function in endpoints(studio):
            gr.api(function, api_name=function.__name__, concurrency_limit=8)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, show_error=False)
    try:
        yield Client(address, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))
    finally:
        page.close()


def test_the_api_is_documented(client: Client) -> None:
    told = client.view_api(return_format="dict")["named_endpoints"]
    assert set(told) == {"/preflight", "/edit", "/batch", "/directions", "/delete_run"}
    names = [parameter["parameter_name"] for parameter in told["/edit"]["parameters"]]
    assert names == ["clip", "directions", "preset", "start", "end", "method", "mark", "consent"]
    assert "smile=2, age=-1" in told["/edit"]["description"]
    names = [parameter["parameter_name"] for parameter in told["/batch"]["parameters"]]
    assert names == ["clips", "directions", "preset", "method", "mark", "consent"]


def test_directions_are_listed(client: Client) -> None:
    cards = client.predict(api_name="/directions")
    assert [card["name"] for card in cards] == ["age", "smile"]
    with pytest.raises(AppError, match="has the pack 'tiny', not 'other'"):
        client.predict("other", api_name="/directions")


def test_a_clip_is_looked_into(client: Client, face_clip: Path) -> None:
    for clip in (handle_file(str(face_clip)), "drawn face"):
        found = client.predict(clip, api_name="/preflight")
        assert (found["width"], found["height"], found["frames"], found["sound"]) == (240, 200, 6, "aac")
        assert set(found["states"]) == {"face"}
        assert found["trim"]["frames"] == 6


def test_an_edit_is_the_one_that_the_page_makes(client: Client, studio: Studio, face_clip: Path) -> None:
    video, manifest, _ = client.predict(handle_file(str(face_clip)), "smile=2, age=-1", "draft", api_name="/edit")
    assert probing.probe(Path(video), VideoConfig()).frames == 6
    assert [(edit["direction"], edit["factor"]) for edit in manifest["edits"]] == [("smile", 2.0), ("age", -1.0)]
    run = begin(studio, face_clip, edits=(("smile", 2.0), ("age", -1.0)))
    assert finish(studio, run.id, "edit").state == "done"
    assert Path(studio.state(run.id).outputs[0].video).read_bytes() == Path(video).read_bytes()


def test_several_people_are_edited_at_once(client: Client, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "pair.mp4", frames=3, size=(480, 200), others=((0.8, 0.5, 0.2),))
    _, manifest, _ = client.predict(handle_file(str(clip)), "0: smile=2; 1: age=-1", "draft", api_name="/edit")
    told = [[(edit["direction"], edit["factor"]) for edit in person["edits"]] for person in manifest["people"]]
    assert told == [[("smile", 2.0)], [("age", -1.0)]]
    assert [row["face"] for row in manifest["result"]["people"]] == [0, 1]
    with pytest.raises(AppError, match="no face number 5: there are 2 people"):
        client.predict(handle_file(str(clip)), "0: smile=2; 5: age=-1", "draft", api_name="/edit")


def test_the_method_can_be_named(client: Client) -> None:
    _, manifest, _ = client.predict("drawn face", "smile=2", "draft", method="transfer", api_name="/edit")
    assert manifest["settings"]["method"] == "transfer"
    for preset, method, told in (("paper", "transfer", "which stitches"), ("draft", "paste", "no method 'paste'")):
        with pytest.raises(AppError, match=told):
            client.predict("drawn face", "smile=2", preset, method=method, api_name="/edit")


@pytest.mark.parametrize(
    ("clip", "directions", "told"),
    [
        ("drawn face", "smile", "has no factor"),
        ("drawn face", "smiel=2", "Did you mean smile"),
        ("drawn face", "", "Nothing to change"),
        ("drawn face", "smile=2, smile=1", "named twice"),
        ("drawn face", "0: smile=2; 0: age=1", "named twice"),
        ("drawn face", "all: smile=2; 1: age=1", "All people are named beside one of them"),
        ("drawn face", "me: smile=2", "'me' names no person"),
        ("no such sample", "smile=2", "This is no clip"),
        ({"path": "/etc/passwd", "meta": {"_type": "other"}}, "smile=2", "not there any more"),
    ],
)
def test_what_cannot_be_done_is_told(client: Client, clip: object, directions: str, told: str) -> None:
    with pytest.raises(AppError, match=told):
        client.predict(clip, directions, api_name="/edit")


def files_of(studio: Studio) -> set[Path]:
    """What lies below the folder of the runs, but the samples' copies."""
    return {path for path in studio.settings.root.rglob("*") if path.is_file() and path.parent.name != "samples"}


@pytest.fixture
def own_clip(tmp_path: Path) -> Path:
    """A clip that no other test brings: gradio keeps the same content once for all who bring it."""
    return write_clip(tmp_path / "own.mp4", frames=5)


def test_a_caller_gets_the_run_and_can_delete_it(client: Client, studio: Studio, own_clip: Path) -> None:
    before = files_of(studio)
    found = client.predict(handle_file(str(own_clip)), api_name="/preflight")
    _, _, run = client.predict(handle_file(str(own_clip)), "smile=2", "draft", api_name="/edit")
    assert studio.runs.load(run) is not None
    for made in (found["run"], run):
        assert client.predict(made, api_name="/delete_run") is True
    assert files_of(studio) == before
    with pytest.raises(AppError, match="not there any more"):
        client.predict(run, api_name="/delete_run")


def test_what_fails_leaves_nothing(client: Client, studio: Studio, own_clip: Path, tmp_path: Path) -> None:
    before = files_of(studio)
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    for clip, directions in ((own_clip, "smiel=2"), (text, "smile=2")):
        with pytest.raises(AppError):
            client.predict(handle_file(str(clip)), directions, api_name="/edit")
    with pytest.raises(AppError):
        client.predict(handle_file(str(text)), api_name="/preflight")
    assert files_of(studio) == before


def test_a_batch_says_what_became_of_each_clip_and_is_deleted_with_its_run(
    client: Client, studio: Studio, own_clip: Path, tmp_path: Path
) -> None:
    before = files_of(studio)
    other = write_clip(tmp_path / "other.mp4", frames=3)
    (tmp_path / "again").mkdir()
    again = shutil.copy(own_clip, tmp_path / "again" / "again.mp4")
    empty = write_clip(tmp_path / "empty.mp4", frames=3, faceless=True)
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    clips = [handle_file(str(path)) for path in (own_clip, text, other, again, empty)]
    rows, archive, run = client.predict(clips, "smile=2", "draft", api_name="/batch")
    assert [row["clip"] for row in rows] == ["own.mp4", "text.mp4", "other.mp4", "again.mp4", "empty.mp4"]
    assert [bool(row["video"]) for row in rows] == [True, False, True, True, False]
    assert [probing.probe(Path(rows[k]["video"]), VideoConfig()).frames for k in (0, 2, 3)] == [5, 3, 5]
    assert rows[3]["manifest"] == rows[0]["manifest"]
    assert "is not a video" in rows[1]["reason"]
    assert "No face" in rows[4]["reason"]
    assert str(studio.settings.root) not in str([row["reason"] for row in rows])
    with zipfile.ZipFile(archive) as packed:
        assert sorted(packed.namelist()) == ["clips.csv", "other.edit.json", "other.mp4", "own.edit.json", "own.mp4"]
    assert client.predict(run, api_name="/delete_run") is True
    assert files_of(studio) == before


def test_a_batch_that_cannot_be_done_leaves_nothing(client: Client, studio: Studio, own_clip: Path) -> None:
    before = files_of(studio)
    for directions, preset, told in (("smiel=2", "draft", "Did you mean smile"), ("smile=2", "quick", "quick")):
        with pytest.raises(AppError, match=told):
            client.predict([handle_file(str(own_clip))], directions, preset, api_name="/batch")
    with pytest.raises(AppError, match="This is no clip"):
        client.predict(["drawn face"], "smile=2", "draft", api_name="/batch")
    assert files_of(studio) == before
    assert client.predict([], "smile=2", "draft", api_name="/batch")[:2] in (([], None), [[], None])


def test_the_job_of_a_caller_who_hangs_up_ends_and_leaves_nothing(client: Client, studio: Studio) -> None:
    before, gate = files_of(studio), threading.Event()
    busy = studio.arrive().id
    studio.jobs.submit(busy, "align", lambda job: gate.wait(PATIENCE), {})  # noqa: ARG005
    try:
        asked = {"data": ["drawn face", "smile=2", "draft", None, None, "", None, False]}
        called = httpx.post(f"{client.src}gradio_api/call/edit", json=asked)
        with httpx.stream("GET", f"{client.src}gradio_api/call/edit/{called.json()['event_id']}") as reply:
            next(reply.iter_lines())
            wait_for(lambda: len(studio.jobs) == 2)
        wait_for(lambda: list(studio.jobs) == [busy])
    finally:
        gate.set()
        wait_for(lambda: not len(studio.jobs))
        studio.delete(busy)
    wait_for(lambda: files_of(studio) == before)
