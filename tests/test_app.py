"""The page without a browser: settings, visits, jobs, words, and what the handlers do when things go wrong."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from page import words
from page.jobs import Jobs, Watch, Work
from page.settings import PageSettings, read_settings
from page.visits import ID_BYTES, Visits, new_id
from stit_core.directions import Card
from stit_core.errors import Cancelled, ConfigError, StitError, VideoError
from stit_core.report import Measures, Report
from stit_core.runtime import CancelToken

HOURS = 3600


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(PageSettings(root=tmp_path, keep_hours=2.0))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The page's module, with its files in a folder of the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIT_RUNS", str(tmp_path_factory.mktemp("page")))
        patch.setenv("GRADIO_TEMP_DIR", "set by the module")  # so that the patch undoes what the import does
        import app as module

        yield module


def make_report(**changes: float) -> Report:
    figures = {"psnr": 31.0, "lpips": 0.1, "border_loss": 0.002, "id_cosine": 0.9, "tl_id": 0.995, "tg_id": 0.95}
    return Report(
        output=Path("out.mp4"),
        manifest=Path("out.edit.json"),
        frames=75,
        faces=70,
        gaps=(),
        audio=True,
        seconds={"tune": 60.0, "stitch": 65.0},
        cached=(),
        measures=Measures(**{**figures, **changes}),
    )


# --- Settings -----------------------------------------------------------------------------------------------------


def test_settings_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STIT_RUNS", str(tmp_path))
    settings = read_settings({"STIT_MAX_MB": "12.5", "STIT_MAX_SECONDS": "3", "STIT_KEEP_HOURS": "0.5"})
    assert (settings.max_mb, settings.max_seconds, settings.keep_hours) == (12.5, 3.0, 0.5)
    assert settings.root == tmp_path
    assert not settings.private.is_relative_to(settings.served), "stored results would be served"


def test_settings_without_an_environment_are_the_defaults() -> None:
    settings = read_settings({"STIT_MAX_MB": " "})
    assert (settings.max_mb, settings.pack) == (PageSettings.max_mb, PageSettings.pack)


@pytest.mark.parametrize("text", ["many", "0", "-3", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="STIT_MAX_SECONDS"):
        read_settings({"STIT_MAX_SECONDS": text})


# --- Visits -------------------------------------------------------------------------------------------------------


def test_ids_cannot_be_guessed() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(base64.urlsafe_b64decode(run_id + "==")) == ID_BYTES == 16 for run_id in ids)


@pytest.mark.parametrize("run_id", ["", "..", "../../etc", "a" * 21, "a" * 23, "a/" * 11, "." * 22])
def test_what_is_no_id_names_no_folder(visits: Visits, run_id: str) -> None:
    for folder in (visits.store, visits.outputs):
        with pytest.raises(StitError, match="loading"):
            folder(run_id)
    assert not any(visits.settings.root.rglob("*"))


def test_two_visitors_share_no_folder(visits: Visits) -> None:
    first, second = new_id(), new_id()
    folders = {visits.outputs(first), visits.outputs(second), visits.store(first).root, visits.store(second).root}
    assert len(folders) == 4
    assert first not in str(visits.outputs(first)), "links would give the id away"
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in folders)


def test_sweeping_deletes_what_nobody_uses(visits: Visits) -> None:
    old, busy, fresh = new_id(), new_id(), new_id()
    for run_id in (old, busy, fresh):
        (visits.outputs(run_id) / "video.mp4").write_bytes(b"x")
        visits.store(run_id)
    upload = visits.settings.served / "0123abcd" / "clip.mp4"
    upload.parent.mkdir()
    upload.write_bytes(b"x")
    long_ago = time.time() - 3 * HOURS
    for folder in (*visits.settings.served.iterdir(), *visits.settings.private.iterdir()):
        if folder not in (visits.settings.private / fresh, visits.outputs(fresh)):
            os.utime(folder, (long_ago, long_ago))
    gone = set(visits.sweep(busy=[busy]))
    assert len(gone) == 3
    assert upload.parent in gone
    assert [folder.name in (busy, fresh) for folder in visits.settings.private.iterdir()] == [True, True]
    assert (visits.outputs(busy) / "video.mp4").is_file()
    assert (visits.outputs(fresh) / "video.mp4").is_file()
    assert not (visits.outputs(old) / "video.mp4").exists()


def test_using_a_clip_keeps_it(visits: Visits) -> None:
    upload = visits.settings.served / "0123abcd" / "clip.mp4"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"x")
    os.utime(upload.parent, (0, 0))
    visits.keep(upload)
    assert visits.sweep() == []


def test_keeping_touches_nothing_outside(visits: Visits, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere" / "clip.mp4"
    outside.parent.mkdir()
    outside.write_bytes(b"x")
    os.utime(outside.parent, (0, 0))
    visits.keep(outside)
    assert outside.parent.stat().st_mtime == 0


def test_a_sample_is_served_as_a_copy(visits: Visits, tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"video")
    copy = visits.sample(clip)
    assert copy.read_bytes() == b"video"
    assert copy.is_relative_to(visits.settings.served)
    assert [path.name for path in copy.parent.iterdir()] == ["a.mp4"]


# --- Jobs ---------------------------------------------------------------------------------------------------------


def test_one_visitor_cannot_stop_another() -> None:
    jobs = Jobs()
    jobs.reserve("mine")
    jobs.reserve("yours")
    mine, yours = jobs.start("mine"), jobs.start("yours")
    assert jobs.stop("mine")
    assert (mine.is_set(), yours.is_set()) == (True, False)
    assert not jobs.stop("nobody's")


def test_a_visitor_has_one_job_at_a_time() -> None:
    jobs = Jobs()
    jobs.reserve("mine")
    with pytest.raises(StitError, match="at work"):
        jobs.reserve("mine")
    jobs.start("mine")
    with pytest.raises(StitError, match="at work"):
        jobs.reserve("mine")
    jobs.finish("mine")
    jobs.reserve("mine")
    assert list(jobs) == ["mine"]


def test_a_job_that_is_stopped_while_it_waits_never_starts() -> None:
    jobs = Jobs()
    jobs.reserve("mine")
    assert jobs.stop("mine")
    with pytest.raises(Cancelled):
        jobs.start("mine")
    jobs.reserve("mine")
    assert not jobs.start("mine").is_set(), "tokens are not used again"


def test_watch_keeps_the_latest_only() -> None:
    watch = Watch()
    watch.progress("tune", 1, 10)
    watch.progress("tune", 2, 10)
    watch.progress("composite", 1, 3)
    assert (watch.stage, watch.done, watch.total) == ("tune", 2, 10)
    assert watch.wants_picture
    watch.put(3, np.zeros((2, 2, 3), np.uint8))
    watch.put(4, np.ones((2, 2, 3), np.uint8))
    assert not watch.wants_picture
    taken = watch.take()
    assert taken is not None
    assert taken[0] == 4
    assert watch.take() is None


def test_time_left_is_told_once_it_can_be_known() -> None:
    watch = Watch()
    watch.progress("tune", 1, 10)
    assert watch.seconds_left is None
    watch.stage_started -= 30
    watch.progress("tune", 3, 10)
    assert watch.seconds_left == pytest.approx(70, rel=0.05)


def test_work_hands_back_the_result() -> None:
    with Work(lambda: 6 * 7, CancelToken()) as work:
        while work.running(0.01):
            pass
    assert work.result() == 42


def test_work_hands_back_the_error() -> None:
    def fail() -> None:
        raise VideoError("no video", "take another")

    with Work(fail, CancelToken()) as work:
        while work.running(0.01):
            pass
    with pytest.raises(VideoError, match="no video"):
        work.result()


def test_leaving_work_stops_it() -> None:
    token, ended = CancelToken(), threading.Event()

    def run() -> None:
        while not token.is_set():
            time.sleep(0.005)
        ended.set()

    with Work(run, token) as work:
        assert work.running(0.01)
    assert ended.is_set()


# --- Words --------------------------------------------------------------------------------------------------------


def test_names_from_users_cannot_become_markup() -> None:
    error = VideoError("<img src=x onerror=alert(1)>.mp4 is no video.", "Take <b>another</b>.")
    assert "<" not in words.error_text(error)
    assert "<img" not in words.status(error.message, "failed")


def test_progress_is_within_its_bar() -> None:
    watch = Watch()
    assert words.WAITING in words.progress(watch)
    watch.progress("stitch", 12, 10)
    assert 'max="10" value="10"' in words.progress(watch)
    watch.progress("stitch", 0, 0)
    assert 'max="1" value="0"' in words.progress(watch)


def test_every_stage_that_is_reported_has_a_name() -> None:
    from stit_core.pipeline import STAGES

    assert set(STAGES) - {"write"} <= set(words.STAGE_WORDS)


def test_measures_are_told_in_words() -> None:
    good = words.finished(make_report())
    assert "| Identity | kept |" in good
    assert "| Over time | steady |" in good
    assert "| Seam | fine |" in good
    assert "| Time | 2 min | 75 frames, 70 with the face |" in good
    bad = words.finished(make_report(id_cosine=0.3, tl_id=0.5, border_loss=0.2))
    assert "| Identity | changed |" in bad
    assert "| Over time | unsteady |" in bad
    assert "| Seam | may show |" in bad


def test_a_slider_says_what_it_does() -> None:
    card = Card("smile", title="Smile", positive="smiling", negative="serious")
    assert words.factor_label(card) == "Smile (− serious, + smiling)"
    assert words.factor_label(Card("mouth_open")) == "mouth open"


def test_limits_are_told() -> None:
    text = words.limits(PageSettings(root=Path(), max_mb=7, max_seconds=9, keep_hours=11))
    assert all(part in text for part in ("7 MB", "9 seconds", "11 hours"))


# --- Handlers -----------------------------------------------------------------------------------------------------


def drive(app: ModuleType, handler: Any, *values: Any) -> tuple[list[tuple[Any, ...]], Exception | None]:
    """Run a handler as the page does; what it yielded, and the error that ended it."""
    run_id = new_id()
    app.reserve(run_id)
    yielded = []
    try:
        for outputs in handler(run_id, *values):
            yielded.append(outputs)
    except app.gr.Error as error:
        return yielded, error
    finally:
        assert run_id not in app.JOBS, "the job was not released"
    return yielded, None


def test_a_missing_clip_is_told(app: ModuleType) -> None:
    yielded, error = drive(app, app.find_face, None, 0, 0, 1, 1.0, 3.0, 1.0)
    assert "no clip" in yielded[-1][0]
    assert "Upload one" in str(error)


def test_an_error_is_told_with_its_hint_and_without_markup(app: ModuleType) -> None:
    @app.heavy(outputs=2)
    def fail(run_id: str, token: CancelToken) -> Iterator[tuple[Any, ...]]:  # noqa: ARG001
        raise VideoError("<b>x</b>.mp4 is no video.", "Take another.")
        yield ()

    yielded, error = drive(app, fail)
    assert 'class="status failed"' in yielded[-1][0]
    assert len(yielded[-1]) == 2
    for told in (str(error), yielded[-1][0]):
        assert "Take another." in told
        assert "<b>" not in told


def test_an_unexpected_error_is_logged_but_not_shown(app: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    @app.heavy(outputs=1)
    def fail(run_id: str, token: CancelToken) -> Iterator[tuple[Any, ...]]:  # noqa: ARG001
        raise KeyError("secret detail")
        yield ()

    yielded, error = drive(app, fail)
    assert "secret" not in str(error) + str(yielded)
    assert "secret detail" in caplog.text


def test_a_stop_is_no_error(app: ModuleType) -> None:
    @app.heavy(outputs=1)
    def work(run_id: str, token: CancelToken) -> Iterator[tuple[Any, ...]]:
        yield ("busy",)
        assert app.JOBS.stop(run_id)
        assert token.is_set()
        raise StitError("ffmpeg was interrupted.")

    yielded, error = drive(app, work)
    assert error is None
    assert "goes on from there" in yielded[-1][0]


def test_a_second_click_is_refused(app: ModuleType) -> None:
    run_id = new_id()
    app.reserve(run_id)
    with pytest.raises(app.gr.Error, match="at work"):
        app.reserve(run_id)
    app.JOBS.finish(run_id)


def test_an_edit_needs_a_direction_with_a_factor(app: ModuleType) -> None:
    for names, factors in ([], (2, 2, 2)), (["smile"], (0, 2, 2)):
        _, error = drive(app, app.make_video, "clip.mp4", 0, 0, 1, 1.0, 3.0, 1.0, "draft", names, *factors)
        assert "Choose a direction" in str(error)


def test_a_sample_that_does_not_exist_gives_no_file(app: ModuleType) -> None:
    assert app.pick_sample("../../etc/passwd") is None
    assert app.pick_sample(None) is None


def test_nothing_can_be_called_from_outside_and_heavy_work_is_one_at_a_time(app: ModuleType) -> None:
    functions = list(app.demo.fns.values())
    assert functions
    assert {function.api_visibility for function in functions if function.targets[0][1] != "unload"} == {"private"}
    heavy = [function for function in functions if function.concurrency_id == "heavy"]
    assert {function.fn.__name__ for function in heavy} == {"find_face", "tune", "make_video"}
    assert {function.concurrency_limit for function in heavy} == {1}
    stop = next(function for function in functions if function.fn is app.stop)
    assert not stop.queue, "Stop would wait behind the work that it is to stop"
