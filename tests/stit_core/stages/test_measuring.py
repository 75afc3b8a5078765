from __future__ import annotations

import pytest
import torch

from stit_core.metrics import temporal_identity
from stit_core.stages.measuring import MOST_FRAMES, measured_positions


@pytest.mark.parametrize("count", [1, 2, MOST_FRAMES, MOST_FRAMES + 1, 88, 1800])
def test_few_frames_are_all_measured_and_many_in_pairs(count: int) -> None:
    positions = measured_positions(count)
    assert list(positions) == sorted(set(positions))
    assert positions[0] == 0
    assert positions[-1] == count - 1
    if count <= MOST_FRAMES:
        assert len(positions) == count
    else:
        assert len(positions) <= MOST_FRAMES
        assert all({p - 1, p + 1} & set(positions) for p in positions)


def test_only_neighbours_in_the_clip_count_for_local_identity() -> None:
    source = torch.nn.functional.normalize(torch.ones(4, 8) + 0.1 * torch.randn(4, 8), dim=1)
    edited = source.clone()
    edited[2:] = torch.nn.functional.normalize(source[2:] + torch.tensor([2.0] + [0.0] * 7), dim=1)
    # Between positions 1 and 9 the identity jumps, which local identity must not see.
    whole, _ = temporal_identity(source, edited)
    apart, _ = temporal_identity(source, edited, (0, 1, 9, 10))
    pairs = [float(edited[i] @ edited[i + 1] / (source[i] @ source[i + 1])) for i in (0, 2)]
    assert apart == pytest.approx(sum(pairs) / 2, abs=1e-5)
    assert apart != pytest.approx(whole, abs=1e-3)
