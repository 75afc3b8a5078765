"""The generator against the reference figures and against a slow per-sample twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stit_core.models.generator import Generator, channel_plan
from stit_core.models.ops import StyledConv, ToRGB, scale_shift_leak, upsample_2x
from stit_core.packs.checkpoints import generator_from_state
from stit_core.packs.official_names import nvidia_slots, rosinality_slots
from tests.support.rule_weights import REFERENCE, deviation, drawn_input, layout_digest, weights_by_rule

TOLERANCE = 1e-4
SMALL = {4: 12, 8: 12, 16: 8, 32: 6}


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE, allow_pickle=False) as file:
        return dict(file)


def by_rule(plan: Generator, slots: object) -> Generator:
    shapes = {name: slot.shape for name, slot in slots(plan).items()}  # type: ignore[operator]
    return generator_from_state(weights_by_rule(shapes, stylegan=True))


@pytest.fixture(scope="module")
def nvidia_64() -> Generator:
    return by_rule(Generator(64, mapping_layers=2, channel_base=2048, channel_max=128), nvidia_slots)


@pytest.fixture
def small() -> Generator:
    torch.manual_seed(0)
    generator = Generator(32, z_dim=8, w_dim=16, mapping_layers=2, channels=SMALL)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith(("noise_strength", "bias")):
                parameter.add_(0.3 * torch.randn_like(parameter))
    return generator


def test_names_and_shapes_are_the_official_ones(reference: dict[str, np.ndarray]) -> None:
    with torch.device("meta"):
        large = Generator(1024)
        tiny = Generator(64, mapping_layers=2, channel_base=2048, channel_max=128)
    for key, plan, slots in (
        ("nvidia_1024", large, nvidia_slots),
        ("nvidia_64", tiny, nvidia_slots),
        ("rosinality_1024", large, rosinality_slots),
    ):
        shapes = {name: slot.shape for name, slot in slots(plan).items()}
        assert layout_digest(shapes) == reference[f"layout.{key}"].tobytes(), key


@torch.no_grad()
def test_64_px_agrees_with_the_reference(nvidia_64: Generator, reference: dict[str, np.ndarray]) -> None:
    w = nvidia_64.mapping(drawn_input("z", (1, 512)), truncation_psi=0.7)
    assert w.shape == (1, nvidia_64.num_ws, 512) == (1, 10, 512)
    assert deviation(w[:, 3], reference["nvidia_64.w"]) < TOLERANCE
    for noise in ("const", "none"):
        assert (
            deviation(nvidia_64.synthesis(w, noise)[:, :, ::2, ::2], reference[f"nvidia_64.image_{noise}"]) < TOLERANCE
        )
    styles = nvidia_64.styles(w)
    assert [style.shape[1] for style in styles] == reference["nvidia_64.styles_sizes"].tolist()
    moved = [s + 0.3 * drawn_input(f"style{index}", tuple(s.shape)) for index, s in enumerate(styles)]
    found = nvidia_64.synthesis_from_styles(moved)[:, :, ::2, ::2]
    assert deviation(found, reference["nvidia_64.image_style"]) < TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize("names", ["nvidia", "rosinality"])
def test_1024_px_agrees_with_the_reference(names: str, reference: dict[str, np.ndarray]) -> None:
    with torch.device("meta"):
        plan = Generator(1024)
    generator = by_rule(plan, nvidia_slots if names == "nvidia" else rosinality_slots)
    generator = generator.to(memory_format=torch.channels_last)
    assert (generator.resolution, generator.num_ws, generator.mapping_layers) == (1024, 18, 8)
    if names == "nvidia":
        w = generator.mapping(drawn_input("z", (1, 512)), truncation_psi=0.7)
        assert deviation(w[:, 0], reference["nvidia_1024.w"]) < TOLERANCE
    else:
        w = drawn_input("w18", (1, 18, 512))
    for noise in ("const", "none") if names == "nvidia" else ("const",):
        image = generator.synthesis(w, noise)
        wanted = reference[f"{names}_1024.image_{noise}"]
        assert deviation(image[:, :, ::64, ::64], wanted) < TOLERANCE
        if noise == "const":
            stats = torch.stack([image.mean(), image.std(), image.min(), image.max()])
            assert np.allclose(stats.numpy(), reference[f"{names}_1024.stats_const"], atol=1e-4 * float(stats[1]))


def slow_styled_conv(layer: StyledConv, x: Tensor, style: Tensor) -> Tensor:
    """Modulate the weights per sample, convolve in one grouped convolution, double by explicit zero insertion."""
    batch, in_channels, height, width = x.shape
    weight = layer.weight[None] * style[:, None, :, None, None]  # (B, O, I, 3, 3)
    weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    if layer.upsample:
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype)
        kernel = torch.outer(taps, taps) / 16
        spread = x.new_zeros(batch, in_channels, 2 * height, 2 * width)
        spread[:, :, ::2, ::2] = x
        flat = F.pad(spread, (3, 2, 3, 2)).reshape(1, batch * in_channels, 2 * height + 5, 2 * width + 5)
        out = F.conv2d(flat, weight.flip(3, 4).flatten(0, 1), groups=batch)[0][:, None]  # (B * O, 1, 2H + 3, 2W + 3)
        out = F.conv2d(out, kernel[None, None]).reshape(batch, -1, 2 * height, 2 * width)
    else:
        out = F.conv2d(x.reshape(1, -1, height, width), weight.flatten(0, 1), padding=1, groups=batch)
        out = out.reshape(batch, -1, height, width)
    out = out + layer.noise_const * layer.noise_strength + layer.bias[None, :, None, None]
    return F.leaky_relu(out, 0.2) * math.sqrt(2)


@pytest.mark.parametrize("upsample", [False, True])
def test_styled_conv_equals_its_slow_twin_forward_and_backward(upsample: bool) -> None:
    torch.manual_seed(1)
    layer = StyledConv(5, 7, 4, 12 if upsample else 6, upsample).double()
    with torch.no_grad():
        layer.noise_strength.fill_(0.4)
        layer.bias.normal_()
    x = torch.randn(3, 5, 6, 6, dtype=torch.float64, requires_grad=True)
    style = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    wanted = slow_styled_conv(layer, x, style)
    found = layer(x, style, "const")
    assert torch.allclose(found, wanted, atol=1e-10)
    sources = [x, style, layer.weight, layer.bias, layer.noise_strength]
    pull = torch.randn_like(wanted)
    for a, b in zip(torch.autograd.grad(found, sources, pull), torch.autograd.grad(wanted, sources, pull), strict=True):
        assert torch.allclose(a, b, atol=1e-9)


def test_scale_shift_leak_has_the_right_gradients() -> None:
    torch.manual_seed(2)
    x, plane = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(2, 1, 4, 4, dtype=torch.float64)
    scale, bias = torch.randn(2, 3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    strength = torch.tensor(0.7, dtype=torch.float64)
    sources = [tensor.requires_grad_() for tensor in (x, scale, bias, strength)]
    sources.append(plane.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b, c, d, e: scale_shift_leak(a, b, c, e, d), sources)
    shared = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: scale_shift_leak(x, scale, bias, a, strength), [shared])
    assert torch.autograd.gradcheck(lambda a, b, c: scale_shift_leak(a, b, c), sources[:3])


def test_to_rgb_is_a_modulated_convolution_without_demodulation() -> None:
    torch.manual_seed(3)
    layer = ToRGB(6, 4)
    x, style = torch.randn(2, 6, 5, 5), torch.randn(2, 6)
    wanted = torch.stack(
        [F.conv2d(x[i : i + 1], layer.weight * style[i][None, :, None, None] / math.sqrt(6))[0] for i in range(2)]
    )
    assert torch.allclose(layer(x, style), wanted, atol=1e-5)


def test_upsample_equals_zero_insertion_and_filter() -> None:
    torch.manual_seed(4)
    x = torch.randn(1, 3, 5, 7)
    spread = torch.zeros(1, 3, 10, 14)
    spread[:, :, ::2, ::2] = x
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = (torch.outer(taps, taps) / 16).expand(3, 1, 4, 4)
    wanted = F.conv2d(F.pad(spread, (2, 1, 2, 1)), kernel, groups=3)
    assert torch.allclose(upsample_2x(x), wanted, atol=1e-6)


@torch.no_grad()
def test_a_batch_equals_its_samples_in_either_memory_format(small: Generator) -> None:
    w = torch.randn(3, small.num_ws, 16)
    before = w.clone()
    batch = small.synthesis(w)
    singles = torch.cat([small.synthesis(w[i : i + 1]) for i in range(3)])
    assert torch.allclose(batch, singles, atol=1e-5)
    assert torch.allclose(small.to(memory_format=torch.channels_last).synthesis(w), batch, atol=1e-5)
    assert torch.equal(w, before)


def test_bf16_autocast_stays_near_float32_and_trains(small: Generator) -> None:
    w = torch.randn(2, small.num_ws, 16)
    plain = small.synthesis(w)
    with torch.autocast("cpu", torch.bfloat16):
        half = small.synthesis(w)
    assert half.dtype == torch.float32
    assert float((half - plain).std() / plain.std()) < 0.02
    half.square().mean().backward()
    without = [n for n, p in small.named_parameters() if p.grad is None and not n.startswith("mapping_network")]
    assert without == []
    half_grads = {n: p.grad.clone() for n, p in small.named_parameters() if p.grad is not None}
    small.zero_grad()
    plain.square().mean().backward()
    for name, parameter in small.named_parameters():
        if parameter.grad is not None and parameter.ndim > 1:
            assert float((half_grads[name] - parameter.grad).norm() / parameter.grad.norm()) < 0.1, name


@torch.no_grad()
def test_mapping_truncates_towards_the_mean(small: Generator) -> None:
    small.w_avg.normal_()
    z = torch.randn(4, 8)
    full, half, none = (small.mapping(z, psi) for psi in (1.0, 0.5, 0.0))
    assert torch.allclose(none, small.w_avg.expand_as(none))
    assert torch.allclose(half, (full + none) / 2, atol=1e-6)
    assert torch.allclose(small.mapping(3 * z), full, atol=1e-5)  # z is normalised


@torch.no_grad()
def test_random_noise_follows_the_seed_and_none_is_without(small: Generator) -> None:
    w = torch.randn(1, small.num_ws, 16)
    torch.manual_seed(5)
    first = small.synthesis(w, "random")
    second = small.synthesis(w, "random")
    torch.manual_seed(5)
    assert torch.equal(small.synthesis(w, "random"), first)
    assert not torch.equal(first, second)
    plain = small.synthesis(w, "none")
    for name, parameter in small.named_parameters():
        if name.endswith("noise_strength"):
            parameter.zero_()
    assert torch.allclose(small.synthesis(w, "const"), plain, atol=1e-6)


def test_synthesis_goes_on_from_a_cached_state(small: Generator) -> None:
    styles = small.styles(torch.randn(2, small.num_ws, 16))
    whole = small.synthesis_from_styles(styles)
    with torch.no_grad():
        state = small.run_blocks(styles, until=16)
    assert (state.resolution, tuple(state.image.shape)) == (16, (2, 3, 16, 16))
    image = small.run_blocks(styles, state=state).image
    assert torch.equal(image, whole)
    image.sum().backward()
    trained = {name.split(".")[1] for name, p in small.named_parameters() if p.grad is not None}
    assert trained == {"b32"}


def test_noise_planes_of_ones_own(small: Generator) -> None:
    styles = small.styles(torch.randn(2, small.num_ws, 16))
    planes = small.noise_planes()
    assert [plane.shape[-1] for plane in planes] == [4, 8, 8, 16, 16, 32, 32]
    image = small.run_blocks(styles, planes).image
    assert torch.allclose(image, small.synthesis_from_styles(styles, "const"), atol=1e-5)
    planes[-1] = planes[-1] + torch.nn.functional.pad(torch.ones(1, 1, 1, 1), (10, 21, 20, 11))
    moved = (small.run_blocks(styles, planes).image - image).abs().sum(1) > 0
    assert moved[:, 20, 10].all()
    assert int(moved.sum()) == 2  # the last plane acts where it lies
    with pytest.raises(ValueError, match="expected 7 noise planes, got 6"):
        small.run_blocks(styles, planes[:-1])


def test_dims_rebuild_the_generator(small: Generator) -> None:
    twin = Generator(**small.dims())  # type: ignore[arg-type]
    twin.load_state_dict(small.state_dict())
    w = torch.randn(1, small.num_ws, 16)
    assert torch.equal(twin.synthesis(w), small.synthesis(w))
    assert not any(p is q for p in small.synthesis_parameters() for q in small.mapping_network.parameters())


def test_wrong_arguments_are_refused_with_what_was_found(small: Generator) -> None:
    with pytest.raises(ValueError, match="power of two from 8 up, got 48"):
        Generator(48)
    with pytest.raises(ValueError, match=r"channels must name the resolutions \[4, 8, 16, 32\]"):
        Generator(32, channels={4: 8, 8: 8})
    with pytest.raises(ValueError, match=r"w_plus must be \(B, 8, 16\), got \(1, 7, 16\)"):
        small.synthesis(torch.zeros(1, 7, 16))
    styles = small.styles(torch.zeros(1, 8, 16))
    with pytest.raises(ValueError, match="noise must be one of"):
        small.synthesis_from_styles(styles, "loud")
    with pytest.raises(ValueError, match="expected 11 styles, got 10"):
        small.synthesis_from_styles(styles[:-1])
    with pytest.raises(ValueError, match="until must be one of"):
        small.run_blocks(styles, until=2)
    assert channel_plan(1024)[1024] == 32
