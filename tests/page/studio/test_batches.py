"""A visitor's list of clips: what is taken, begun, stopped, shown after a restart, packed and deleted."""

from __future__ import annotations

import csv
import dataclasses
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from page.studio.batch_costs import ListCost, cost_of_list
from page.studio.batch_files import ARCHIVE, card_pictures, pack_videos
from page.studio.batches import (
    AT_ONCE,
    Card,
    bring_clips,
    cards,
    choose,
    go_on,
    is_working,
    remove_clip,
    start_clips,
    stop_all,
    stop_clip,
    turn,
)
from page.studio.direction_roots import own_root
from page.studio.estimates import Estimator
from page.studio.folders import public_name
from page.studio.job import Job
from page.studio.runs import with_choices
from page.studio.studio import ConsentError, Studio
from page.studio.visitors import CURRENT, Visitor
from stit_core.directions.library import Card as DirectionCard
from stit_core.directions.library import save_direction
from stit_core.errors import ConfigError, DirectionError, StitError
from stit_core.estimates import StepTimes, estimate
from tests.support.drawn_face import write_clip
from tests.support.page_cases import PATIENCE, begin, ended, finish, make_studio, upload, wait_for
from tests.support.tiny_pack import make_direction

pytest_plugins = ["tests.support.fixtures_pack"]

EDIT = {"edits": (("smile", 1.0),), "preset": "draft"}


@pytest.fixture
def studio(home: Path) -> Studio:
    return make_studio(home / "runs")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three clips that differ in their length."""
    folder = tmp_path_factory.mktemp("several")
    return [write_clip(folder / f"clip {k}.mp4", frames=2 + k) for k in range(3)]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.mp4"
    path.write_text("no video")
    return path


def bring(studio: Studio, run: str, *paths: Path) -> list[Card]:
    bring_clips(studio, run, [(upload(studio, path), path.name) for path in paths])
    return cards(studio, run)


def states(studio: Studio, run: str) -> list[str]:
    return [card.state for card in cards(studio, run)]


def finish_all(studio: Studio, run: str) -> list[Card]:
    """Let the list go on until nothing of it waits or runs, as an open page does."""

    def over() -> bool:
        go_on(studio, run)
        return not is_working(studio, run)

    wait_for(over)
    return cards(studio, run)


@contextmanager
def busy_worker(studio: Studio) -> Iterator[None]:
    """The worker is at another visitor's job, so that nothing of a list begins to run."""
    gate, other = threading.Event(), studio.arrive().id

    def wait(job: Job) -> None:  # noqa: ARG001
        gate.wait(PATIENCE)

    studio.jobs.submit(other, "align", wait, {})
    try:
        yield
    finally:
        gate.set()
        ended(studio, other)


def files_of(studio: Studio) -> set[Path]:
    return {path for path in studio.settings.root.rglob("*") if path.is_file()}


# --- What is taken ------------------------------------------------------------------------------------------------


def test_each_clip_has_a_run_and_one_that_cannot_be_taken_has_a_reason(
    studio: Studio, clips: list[Path], broken: Path
) -> None:
    run = studio.arrive().id
    first, bad, second = bring(studio, run, clips[0], broken, clips[1])
    assert [first.state, bad.state, second.state] == ["ready", "failed", "ready"]
    assert "is not a video" in bad.reason
    assert not bad.clip.run
    assert len({run, first.clip.run, second.clip.run}) == 3
    assert studio.runs.get(second.clip.run).clip_name == "clip 1.mp4"
    assert not list(studio.settings.served.rglob("broken.mp4"))  # it is of no use
    assert cards(make_studio(studio.settings.root), run) == [first, bad, second]  # after a restart too


def test_the_same_clip_is_taken_once_whatever_its_name(studio: Studio, clips: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clips[0].read_bytes())
    run = studio.arrive().id
    first, other = bring(studio, run, clips[0], copy)
    assert (other.state, other.same, other.clip.run) == ("same", "clip 0.mp4", "")
    assert bring(studio, run, clips[0])[2].state == "same"
    assert start_clips(studio, run, **EDIT) == 1
    stop_all(studio, run)
    ended(studio, first.clip.run)
    remove_clip(studio, run, first.clip.id)
    assert cards(studio, run) == []
    assert bring(studio, run, copy)[0].state == "ready"


