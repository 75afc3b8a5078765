from __future__ import annotations

import numpy as np

from stit_core.change.neck import skin_below
from stit_core.geometry import BELOW, frame_to_crop, patch_bounds

SIZE, NECK = 128, (190, 150, 130)
QUAD = np.array([[40.0, 20.0], [40.0, 20.0 + SIZE], [40.0 + SIZE, 20.0 + SIZE], [40.0 + SIZE, 20.0]])
COLLAR = 20 + SIZE + 20  # row of the frame where cloth begins


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A frame with a neck that leaves the crop and a wall of its colour, and where the neck is in the crop."""
    frame = np.full((240, 220, 3), (60, 90, 70), np.uint8)
    frame[100:COLLAR, 90:120] = NECK
    frame[130:200, 45:75] = NECK
    neck = np.zeros((SIZE, SIZE), np.float32)
    neck[80:, 50:80] = 1
    return frame + np.random.default_rng(1).integers(0, 6, frame.shape).astype(np.uint8), neck


def test_skin_goes_on_below_a_crop_down_to_the_cloth_and_nowhere_else() -> None:
    frame, neck = scene()
    below = skin_below(frame, *frame_to_crop(QUAD, SIZE), neck)
    assert below.shape == (SIZE + BELOW * SIZE, SIZE)
    assert below[110 : SIZE + 6, 54:76].min() > 0.95, "the crop's edge does not show"
    assert below[SIZE + 24 :, 50:80].max() < 0.1, "cloth"
    assert below[110:, 5:34].max() < 0.05, "a wall of its colour does not hang together with it"


def test_a_shade_fades_down_a_long_neck() -> None:
    frame, neck = scene()
    frame[COLLAR:, 90:120] = NECK
    column = skin_below(frame, *frame_to_crop(QUAD, SIZE), neck)[:, 65]
    assert np.diff(column[SIZE - 10 :]).max() < 0.02
    assert column[-1] < 0.05


def test_a_crop_without_a_neck_has_no_skin_below() -> None:
    frame, neck = scene()
    assert skin_below(frame, *frame_to_crop(QUAD, SIZE), 0 * neck).max() == 0


def test_a_patch_reaches_below_its_quad() -> None:
    left, top, right, bottom = patch_bounds(QUAD, 1000, 1000)
    assert (left, top, right) == (39, 19, 40 + SIZE + 2)
    assert bottom == 20 + SIZE + BELOW * SIZE + 2
    assert patch_bounds(QUAD - (0, 400), 1000, 1000)[3] == 0
