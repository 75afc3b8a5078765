from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from stit_core.config import TransferConfig
from stit_core.errors import ArtefactMismatchError, BudgetSpent, Cancelled
from stit_core.faces.reading import draw_faces, from_place_picture, read_faces
from stit_core.models.reader import CompactReader
from stit_core.runtime import CancelToken, Runtime
from stit_core.stages.registration import BATCH_SIZE, register
from tests.support.stage_cases import LeftRight, alignment_of, tiny_generator, untuned

FRAMES = 6


@pytest.fixture
def case(tmp_path: Path):
    net = tiny_generator()
    w_plus = net.mapping(torch.randn(FRAMES, net.z_dim, generator=torch.Generator().manual_seed(2))).detach()
    images = torch.rand(FRAMES, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1
    alignment = alignment_of(images, tmp_path / "crops", first=4)
    return alignment, untuned(net, alignment, w_plus), net


def test_pivots_labels_and_landmarks_of_every_frame(case, tmp_path):
    alignment, tuned, net = case
    steps = []
    runtime = Runtime(progress=lambda *step: steps.append(step))
    found = register(alignment, tuned, net, LeftRight(), TransferConfig(registration_sigma=0.0), runtime, tmp_path)
    assert found.frame_indices == alignment.frame_indices
    assert found.points.shape == found.offsets.shape == (FRAMES, 68, 2)
    for position, frame in enumerate(found.frame_indices):
        drawn = draw_faces(net, tuned.w_plus[position : position + 1], Runtime())[0]
        assert np.abs(found.pivots.read(frame).astype(int) - drawn).max() <= 1
        labels = found.labels.read(frame)
        assert set(np.unique(labels[..., :2])) == {1, 17}
    assert found.places is None  # this parser tells none
    assert steps[-1] == ("register", FRAMES, FRAMES)


def test_a_reader_s_places_of_the_pivot_are_kept_with_it(case, tmp_path):
    alignment, tuned, net = case
    reader = CompactReader().eval()
    found = register(alignment, tuned, net, reader, TransferConfig(), Runtime(), tmp_path)
    frame = found.frame_indices[2]
    told = read_faces(found.pivots.read(frame)[None], reader, Runtime(), places=True)[0]
    places, head = from_place_picture(found.places.read(frame))
    np.testing.assert_allclose(places, told.places, atol=1e-3)
    np.testing.assert_allclose(head, told.head, atol=1e-2)


def test_the_way_to_the_pivot_is_smoothed_within_unbroken_stretches_only(case, tmp_path):
    alignment, tuned, net = case
    names = (4, 5, 6, 27, 28, 29)
    for old, new in zip(alignment.frame_indices, names, strict=True):
        alignment.crops.file(old).rename(tmp_path / f"{new}.kept")
    for new in names:
        (tmp_path / f"{new}.kept").rename(alignment.crops.file(new))
    crops = dataclasses.replace(alignment.crops, indices=names)
    alignment = dataclasses.replace(alignment, frame_indices=names, crops=crops)
    tuned = dataclasses.replace(tuned, frame_indices=names)
    plain, smooth = (
        register(alignment, tuned, net, LeftRight(), TransferConfig(registration_sigma=sigma), Runtime(), tmp_path)
        for sigma in (0.0, 1.0)
    )
    kernel = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    for first in (0, 3):
        for position in range(3):
            near = np.clip(np.arange(position - 4, position + 5), 0, 2) + first  # the ends of a stretch go on
            expected = np.tensordot(kernel / kernel.sum(), plain.offsets[near], axes=1)
            np.testing.assert_allclose(smooth.offsets[first + position], expected, atol=1e-9)


def test_other_frames_are_refused_and_a_stop_is_heard(case, tmp_path):
    alignment, tuned, net = case
    fewer = dataclasses.replace(tuned, frame_indices=tuned.frame_indices[1:])
    with pytest.raises(ArtefactMismatchError):
        register(alignment, fewer, net, LeftRight(), TransferConfig(), Runtime(), tmp_path)
    token = CancelToken()
    token.set()
    with pytest.raises(Cancelled):
        register(alignment, tuned, net, LeftRight(), TransferConfig(), Runtime(cancel=token), tmp_path)


def test_a_registration_without_any_time_is_the_same_batch_by_batch(case, tmp_path):
    alignment, tuned, net = case
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    expected = register(alignment, tuned, net, LeftRight(), TransferConfig(), Runtime(), whole)
    hurried = Runtime(spent=lambda: True)
    with pytest.raises(BudgetSpent):
        register(alignment, tuned, net, LeftRight(), TransferConfig(), hurried, parts)
    assert len(list((parts / "pivots").iterdir())) == BATCH_SIZE
    found = register(alignment, tuned, net, LeftRight(), TransferConfig(), hurried, parts)
    np.testing.assert_array_equal(found.points, expected.points)
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    for frame in alignment.frame_indices:
        for name in ("pivots", "labels"):
            made, wanted = (getattr(each, name).file(frame).read_bytes() for each in (found, expected))
            assert made == wanted
