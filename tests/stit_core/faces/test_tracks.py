"""Faces of neighbouring frames: linked and bridged."""

from __future__ import annotations

import numpy as np

from stit_core.faces.tracks import bridge


def test_bridging_by_hand() -> None:
    first, last = np.zeros((68, 2)), np.full((68, 2), 4.0)
    indices, points, detected, gaps = bridge({2: first, 6: last}, frames=12, max_gap=4)
    assert indices == (0, 1, 2, 3, 4, 5, 6)
    assert points[:, 0, 0].tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert detected.tolist() == [False, False, True, False, False, False, True]
    assert gaps == ((7, 11),)
