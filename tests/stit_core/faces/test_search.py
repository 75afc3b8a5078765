"""Faces in samples of a clip, far apart or lying on their side."""

from __future__ import annotations

import numpy as np
import pytest

from stit_core.config import LandmarkConfig
from stit_core.faces.detectors import DlibDetector
from stit_core.faces.search import FaceSearch
from stit_core.turning import turn_box, turn_picture
from tests.support.head_scenes import scene


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_search_for_faces_finds_out_how_the_clip_lies(turn: int) -> None:
    search = FaceSearch(LandmarkConfig())
    upright = [scene(("a", 200, (left, 20))) for left in (20, 40, 60)]
    for frame, picture in enumerate(upright):
        height, width = picture.shape[:2]
        (track, face), *others = search.faces(frame, turn_picture(picture, -turn))
        assert (track, others, search.turn) == (0, [], turn)
        (expected,) = DlibDetector(LandmarkConfig()).thorough(picture)
        np.testing.assert_allclose(face.box, turn_box(expected.box, -turn, width, height), atol=45)


def test_a_search_that_is_not_sure_how_the_clip_lies_looks_again() -> None:
    search = FaceSearch(LandmarkConfig())
    search.turn = 3  # as after something that looked a little like a face in a turned picture
    assert search.faces(1, scene(("a", 200, (20, 20))))
    assert search.turn == 0


def test_faces_of_pictures_far_apart_keep_their_track() -> None:
    search = FaceSearch(LandmarkConfig())
    both = scene(("a", 200, (20, 20)), ("b", 140, (300, 60)))
    first = search.faces(0, both)
    assert [track for track, _ in first] == [0, 1]
    assert first[0][1].side > first[1][1].side
    swapped = search.faces(6, scene(("a", 200, (30, 20)), ("b", 140, (290, 60))))
    assert [track for track, _ in swapped] == [0, 1]
    assert search.faces(12, scene()) == []
