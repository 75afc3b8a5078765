"""The page without a browser: what is read from it, what it says and draws, and how its events are wired."""

from __future__ import annotations

import dataclasses
import json
import math
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from jinja2 import UndefinedError

from page.studio.direction_library import SUGGESTIONS
from page.studio.estimates import duration
from page.studio.job import Status
from page.studio.runs import RunState
from page.ui import html, words
from page.ui.advanced import describe_settings, keep_known
from page.ui.components import WEB, read_changed_settings, read_factors, read_index, read_number, read_trim
from page.ui.plots import MOST_POINTS, jitter_plot, loss_plot
from page.ui.words import labels
from page.ui.words.widgets import WIDGETS
from stit_core.config import METHODS, PRESETS, RunConfig, preset
from stit_core.directions.library import Card
from stit_core.errors import Cancelled, StitError, VideoError
from stit_core.regions import REGIONS
from tests.support.page_cases import MEASURES, make_output

pytest_plugins = ["tests.support.fixtures_app"]


# --- What comes from the browser ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "2", True, math.nan, math.inf, [], {}])
def test_what_is_no_number_is_none(value: Any) -> None:
    assert read_number(value) is None


def test_factors_are_numbers_by_name() -> None:
    sent = {"smile": 2, "age": -1.5, "gender": "3", "yaw": math.nan, "pitch": 1e9, 5: 1.0}
    assert read_factors({"factors": sent}) == (("smile", 2.0), ("age", -1.5))
    assert read_factors([("smile", 2)]) == ()


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"start": 0, "end": 4}, (None, None)),
        ({"start": 1, "end": 3}, (1.0, 3.0)),
        ({"start": -5, "end": 99}, (None, None)),
        ({"start": 3, "end": 1}, (None, None)),
        ({"start": "1", "end": None}, (None, None)),
        (None, (None, None)),
    ],
)
def test_a_trim_lies_within_the_clip(sent: Any, read: tuple[float | None, float | None]) -> None:
    assert read_trim(sent, 4.0) == read


@pytest.mark.parametrize("sent", [3, -1, True, "0", None, 1.0])
def test_a_position_that_does_not_exist_is_none(sent: Any) -> None:
    assert read_index(sent, ["a", "b", "c"]) is None


def test_settings_keep_their_kinds() -> None:
    sent = {"masks": {"background": [0, 16]}, "stitching": {"steps": 3}, "tuning": {}, "video": "all"}
    assert read_changed_settings({"changes": sent}) == {"masks": {"background": (0, 16)}, "stitching": {"steps": 3}}


# --- Advanced -----------------------------------------------------------------------------------------------------


def test_every_setting_of_the_command_line_is_offered_or_has_a_widget_of_its_own() -> None:
    config = RunConfig()
    offered = {part["stage"]: {setting["name"] for setting in part["settings"]} for part in describe_settings(config)}
    with_widgets = {"alignment"}  # sliders of the step "Align"
    elsewhere = {
        "edit": {"directions"},
        "transfer": {"region"},
        "landmarks": {"face", "point", "point_frame", "corrections"},
        "video": {"start", "end", "max_seconds", "max_frames", "max_pixels", "max_megabytes", "timeout"},
    }
    for field in dataclasses.fields(config):
        part = getattr(config, field.name)
        if dataclasses.is_dataclass(part) and field.name not in with_widgets:
            known = {setting.name for setting in dataclasses.fields(part)}
            assert offered[field.name] == known - elsewhere.get(field.name, set())


@pytest.mark.parametrize("name", PRESETS)
def test_defaults_are_those_of_the_preset_and_are_accepted_again(name: str) -> None:
    config = preset(name)
    for part in describe_settings(config):
        for setting in part["settings"]:
            changes = {part["stage"]: {setting["name"]: json.loads(setting["default"])}}
            value = read_changed_settings({"changes": changes})
            assert config.with_changes(value) == config


def test_a_setting_is_told_with_its_own_words() -> None:
    stitching = next(part for part in describe_settings(RunConfig()) if part["stage"] == "stitching")
    about = {setting["name"]: setting["about"] for setting in stitching["settings"]}
    assert about["steps"] == "per frame"
    assert about["window"].startswith("frames, at most")
    assert all(about.values())


def test_limits_of_the_host_cannot_be_moved() -> None:
    sent = {"video": {"max_seconds": 9999, "crf": 20}, "alignment": {"scale": 2}, "edit": {"directions": ()}}
    assert keep_known(sent) == {"video": {"crf": 20}, "edit": {}}
    assert "alignment" not in labels.STAGES


# --- Words --------------------------------------------------------------------------------------------------------


