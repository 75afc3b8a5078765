"""Content credentials: signed offline with a certificate made here, read back, and tampering is found."""

from __future__ import annotations

import dataclasses
import stat
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from stit_core.config import VideoConfig
from stit_core.errors import ConfigError, VideoError
from stit_core.media.credentials import CERTIFICATE, KEY, Signer, make_trial, read_credentials, read_signer
from stit_core.media.video import Label, open_clip, write_video
from stit_core.runtime import Runtime

pytest.importorskip("c2pa", reason="the package c2pa-python is not installed")
CONFIG = VideoConfig(crf=10, speed="ultrafast")
RECORD = {"edits": [{"direction": "smile", "factor": 2.0}], "made_with": "STIT Studio"}
UNTRUSTED = "signingCredential.untrusted"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return make_trial(tmp_path_factory.mktemp("trial"))


def stream_hash(path: Path) -> str:
    """Hash of the packets of all streams."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path), "-map", "0", "-c", "copy"]
    return subprocess.run([*command, "-f", "streamhash", "-"], capture_output=True, check=True, text=True).stdout


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_signed_video_says_how_it_was_edited_and_is_the_same_video(
    synthetic_clip: Path, tmp_path: Path, signer: Signer, suffix: str
) -> None:
    clip = open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "frames")
    label = Label({"comment": "edited"}, signer.seal("smile=2", RECORD))
    signed = write_video(clip.frames, clip, tmp_path / f"signed{suffix}", CONFIG, Runtime(), label).path
    plain = write_video(clip.frames, clip, tmp_path / f"plain{suffix}", CONFIG, Runtime()).path
    found = read_credentials(signed)
    assert found is not None
    assert (found["state"], found["problems"]) == ("Valid", [UNTRUSTED])
    assert found["record"] == RECORD
    opened, edited = found["actions"]
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert edited["parameters"]["description"] == "smile=2"
    assert read_credentials(plain) is None
    assert stream_hash(signed) == stream_hash(plain)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_what_was_changed_after_signing_is_found(synthetic_clip: Path, tmp_path: Path, signer: Signer) -> None:
    clip = open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "frames")
    label = Label({}, signer.seal("smile=2", RECORD))
    signed = write_video(clip.frames, clip, tmp_path / "signed.mp4", CONFIG, Runtime(), label).path
    data = bytearray(signed.read_bytes())
    data[-500] ^= 1  # within the packets, which lie last
    signed.write_bytes(data)
    found = read_credentials(signed)
    assert found is not None
    assert found["state"] == "Invalid"
    assert "assertion.bmffHash.mismatch" in found["problems"]


def test_a_key_is_for_its_owner_alone_and_nothing_is_overwritten(tmp_path: Path) -> None:
    made = make_trial(tmp_path / "new")
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="cannot be written"):
        make_trial(tmp_path / "new")


def test_both_are_named_or_neither(signer: Signer, tmp_path: Path) -> None:
    assert read_signer({}) is None
    assert read_signer({CERTIFICATE: "", KEY: " "}) is None
    assert read_signer({CERTIFICATE: str(signer.certificate), KEY: str(signer.key)}) == signer
    with pytest.raises(ConfigError, match="only one"):
        read_signer({CERTIFICATE: str(signer.certificate)})
    with pytest.raises(ConfigError, match="cannot be read"):
        read_signer({CERTIFICATE: str(signer.certificate), KEY: str(tmp_path / "none.key")})


def test_what_signs_nothing_is_told_before_any_work(signer: Signer, tmp_path: Path) -> None:
    other = make_trial(tmp_path / "other")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for wrong, said in (
        (dataclasses.replace(signer, key=other.key), "belongs to another certificate"),
        (dataclasses.replace(signer, key=text), "sign nothing"),
        (dataclasses.replace(signer, certificate=text), "sign nothing"),
    ):
        with pytest.raises(ConfigError, match=said):
            wrong.check()


def test_a_container_without_credentials_is_refused(synthetic_clip: Path, tmp_path: Path, signer: Signer) -> None:
    clip = open_clip(synthetic_clip, CONFIG, Runtime(), tmp_path / "frames")
    with pytest.raises(VideoError, match="cannot carry"):
        write_video(clip.frames, clip, tmp_path / "out.mkv", CONFIG, Runtime(), Label({}, signer.seal("", RECORD)))
    assert not (tmp_path / "out.mkv").exists()
