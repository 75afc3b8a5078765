"""The reader network, its losses, and its pairs under distortion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from recipes.training.reader import PairBatch, class_ious, label_loss, moved, place_losses, similarity
from stit_core.models.compact import CompactParser, folded
from stit_core.models.reader import CompactReader


@pytest.fixture
def reader() -> CompactReader:
    torch.manual_seed(0)
    network = CompactReader().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_(std=0.2)
    return network


@torch.no_grad()
def test_reads_labels_and_places_of_any_size(reader: CompactReader) -> None:
    torch.manual_seed(1)
    images = torch.rand(2, 3, 180, 200) * 2 - 1
    logits, places = reader.read(images)
    assert logits.shape == (2, 19, 256, 256)
    assert places.shape == (2, 3, 128, 128)
    assert torch.equal(reader.parse(images), logits)
    assert reader.read(images, full_size=False)[0].shape == (2, 19, 128, 128)
    for found, wanted in zip(folded(reader).read(images), (logits, places), strict=True):
        assert torch.allclose(found, wanted, atol=1e-4 * float(wanted.std()))


@torch.no_grad()
def test_parses_as_the_parser_whose_weights_it_takes(reader: CompactReader) -> None:
    parser = CompactParser().eval()
    own = reader.state_dict()
    parser.load_state_dict({key: own[key] for key in parser.state_dict()})
    images = torch.rand(1, 3, 256, 256) * 2 - 1
    assert torch.equal(parser.parse(images), reader.parse(images))


def test_every_parameter_learns_and_places_stay_precise_under_autocast(reader: CompactReader) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        logits, places = reader.train().read(torch.rand(2, 3, 256, 256))
    assert places.dtype == torch.float32
    (logits.float().square().mean() + places.square().mean()).backward()
    assert [name for name, p in reader.named_parameters() if p.grad is None or not float(p.grad.abs().sum())] == []


def pairs(count: int = 2, size: int = 256) -> PairBatch:
    """Pairs whose second picture is the first, six pixels to the right; places are what the pixels show."""
    y, x = torch.meshgrid(torch.arange(size) / size, torch.arange(size) / size, indexing="ij")
    second = x - 6 / size
    places = torch.stack([torch.stack([x - 0.5, y, 0.2 * x * y]), torch.stack([second - 0.5, y, 0.2 * second * y])])
    labels = torch.ones(count, 2, size, size, dtype=torch.long)
    labels[..., :40, :] = 0
    motion = torch.zeros(count, 2, size, size)
    motion[:, 0] = 6.0
    motion[:, :, 100:120, 100:120] = float("nan")
    images = places[None, :, :, :, :].repeat(count, 1, 1, 1, 1)
    return PairBatch(images, labels, labels.clone(), images.clone(), motion)


@pytest.mark.parametrize("seed", range(4))
def test_distorted_truth_has_no_loss_and_pictures_move_with_their_places(seed: int) -> None:
    batch = pairs()
    matrix = similarity(2, np.random.default_rng(seed))
    images, labels, places, weight, target, pair_weight = moved(batch, matrix)
    assert images.shape == (4, 3, 256, 256)
    assert labels.shape == (4, 256, 256)
    assert places.shape == (4, 3, 128, 128)
    by_place, slopes, by_pair = (float(loss) for loss in place_losses(places, places, weight, target, pair_weight))
    assert by_place == pytest.approx(0, abs=1e-5)
    assert slopes == pytest.approx(0, abs=1e-4)
    mirrored = float(torch.linalg.det(matrix[0])) < 0
    if not mirrored:  # the pictures of this batch are their own places
        small = nn.functional.avg_pool2d(images, 2)
        assert float(((small - places).abs() * weight).max()) < 0.02
    assert by_pair < 0.2
    assert 0.3 < float((pair_weight > 0).float().mean()) < 1
    assert float(pair_weight.max()) == pytest.approx(1 + 0.6 * 6)
    off = place_losses(places + 0.01, places, weight, target, pair_weight)
    assert float(off[0]) == pytest.approx(3 * 0.5, abs=0.05)  # Huber's half of three channels off by a pixel
    assert float(off[1]) == pytest.approx(0, abs=1e-3)


def test_pair_loss_sees_what_only_one_picture_has_wrong() -> None:
    _, _, places, weight, target, pair_weight = moved(pairs(), torch.eye(3).repeat(2, 1, 1))
    wrong = places.clone()
    wrong[1::2, 0] += 0.02
    assert float(place_losses(wrong, places, weight, target, pair_weight)[2]) == pytest.approx(2.0, abs=0.2)
    wrong[::2, 0] += 0.02
    assert float(place_losses(wrong, places, weight, target, pair_weight)[2]) < 0.2


def test_label_loss_counts_all_labels_of_a_block() -> None:
    logits = torch.zeros(1, 3, 1, 1)
    logits[0, 1] = 2.0
    labels = torch.tensor([[[1, 1], [2, 1]]])
    log = torch.log_softmax(logits[0, :, 0, 0], 0)
    plain = label_loss(logits, labels, torch.ones(3))
    assert float(plain) == pytest.approx(float(-(3 * log[1] + log[2]) / 4), abs=1e-6)
    weighted = label_loss(logits, labels, torch.tensor([1.0, 1.0, 5.0]))
    assert float(weighted) == pytest.approx(float(-(3 * log[1] + 5 * log[2]) / 8), abs=1e-6)


def test_class_ious_by_hand() -> None:
    ious = class_ious(np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]]))
    assert ious[:2] == pytest.approx([3 / 4, 2 / 3])
    assert np.isnan(ious[2])