def test_names_from_users_cannot_become_markup() -> None:
    error = VideoError("<img src=x onerror=alert(1)>.mp4 is no video.", "Take <b>another</b>.")
    for text in (words.error_text(error), html.notice([error.message])):
        assert "<img" not in text
        assert "<b>" not in text
        assert "&lt;img" in text


HOSTILE = "\"'><img src=x onerror=alert(1)>&{{ 7 * 7 }}"
CARD_TEXTS = ("picture", "name", "delete", "sure", "title", "text", "negative", "positive", "about")
ONE_CARD = dict.fromkeys(CARD_TEXTS, HOSTILE)
FILLED: dict[str, dict[str, Any]] = {  # every template, with what a visitor might write in every place of it
    "notice": {"texts": [HOSTILE], "kind": HOSTILE},
    "heading": {"title": HOSTILE, "text": HOSTILE},
    "quiet": {"text": HOSTILE},
    "facts": {"facts": [HOSTILE]},
    "limits": {"facts": [HOSTILE], "kept": HOSTILE},
    "estimates": {"caption": HOSTILE, "rows": [(HOSTILE, HOSTILE)]},
    "measures": {"rows": [(HOSTILE, HOSTILE, HOSTILE)]},
    "finished": {
        "name": HOSTILE,
        "made": HOSTILE,
        "groups": [(HOSTILE, [(HOSTILE,) * 3])],
        "texts": [HOSTILE],
        "kind": HOSTILE,
    },
    "reviewed": {"title": HOSTILE, "findings": [HOSTILE], "replaced": HOSTILE},
    "pictures": {"shown": [(HOSTILE, HOSTILE)]},
    "triple": {"shown": [(HOSTILE, HOSTILE), (HOSTILE, None)]},
    "library": {
        "cards": [ONE_CARD | {"learned": [HOSTILE], "own": True}],
        **dict.fromkeys(("own", "learned", "delete"), HOSTILE),
    },
    "login": dict.fromkeys(("title", "text", "style"), HOSTILE),
    "tracks": {"rows": [{"name": HOSTILE, "image": HOSTILE, "text": HOSTILE, "spans": [(HOSTILE, HOSTILE)]}]},
    "plot": {
        "title": HOSTILE,
        "lines": [(HOSTILE, [(1.0, 2.0)])],
        "legend": [(HOSTILE, HOSTILE)],
        **dict.fromkeys(("top", "bottom", "width", "height"), HOSTILE),
    },
}


