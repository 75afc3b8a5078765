"""Who stands where and who is in front, on rendered heads: nobody's face is changed by the edit of another."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from stit_core.artefacts import Clip
from stit_core.config import preset
from stit_core.geometry import quad_bounds
from stit_core.packs.loading import find_pack
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline
from stit_core.several_people import EVERYBODY, GroupEdit, PersonEdit, edit_people
from stit_core.stages.layering import face_outline
from tests.support.drawn_face import write_clip
from tests.support.head_scenes import DATA
from tests.support.pipeline_cases import settings, watched

pytest_plugins = ["tests.support.fixtures_pack"]

RATE = 25  # of the rendered clips
SEAM = 9  # pixels inside an outline that the line between two faces may blur


def trimmed(first: int, last: int, face: int | None = None) -> Pipeline:
    """A pipeline for frames of a rendered clip, with the method that lays whole patches into frames."""
    changes = {"edit": {"directions": (("smile", 2.0),)}, "landmarks": {"face": face}}
    video = {"start": first / RATE, "end": (last + 1) / RATE}
    config = preset("draft", find_pack("tiny").schedules, "transfer").with_changes({**changes, "video": video})
    return watched(config).pipeline


def negative(clip: Clip, quad: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """A patch that changes every pixel under a quad as far as can be."""
    left, top, right, bottom = quad_bounds(quad, clip.width, clip.height)
    part = picture[top:bottom, left:right]
    return np.where(part < 128, 255, 0).astype(np.uint8)


def inside(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Where a face is, but for its rim."""
    canvas = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(canvas, np.rint(face_outline(points)).astype(np.int32), 1)
    return cv2.erode(canvas, np.ones((2 * SEAM + 1, 2 * SEAM + 1))) > 0


@pytest.mark.usefixtures("home")
def test_the_edit_of_one_person_leaves_the_face_alone_that_passes_in_front() -> None:
    """In frames 15 to 17 the old man passes in front of the young woman; she alone is edited."""
    first, last = 15, 17
    truth = json.loads((DATA / "two-crossing.json").read_text())["places"]
    pipeline = trimmed(first, last)
    clip = pipeline.open(DATA / "two-crossing.mp4")
    people = pipeline.people(clip)

    def number_of(who: str) -> int:
        place = truth[who][first][:2]
        return min(people.numbers, key=lambda n: float(np.hypot(*(people.points[people.rows(n)][0].mean(0) - place))))

    front, behind = number_of("old-man"), number_of("young-woman")
    own = trimmed(first, last, behind)
    clip = own.open(DATA / "two-crossing.mp4")
    pasting, met = Pasting(own, clip), 0
    scene = pasting.scene
    for frame in own.align(clip).frame_indices:
        picture, quad = clip.frames.read(frame), own.align(clip).quad(frame)
        patch = negative(clip, quad, picture)
        alone = pasting.paste_alone(behind, frame, picture, patch)
        pasted = pasting.paste(frame, picture, {behind: patch})
        if scene.neighbours(behind, frame) == []:
            np.testing.assert_array_equal(pasted, alone)
            continue
        points, _ = scene.places[front].at(frame)
        theirs = inside(points, picture.shape) & (alone != picture).any(axis=-1)
        met += bool(theirs.any())
        np.testing.assert_array_equal(pasted[theirs], picture[theirs])
        points, _ = scene.places[behind].at(frame)
        hers = inside(points, picture.shape) & ~inside(scene.places[front].at(frame)[0], picture.shape)
        assert (pasted[hers] != picture[hers]).any(axis=-1).mean() > 0.5
    assert met, "the two do overlap"


def test_a_clip_of_one_person_is_pasted_as_if_nobody_else_could_be_there(home: Path) -> None:
    pipeline = watched(settings()).pipeline
    clip = pipeline.open(write_clip(home / "one.mp4", frames=3))
    pasting = Pasting(pipeline, clip)
    assert pasting.scene.places == {}
    picture = clip.frames.read(1)
    face = np.full((pipeline.align(clip).size,) * 2 + (3,), 255, np.uint8)
    np.testing.assert_array_equal(pasting.paste(1, picture, {0: face}), pasting.paste_alone(0, 1, picture, face))


def test_a_rendered_person_who_leaves_after_two_frames(home: Path) -> None:
    """The woman goes behind the others in frame 12 for good: no part of everybody, and warned of where she is named."""
    first, last = 11, 18
    truth = json.loads((DATA / "four-crossing.json").read_text())["places"]["woman"]
    assert [bool(place[2]) for place in truth[first : last + 1]] == [True, True] + [False] * (last - first - 1)
    pipeline = trimmed(first, last)
    clip = pipeline.open(DATA / "four-crossing.mp4")
    people = pipeline.people(clip)
    place = truth[first][:2]
    (woman,) = [n for n in people.numbers if np.hypot(*(people.points[people.rows(n)][0].mean(0) - place)) < 16]
    assert people.person(woman).spans == ((0, 1),)
    everyone = GroupEdit(pipeline, clip, [PersonEdit(EVERYBODY, (("smile", 2.0),))])
    assert len(everyone.pipelines) == 3
    assert woman not in everyone.pipelines
    stays = next(iter(everyone.pipelines))
    edits = [PersonEdit(stays, (("smile", 2.0),)), PersonEdit(woman, (("age", -2.0),))]
    report = edit_people(pipeline, DATA / "four-crossing.mp4", home / "out.mp4", edits)
    told = f"Person {woman} is seen in only 2 of {last - first + 1} frames (frame 0 to 1)"
    assert [text.startswith(told) for text in report.people[woman].warnings] == [True]
    assert not any("is seen in only" in text and str(stays) in text.split()[1] for text in report.all_warnings)
    assert report.frames == last - first + 1
    carried = report.people[woman].faces
    assert 2 <= carried <= 4, "her edit does not stay for longer than she did"
    assert f"{carried} carry the edit" in report.people[woman].warnings[0]
