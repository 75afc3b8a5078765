"""One face, found, chosen and followed; rendered heads stand for people."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stit_core.artefacts import Clip, FrameFolder
from stit_core.config import LandmarkConfig
from stit_core.errors import FaceError, StitError
from stit_core.faces import reading as faces
from stit_core.runtime import Runtime
from stit_core.stages import landmarks
from stit_core.stages.landmarks import FaceSearch, bridge, find_faces, find_landmarks
from stit_core.turning import turn_box, turn_picture, turn_points

DATA = Path(__file__).parents[2] / "data"
BACKGROUND = (90, 110, 130)


def head(name: str, size: int) -> Image.Image:
    with Image.open(DATA / f"head_{name}.jpg") as picture:
        return picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)


def scene(*heads: tuple[str, int, tuple[int, int]], size: tuple[int, int] = (480, 256)) -> np.ndarray:
    """A picture with heads: (name, side, left-top corner), which may lie partly outside."""
    picture = Image.new("RGB", size, BACKGROUND)
    for name, side, corner in heads:
        picture.paste(head(name, side), corner)
    return np.asarray(picture)


def clip_of(pictures: list[np.ndarray], folder: Path) -> Clip:
    frames = FrameFolder(folder, tuple(range(len(pictures))))
    for i, picture in enumerate(pictures):
        frames.write(i, picture)
    height, width = pictures[0].shape[:2]
    times = tuple(Fraction(i, 25) for i in range(len(pictures)))
    return Clip("h", folder / "clip.mp4", frames, width, height, Fraction(25), times, Fraction(0), None)


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
    faces = find_faces(picture, LandmarkConfig())
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
    np.testing.assert_allclose(found.people[0, 2:6], turn_box(tuple(expected.people[0, 2:6]), -turn, *size), atol=0.5)
    centre = tuple(found.points[0].mean(axis=0))
    chosen = find_landmarks(lying, LandmarkConfig(point=centre), Runtime())
    np.testing.assert_array_equal(chosen.points, found.points)
    with pytest.raises(FaceError, match=r"no face at the point \(3, 5\)"):
        find_landmarks(lying, LandmarkConfig(point=(3.0, 5.0)), Runtime())


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_search_for_faces_finds_out_how_the_clip_lies(turn: int) -> None:
    search = FaceSearch(LandmarkConfig())
    upright = [scene(("a", 200, (left, 20))) for left in (20, 40, 60)]
    for frame, picture in enumerate(upright):
        height, width = picture.shape[:2]
        (track, face), *others = search.faces(frame, turn_picture(picture, -turn))
        assert (track, others, search.turn) == (0, [], turn)
        (expected,) = find_faces(picture, LandmarkConfig())
        np.testing.assert_allclose(face.box, turn_box(expected.box, -turn, width, height), atol=45)


def test_a_search_that_is_not_sure_how_the_clip_lies_looks_again() -> None:
    search = FaceSearch(LandmarkConfig())
    search.turn = 3  # as after something that looked a little like a face in a turned picture
    assert search.faces(1, scene(("a", 200, (20, 20))))
    assert search.turn == 0


def test_no_face_at_all(tmp_path: Path) -> None:
    with pytest.raises(FaceError, match="any of the 3 frames") as caught:
        find_landmarks(clip_of([scene()] * 3, tmp_path), LandmarkConfig(), Runtime())
    assert caught.value.hint


def test_bridging_by_hand() -> None:
    first, last = np.zeros((68, 2)), np.full((68, 2), 4.0)
    indices, points, detected, gaps = bridge({2: first, 6: last}, frames=12, max_gap=4)
    assert indices == (0, 1, 2, 3, 4, 5, 6)
    assert points[:, 0, 0].tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert detected.tolist() == [False, False, True, False, False, False, True]
    assert gaps == ((7, 11),)


def test_a_missing_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "_PREDICTOR", "no_such_file.dat")
    with pytest.raises(StitError, match=r"no_such_file\.dat is missing"):
        faces.predictor_file()


def test_the_second_detector_is_not_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert landmarks.load_second_detector(LandmarkConfig(), Runtime().device) is None
    assert not list(tmp_path.iterdir())


def test_the_people_of_a_clip_are_listed_and_each_can_be_followed(tmp_path: Path) -> None:
    pictures = [scene(("a", 200, (20, 20)), ("b", 140, (300, 60))) for _ in range(4)]
    clip = clip_of(pictures, tmp_path)
    found = find_landmarks(clip, LandmarkConfig(), Runtime())
    assert found.people.shape == (2, 8)
    assert found.people[:, 0].tolist() == [0, 1]
    assert found.people[:, 6].tolist() == [4, 4]
    assert found.people[:, 7].tolist() == [1, 0]
    left, top, right, bottom = found.people[1, 2:6]
    centre = (float(left + right) / 2, float(top + bottom) / 2)
    other = find_landmarks(clip, LandmarkConfig(point=centre, point_frame=int(found.people[1, 1])), Runtime())
    assert other.people[:, 7].tolist() == [0, 1]
    assert other.points[0, :, 0].mean() > 280
    assert found.points[0, :, 0].mean() < 240


def test_a_face_that_comes_later_is_listed_without_an_index(tmp_path: Path) -> None:
    alone, both = scene(("a", 200, (20, 20))), scene(("a", 200, (20, 20)), ("b", 140, (300, 60)))
    found = find_landmarks(clip_of([alone, both, both, both], tmp_path), LandmarkConfig(), Runtime())
    assert found.people[:, 0].tolist() == [0, -1]
    assert found.people[:, 6].tolist() == [4, 3]
    assert found.people[1, 1] >= 1


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


def test_faces_of_pictures_far_apart_keep_their_track() -> None:
    search = FaceSearch(LandmarkConfig())
    both = scene(("a", 200, (20, 20)), ("b", 140, (300, 60)))
    first = search.faces(0, both)
    assert [track for track, _ in first] == [0, 1]
    assert first[0][1].side > first[1][1].side
    swapped = search.faces(6, scene(("a", 200, (30, 20)), ("b", 140, (290, 60))))
    assert [track for track, _ in swapped] == [0, 1]
    assert search.faces(12, scene()) == []
