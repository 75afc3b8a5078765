"""How long a visitor's job may take: said before it is started, and refused when it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from page.studio.estimates import duration
from page.studio.folders import new_id
from page.studio.planning import seconds_left
from page.studio.studio import Studio
from page.studio.training import TrainingRequest, start_training
from page.ui import html, words
from page.ui.advanced import keep_known
from stit_core.errors import StitError
from tests.support.page_cases import begin, finish, make_studio

pytest_plugins = ["tests.support.fixtures_pack"]

DAYS = {"tuning": {"passes": 10_000}, "stitching": {"steps": 10_000}}
SMILE = (("smile", 2.0),)


@pytest.fixture
def studio(home: Path, face_clip: Path) -> Studio:
    return make_studio(home / "page", {"drawn face": face_clip})


@pytest.mark.parametrize("kind", ["tune", "edit"])
@pytest.mark.parametrize("method", ["transfer", "stitch"])
def test_a_job_of_days_is_refused_and_the_queue_stays_free(
    studio: Studio, face_clip: Path, kind: str, method: str
) -> None:
    advanced = {stage: dict(values) for stage, values in keep_known(DAYS).items()}
    state = begin(studio, face_clip, edits=SMILE, method=method, advanced=advanced)
    said = studio.planner.too_long(state, kind)  # type: ignore[arg-type]
    with pytest.raises(StitError, match=r"about \d+(\.5)? (min|hours|days) here, and a job may take 60 min") as refused:
        studio.start(state.id, kind)  # type: ignore[arg-type]
    assert str(refused.value) == said, "what is said before is what is refused"
    assert "Advanced" in refused.value.hint
    assert len(studio.jobs) == 0
    assert studio.status(state.id) is None


def test_it_is_refused_on_a_machine_that_was_timed_too(studio: Studio, face_clip: Path) -> None:
    studio.networks.estimator.measure()
    state = begin(studio, face_clip, edits=SMILE, method="stitch", advanced={"stitching": {"steps": 10_000}})
    tight = make_studio(studio.settings.root, job_minutes=0.05)
    tight.networks._estimator, tight.networks._models = studio.networks.estimator, studio.networks.models
    with pytest.raises(StitError, match="a job may take 3 s"):
        tight.start(state.id, "edit")


def test_what_fits_is_done_and_nothing_is_said_of_it(studio: Studio, face_clip: Path) -> None:
    state = begin(studio, face_clip, edits=SMILE)
    assert studio.planner.too_long(state, "edit") == ""
    assert finish(studio, state.id, "edit").state == "done"


def test_what_is_there_already_is_not_counted(studio: Studio, face_clip: Path) -> None:
    state = begin(studio, face_clip, edits=SMILE)
    config = studio.config(state)
    plan = studio.networks.estimator.plan("edit", config, 6)
    assert finish(studio, state.id, "tune").state == "done"
    tuned = studio.previews.tuned_people(studio.state(state.id))
    assert tuned == [True]
    assert 0 < seconds_left(plan, tuned) <= sum(plan.values()) - plan["tune"]


def test_a_direction_of_too_many_pictures_is_refused(studio: Studio) -> None:
    folder = studio.settings.served / new_id()
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "x.png")
    many = (folder / "x.png",) * 9000
    request = TrainingRequest("glasses", "without", "with", None, many, many)
    with pytest.raises(StitError, match=r"about 1\.5 hours") as refused:
        start_training(studio, studio.arrive().id, request)
    assert "fewer pictures" in refused.value.hint


def test_a_run_without_a_clip_has_no_time(studio: Studio) -> None:
    assert studio.planner.too_long(studio.arrive(), "edit") == ""


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (3600.0, "60 min"),
        (5400.0, "1.5 hours"),
        (15_000.0, "4 hours"),
        (110 * 3600.0, "5 days"),
        (1e6, "12 days"),
        (1e9, "more than a year"),
    ],
)
def test_long_times_are_told_as_people_do(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_presets_over_the_limit_say_so() -> None:
    assert words.preset_text("paper", 20_000.0, 3600.0) == (
        "The published schedule, about 5.5 hours; a job may take 60 min"
    )
    assert words.preset_text("draft", 60.0, 3600.0) == "A first look, about 60 s"
    table = html.estimates({"draft": 60.0, "paper": 20_000.0}, 3600.0)
    assert table.count("a job may take") == 1
