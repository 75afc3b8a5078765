"""The visible mark: where it stands, and that it is read in every size."""

from __future__ import annotations

import numpy as np
import pytest

from stit_core.marks import CORNERS, Mark, add_mark, place_mark

SIZES = ((256, 256), (320, 240), (640, 360), (1920, 1080), (1080, 1920), (3840, 2160))
HALVES = {"lower right": (1, 1), "lower left": (1, 0), "upper right": (0, 1), "upper left": (0, 0)}


def quad_at(x: float, y: float, side: float) -> np.ndarray:
    """An upright quad (4, 2) around a point."""
    half = side / 2
    return np.array([[x - half, y - half], [x - half, y + half], [x + half, y + half], [x + half, y - half]])


def extent(frame: np.ndarray, marked: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what the mark changed."""
    rows, columns = np.nonzero((frame != marked).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_mark_is_small_and_its_letters_have_a_size_that_is_read(width: int, height: int) -> None:
    frame = np.full((height, width, 3), 128, np.uint8)
    left, top, right, bottom = extent(frame, add_mark(frame, Mark()))
    assert (right - left) * (bottom - top) < 0.02 * width * height
    assert bottom - top >= max(11, min(width, height) / 32), "letters with their margin"
    assert right <= width
    assert bottom <= height
    assert (frame == 128).all(), "the frame that was given is not changed"


@pytest.mark.parametrize("ground", ["black", "grey", "white", "noise", "stripes"])
@pytest.mark.parametrize("side", [256, 720])
def test_letters_stand_out_from_any_ground(ground: str, side: int) -> None:
    frame = np.zeros((side, side, 3), np.uint8)
    if ground == "noise":
        frame[:] = np.random.default_rng(0).integers(0, 256, (side, side, 1))
    elif ground == "stripes":
        frame[::2] = 255
    else:
        frame[:] = {"black": 0, "grey": 128, "white": 255}[ground]
    blank, marked = frame, add_mark(frame, Mark())
    left, top, right, bottom = extent(np.full_like(frame, 77), add_mark(np.full_like(frame, 77), Mark()))
    part = marked[top + 3 : bottom - 3, left + 3 : right - 3].astype(float)
    assert part.max() > 235, "letters are white"
    assert np.median(part) < 90, "and their plate is dark, also on white"
    assert np.array_equal(blank[: side // 2], marked[: side // 2])


@pytest.mark.parametrize("corner", CORNERS)
def test_it_stands_in_its_corner(corner: str) -> None:
    frame = np.full((200, 300, 3), 128, np.uint8)
    left, top, right, bottom = extent(frame, add_mark(frame, Mark(corner)))  # type: ignore[arg-type]
    low, east = HALVES[corner]
    assert ((top + bottom) / 2 > 100) == bool(low)
    assert ((left + right) / 2 > 150) == bool(east)


def test_the_first_free_corner_is_taken() -> None:
    middle = quad_at(320, 180, 200)[None]
    assert place_mark(640, 360, middle).corner == "lower right"
    wandering = np.stack([quad_at(560, 280, 200), quad_at(80, 290, 180)])  # from one lower corner to the other
    assert place_mark(640, 360, wandering).corner == "upper right"
    left = np.stack([quad_at(560, 280, 200), quad_at(560, 60, 180), quad_at(80, 290, 180)])
    assert place_mark(640, 360, left).corner == "upper left"


def test_where_no_corner_is_free_hair_is_covered_before_the_face() -> None:
    close = quad_at(140, 150, 400)[None]  # the crop is larger than the frame; forehead to chin reach to the lower edge
    frame = np.full((256, 256, 3), 128, np.uint8)
    mark = place_mark(256, 256, close)
    # An independent, slow count: pixels of the mark within the face's box, for all four corners.
    counts = {}
    for corner in CORNERS:
        left, top, right, bottom = extent(frame, add_mark(frame, Mark(corner)))
        wide = min(right, 140 - 200 + 0.8 * 400) - max(left, 140 - 200 + 0.2 * 400)
        tall = min(bottom, 150 - 200 + 0.95 * 400) - max(top, 150 - 200 + 0.12 * 400)
        counts[corner] = max(0, wide) * max(0, tall)
    assert counts[mark.corner] == min(counts.values())


def test_a_frame_that_is_smaller_than_any_mark_is_marked_as_far_as_it_goes() -> None:
    for height, width in ((16, 24), (2, 2), (40, 60)):
        frame = np.full((height, width, 3), 200, np.uint8)
        marked = add_mark(frame, Mark())
        assert marked.shape == frame.shape
        assert (marked != frame).any()
