"""A run's clip before any job: what is taken, what is refused, what the trim holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from page.studio.folders import new_id
from page.studio.studio import Studio
from stit_core.config import VideoConfig
from stit_core.errors import StitError, VideoError
from stit_core.runtime import CancelToken
from tests.support.drawn_face import write_clip
from tests.support.page_cases import begin, make_studio, upload

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_studio"]


def test_a_clip_becomes_the_runs_own(studio: Studio, face_clip: Path) -> None:
    run = studio.arrive()
    brought = upload(studio, face_clip, "<i>my clip.mp4")
    state = studio.set_clip(run.id, brought)
    brought.unlink()
    assert state.clip is not None
    assert Path(state.clip).read_bytes() == face_clip.read_bytes()
    assert Path(state.clip).is_relative_to(studio.settings.served)
    assert "<" not in state.clip
    assert run.id not in state.clip, "a link to the clip would give the run away"
    again = studio.set_clip(run.id, upload(studio, face_clip, "other.mp4"))
    assert not Path(state.clip).exists(), "the clip before is kept for nobody"
    assert (again.clip_name, again.start) == ("other.mp4", None)


def test_only_uploads_are_taken(studio: Studio, face_clip: Path) -> None:
    run = studio.arrive()
    link = studio.settings.served / new_id() / "link.mp4"
    link.parent.mkdir(parents=True)
    link.symlink_to(face_clip)
    for path in (face_clip, link, Path("/etc/passwd"), studio.settings.served / ".." / "visitors"):
        with pytest.raises(StitError, match="not there any more"):
            studio.set_clip(run.id, path)
    assert studio.state(run.id).clip is None


def test_what_is_no_video_or_too_large_is_told_before_it_is_taken(surroundings: Path, face_clip: Path) -> None:
    small = make_studio(surroundings / "small", max_mb=0.01)
    run = small.arrive()
    with pytest.raises(VideoError, match=r"the limit is 0\.01 MB"):
        small.set_clip(run.id, upload(small, face_clip))
    tight = make_studio(surroundings / "small", max_megapixels=0.01)
    with pytest.raises(VideoError, match=r"0\.0 megapixels"):
        tight.set_clip(run.id, upload(tight, face_clip))
    text = upload(small, face_clip, "text.mp4")
    text.write_text("no video")
    with pytest.raises(VideoError, match="not a video"):
        small.set_clip(run.id, text)
    assert small.state(run.id).clip is None


def test_a_sample_is_a_clip(studio: Studio, face_clip: Path) -> None:
    run = studio.arrive()
    state = studio.set_sample(run.id, "drawn face")
    assert (state.sample, state.upload) == ("drawn face", None)
    assert Path(str(state.clip)).read_bytes() == face_clip.read_bytes()
    assert studio.clips.poster("drawn face").shape == (200, 240, 3)
    for unknown in ("../../etc/passwd", "other"):
        with pytest.raises(StitError, match="no such sample"):
            studio.set_sample(run.id, unknown)


def test_the_trim_is_judged_from_one_look(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip)
    found = studio.clips.preflight(run.id)
    assert studio.clips.preflight(run.id) is found, "it is looked at once"
    facts = studio.clips.trim_facts(run.id, 0.0, 0.3)
    assert facts.frames == 3
    assert facts.face_share == 1.0
    assert not facts.too_long
    assert facts.estimates is None, "the machine was not timed yet"
    studio.networks.estimator.measure()
    estimates = studio.clips.trim_facts(run.id, None, None).estimates
    assert estimates is not None
    assert 0 < estimates["draft"] < estimates["paper"]
    assert studio.clips.frame_at(run.id, 0.2, height=100).shape == (100, 120, 3)


def test_a_clip_that_is_deleted_while_it_is_looked_into(studio: Studio, tmp_path: Path) -> None:
    """As when its run is deleted in another tab: what was seen is told, and after that words."""
    own = write_clip(tmp_path / "own.mp4", frames=5)
    run = begin(studio, own)
    clip = Path(str(studio.state(run.id).clip))
    found = studio.clips.preflight(run.id, progress=lambda *_: clip.unlink(missing_ok=True))
    assert (found.seconds, found.megabytes) == (pytest.approx(0.5), own.stat().st_size / 1e6)
    for ask in (
        lambda: studio.clips.preflight(run.id),
        lambda: studio.clips.trim_facts(run.id, None, None),
        lambda: studio.clips.look_into(clip),  # it went after the run was asked for it
        lambda: studio.clips.probe(clip, VideoConfig()),
    ):
        with pytest.raises(StitError, match=r"There is no clip yet|This clip is not there any more") as told:
            ask()
        assert str(clip.parent) not in str(told.value)
    studio.delete(run.id)


def test_a_newer_look_ends_the_older_one(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip)
    older, same = CancelToken(), CancelToken()
    studio.clips._looking[run.id] = Path("another clip.mp4"), older
    studio.clips.preflight(run.id)
    assert older.is_set()
    assert run.id not in studio.clips._looking
    studio.clips._looking[run.id] = Path(str(run.clip)), same
    studio.clips.preflight(run.id)
    assert not same.is_set(), "whoever looks into the same clip waits for it still"
