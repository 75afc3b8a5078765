"""Tests of model packs: manifest, finding, verifying, loading, and fetching from a server of the test's own."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from stit_core.errors import Cancelled, CheckpointError, PackError
from stit_core.packs import downloads
from stit_core.packs.downloads import DownloadLimits, download
from stit_core.packs.loading import fetch_pack, find_pack, list_packs, load_models
from stit_core.packs.manifest import read_manifest, verify_pack
from stit_core.runtime import CancelToken, Runtime
from tests.support.tiny_pack import NUM_WS, RESOLUTION, file_entry, make_networks

pytest_plugins = ["tests.support.fixtures_pack"]

CPU = torch.device("cpu")
PATIENT = DownloadLimits(timeout=0.5, tries=2, pause=0.01)
CONTENT = np.random.default_rng(0).bytes(300_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def own_pack(home: Path, shared_pack_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny pack that the test may damage; nothing else is installed, and fetched files go to a folder of its own."""
    monkeypatch.setenv("STIT_PACKS", str(home / "fetched"))
    folder = home / "own"
    shutil.copytree(shared_pack_folder, folder)
    return folder


def change_manifest(folder: Path, change: Any) -> None:
    path = folder / "pack.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


# --- Finding and reading ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("home")
def test_a_pack_is_found_by_name_and_by_folder(shared_pack_folder: Path) -> None:
    by_name, by_folder = find_pack("tiny"), find_pack(shared_pack_folder)
    assert by_name == by_folder
    assert (by_name.resolution, by_name.num_ws) == (RESOLUTION, NUM_WS)
    assert {"tiny", "ffhq-1024"} <= {pack.name for pack in list_packs()}
    with pytest.raises(PackError, match="no model pack 'tinny'") as caught:
        find_pack("tinny")
    assert "tiny" in caught.value.hint


def test_the_hash_follows_from_files_and_arguments(own_pack: Path) -> None:
    before = find_pack(own_pack)
    change_manifest(own_pack, lambda record: record.update(description="other words", licence="MIT"))
    assert find_pack(own_pack).hash == before.hash
    change_manifest(own_pack, lambda record: record["parts"]["encoder"]["files"][0].update(sha256="0" * 64))
    after = find_pack(own_pack)
    assert after.hash != before.hash
    assert after.parts["generator"].hash == before.parts["generator"].hash
    assert after.parts["encoder"].hash != before.parts["encoder"].hash


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda record: record.pop("parts"), "lacks 'parts'"),
        (lambda record: record.update(resolution=100), "no power of two"),
        (lambda record: record["parts"].update(nose=record["parts"]["parser"]), "'nose' is no part"),
        (lambda record: record["parts"]["parser"]["files"][0].update(file="../../secret"), "no plain file name"),
        (lambda record: record["parts"]["parser"]["files"][0].update(sha256="xyz"), "no sha256"),
        (lambda record: record["schedules"].update(paper={"tuning": {"passes": 1}}), "may not change"),
        (lambda record: record["schedules"].update(draft={"tuning": {"passes": -1}}), "passes"),
        (lambda record: record["schedules"].update(draft={"tuning": {"hours": 1}}), "no setting 'hours'"),
        (lambda record: record["parts"]["parser"].update(arguments=[1]), "the parser has no files, or arguments"),
        (lambda record: record["parts"]["parser"].update(files=[]), "the parser has no files"),
        (lambda record: record["parts"]["parser"]["files"][0].update(size="12"), "size of parser"),
    ],
)
def test_a_malformed_manifest_is_refused(own_pack: Path, change: Any, told: str) -> None:
    change_manifest(own_pack, change)
    with pytest.raises(PackError, match=told):
        read_manifest(own_pack / "pack.json")


def test_a_manifest_that_is_no_json_is_refused(own_pack: Path) -> None:
    (own_pack / "pack.json").write_text("{")
    with pytest.raises(PackError, match="malformed"):
        find_pack(own_pack)


# --- Verifying and loading ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("home")
def test_a_whole_pack_passes() -> None:
    verify_pack(find_pack("tiny"))


def test_bad_files_are_named(own_pack: Path) -> None:
    path = own_pack / "encoder.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(PackError, match=r"encoder\.safetensors .* was altered"):
        verify_pack(find_pack(own_pack))
    path.write_bytes(data[:-1])
    with pytest.raises(PackError, match=f"has {len(data) - 1:,} bytes instead of {len(data):,}"):
        verify_pack(find_pack(own_pack))
    path.unlink()
    with pytest.raises(PackError, match=r"lacks the file encoder\.safetensors"):
        verify_pack(find_pack(own_pack))
    verify_pack(find_pack(own_pack), parts=["generator", "parser"])


@pytest.mark.usefixtures("home")
def test_networks_are_those_that_were_saved() -> None:
    models = load_models(find_pack("tiny"), CPU)
    made = make_networks()["generator"]
    half = {name: value.half().float() for name, value in made.state_dict().items()}
    assert all(torch.equal(value, half[name]) for name, value in models.generator.state_dict().items())
    assert not models.generator.training
    assert not any(parameter.requires_grad for parameter in models.generator.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in models.generator.parameters())
    assert models.generator is models.generator


