"""The method "transfer" on the page: its choice, previews, jobs, and the time it takes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from page.studio.runs import Output
from page.studio.studio import Studio
from stit_core.errors import ConfigError
from stit_core.previews import preview_frame
from tests.support.page_cases import SMILE, begin, finish, make_studio, stop_at

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_studio"]


@pytest.fixture(scope="module")
def transferred(studio: Studio, face_clip: Path) -> str:
    """A run whose edit was transferred."""
    run_id = begin(studio, face_clip, edits=SMILE, method="transfer").id
    status = finish(studio, run_id, "edit")
    assert status.state == "done", status
    return run_id


def test_the_method_is_a_choice_that_is_kept(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, method="transfer", region="mouth")
    state = make_studio(studio.settings.root).state(run.id)
    assert (state.method, state.region) == ("transfer", "mouth")
    config = studio.config(state)
    assert (config.method, config.transfer.region) == ("transfer", "mouth")
    assert config.tuning != studio.config(dataclasses.replace(state, method="stitch")).tuning
    paper = studio.change(run.id, preset="paper")
    assert studio.config(paper).method == "stitch"
    assert studio.config(studio.change(run.id, preset="balanced")).method == "transfer", "it is kept meanwhile"
    for wrong in ({"method": "paste"}, {"method": "paste", "preset": "paper"}, {"region": "hand"}):
        with pytest.raises(ConfigError):
            studio.change(run.id, **wrong)


def test_a_new_run_has_the_packs_method_and_an_older_one_is_stitched(
    studio: Studio, face_clip: Path, edited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = begin(studio, face_clip)
    file = studio.folders.private(edited) / "page.json"
    kept = file.read_text()
    record = json.loads(kept)
    for part in (record, *record["outputs"]):
        for name in ("method", "region"):
            part.pop(name, None)
    file.write_text(json.dumps(record))
    monkeypatch.setitem(studio.networks.pack.schedules, "method", "transfer")
    try:
        older = studio.runs.get(edited)
        assert studio.config(studio.state(new.id)).method == "transfer"
        assert studio.config(older).method == "stitch"
        assert [(output.method, output.region) for output in older.outputs] == [("stitch", "auto")]
    finally:
        file.write_text(kept)


def test_the_tuning_belongs_to_its_method(studio: Studio, transferred: str) -> None:
    assert studio.state(transferred).tuned
    assert not studio.change(transferred, method="stitch").tuned
    assert studio.change(transferred, method="transfer").tuned


def test_a_tuning_for_the_transfer_is_ready_for_edits(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, method="transfer")
    assert finish(studio, run.id, "tune").state == "done"
    opened = studio.previews.opened(run.id)
    assert all(opened.pipeline.has(opened.clip, stage) for stage in ("tune", "register", "masks"))
    shutil.rmtree(next(studio.folders.private(run.id).glob("*/register-*")))
    assert not studio.state(run.id).tuned, "a preview would have to begin with that"
    assert finish(studio, run.id, "tune").state == "done"
    assert studio.state(run.id).tuned


def test_the_preview_of_a_transfer_is_the_finished_frame(
    studio: Studio, transferred: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was looked at before, and in whatever order."""
    monkeypatch.setattr("page.studio.edit_previews.REGION_SIDE", 10_000)
    monkeypatch.setattr("page.studio.crops.REGION", 100.0)  # the whole frame
    opened = studio.previews.opened(transferred)
    pipeline, clip = opened.pipeline.with_config(studio.config(studio.runs.get(transferred))), opened.clip
    made = pipeline.stitch(clip)
    assert "stitch" in pipeline.results.found
    for edits in (SMILE, (("age", -3.0),), SMILE):
        preview = studio.previews.edit(transferred, edits, count=3)
        assert preview is not None
        assert preview.final
        for key in preview.pictures:
            finished = preview_frame(pipeline, clip, key.frame, made.crops.read(key.frame))
            assert np.array_equal(key.before, clip.frames.read(key.frame))
            assert np.array_equal(key.after, finished) == (edits == SMILE)
    assert not np.array_equal(key.before, key.after)


def test_before_the_tuning_a_transfer_is_shown_frame_by_frame(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, method="transfer")
    finish(studio, run.id, "align")
    preview, other = (studio.previews.edit(run.id, (("smile", factor),)) for factor in (2.0, -2.0))
    assert preview is not None
    assert other is not None
    assert (preview.draft, preview.final) == (True, False)
    for a, b in zip(preview.pictures, other.pictures, strict=True):
        assert np.array_equal(a.before, b.before)
        assert not np.array_equal(a.after, b.after)
    still = studio.previews.edit(run.id, (("smile", 0.0),))
    assert still is not None
    for key in still.pictures:
        assert np.abs(key.before.astype(int) - key.after).max() <= 1, "without a change the source keeps its pixels"
    assert not list(studio.folders.private(run.id).glob("*/register-*")), "nothing was stored"


def test_a_transfer_is_watched_while_it_is_made_and_a_stop_leaves_a_part(
    studio: Studio, transferred: str, face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(studio, face_clip, edits=SMILE, method="transfer")
    with monkeypatch.context() as patch:
        stop_at(studio, patch, run.id, "stitch", 4)
        status = finish(studio, run.id, "edit")
    part = status.output
    assert isinstance(part, Output)
    assert (status.state, part.partial, part.method, part.region) == ("stopped", True, "transfer", "auto")
    assert 0 < part.frames < part.of == 6
    whole = studio.state(transferred).outputs[0]
    for frame in range(part.frames):
        a, b = (studio.clips.still(Path(made.video), frame / 10 + 0.05, 200).astype(int) for made in (part, whole))
        assert np.abs(a - b).mean() < 2, "it shows the edited frames"
    feed = studio.feeds.get(str(whole.feed_id))
    assert feed is not None
    assert set(feed.state("", 0)["frames"]) == set(range(6))
    again = make_studio(studio.settings.root)
    assert again.state(run.id).last.state == "stopped"
    assert finish(again, run.id, "edit").state == "done"
    assert [made.partial for made in again.state(run.id).outputs] == [False, True]


def test_the_time_that_is_told_is_that_of_the_method(studio: Studio, face_clip: Path) -> None:
    run = begin(studio, face_clip, method="stitch", preset="balanced")
    studio.networks.estimator.measure()
    stitch = studio.clips.trim_facts(run.id, None, None).estimates
    studio.change(run.id, method="transfer")
    transfer = studio.clips.trim_facts(run.id, None, None).estimates
    assert stitch is not None
    assert transfer is not None
    assert transfer["paper"] == stitch["paper"]
    assert transfer["balanced"] != stitch["balanced"]
    plan = studio.networks.estimator.plan("tune", studio.config(studio.state(run.id)), 6)
    assert list(plan) == ["frames", "landmarks", "align", "invert", "tune", "register", "masks"]