def test_names_are_no_paths(studio: Studio, clips: list[Path]) -> None:
    run = studio.arrive().id
    bring_clips(studio, run, [(upload(studio, clips[0]), "../../<b>etc.mp4")])
    assert cards(studio, run)[0].clip.name == "_b_etc.mp4"
    with pytest.raises(StitError, match="not there any more"):
        bring_clips(studio, run, [(clips[1], "x.mp4")])  # it was not uploaded


def test_strangers_say_first_that_they_may_edit(home: Path, clips: list[Path]) -> None:
    studio = make_studio(home / "runs", public=True)
    run = studio.arrive().id
    with pytest.raises(ConsentError):
        bring(studio, run, clips[0])
    assert not list(studio.settings.served.rglob("*.mp4"))
    studio.agree(run, "I may.")
    (card,) = bring(studio, run, clips[0])
    assert studio.runs.get(card.clip.run).consent == studio.runs.get(run).consent


def test_a_list_holds_only_so_many(home: Path, clips: list[Path], broken: Path) -> None:
    studio = make_studio(home / "runs", list_clips=2)
    run = studio.arrive().id
    found = bring(studio, run, *clips)
    assert [card.state for card in found] == ["ready", "ready", "failed"]
    assert "2 clips already" in found[2].reason
    with pytest.raises(ConfigError, match="The list holds 4 clips"):
        bring(studio, run, broken, broken)
    remove_clip(studio, run, found[0].clip.id)
    assert bring(studio, run, clips[2])[-1].state == "ready"


# --- Their jobs ---------------------------------------------------------------------------------------------------


def test_all_are_edited_whatever_becomes_of_one(
    studio: Studio, clips: list[Path], broken: Path, tmp_path: Path
) -> None:
    run = studio.arrive().id
    faceless = write_clip(tmp_path / "empty.mp4", frames=3, faceless=True)
    bring(studio, run, faceless, clips[0], broken, clips[1])
    assert start_clips(studio, run, **EDIT) == 3
    found = finish_all(studio, run)
    assert [card.state for card in found] == ["failed", "done", "failed", "done"]
    assert "No face" in found[0].reason
    alone = begin(studio, clips[0], **EDIT)
    assert finish(studio, alone.id, "edit").state == "done"
    output = found[1].output
    assert output is not None
    assert Path(output.video).read_bytes() == Path(studio.state(alone.id).outputs[0].video).read_bytes()

    assert start_clips(studio, run) == 1  # the one that failed: it may have been mended in its own run
    finish_all(studio, run)
    archive = pack_videos(studio, run)
    with zipfile.ZipFile(archive) as packed:
        assert sorted(packed.namelist()) == [
            "clip 0.edit.json",
            "clip 0.mp4",
            "clip 1.edit.json",
            "clip 1.mp4",
            "clips.csv",
        ]
        assert packed.read("clip 0.mp4") == Path(output.video).read_bytes()
        rows = list(csv.DictReader(io.StringIO(packed.read("clips.csv").decode())))
    assert [(row["state"], row["video"]) for row in rows] == [
        ("failed", ""),
        ("done", "clip 0.mp4"),
        ("failed", ""),
        ("done", "clip 1.mp4"),
    ]
    clip = found[1].clip
    before, after = card_pictures(studio, run, clip.id, output.id) or (b"", b"")
    assert before[:3] == after[:3] == b"\xff\xd8\xff"
    assert before != after
    assert card_pictures(studio, run, clip.id, output.id) == (before, after)
    assert card_pictures(studio, run, clip.id, "another") is None

    studio.delete(clip.run)  # by its own page: what was packed goes with it
    assert not archive.exists()
    assert states(studio, run) == ["failed", "gone", "failed", "done"]


def test_only_a_few_jobs_of_a_list_stand_in_the_queue(studio: Studio, clips: list[Path]) -> None:
    run = studio.arrive().id
    bring(studio, run, *clips)
    with busy_worker(studio):
        assert start_clips(studio, run, **EDIT) == 3
        go_on(studio, run)
        assert states(studio, run) == ["waiting"] * 3
        assert len(studio.jobs) == 1 + AT_ONCE
        first, _, last = cards(studio, run)
        assert last.clip.wanted
        before = turn(studio, run)
        stop_clip(studio, run, first.clip.id)
        assert turn(studio, run) != before  # so that the page asks to go on
        go_on(studio, run)
        assert states(studio, run) == ["stopped", "waiting", "waiting"]
        assert not cards(studio, run)[2].clip.wanted
        with pytest.raises(ConfigError, match="with another change"):
            start_clips(studio, run, edits=(("age", 1.0),))
        stop_all(studio, run)
        assert states(studio, run) == ["stopped"] * 3
        assert turn(studio, run) == ""