@pytest.mark.usefixtures("home")
def test_a_network_that_is_first_asked_for_in_inference_mode_takes_gradients_later() -> None:
    models = load_models(find_pack("tiny"), torch.device("cpu"))
    with torch.inference_mode():
        assert models.perceptual
    picture = torch.rand(1, 3, RESOLUTION, RESOLUTION, requires_grad=True)
    features = models.perceptual.features(picture)
    models.perceptual.distance(features, [torch.zeros_like(part) for part in features]).sum().backward()
    assert picture.grad is not None


@pytest.mark.usefixtures("home")
def test_every_part_answers_as_its_stage_expects() -> None:
    models = load_models(find_pack("tiny"), CPU, parts=["encoder", "parser"])
    images = torch.rand(2, 3, RESOLUTION, RESOLUTION, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        assert models.encoder.encode(images).shape == (2, NUM_WS, 512)
        assert models.parser.parse(images).shape[:2] == (2, 19)
        features = models.perceptual.features(images)
        assert models.perceptual.distance(features, features).tolist() == [0.0, 0.0]
        embeddings = models.identity.embed(images)
    assert embeddings.shape == (2, 128)
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(2))
    with pytest.raises(PackError, match="has no attributes"):
        _ = models.attributes


@pytest.mark.parametrize("damage", ["missing", "extra", "shape", "nan"])
def test_a_part_with_wrong_parameters_is_refused_by_name(own_pack: Path, damage: str) -> None:
    path = own_pack / "encoder.safetensors"
    state = load_file(path)
    if damage == "missing":
        del state["base.bias"]
    elif damage == "extra":
        state["base.bias2"] = state["base.bias"].clone()
    elif damage == "shape":
        state["base.bias"] = state["base.bias"][:-1].clone()
    else:
        state["base.bias"][3] = torch.nan
    save_file(state, path)
    change_manifest(own_pack, lambda record: record["parts"]["encoder"].update(files=[file_entry(path)]))
    with pytest.raises(CheckpointError, match=r"encoder of 'tiny'.*base\.bias"):
        _ = load_models(find_pack(own_pack), CPU).encoder


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("encoder", {"architecture": "crystal-ball"}, "unknown architecture 'crystal-ball'"),
        ("encoder", {"arguments": {"depth": 3}}, "do not fit"),
        ("generator", {"arguments": {"resolution": 60}}, "do not fit"),
        ("generator", {"arguments": {"channels": 5}}, "no table of numbers"),
    ],
)
def test_a_part_that_cannot_be_built_is_refused(own_pack: Path, part: str, change: dict, told: str) -> None:
    change_manifest(own_pack, lambda record: record["parts"][part].update(change))
    with pytest.raises(PackError, match=told):
        load_models(find_pack(own_pack), CPU, parts=[part])


def test_a_part_in_the_place_of_another_is_refused(own_pack: Path) -> None:
    change_manifest(own_pack, lambda record: record["parts"].update(parser=record["parts"]["encoder"]))
    with pytest.raises(PackError, match="'compact-encoder', which cannot serve as one"):
        _ = load_models(find_pack(own_pack), CPU).parser


def test_a_file_that_is_no_safetensors_is_refused(own_pack: Path) -> None:
    path = own_pack / "encoder.safetensors"
    path.write_bytes(b"\xff" * 100)
    change_manifest(own_pack, lambda record: record["parts"]["encoder"].update(files=[file_entry(path)]))
    with pytest.raises(PackError, match="no safetensors file"):
        _ = load_models(find_pack(own_pack), CPU).encoder


# --- The official networks ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("home")
def test_ffhq_names_every_file_and_what_to_do_by_hand() -> None:
    pack = find_pack("ffhq-1024")
    assert pack.num_ws == 18
    with pytest.raises(PackError, match=r"lacks the file ffhq\.pkl") as caught:
        verify_pack(pack)
    assert "packs fetch ffhq-1024" in caught.value.hint
    with pytest.raises(PackError, match=r"e4e_ffhq_encode\.pt") as caught:
        verify_pack(pack, ["encoder"])
    assert "Google Drive" in caught.value.hint
    for part in pack.parts.values():
        for file in part.files:
            assert len(file.sha256) == 64 or file.name == "alexnet-owt-7be5be79.pth"
            assert file.urls or file.manual or file.package
            assert all(url.startswith("https://") for url in file.urls)


def test_a_folder_of_official_files_is_known_without_a_manifest(home: Path) -> None:
    folder = home / "mine"
    folder.mkdir()
    (folder / "parsing_bisenet.pth").write_bytes(b"not it")
    pack = find_pack(folder)
    assert pack.name == "ffhq-1024"
    with pytest.raises(PackError, match=r"parsing_bisenet\.pth .* has 6 bytes instead of 53,289,463"):
        verify_pack(pack, ["parser"])
    (folder / "parsing_bisenet.pth").unlink()
    with pytest.raises(PackError, match=r"no pack\.json"):
        find_pack(folder)


