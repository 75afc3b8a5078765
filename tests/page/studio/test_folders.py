"""Settings of the page, and the folders of its visitors: names, what is taken in, what is deleted."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from page.settings import PageSettings, read_settings
from page.studio.folders import ID_BYTES, RunFolders, is_id, new_id, safe_name
from stit_core.config import VideoConfig
from stit_core.errors import ConfigError, StitError
from stit_core.settings import settings_of
from tests.support.page_cases import bring

HOURS = 3600


@pytest.fixture
def folders(tmp_path: Path) -> RunFolders:
    return RunFolders(PageSettings(root=tmp_path, keep_hours=2.0))


# --- Settings -----------------------------------------------------------------------------------------------------


def test_settings_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STIT_RUNS", str(tmp_path))
    environ = {
        "STIT_MAX_MB": "12.5",
        "STIT_MAX_SECONDS": "3",
        "STIT_MAX_FRAMES": "75",
        "STIT_MAX_MEGAPIXELS": "2.5",
        "STIT_KEEP_HOURS": "0.5",
        "STIT_UNWATCHED_MINUTES": "4",
        "STIT_QUEUE": "3",
        "STIT_JOB_MINUTES": "90",
    }
    settings = read_settings(environ)
    assert (settings.max_mb, settings.max_seconds, settings.keep_hours) == (12.5, 3.0, 0.5)
    assert (settings.unwatched_minutes, settings.queue_length, settings.job_minutes) == (4.0, 3, 90.0)
    assert settings.upload_bytes == 12_500_000
    assert settings.root == tmp_path
    assert not settings.private.is_relative_to(settings.served), "stored results would be served"
    config = VideoConfig(**settings.video())
    assert (config.max_megabytes, config.max_seconds, config.max_frames, config.max_pixels) == (
        12.5,
        3.0,
        75,
        2_500_000,
    )


def test_settings_without_an_environment_are_the_defaults() -> None:
    settings = read_settings({"STIT_MAX_MB": " "})
    assert (settings.max_mb, settings.pack) == (PageSettings.max_mb, PageSettings.pack)
    assert settings.max_frames >= settings.max_seconds * 30, "a clip at a usual rate would be over the limit of frames"


@pytest.mark.parametrize("text", ["many", "0", "-3", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="STIT_MAX_SECONDS"):
        read_settings({"STIT_MAX_SECONDS": text})


def test_how_a_lent_card_is_used_is_a_setting() -> None:
    settings = read_settings({"STIT_SLICE_SECONDS": "45", "STIT_CPU_FALLBACK": "off"})
    assert (settings.slice_seconds, settings.cpu_fallback) == (45.0, False)
    assert read_settings({}).cpu_fallback
    known = settings_of(PageSettings)
    assert known["slice_seconds"].unit
    assert all(known[name].help for name in ("slice_seconds", "cpu_fallback"))
    with pytest.raises(ConfigError, match="STIT_SLICE_SECONDS"):
        read_settings({"STIT_SLICE_SECONDS": "3600"})
    with pytest.raises(ConfigError, match="STIT_CPU_FALLBACK"):
        read_settings({"STIT_CPU_FALLBACK": "perhaps"})


def test_a_part_of_a_frame_is_no_limit() -> None:
    with pytest.raises(ConfigError, match="whole number"):
        read_settings({"STIT_MAX_FRAMES": "2.5"})


# --- Folders ------------------------------------------------------------------------------------------------------


def test_ids_cannot_be_guessed() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(base64.urlsafe_b64decode(run_id + "==")) == ID_BYTES == 16 for run_id in ids)
    assert all(is_id(run_id) for run_id in ids)


@pytest.mark.parametrize("run_id", ["", "..", "../../etc", "a" * 21, "a" * 23, "a/" * 11, "." * 22])
def test_what_is_no_id_names_no_folder(folders: RunFolders, run_id: str) -> None:
    for folder in (folders.store, folders.outputs, folders.private):
        with pytest.raises(StitError, match="loading"):
            folder(run_id)
    assert not folders.known(run_id)
    folders.delete(run_id)
    assert not any(folders.settings.root.rglob("*"))


def test_looking_for_a_run_makes_nothing(folders: RunFolders) -> None:
    stranger, known = new_id(), new_id()
    folders.private(known)
    assert (folders.known(stranger), folders.known(known)) == (False, True)
    assert [path.name for path in folders.settings.private.iterdir()] == [known]


def test_two_visitors_share_no_folder(folders: RunFolders) -> None:
    first, second = new_id(), new_id()
    found = {folders.outputs(first), folders.outputs(second), folders.private(first), folders.private(second)}
    assert len(found) == 4
    assert first not in str(folders.outputs(first)), "links would give the id away"
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in found)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("my clip (2).MP4", "my clip (2).MP4"),
        ("../../etc/passwd", "passwd"),
        ("<img src=x>.mp4", "_img src_x_.mp4"),
        ("Ünïcode.mp4", "Ünïcode.mp4"),
        ("..", "clip"),
        ("a" * 300 + ".mp4", "a" * 76 + ".mp4"),
        (".hidden", "hidden"),
    ],
)
def test_names_from_visitors_become_plain(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_clip_is_taken_in_and_an_older_one_goes(folders: RunFolders) -> None:
    run_id = new_id()
    first = folders.take(run_id, bring(folders, "one.mp4", b"1"))
    second = folders.take(run_id, bring(folders, "two.mp4", b"2"))
    assert second.read_bytes() == b"2"
    assert [path.name for path in second.parent.iterdir()] == ["two.mp4"]
    assert not first.exists()
    assert [path.name for path in folders.outputs(run_id).iterdir()] == ["clip"]


def test_a_clip_outside_is_not_taken_in(folders: RunFolders, tmp_path: Path) -> None:
    outside = tmp_path / "secret.mp4"
    outside.write_bytes(b"x")
    link = bring(folders).with_name("link.mp4")
    link.symlink_to(outside)
    for path in (outside, link, folders.settings.served / ".." / "secret.mp4", folders.settings.served):
        with pytest.raises(StitError, match="not there"):
            folders.take(new_id(), path)


def test_deleting_takes_all_of_a_visit_and_no_more(folders: RunFolders) -> None:
    mine, yours = new_id(), new_id()
    other = bring(folders)
    for run_id in (mine, yours):
        (folders.outputs(run_id) / "video.mp4").write_bytes(b"x")
        (folders.private(run_id) / "page.json").write_text("{}")
    sample = folders.sample(other)
    folders.delete(mine)
    assert not folders.known(mine)
    assert other.exists()
    assert sample.exists(), "samples belong to nobody"
    assert (folders.outputs(yours) / "video.mp4").exists()
    assert folders.known(yours)


def test_a_sample_is_served_as_a_copy(folders: RunFolders, tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"video")
    copy = folders.sample(clip)
    assert copy.read_bytes() == b"video"
    assert copy.is_relative_to(folders.settings.served)
    assert [path.name for path in copy.parent.iterdir()] == ["a.mp4"]
