"""One face, found, chosen and followed; rendered heads stand for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stit_core.config import LandmarkConfig
from stit_core.errors import FaceError
from stit_core.faces.detectors import DlibDetector
from stit_core.runtime import Runtime
from stit_core.stages.landmarks import find_people
from stit_core.turning import turn_box, turn_picture, turn_points
from tests.support.head_scenes import clip_of, followed, scene


def test_a_moving_face_is_followed_and_its_landmarks_move_with_it(tmp_path: Path) -> None:
    lefts = [20, 30, 40, 50]
    clip = clip_of([scene(("a", 240, (left, 8))) for left in lefts], tmp_path)
    found = followed(clip, LandmarkConfig())
    assert found.frame_indices == (0, 1, 2, 3)
    assert found.points.shape == (4, 68, 2)
    assert found.detected.all()
    assert find_people(clip, LandmarkConfig(), Runtime()).faces.tolist() == [1, 1, 1, 1]
    moved = (found.points - found.points[0]).mean(axis=1)  # (4, 2)
    np.testing.assert_allclose(moved[:, 0], np.array(lefts) - lefts[0], atol=1.5)
    np.testing.assert_allclose(moved[:, 1], 0, atol=1.5)


def test_a_frame_without_a_face_is_bridged(tmp_path: Path) -> None:
    there, gone = scene(("a", 240, (100, 8))), scene()
    clip = clip_of([there, gone, there], tmp_path)
    found = followed(clip, LandmarkConfig())
    assert found.frame_indices == (0, 1, 2)
    assert found.detected.tolist() == [True, False, True]
    assert find_people(clip, LandmarkConfig(), Runtime()).faces.tolist() == [1, 0, 1]
    np.testing.assert_allclose(found.points[1], (found.points[0] + found.points[2]) / 2)
    short = followed(clip, LandmarkConfig(max_gap=0))
    assert short.frame_indices == (0, 2)
    assert short.gaps == ((1, 1),)


def test_two_faces_and_the_choice_between_them(tmp_path: Path) -> None:
    clip = clip_of([scene(("a", 250, (0, 2)), ("b", 180, (280, 40)))] * 2, tmp_path)
    largest = followed(clip, LandmarkConfig())
    second = followed(clip, LandmarkConfig(face=1))
    clicked = followed(clip, LandmarkConfig(point=(370.0, 130.0)))
    assert find_people(clip, LandmarkConfig(), Runtime()).faces.tolist() == [2, 2]
    assert largest.points[..., 0].max() < 250
    assert second.points[..., 0].min() > 280
    np.testing.assert_array_equal(second.points, clicked.points)
    with pytest.raises(FaceError, match="there are 2 people in the clip"):
        followed(clip, LandmarkConfig(face=2))
    with pytest.raises(FaceError, match=r"no face at the point \(265, 5\)"):
        followed(clip, LandmarkConfig(point=(265.0, 5.0)))


def test_a_face_of_40_pixels_is_found_and_smaller_limits_are_kept(tmp_path: Path) -> None:
    picture = scene(("a", 76, (200, 100)))
    faces = DlibDetector(LandmarkConfig()).thorough(picture)
    assert len(faces) == 1
    assert 34 <= faces[0].side <= 48
    clip = clip_of([picture] * 2, tmp_path)
    assert followed(clip, LandmarkConfig()).detected.all()
    with pytest.raises(FaceError, match="pixels wide; at least 100"):
        followed(clip, LandmarkConfig(min_face=100))


def test_a_face_that_leaves_the_frame_partly_is_kept(tmp_path: Path) -> None:
    clip = clip_of([scene(("a", 240, (left, 8))) for left in (0, -25, -50)], tmp_path)
    assert followed(clip, LandmarkConfig()).detected.all()


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_face_in_a_clip_that_lies_on_its_side_or_head_is_found(tmp_path: Path, turn: int) -> None:
    """Frames turned to the right by `turn` quarters: the landmarks are those of the upright frames, turned along."""
    upright = [scene(("a", 240, (left, 8))) for left in (20, 30, 40)]
    expected = followed(clip_of(upright, tmp_path / "upright"), LandmarkConfig())
    lying = clip_of([turn_picture(picture, -turn) for picture in upright], tmp_path / "lying")
    found = followed(lying, LandmarkConfig())
    people = find_people(lying, LandmarkConfig(), Runtime())
    standing = find_people(clip_of(upright, tmp_path / "upright"), LandmarkConfig(), Runtime())
    assert (people.turn, standing.turn) == (turn, 0)
    assert found.frame_indices == expected.frame_indices
    size = upright[0].shape[1], upright[0].shape[0]
    np.testing.assert_allclose(found.points, turn_points(expected.points, -turn, *size), atol=0.5)
    np.testing.assert_allclose(people.persons[0].box, turn_box(standing.persons[0].box, -turn, *size), atol=0.5)
    centre = tuple(found.points[0].mean(axis=0))
    chosen = followed(lying, LandmarkConfig(point=centre))
    np.testing.assert_array_equal(chosen.points, found.points)
    with pytest.raises(FaceError, match=r"no face at the point \(3, 5\)"):
        followed(lying, LandmarkConfig(point=(3.0, 5.0)))


def test_no_face_at_all(tmp_path: Path) -> None:
    with pytest.raises(FaceError, match="any of the 3 frames") as caught:
        followed(clip_of([scene()] * 3, tmp_path), LandmarkConfig())
    assert caught.value.hint


def test_the_people_of_a_clip_are_listed_and_each_can_be_followed(tmp_path: Path) -> None:
    pictures = [scene(("a", 200, (20, 20)), ("b", 140, (300, 60))) for _ in range(4)]
    clip = clip_of(pictures, tmp_path)
    first, second = find_people(clip, LandmarkConfig(), Runtime()).persons
    assert (first.index, first.frames, first.spans) == (0, 4, ((0, 3),))
    assert (second.index, second.frames, second.spans) == (1, 4, ((0, 3),))
    left, top, right, bottom = second.box
    centre = (left + right) / 2, (top + bottom) / 2
    other = followed(clip, LandmarkConfig(point=centre, point_frame=second.frame))
    found = followed(clip, LandmarkConfig())
    assert (found.index, other.index) == (0, 1)
    assert other.points[0, :, 0].mean() > 280
    assert found.points[0, :, 0].mean() < 240


def test_a_face_that_comes_later_has_a_later_number(tmp_path: Path) -> None:
    alone, both = scene(("a", 140, (20, 20))), scene(("a", 140, (20, 20)), ("b", 200, (260, 20)))
    found = find_people(clip_of([alone, both, both, both, both, both], tmp_path), LandmarkConfig(), Runtime())
    assert [person.index for person in found.persons] == [1, 0], "the largest over the clip stands first"
    assert [person.frames for person in found.persons] == [5, 6]
    assert found.persons[0].frame >= 1


def test_a_point_is_looked_for_in_its_frame(tmp_path: Path) -> None:
    first, later = scene(("a", 200, (20, 20))), scene(("b", 200, (20, 20)))
    gone = [scene()] * 4
    clip = clip_of([first, *gone, later], tmp_path)
    config = LandmarkConfig(point=(120.0, 120.0), max_gap=1, min_face=16)
    early = followed(clip, config)
    late = followed(clip, LandmarkConfig(point=(120.0, 120.0), max_gap=1, min_face=16, point_frame=5))
    assert early.frame_indices[0] == 0
    assert late.frame_indices[-1] == 5
    with pytest.raises(FaceError, match="no face at the point"):
        followed(clip, LandmarkConfig(point=(120.0, 120.0), max_gap=1, min_face=16, point_frame=2))
