"""One face, found, chosen and followed; rendered heads stand for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stit_core.artefacts import people_table
from stit_core.config import LandmarkConfig
from stit_core.errors import FaceError
from stit_core.faces.detectors import DlibDetector
from stit_core.runtime import Runtime
from stit_core.stages.landmarks import find_landmarks
from stit_core.turning import turn_box, turn_picture, turn_points
from tests.support.head_scenes import clip_of, scene


def test_a_moving_face_is_followed_and_its_landmarks_move_with_it(tmp_path: Path) -> None:
    lefts = [20, 30, 40, 50]
    clip = clip_of([scene(("a", 240, (left, 8))) for left in lefts], tmp_path)
    found = find_landmarks(clip, LandmarkConfig(), Runtime())
    assert found.frame_indices == (0, 1, 2, 3)
    assert found.points.shape == (4, 68, 2)
    assert found.detected.all()
    assert found.faces.tolist() == [1, 1, 1, 1]
    moved = (found.points - found.points[0]).mean(axis=1)  # (4, 2)
    np.testing.assert_allclose(moved[:, 0], np.array(lefts) - lefts[0], atol=1.5)
    np.testing.assert_allclose(moved[:, 1], 0, atol=1.5)


def test_a_frame_without_a_face_is_bridged(tmp_path: Path) -> None:
    there, gone = scene(("a", 240, (100, 8))), scene()
    clip = clip_of([there, gone, there], tmp_path)
    found = find_landmarks(clip, LandmarkConfig(), Runtime())
    assert found.frame_indices == (0, 1, 2)
    assert found.detected.tolist() == [True, False, True]
    assert found.faces.tolist() == [1, 0, 1]
    np.testing.assert_allclose(found.points[1], (found.points[0] + found.points[2]) / 2)
    short = find_landmarks(clip, LandmarkConfig(max_gap=0), Runtime())
    assert short.frame_indices == (0, 2)
    assert short.gaps == ((1, 1),)


def test_two_faces_and_the_choice_between_them(tmp_path: Path) -> None:
    clip = clip_of([scene(("a", 250, (0, 2)), ("b", 180, (280, 40)))] * 2, tmp_path)
    largest = find_landmarks(clip, LandmarkConfig(), Runtime())
    second = find_landmarks(clip, LandmarkConfig(face=1), Runtime())
    clicked = find_landmarks(clip, LandmarkConfig(point=(370.0, 130.0)), Runtime())
    assert largest.faces.tolist() == [2, 2]
    assert largest.points[..., 0].max() < 250
    assert second.points[..., 0].min() > 280
    np.testing.assert_array_equal(second.points, clicked.points)
    with pytest.raises(FaceError, match="there are 2 faces in frame 0"):
        find_landmarks(clip, LandmarkConfig(face=2), Runtime())
    with pytest.raises(FaceError, match=r"no face at the point \(265, 5\)"):
        find_landmarks(clip, LandmarkConfig(point=(265.0, 5.0)), Runtime())


def test_a_face_of_40_pixels_is_found_and_smaller_limits_are_kept(tmp_path: Path) -> None:
    picture = scene(("a", 76, (200, 100)))
    faces = DlibDetector(LandmarkConfig()).thorough(picture)
    assert len(faces) == 1
    assert 34 <= faces[0].side <= 48
    clip = clip_of([picture] * 2, tmp_path)
    assert find_landmarks(clip, LandmarkConfig(), Runtime()).detected.all()
    with pytest.raises(FaceError, match="pixels wide; at least 100"):
        find_landmarks(clip, LandmarkConfig(min_face=100), Runtime())


def test_a_face_that_leaves_the_frame_partly_is_kept(tmp_path: Path) -> None:
    clip = clip_of([scene(("a", 240, (left, 8))) for left in (0, -25, -50)], tmp_path)
    assert find_landmarks(clip, LandmarkConfig(), Runtime()).detected.all()


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_face_in_a_clip_that_lies_on_its_side_or_head_is_found(tmp_path: Path, turn: int) -> None:
    """Frames turned to the right by `turn` quarters: the landmarks are those of the upright frames, turned along."""
    upright = [scene(("a", 240, (left, 8))) for left in (20, 30, 40)]
    expected = find_landmarks(clip_of(upright, tmp_path / "upright"), LandmarkConfig(), Runtime())
    lying = clip_of([turn_picture(picture, -turn) for picture in upright], tmp_path / "lying")
    found = find_landmarks(lying, LandmarkConfig(), Runtime())
    assert (found.turn, expected.turn) == (turn, 0)
    assert found.frame_indices == expected.frame_indices
    size = upright[0].shape[1], upright[0].shape[0]
    np.testing.assert_allclose(found.points, turn_points(expected.points, -turn, *size), atol=0.5)
    np.testing.assert_allclose(found.persons[0].box, turn_box(expected.persons[0].box, -turn, *size), atol=0.5)
    centre = tuple(found.points[0].mean(axis=0))
    chosen = find_landmarks(lying, LandmarkConfig(point=centre), Runtime())
    np.testing.assert_array_equal(chosen.points, found.points)
    with pytest.raises(FaceError, match=r"no face at the point \(3, 5\)"):
        find_landmarks(lying, LandmarkConfig(point=(3.0, 5.0)), Runtime())


def test_no_face_at_all(tmp_path: Path) -> None:
    with pytest.raises(FaceError, match="any of the 3 frames") as caught:
        find_landmarks(clip_of([scene()] * 3, tmp_path), LandmarkConfig(), Runtime())
    assert caught.value.hint


def test_the_people_of_a_clip_are_listed_and_each_can_be_followed(tmp_path: Path) -> None:
    pictures = [scene(("a", 200, (20, 20)), ("b", 140, (300, 60))) for _ in range(4)]
    clip = clip_of(pictures, tmp_path)
    found = find_landmarks(clip, LandmarkConfig(), Runtime())
    first, second = found.persons
    assert (first.index, first.frames, first.followed) == (0, 4, True)
    assert (second.index, second.frames, second.followed) == (1, 4, False)
    np.testing.assert_array_equal(people_table(found.persons), found.people)
    left, top, right, bottom = second.box
    centre = (left + right) / 2, (top + bottom) / 2
    other = find_landmarks(clip, LandmarkConfig(point=centre, point_frame=second.frame), Runtime())
    assert [person.followed for person in other.persons] == [False, True]
    assert other.points[0, :, 0].mean() > 280
    assert found.points[0, :, 0].mean() < 240


def test_a_face_that_comes_later_is_listed_without_an_index(tmp_path: Path) -> None:
    alone, both = scene(("a", 200, (20, 20))), scene(("a", 200, (20, 20)), ("b", 140, (300, 60)))
    found = find_landmarks(clip_of([alone, both, both, both], tmp_path), LandmarkConfig(), Runtime())
    assert [person.index for person in found.persons] == [0, None]
    assert [person.frames for person in found.persons] == [4, 3]
    assert found.persons[1].frame >= 1


def test_a_point_is_looked_for_in_its_frame(tmp_path: Path) -> None:
    first, later = scene(("a", 200, (20, 20))), scene(("b", 200, (20, 20)))
    gone = [scene()] * 4
    clip = clip_of([first, *gone, later], tmp_path)
    config = LandmarkConfig(point=(120.0, 120.0), max_gap=1, min_face=16)
    early = find_landmarks(clip, config, Runtime())
    late = find_landmarks(clip, LandmarkConfig(point=(120.0, 120.0), max_gap=1, min_face=16, point_frame=5), Runtime())
    assert early.frame_indices[0] == 0
    assert late.frame_indices[-1] == 5
    with pytest.raises(FaceError, match="no face at the point"):
        find_landmarks(clip, LandmarkConfig(point=(120.0, 120.0), max_gap=1, min_face=16, point_frame=2), Runtime())
