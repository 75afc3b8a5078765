"""What a video says of itself: the edit manifest in its metadata, read back by plain ffmpeg, and its credentials."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from stit_core.config import VideoConfig
from stit_core.media.credentials import make_trial, read_credentials
from stit_core.media.video import Label, open_clip, write_video
from stit_core.provenance import EMBEDDED_BYTES, MANIFEST_TAG, Consent, Provenance, embed, label_video
from stit_core.report import manifest_path
from stit_core.runtime import Runtime
from stit_core.whole_run import edit_video
from tests.support.pipeline_cases import watched

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_pipeline"]

CONSENT = Consent('I may edit this person\'s face: "yes"; = # é', "2026-11-26T16:42:10+00:00")
RECORD = {
    "format": 1,
    "made_with": "STIT Studio",
    "edited": True,
    "clip": {"name": "anna at home.mp4", "hash": "ab" * 32, "frames": 6},
    "pack": {"name": "tiny", "hash": "cd" * 32},
    "edits": [{"direction": "smile", "factor": 2.0, "sha256": "ef" * 32, "source": "somewhere"}],
    "settings": {},
    "consent": None,
}


def metadata_of(path: Path) -> dict[str, str]:
    """The container's metadata as ffmpeg writes it down, by names in small letters."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", f"file:{path}", "-f", "ffmetadata", "-"]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    pairs = re.findall(r"^((?:\\.|[^=\\\n])+)=((?:\\.|\\\n|[^\\\n])*)$", text, re.MULTILINE)
    return {name.lower(): re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) for name, value in pairs}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_manifest_is_read_back_from_every_container(synthetic_clip: Path, tmp_path: Path, suffix: str) -> None:
    clip = open_clip(synthetic_clip, VideoConfig(), Runtime(), tmp_path / "frames")
    record = {**RECORD, "consent": vars(CONSENT)}
    label = label_video(record, "smile=2", None, {"psnr": 31.25})
    path = write_video(clip.frames, clip, tmp_path / f"out{suffix}", VideoConfig(), Runtime(), label).path
    found = metadata_of(path)
    assert found["comment"] == "edited with STIT Studio, pack tiny, smile=2"
    told = json.loads(found[MANIFEST_TAG])
    assert told["edits"] == RECORD["edits"]
    assert told["consent"] == vars(CONSENT)
    assert told["measures"] == {"psnr": 31.25}
    assert "anna" not in json.dumps(found), "the name of the source file is the visitor's own"


def test_a_long_manifest_is_cut_down_to_what_was_changed() -> None:
    long: dict[str, Any] = {**RECORD, "settings": {"text": "x" * EMBEDDED_BYTES}}
    text = embed(long, partial=True)
    assert len(text.encode()) < EMBEDDED_BYTES / 4
    told = json.loads(text)
    assert (told["shortened"], told["partial"]) == (True, True)
    assert told["clip"] == {"hash": "ab" * 32}
    assert [(edit["direction"], edit["factor"]) for edit in told["edits"]] == [("smile", 2.0)]
    assert "shortened" not in json.loads(embed(RECORD))


@pytest.mark.usefixtures("done")
def test_a_run_carries_its_manifest_and_is_signed_over_it(face_clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("c2pa", reason="the package c2pa-python is not installed")
    provenance = Provenance(CONSENT, make_trial(tmp_path / "trial"))
    report = edit_video(watched().pipeline, face_clip, tmp_path / "out.mp4", provenance)
    beside = json.loads(manifest_path(report.output).read_text())
    inside = json.loads(metadata_of(report.output)[MANIFEST_TAG])
    assert beside["consent"] == inside["consent"] == vars(CONSENT)
    assert "shortened" not in inside
    for part in ("edits", "pack", "versions"):
        assert inside[part] == beside[part]
    video = {name: value for name, value in beside["settings"]["video"].items() if not name.startswith("max_")}
    assert inside["settings"] == {**beside["settings"], "video": video}, "but for the limits of whoever made it"
    assert inside["measures"]["id_cosine"] == beside["result"]["id_cosine"]
    signed = read_credentials(report.output)
    assert signed is not None
    assert signed["state"] == "Valid"
    assert signed["record"] == inside


def test_an_unsigned_label_has_no_seal() -> None:
    label = label_video(RECORD, "smile=2", None)
    assert isinstance(label, Label)
    assert label.seal is None
