"""Key frames: which they are, linear shifts between them, smoothing that stops at gaps."""

from __future__ import annotations

import numpy as np
import torch

from stit_core.fitting.key_frames import between, key_rows, steady


def test_key_frames_are_the_middles_of_equal_stretches_and_hold_the_middle_frame():
    assert key_rows(9, 3).tolist() == [1, 4, 7]
    assert key_rows(5, None).tolist() == key_rows(5, 9).tolist() == [0, 1, 2, 3, 4]
    for frames in range(1, 60):
        for count in range(1, frames + 1):
            rows = key_rows(frames, count)
            assert len(set(rows.tolist())) == count
            assert (np.diff(rows) > 0).all()
            assert frames // 2 in rows
            assert 0 <= rows[0] <= rows[-1] < frames


def test_between_is_linear_in_the_frames_and_held_outside():
    values = torch.tensor([[1.0, -2.0], [3.0, 0.0], [0.0, 6.0]])
    found = between(values, [2, 4, 10], [0, 2, 3, 4, 7, 10, 12])
    expected = [[1, -2], [1, -2], [2, -1], [3, 0], [1.5, 3], [0, 6], [0, 6]]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32))


def test_steady_does_not_reach_across_a_gap():
    values = torch.tensor([0.0, 0.0, 0.0, 9.0, 9.0])[:, None]
    assert torch.equal(steady(values, (0, 1, 2, 7, 8), 1.5), values)
    whole = steady(values, (0, 1, 2, 3, 4), 1.5)
    assert 0 < float(whole[2]) < float(whole[3]) < 9
    assert steady(values, (0, 1, 2, 3, 4), 0.0) is values
