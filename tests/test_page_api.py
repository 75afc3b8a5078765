"""The documented API, called by Gradio's own client over the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from page_cases import begin, finish, make_studio

from page.api import endpoints
from page.studio import Studio
from stit_core import probing
from stit_core.config import VideoConfig

pytest_plugins = ["fixtures_pack"]


@pytest.fixture(scope="module")
def studio(
    shared_pack_folder: Path, direction_root: Path, face_clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_PACKS", str(shared_pack_folder.parent))
        patch.setenv("STIT_DIRECTIONS", str(direction_root))
        made = make_studio(tmp_path_factory.mktemp("api"), {"drawn face": face_clip})
        patch.setenv("GRADIO_TEMP_DIR", str(made.settings.served))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        yield made


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
    assert set(told) == {"/preflight", "/edit", "/directions"}
    names = [parameter["parameter_name"] for parameter in told["/edit"]["parameters"]]
    assert names == ["clip", "directions", "preset", "start", "end", "method"]
    assert "smile=2, age=-1" in told["/edit"]["description"]


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
    video, manifest = client.predict(handle_file(str(face_clip)), "smile=2, age=-1", "draft", api_name="/edit")
    assert probing.probe(Path(video), VideoConfig()).frames == 6
    assert [(edit["direction"], edit["factor"]) for edit in manifest["edits"]] == [("smile", 2.0), ("age", -1.0)]
    run = begin(studio, face_clip, edits=(("smile", 2.0), ("age", -1.0)))
    assert finish(studio, run.id, "edit").state == "done"
    assert Path(studio.state(run.id).outputs[0].video).read_bytes() == Path(video).read_bytes()


def test_the_method_can_be_named(client: Client) -> None:
    _, manifest = client.predict("drawn face", "smile=2", "draft", method="transfer", api_name="/edit")
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
        ("no such sample", "smile=2", "This is no clip"),
        ({"path": "/etc/passwd", "meta": {"_type": "other"}}, "smile=2", "not there any more"),
    ],
)
def test_what_cannot_be_done_is_told(client: Client, clip: object, directions: str, told: str) -> None:
    with pytest.raises(AppError, match=told):
        client.predict(clip, directions, api_name="/edit")