# --- Fetching -----------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Serves CONTENT, in the way that the path asks for; keeps the Range headers it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.content = CONTENT

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    """One request. Paths: whole, cut (breaks off half-way the first time), norange, slow, gone, endless, away."""

    server: Server

    def do_GET(self) -> None:
        wish = self.headers.get("Range")
        self.server.ranges.append(wish)
        kind = self.path.strip("/")
        if kind == "gone":
            self.send_error(404)
            return
        if kind == "away":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/whole")
            self.end_headers()
            return
        start = int(wish.removeprefix("bytes=").rstrip("-")) if wish and kind != "norange" else 0
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        if kind != "endless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind in ("cut", "norange") and len(self.server.ranges) == 1:
            self.wfile.write(body[: len(body) // 2])
            return
        if kind == "slow":
            time.sleep(2)
        if kind == "endless":
            body += body
        try:
            self.wfile.write(body)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetch(server: Server, path: str, target: Path, size: int | None = len(CONTENT), sha: str = SHA) -> None:
    download(server.url(path), target, size, sha, Runtime(), PATIENT)


def test_a_file_is_fetched_with_progress(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    runtime = Runtime(progress=lambda *step: seen.append(step))
    download(server.url("whole"), tmp_path / "f", len(CONTENT), SHA, runtime, PATIENT)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert seen[-1] == ("fetch", len(CONTENT), len(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_cut_off_download_goes_on(server: Server, tmp_path: Path, size: int | None) -> None:
    fetch(server, "cut", tmp_path / "f", size)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_server_without_ranges_sends_it_again(server: Server, tmp_path: Path) -> None:
    fetch(server, "norange", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert len(server.ranges) == 2


def test_a_stopped_download_goes_on_later(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "CHUNK", 100_000)
    token = CancelToken()
    token.set()
    with pytest.raises(Cancelled):
        download(server.url("whole"), tmp_path / "f", len(CONTENT), SHA, Runtime(cancel=token), PATIENT)
    assert not (tmp_path / "f").exists()
    fetch(server, "whole", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges[1] == "bytes=100000-"


@pytest.mark.parametrize(
    ("path", "size", "sha", "told"),
    [
        ("whole", len(CONTENT), "0" * 64, "not the file it should be"),
        ("whole", None, "0" * 64, "not the file it should be"),
        ("whole", len(CONTENT) - 1, SHA, "larger than it should be"),
        ("whole", len(CONTENT) + 1, SHA, "could not be fetched"),
        ("endless", len(CONTENT), SHA, "larger than it should be"),
        ("slow", len(CONTENT), SHA, "could not be fetched.*timed out"),
        ("gone", len(CONTENT), SHA, "could not be fetched.*Not Found"),
        ("away", len(CONTENT), SHA, "not https"),
    ],
)
def test_a_bad_download_leaves_nothing_under_its_name(
    server: Server, tmp_path: Path, path: str, size: int | None, sha: str, told: str
) -> None:
    with pytest.raises(PackError, match=told):
        fetch(server, path, tmp_path / "f", size, sha)
    assert not (tmp_path / "f").exists()


def test_a_missing_file_is_asked_for_once_and_a_slow_one_again(server: Server, tmp_path: Path) -> None:
    with pytest.raises(PackError):
        fetch(server, "gone", tmp_path / "f")
    assert len(server.ranges) == 1
    with pytest.raises(PackError):
        fetch(server, "slow", tmp_path / "f")
    assert len(server.ranges) == 3


@pytest.mark.parametrize("url", ["http://example.org/f", "file:///etc/passwd", "ftp://127.0.0.1/f", "https:///f"])
def test_only_https_is_opened(tmp_path: Path, url: str) -> None:
    with pytest.raises(PackError, match="not https"):
        download(url, tmp_path / "f", 1, SHA, Runtime(), PATIENT)


def test_a_pack_is_fetched_once_its_licences_are_accepted(server: Server, own_pack: Path, home: Path) -> None:
    lost = own_pack / "encoder.safetensors"
    server.content = lost.read_bytes()
    urls = [server.url("gone"), server.url("cut")]
    change_manifest(own_pack, lambda record: record["parts"]["encoder"]["files"][0].update(urls=urls))
    lost.unlink()
    with pytest.raises(PackError, match=r"licences of 'tiny' have not been accepted: .*CC0"):
        fetch_pack(own_pack, Runtime(), limits=PATIENT)
    assert server.ranges == []
    pack = fetch_pack(own_pack, Runtime(), accept_licences=True, limits=PATIENT)
    assert [path.name for path in (home / "fetched" / "tiny").iterdir()] == ["encoder.safetensors"]
    assert load_models(pack, CPU).encoder is not None
    count = len(server.ranges)
    fetch_pack(own_pack, Runtime(), limits=PATIENT)
    assert len(server.ranges) == count