class Elements(HTMLParser):
    """The elements of a text, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", sorted(path.stem for path in html.TEMPLATES.glob("*.html")))
def test_no_template_lets_markup_through(name: str) -> None:
    made = html.render(name, **FILLED[name])
    assert made.count("alert(1)") >= len(FILLED[name])
    assert "49" not in made
    elements = Elements(made).found
    assert not [tag for tag, attributes in elements if "onerror" in attributes]
    plain = Elements(
        html.render(name, **json.loads(json.dumps(FILLED[name]).replace(json.dumps(HOSTILE), '"x"')))
    ).found
    assert [(tag, set(attributes)) for tag, attributes in elements] == [(tag, set(more)) for tag, more in plain]


def test_a_template_that_misses_a_value_fails() -> None:
    with pytest.raises(UndefinedError):
        html.render("heading", title="x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The file /srv/runs/page/x/holiday.mp4 is no video.", "The file holiday.mp4 is no video."),
        ("The folder of runs (/srv/runs/visitors) is full.", "The folder of runs is full."),
        (
            "Take 16/9 or https://example.org/a/b, and/or try again.",
            "Take 16/9 or https://example.org/a/b, and/or try again.",
        ),
    ],
)
def test_folders_of_the_server_are_told_to_nobody(text: str, told: str) -> None:
    assert words.without_folders(text) == told
    assert words.error_text(StitError(text)) == told


def test_every_stage_that_is_reported_has_a_name() -> None:
    from stit_core.whole_run import REPORTED

    assert set(REPORTED) <= set(words.STAGE_WORDS)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (Status("tune", "waiting", ahead=0), "Yours is next"),
        (Status("tune", "waiting", ahead=1), "One clip is before yours"),
        (Status("tune", "waiting", ahead=3), "3 clips are before yours"),
        (Status("tune", "running", stage="tune", share=0.25, seconds_left=40.0), "about 40 s left"),
        (Status("edit", "saving"), "frames that are ready"),
        (Status("edit", "done", elapsed=71.0), "The video is finished."),
        (Status("tune", "stopped"), "goes on from there"),
        (Status("align", "failed", message="No face.", hint="Trim."), "No face."),
    ],
)
def test_a_job_is_told_in_words(status: Status, told: str) -> None:
    line = words.job(status)
    assert line is not None
    assert told in f"{line['text']} {line['detail']}"


def test_progress_is_told_as_a_share() -> None:
    running, done = words.job(Status("tune", "running", stage="tune", share=0.25)), words.job(Status("tune", "done"))
    assert running is not None
    assert done is not None
    assert (running["share"], done["share"]) == (25, None)


def test_warming_up_is_told_only_while_nothing_is_at_work() -> None:
    line = words.job(None, ready=False)
    assert line is not None
    assert "Warming up" in line["text"]
    assert words.job(None, ready=True) is None


def test_measures_are_told_in_words() -> None:
    good = html.finished(make_output(), "Smile +1.5, age -2 · stitch · draft")
    for word in ("kept", "steady", "fine", "close", "2 min", "Smile +1.5, age -2", "75 frames"):
        assert word in good
    both = html.finished(make_output(people_measures=((0, MEASURES), (1, MEASURES | {"id_cosine": 0.3}))), "Both")
    first, second = both.split("Person 1")
    assert ("Person 0" in first, "kept" in first, "changed" in second) == (True, True, True)
    bad = html.finished(make_output(measures=MEASURES | {"id_cosine": 0.3, "tl_id": 0.5, "border_loss": 0.2}), "")
    for word in ("changed", "unsteady", "may show"):
        assert word in bad


def test_videos_are_named_by_what_tells_them_apart() -> None:
    stitched, moved = make_output(id="1"), make_output(id="2", method="transfer", region="mouth")
    closer, again = make_output(id="3", preset="balanced", edits=(("smile", 2.0),)), make_output(id="4")
    assert words.output_names([again, closer, moved, stitched]) == {
        "1": "Smile +1.5, age -2 · stitch · draft",
        "2": "Smile +1.5, age -2 · transfer · mouth · draft",
        "3": "Smile +2 · stitch · balanced",
        "4": "Smile +1.5, age -2 · stitch · draft (2)",
    }
    both = make_output(face=1, edits=(("smile", 2.0),), others=((0, (("age", -1.0),)),))
    assert words.output_name(both) == "Person 0: age -1; Person 1: smile +2 · stitch · draft"
    assert words.output_name(make_output(face=2, edits=(("smile", 2.0),))) == "Person 2: smile +2 · stitch · draft"


def test_every_method_region_and_suggestion_has_words() -> None:
    assert set(labels.SUGGESTIONS) == {name for name, *_ in SUGGESTIONS}
    assert set(words.METHOD_WORDS) == set(METHODS)
    assert set(words.REGION_WORDS) == set(REGIONS)
    by_preset = {name: words.method_items(name) for name in ("draft", "paper")}
    assert [bool(item.get("disabled")) for item in by_preset["draft"]] == [False, False]
    assert [bool(item.get("disabled")) for item in by_preset["paper"]] == [True, False]
    assert len({words.preview_text(*kind) for kind in ((True, False), (False, False), (False, True))}) == 3


def test_a_part_is_told_as_a_part() -> None:
    part = html.finished(make_output(partial=True, manifest=None, measures=None, frames=20), "Smile")
    assert "20 of 75 frames" in part


def test_a_direction_says_what_it_does() -> None:
    card = Card("smile", title="Smile", positive="smiling", negative="serious")
    assert (words.card_title(card), words.card_text(card)) == ("Smile", "serious to smiling")
    assert words.card_title(Card("mouth_open")) == "Mouth open"
    again = Card("asian_african", title="Asian to African shapes", positive="African shapes", negative="Asian shapes")
    assert words.card_text(again) == "", "its title says so"


@pytest.mark.parametrize(
    ("seconds", "told"), [(3.52, "3.5 s"), (41.2, "41 s"), (200.0, "3 min"), (7100.0, "2 hours"), (86400.0, "24 hours")]
)
def test_durations_are_rounded_as_people_do(seconds: float, told: str) -> None:
    assert duration(seconds) == told


# --- Drawings -----------------------------------------------------------------------------------------------------


def points(drawing: str) -> list[list[tuple[float, float]]]:
    """The points of each line of a drawing."""
    parts = drawing.split('points="')[1:]
    pairs = [[pair.split(",") for pair in part.split('"')[0].split()] for part in parts]
    return [[(float(x), float(y)) for x, y in line] for line in pairs]


def test_jitter_is_drawn_on_one_scale() -> None:
    before, after = points(jitter_plot(np.array([0.0, 4.0, 2.0]), np.array([0.0, 1.0, 1.0])))
    assert before == [(0.0, 120.0), (300.0, 0.0), (600.0, 60.0)]
    assert after[1] == (300.0, 90.0)


def test_a_jerk_is_seen_in_a_long_clip() -> None:
    values = np.zeros(5000)
    values[2500] = 1.0
    (line, _) = points(jitter_plot(values, values / 2))
    assert len(line) == MOST_POINTS
    assert min(y for _, y in line) == 0.0


def test_a_falling_loss_falls() -> None:
    (line,) = points(loss_plot([(0.1, 0.2, loss, 25.0) for loss in (3.0, 1.0, 0.3, 0.1)]))
    assert [y for _, y in line] == sorted(y for _, y in line)
    assert len(points(loss_plot([(0.1, 0.2, 1.0, 25.0)] * 3))[0]) == 3, "a loss that stands still"


# --- Wiring -------------------------------------------------------------------------------------------------------


def test_only_the_documented_functions_can_be_called_from_outside(app: ModuleType) -> None:
    public = {fn.api_name for fn in app.demo.fns.values() if fn.api_visibility == "public"}
    assert public == {"preflight", "batch", "edit", "directions", "delete_run"}


def test_what_takes_a_while_leaves_threads_for_what_does_not(app: ModuleType) -> None:
    limits: dict[str, int] = {}
    for fn in app.demo.fns.values():
        if fn.concurrency_limit is not None:
            limits[fn.concurrency_id] = min(fn.concurrency_limit, limits.get(fn.concurrency_id, fn.concurrency_limit))
    assert {"previews", "looks"} < limits.keys()
    assert sum(limits.values()) < app.THREADS - 5, "Stop would wait for a thread"
    by_name = {fn.api_name: fn.concurrency_id for fn in app.demo.fns.values()}
    assert {by_name[name] for name in ("preview", "attempt", "show_fit", "show_cards")} == {"previews"}
    assert {by_name[name] for name in ("look", "take", "peek", "preflight")} == {"looks"}
    free = [fn for fn in app.demo.fns.values() if fn.api_name in ("stop", "move", "hand_on", "restore")]
    assert any(fn.concurrency_limit is None for fn in free)
    assert next(fn for fn in free if fn.api_name == "stop").concurrency_limit is None


def test_an_idle_page_looks_for_events_a_few_times_a_second_only(app: ModuleType) -> None:
    assert 0.01 <= app.demo._queue.sleep_when_free <= 0.05
    assert app.demo._queue.progress_update_sleep_when_free >= 0.2
    assert app.demo._queue.max_size == app.QUEUE_LENGTH, "launching made another queue"


def test_samples_come_with_the_program(app: ModuleType) -> None:
    assert len(app.studio.clips.samples) == 3
    assert all(Path(path).is_relative_to(app.SETTINGS.served) for path in app.studio.clips.samples.values())


def test_every_widget_keeps_out_of_what_gradio_reads_in_templates() -> None:
    for path in sorted(WEB.glob("*.html")):
        text = html.fill(path, WIDGETS.get(path.stem, {}))
        assert not any(mark in text for mark in ("`", "\\", "${", "{{")), path.name


def test_handlers_end_in_words(app: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    from page.ui.shell import shows_errors

    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(app.gr.Error, match="Take another") as shown:
        shows_errors(fail)(VideoError("<b>x</b>.mp4 is no video.", "Take another."))
    assert "<b>" not in str(shown.value)
    with pytest.raises(app.gr.Error, match="went wrong") as shown:
        shows_errors(fail)(KeyError("secret detail"))
    assert "secret" not in str(shown.value)
    assert "secret detail" in caplog.text
    assert shows_errors(fail)(Cancelled("preflight")) == app.gr.skip()


def test_the_page_shows_what_is_new_once() -> None:
    from page.ui.signals import news

    running = Status("tune", "running", version=3, pictures=1, history=((0.1, 0.2, 0.3, 20.0),))
    assert news(running, True) == news(running, True)
    assert news(running, True)["ended"] == ""
    assert news(dataclasses.replace(running, state="done"), True)["ended"].startswith("tune done")
    assert news(dataclasses.replace(running, pictures=2), True)["fit"] != news(running, True)["fit"]
    assert news(None, False)["timed"] == ""


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (RunState("x"), 1),
        (RunState("x", aligned=True), 2),
        (RunState("x", aligned=True, tuned=True), 4),
        (RunState("x", aligned=True, tuned=True, outputs=(make_output(),)), 5),
        (RunState("x", aligned=True, last=Status("tune", "running")), 3),
        (RunState("x", aligned=True, last=Status("edit", "waiting")), 5),
    ],
)
def test_who_comes_back_sees_where_it_stands(state: RunState, step: int) -> None:
    from page.ui.shell import first_step

    assert first_step(state) == step


def test_an_unknown_run_is_told(app: ModuleType) -> None:
    with pytest.raises(StitError):
        app.studio.state("x" * 22)