def test_a_visitors_allowance_holds_and_the_rest_waits(
    home: Path, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = make_studio(home / "runs", visitor_jobs_hour=1)
    run = studio.arrive().id
    bring(studio, run, *clips[:2])
    token = CURRENT.set(Visitor("somebody"))
    try:
        with busy_worker(studio):  # the one job that the visitor may begin
            start_clips(studio, run, **EDIT)
            found = cards(studio, run)
            assert [card.state for card in found] == ["waiting", "waiting"]
            assert "begun 1 jobs within an hour" in found[0].reason
            assert [card.clip.wanted for card in found] == [True, True]
            monkeypatch.setattr(studio.jobs, "_allowance", None)
            go_on(studio, run)
            found = cards(studio, run)
            assert [(card.state, card.reason, card.clip.wanted) for card in found] == [("waiting", "", False)] * 2
            stop_all(studio, run)
    finally:
        CURRENT.reset(token)


def test_an_edit_that_is_there_is_not_made_again_and_another_is(studio: Studio, clips: list[Path]) -> None:
    run = studio.arrive().id
    bring(studio, run, clips[0])
    assert start_clips(studio, run, **EDIT) == 1
    (first,) = finish_all(studio, run)
    assert start_clips(studio, run) == 0
    bring(studio, run, clips[1])
    with busy_worker(studio):
        assert start_clips(studio, run) == 1
        stop_all(studio, run)
        assert start_clips(studio, run, edits=(("smile", 2.0),)) == 2
        assert cards(studio, run)[0].output == first.output  # until the other is there
        stop_all(studio, run)


def test_a_direction_that_the_visitor_trained_is_done_to_all(studio: Studio, clips: list[Path]) -> None:
    run = studio.arrive().id
    save_direction(studio.networks.pack, make_direction(9), DirectionCard("mine"), own_root(studio.folders, run))
    bring(studio, run, clips[0])
    choices = {**EDIT, "edits": (("mine", 1.0),)}
    with busy_worker(studio):
        start_clips(studio, run, **choices)
        with pytest.raises(StitError, match="at work"):
            studio.delete_direction(run, "mine")
    (card,) = finish_all(studio, run)
    assert (card.state, card.reason) == ("done", "")
    assert "mine" in [known.name for known in studio.directions.cards(run_id=card.clip.run)]
    with pytest.raises(DirectionError, match="of your own"):
        studio.delete_direction(card.clip.run, "mine")
    studio.delete_direction(run, "mine")
    assert (studio.lists.load(run).choices["edits"], studio.state(card.clip.run).edits) == ([], ())
    assert cards(studio, run)[0].output == card.output, "its video stays"
    with pytest.raises(DirectionError, match="mine"):
        start_clips(studio, run, **choices)


def test_what_a_start_takes_is_known_before(home: Path, clips: list[Path], broken: Path) -> None:
    studio = make_studio(home / "runs", job_minutes=0.5)
    run = studio.arrive().id
    assert cost_of_list(studio, run) == ListCost()
    bring(studio, run, *clips, broken)
    choose(studio, run, **EDIT)
    untimed = cost_of_list(studio, run)
    assert (untimed.clips, untimed.seconds, untimed.refused) == (3, None, 0)
    assert untimed.stored > sum(clip.stat().st_size for clip in clips)
    steps = StepTimes(draw=0.01, noise=0.01, fit_one=0.01, fit=0.01, tune=0.01)
    studio.networks._estimator = Estimator(studio.networks.models, {torch.float32: steps, torch.bfloat16: steps})
    known = cost_of_list(studio, run)
    config = studio.config(with_choices(studio.state(run), **EDIT))
    expected = [estimate(config, 2 + k, steps) for k in range(3)]
    assert known == dataclasses.replace(untimed, seconds=pytest.approx(sum(expected)))
    slow = {kind: steps.scaled(10.0) for kind in (torch.float32, torch.bfloat16)}
    studio.networks._estimator = Estimator(studio.networks.models, slow)
    choose(studio, run, preset="paper")
    refused = cost_of_list(studio, run)
    assert (refused.clips, refused.seconds, refused.stored, refused.refused) == (0, 0, 0, 3), "over half a minute each"
    choose(studio, run, preset="draft")
    start_clips(studio, run)
    assert cost_of_list(studio, run) == ListCost(), "what is begun is not begun again"
    assert [card.state for card in finish_all(studio, run)][:3] == ["done"] * 3
    assert cost_of_list(studio, run) == ListCost()


@pytest.mark.parametrize(
    ("choices", "error", "told"),
    [
        ({"edits": ()}, ConfigError, "Nothing to change"),
        ({"edits": (("smiel", 1.0),)}, DirectionError, "Did you mean smile"),
        ({"edits": (("smile", 1.0),), "preset": "quick"}, ConfigError, "quick"),
    ],
)
def test_what_would_fail_for_all_begins_nothing(
    studio: Studio, clips: list[Path], choices: dict[str, object], error: type[StitError], told: str
) -> None:
    run = studio.arrive().id
    bring(studio, run, clips[0])
    with pytest.raises(error, match=told):
        start_clips(studio, run, **choices)
    assert states(studio, run) == ["ready"]
    assert not len(studio.jobs)


def test_without_clips_nothing_begins_and_nothing_is_packed(studio: Studio, broken: Path) -> None:
    run = studio.arrive().id
    bring(studio, run, broken)
    with pytest.raises(ConfigError, match="no clip that could be edited"):
        start_clips(studio, run, **EDIT)
    with pytest.raises(StitError, match="No clip is finished"):
        pack_videos(studio, run)


def test_clips_that_waited_when_the_server_ended_go_on(studio: Studio, clips: list[Path]) -> None:
    run = studio.arrive().id
    bring(studio, run, *clips)
    with busy_worker(studio):
        start_clips(studio, run, **EDIT)
        again = make_studio(studio.settings.root)
        assert states(again, run) == ["stopped", "stopped", "waiting"]
        assert "started anew" in cards(again, run)[0].reason
        go_on(again, run)
        assert states(again, run)[2] != "waiting" or not cards(again, run)[2].clip.wanted
        stop_all(again, run)
        stop_all(studio, run)


# --- What is kept -------------------------------------------------------------------------------------------------


def test_the_form_outlives_a_reload(studio: Studio) -> None:
    run = studio.arrive().id
    choose(studio, run, edits=(("smile", -1.5),), preset="paper")
    assert make_studio(studio.settings.root).lists.load(run).choices == {"edits": [["smile", -1.5]], "preset": "paper"}
    with pytest.raises(ConfigError):
        choose(studio, run, preset="quick")
    (studio.folders.private(run) / "clips.json").write_text('{"clips": 7}')
    assert cards(studio, run) == []


def test_all_is_deleted_with_the_run_while_clips_are_edited(studio: Studio, clips: list[Path]) -> None:
    before = files_of(studio)
    run = studio.arrive().id
    found = bring(studio, run, *clips)
    start_clips(studio, run, **EDIT)
    wait_for(lambda: "running" in states(studio, run))
    studio.delete(run)
    assert files_of(studio) == before
    assert not len(studio.jobs)
    for card in found:
        assert not (studio.settings.served / public_name(card.clip.run)).exists()


def test_a_clip_that_is_taken_away_leaves_nothing_and_the_archive_goes(studio: Studio, clips: list[Path]) -> None:
    run = studio.arrive().id
    before = files_of(studio)
    (card,) = bring(studio, run, clips[0])
    start_clips(studio, run, **EDIT)
    finish_all(studio, run)
    assert pack_videos(studio, run).name == ARCHIVE
    remove_clip(studio, run, card.clip.id)
    assert {path.name for path in files_of(studio) - before} == {"clips.json", "uploads.json"}


def test_what_is_looked_at_is_not_swept(studio: Studio, clips: list[Path]) -> None:
    run = studio.arrive().id
    (card,) = bring(studio, run, clips[0])
    studio.watched.forget(card.clip.run)
    assert card.clip.run not in set(studio.watched)
    studio.look_at(run)
    assert card.clip.run in set(studio.watched)


def test_a_list_over_the_quota_of_a_run_begins_nothing(home: Path, clips: list[Path]) -> None:
    studio = make_studio(home / "runs", run_gb=1e-6)
    run = studio.arrive().id
    bring(studio, run, clips[0])
    start_clips(studio, run, **EDIT)
    (card,) = cards(studio, run)
    assert card.state == "failed"
    assert "is the limit" in card.reason


@pytest.mark.parametrize("odd", [None, 7, "", "../x", {}, [], "x" * 22])
def test_what_no_page_sends_breaks_nothing(studio: Studio, odd: object) -> None:
    assert studio.lists.runs(odd) == ()
    run = studio.arrive().id
    stop_clip(studio, run, odd)
    remove_clip(studio, run, odd)
    assert card_pictures(studio, run, odd, odd) is None
    assert is_working(studio, str(odd)) is False
