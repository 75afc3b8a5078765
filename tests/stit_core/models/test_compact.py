"""The compact networks: shapes, sizes, folding, gradients, and the perceptual distance against a slow twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stit_core.models.attributes import AttributeNet, FeaturePerceptual
from stit_core.models.compact import CompactEncoder, CompactParser, folded

LARGEST_FILE_BYTES = 8e6
SHAPES = {"encoder": (2, 14, 512), "parser": (2, 19, 256, 256), "attributes": (2, 11)}


def build(kind: str) -> nn.Module:
    torch.manual_seed(0)
    made = {"encoder": lambda: CompactEncoder(14), "parser": CompactParser, "attributes": lambda: AttributeNet(11)}
    network: nn.Module = made[kind]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 2.0)
    return network.eval()


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(1)
    return torch.rand(2, 3, 256, 256) * 2 - 1


@pytest.mark.parametrize("kind", list(SHAPES))
def test_shapes_sizes_and_folding(kind: str, images: Tensor) -> None:
    network = build(kind)
    with torch.no_grad():
        out = network(images)
        twin = folded(network)
        assert out.shape == SHAPES[kind]
        assert torch.allclose(twin(images), out, atol=1e-4 * float(out.std()))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in twin.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert 2 * sum(tensor.numel() for tensor in network.state_dict().values()) < LARGEST_FILE_BYTES


@pytest.mark.parametrize("kind", list(SHAPES))
def test_every_parameter_learns(kind: str, images: Tensor) -> None:
    network = build(kind).train()
    network(images).square().mean().backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or float(p.grad.abs().sum()) == 0]
    assert still == []


@torch.no_grad()
def test_encoder_starts_from_the_mean_and_takes_any_size(images: Tensor) -> None:
    encoder = build("encoder")
    assert isinstance(encoder, CompactEncoder)
    before = encoder.encode(images)
    encoder.w_avg += 2.0
    assert torch.allclose(encoder.encode(images), before + 2.0, atol=1e-4)
    assert encoder.encode(images[:, :, :100, :80]).shape == (2, 14, 512)
    assert float((before[:, 0] - before[:, 13]).abs().max()) > 0
    twin = CompactEncoder(**encoder.dims())
    twin.load_state_dict(encoder.state_dict())
    assert torch.equal(twin.eval()(images), encoder(images))


@torch.no_grad()
def test_parser_and_attributes_take_any_size(images: Tensor) -> None:
    parser, attributes = build("parser"), build("attributes")
    assert isinstance(parser, CompactParser)
    assert isinstance(attributes, AttributeNet)
    assert parser.parse(images[:, :, :180, :200]).shape == (2, 19, 256, 256)
    assert attributes.attributes(images[:, :, :180, :200]).shape == (2, 11)
    assert torch.equal(attributes.attributes_of(attributes.features(images)), attributes(images))


@torch.no_grad()
def test_feature_perceptual_equals_a_slow_twin(images: Tensor) -> None:
    net = build("attributes")
    assert isinstance(net, AttributeNet)
    perceptual = FeaturePerceptual(net)
    a, b = images[:, :, :64, :64], images[:, :, 64:128, :64]
    wanted = np.zeros(2)
    for x, y in zip(net.features(a), net.features(b), strict=True):
        p, q = (f.double().numpy() for f in (x, y))
        p, q = (f / (np.sqrt((f**2).sum(axis=1, keepdims=True)) + 1e-10) for f in (p, q))
        wanted += ((p - q) ** 2).sum(axis=1).mean(axis=(1, 2))
    found = perceptual(a, b)
    assert np.allclose(found.numpy(), wanted, rtol=1e-4)
    assert torch.allclose(found, perceptual(b, a))
    assert torch.equal(perceptual(a, a), torch.zeros(2))
    assert torch.equal(perceptual.distance(perceptual.features(a), perceptual.features(b)), found)
