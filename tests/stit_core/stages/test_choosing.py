"""Who is chosen, corrected and followed, of people who are written down by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stit_core.artefacts import People
from stit_core.config import LandmarkConfig
from stit_core.errors import ConfigError, FaceError
from stit_core.stages.choosing import choose, correct, follow

FRAMES = 40


def people_at(*sightings: tuple[int, range, float]) -> People:
    """(number, frames, x of the middle) each, with faces 50 pixels wide."""
    rows = [(number, frame, x) for number, frames, x in sightings for frame in frames]
    owner, frame, x = (np.array(column) for column in zip(*sorted(rows), strict=True))
    boxes = np.stack([x - 25, np.full(len(x), 50.0), x + 25, np.full(len(x), 100.0)], axis=1)
    spread = np.random.default_rng(0).uniform(-20, 20, (68, 2))
    points = np.stack([x, np.full(len(x), 75.0)], axis=1)[:, None] + spread
    return People("h", FRAMES, owner, frame, boxes, np.ones(len(x)), points)


TWO = people_at((0, range(40), 100.0), (1, range(10, 30), 300.0))


def test_who_is_chosen() -> None:
    assert choose(TWO, LandmarkConfig()) == 0
    assert choose(TWO, LandmarkConfig(face=1)) == 1
    assert choose(TWO, LandmarkConfig(point=(310.0, 70.0))) == 1
    with pytest.raises(FaceError, match="no face number 2: there are 2 people") as caught:
        choose(TWO, LandmarkConfig(face=2))
    assert "Numbers: 0, 1" in caught.value.hint
    with pytest.raises(FaceError, match="no face at the point"):
        choose(TWO, LandmarkConfig(point=(310.0, 70.0), point_frame=5))


def test_who_is_not_seen_carries_nothing() -> None:
    found = follow(TWO, 1, LandmarkConfig(max_gap=4), "a.mp4")
    assert found.frame_indices == tuple(range(10, 30))
    assert found.gaps == ((0, 9), (30, 39))
    assert found.index == 1


def test_a_face_is_not_bridged_where_another_hides_it() -> None:
    crossed = people_at((0, range(40), 100.0), (1, range(10), 115.0), (1, range(16, 40), 115.0))
    found = follow(crossed, 1, LandmarkConfig(), "a.mp4")
    assert found.gaps == ((10, 15),)
    beside = people_at((0, range(40), 100.0), (1, range(10), 175.0), (1, range(16, 40), 175.0))
    bridged = follow(beside, 1, LandmarkConfig(), "a.mp4")
    assert bridged.gaps == ()
    assert not bridged.detected[10:16].any()


def test_two_are_joined_and_one_is_split_and_nobody_else_changes() -> None:
    three = people_at((0, range(40), 100.0), (1, range(10), 300.0), (2, range(20, 40), 300.0))
    joined = correct(three, (("join", 1, 2),))
    assert joined.numbers == (0, 1)
    assert joined.person(1).spans == ((0, 9), (20, 39))
    split = correct(joined, (("split", 1, 15),))
    assert split.numbers == (0, 1, 2)
    assert split.person(2).spans == ((20, 39),)
    again = correct(three, (("join", 1, 2), ("split", 1, 15)))
    assert again.numbers == (0, 1, 3), "a number that somebody had is not given to anybody else"
    for each in (joined, split, again):
        np.testing.assert_array_equal(each.points[each.rows(0)], three.points[three.rows(0)])
    np.testing.assert_array_equal(three.owner, correct(three, ()).owner)


@pytest.mark.parametrize(
    ("correction", "message"),
    [
        (("join", 0, 1), "both seen in frame 10"),
        (("join", 0, 7), "no face number 7"),
        (("split", 1, 10), "not seen on both sides of frame 10"),
        (("split", 9, 10), "no face number 9"),
    ],
)
def test_a_correction_that_cannot_be(correction: tuple[str, int, int], message: str) -> None:
    with pytest.raises(FaceError, match=message):
        correct(TWO, (correction,))


@pytest.mark.parametrize("wrong", [("merge", 0, 1), ("join", 1), ("join", 0, 0), ("split", -1, 4), "join"])
def test_what_is_no_correction(wrong: object) -> None:
    with pytest.raises(ConfigError):
        LandmarkConfig(corrections=(wrong,))  # type: ignore[arg-type]
