"""Inversion: batches, order, errors and the stop, with a linear encoder whose answers can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stit_core.config import InversionConfig
from stit_core.errors import Cancelled, StitError
from stit_core.runtime import Runtime
from stit_core.stages.inversion import invert
from tests.support.stage_cases import alignment_of

LAYERS = 4


class ChannelMeans:
    """Row l of w_plus repeats the mean of channel l % 3."""

    def __init__(self, bad: float | None = None) -> None:
        self.batches: list[int] = []
        self.bad = bad

    def encode(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        means = images.mean(dim=(2, 3))
        if self.bad is not None:
            means[(means[:, 0] - self.bad).abs() < 0.01] = float("nan")
        return means[:, [row % 3 for row in range(LAYERS)], None].expand(-1, -1, 512)


@pytest.fixture
def levels() -> np.ndarray:
    return np.linspace(0, 250, 7).round()


@pytest.fixture
def alignment(levels, tmp_path):
    images = torch.from_numpy(levels / 127.5 - 1).float()[:, None, None, None].expand(-1, 3, 8, 8)
    return alignment_of(images, tmp_path / "crops", first=40)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_every_frame_gets_its_own_pivot_whatever_the_batch(alignment, levels, batch_size, tmp_path):
    encoder = ChannelMeans()
    found = invert(alignment, encoder, InversionConfig(batch_size), Runtime(), tmp_path)
    assert found.frame_indices == tuple(range(40, 47))
    assert found.clip_hash == alignment.clip_hash
    assert found.w_plus.shape == (7, LAYERS, 512)
    assert found.w_plus.dtype == torch.float32
    expected = torch.from_numpy(levels / 127.5 - 1).float()[:, None, None].expand_as(found.w_plus)
    torch.testing.assert_close(found.w_plus, expected, rtol=0, atol=1e-5)
    assert max(encoder.batches) == min(batch_size, 7)
    assert sum(encoder.batches) == 7


def test_the_pivots_may_be_trained_later(alignment, tmp_path):
    found = invert(alignment, ChannelMeans(), InversionConfig(), Runtime(), tmp_path)
    found.w_plus.clone().requires_grad_(True).sum().backward()  # an inference tensor would refuse


def test_a_pivot_that_is_no_number_names_its_frame(alignment, levels, tmp_path):
    encoder = ChannelMeans(bad=float(levels[2] / 127.5 - 1))
    with pytest.raises(StitError, match="frame 42"):
        invert(alignment, encoder, InversionConfig(batch_size=2), Runtime(), tmp_path)


def test_progress_counts_frames_and_stop_acts_between_them(alignment, tmp_path):
    told = []
    runtime = Runtime(progress=lambda stage, done, total: told.append((stage, done, total)))
    invert(alignment, ChannelMeans(), InversionConfig(batch_size=3), runtime, tmp_path)
    assert told == [("invert", done, 7) for done in range(8)]

    (tmp_path / "stopped").mkdir()
    stopped = Runtime(progress=lambda _, done, __: stopped.cancel.set() if done == 3 else None)
    encoder = ChannelMeans()
    with pytest.raises(Cancelled):
        invert(alignment, encoder, InversionConfig(batch_size=3), stopped, tmp_path / "stopped")
    assert encoder.batches == [3]
