"""e4e, the face parser, ArcFace and LPIPS against the reference figures, on weights by rule."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from stit_core.models.encoders import E4eEncoder, resize_to
from stit_core.models.identity import ArcFace
from stit_core.models.parsing import BiSeNet
from stit_core.models.perceptual import Lpips, alexnet_trunk, unit_channels
from stit_core.packs.checkpoints import (
    encoder_from_state,
    identity_from_state,
    parser_from_state,
    perceptual_from_state,
    read_torch,
)
from tests.support.rule_weights import REFERENCE, deviation, drawn_input, layout_digest, weights_by_rule

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE, allow_pickle=False) as file:
        return dict(file)


def rule_state(network: nn.Module) -> dict[str, Tensor]:
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    return weights_by_rule(shapes, stylegan=False)


@pytest.fixture(scope="module")
def lpips() -> Lpips:
    file = metadata.distribution("lpips").locate_file("lpips/weights/v0.1/alex.pth")
    with torch.device("meta"):
        trunk = nn.ModuleDict({"features": alexnet_trunk()})
    return perceptual_from_state(rule_state(trunk), read_torch(str(file)))


def test_names_and_shapes_are_the_official_ones(reference: dict[str, np.ndarray]) -> None:
    with torch.device("meta"):
        networks = {
            "e4e_encoder": E4eEncoder(),
            "bisenet_19": BiSeNet(),
            "arcface_ir_se50": ArcFace(),
            "torchvision_alexnet_features": nn.ModuleDict({"features": alexnet_trunk()}),
            "lpips_alex_heads": Lpips().heads,
        }
    for key, network in networks.items():
        shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        assert layout_digest(shapes) == reference[f"layout.{key}"].tobytes(), key


@torch.no_grad()
def test_e4e_agrees_with_the_reference(reference: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        layout = E4eEncoder()
    state = rule_state(layout)
    latent_avg = torch.arange(512.0)
    encoder = encoder_from_state({f"encoder.{name}": tensor for name, tensor in state.items()}, latent_avg)
    images = drawn_input("x256", (1, 3, 256, 256), clip=True)
    found = encoder(images)
    wanted = reference["e4e_encoder.w"]
    assert deviation(found, wanted) < TOLERANCE
    # The biases make up most of the figure: what depends on the picture has to agree too.
    biases = torch.stack([state[f"styles.{index}.linear.bias"] for index in range(18)])
    biases[1:] += biases[0]
    assert deviation(found - biases, wanted - biases.numpy()) < TOLERANCE
    seen: list[Tensor] = []
    monkeypatch.setattr(encoder, "forward", lambda x: seen.append(x) or found)
    larger = images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert torch.equal(encoder.encode(larger), found + latent_avg)
    assert torch.allclose(seen[0], F.interpolate(larger, size=(256, 256), mode="bilinear", antialias=True))
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


@torch.no_grad()
def test_parser_agrees_with_the_reference(reference: dict[str, np.ndarray]) -> None:
    with torch.device("meta"):
        layout = BiSeNet()
    parser = parser_from_state(rule_state(layout))
    x = drawn_input("x512", (1, 3, 512, 512))
    logits = parser(x)
    assert deviation(logits[:, :, ::64, ::64], reference["bisenet_19.logits"]) < TOLERANCE
    assert np.array_equal(logits.argmax(dim=1)[:, ::8, ::8].numpy(), reference["bisenet_19.argmax"])
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    images = torch.from_numpy((x.numpy() * std[:, None, None] + mean[:, None, None]) * 2 - 1).float()
    assert torch.allclose(parser.parse(images), logits, atol=1e-3 * float(logits.std()))


@torch.no_grad()
def test_identity_agrees_with_the_reference(reference: dict[str, np.ndarray]) -> None:
    with torch.device("meta"):
        layout = ArcFace()
    identity = identity_from_state(rule_state(layout))
    faces = drawn_input("x112", (2, 3, 112, 112), clip=True)
    assert deviation(identity(faces), reference["arcface_ir_se50.embedding"]) < TOLERANCE
    crop = drawn_input("x256", (1, 3, 256, 256), clip=True)
    embedding = identity.embed(crop)
    assert embedding.shape == (1, 512)
    assert abs(float(embedding.norm()) - 1) < 1e-5
    pooled = torch.empty(1, 3, 112, 112)
    for row in range(112):
        for column in range(112):
            top, bottom = 35 + row * 188 // 112, 35 - (-(row + 1) * 188 // 112)
            left, right = 32 + column * 188 // 112, 32 - (-(column + 1) * 188 // 112)
            pooled[:, :, row, column] = crop[:, :, top:bottom, left:right].mean(dim=(2, 3))
    assert torch.allclose(embedding, identity(pooled), atol=1e-5)


def test_lpips_agrees_with_the_reference(lpips: Lpips, reference: dict[str, np.ndarray]) -> None:
    a = drawn_input("lpips_a", (2, 3, 128, 128), clip=True)
    b = drawn_input("lpips_b", (2, 3, 128, 128), clip=True)
    near = (a + 0.1 * b).clamp(-1, 1)
    assert np.allclose(lpips(a, b).numpy(), reference["lpips_alex.distance"], rtol=TOLERANCE)
    assert np.allclose(lpips(a, near).numpy(), reference["lpips_alex.distance_near"], rtol=TOLERANCE)
    target = lpips.features(b)
    assert [feature.shape[1] for feature in target] == [64, 192, 384, 256, 256]
    assert torch.equal(lpips.distance(lpips.features(a), target), lpips(a, b))
    assert torch.equal(lpips(a, a), torch.zeros(2))


def test_lpips_gives_a_gradient_to_the_picture_only(lpips: Lpips) -> None:
    a = drawn_input("lpips_a", (1, 3, 64, 64), clip=True).requires_grad_()
    lpips(a, torch.zeros(1, 3, 64, 64)).sum().backward()
    assert a.grad is not None
    assert float(a.grad.abs().sum()) > 0
    assert all(parameter.grad is None for parameter in lpips.parameters())


def test_a_pixel_of_zeros_has_a_finite_gradient() -> None:
    features = torch.zeros(1, 4, 2, 2)
    features[0, :, 0, 0] = torch.tensor([3.0, 0.0, 4.0, 0.0])
    features.requires_grad_()
    unit = unit_channels(features)
    assert torch.allclose(unit[0, :, 0, 0], torch.tensor([0.6, 0.0, 0.8, 0.0]))
    unit.sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("size", [20, 64])
def test_resizing_agrees_with_pillow(size: int) -> None:
    plane = np.random.default_rng(2).random((33, 47)).astype(np.float32)
    expected = np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR))
    result = resize_to(torch.from_numpy(plane)[None, None], size)[0, 0].numpy()
    np.testing.assert_allclose(result, expected, atol=1e-4)
    square = torch.rand(1, 3, 6, 6)
    assert resize_to(square, 6) is square
