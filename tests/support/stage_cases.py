"""Small real parts for the tests of the optimising stages: generators with known weights and clips on disk."""

from __future__ import annotations

import zlib
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stit_core.artefacts import Alignment, Edit, FrameFolder, Inversion, Masks, Tuned
from stit_core.images import to_picture
from stit_core.models.generator import Generator
from stit_core.models.perceptual import Lpips

CLIP_HASH = "c" * 64

torch.set_num_threads(1)  # on networks this small, threads cost more than they save
REFERENCE = Path(__file__).parents[1] / "reference" / "stages_small.npz"


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers that follow from a name: the rule by which the reference networks got their weights."""
    seed = zlib.crc32(f"open-{name}".encode())
    return np.random.default_rng(seed).standard_normal(shape or (1,), dtype=np.float32)


def load_by_rule(net: nn.Module, values: dict[str, np.ndarray]) -> nn.Module:
    state = net.state_dict()
    shaped = {name: torch.from_numpy(np.float32(values[name])).reshape(state[name].shape) for name in values}
    net.load_state_dict({**state, **shaped})
    return net.eval().requires_grad_(False)


def rule_generator() -> Generator:
    """The 64 px generator of the reference figures."""
    net = Generator(64, mapping_layers=2, channel_base=2048, channel_max=128)
    values = {}
    for ours, tensor in net.state_dict().items():
        name = ours.replace("mapping_network.layers.", "mapping.fc").replace("mapping_network.", "mapping.")
        name = name.replace("blocks.", "synthesis.")
        number = draw(name, tuple(tensor.shape))
        if name.startswith("mapping.fc") and tensor.ndim == 2:
            number = 100 * number
        elif name.endswith("affine.bias"):
            number = 1 + 0.1 * number
        elif tensor.ndim < 2:
            number = 0.1 * number
        values[ours] = number
    load_by_rule(net, values)
    return net


def rule_perceptual() -> Lpips:
    """LPIPS as in the reference figures: the trunk by the rule, the published heads."""
    net = Lpips()
    values = {}
    for name, tensor in net.state_dict().items():
        if name.startswith("trunk."):
            number = draw(name.removeprefix("trunk."), tuple(tensor.shape))
            values[name] = number / np.sqrt(np.prod(tensor.shape[1:])) if tensor.ndim > 1 else 0.1 * number
    file = metadata.distribution("lpips").locate_file("lpips/weights/v0.1/alex.pth")
    heads = torch.load(str(file), weights_only=True, map_location="cpu")
    values |= {f"heads.{name}": value.numpy() for name, value in heads.items()}
    load_by_rule(net, values)
    return net


def rule_latent(net: Generator) -> Tensor:
    """The latent of the reference figures, (1, L, 512)."""
    with torch.no_grad():
        return net.mapping(torch.from_numpy(draw("input:z", (1, 512))), 0.7).clone()


def tiny_generator(seed: int = 0) -> Generator:
    """A 16 px generator with random weights of usual size."""
    torch.manual_seed(seed)
    net = Generator(16, mapping_layers=1, channels={4: 16, 8: 16, 16: 8})
    return net.eval().requires_grad_(False)


def alignment_of(images: Tensor, folder: Path, first: int = 0) -> Alignment:
    """Crops (T, 3, R, R) written to `folder`; frame numbers start at `first` to tell them from positions."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = tuple(range(first, first + len(images)))
    crops = FrameFolder(folder, frames)
    for frame, picture in zip(frames, to_picture(images), strict=True):
        crops.write(frame, picture)
    size = images.shape[-1]
    return Alignment(CLIP_HASH, frames, np.zeros((len(frames), 4, 2)), crops, size)


def masks_of(content: np.ndarray, border: np.ndarray, frames: tuple[int, ...], folder: Path) -> Masks:
    """The same masks, (R, R) in {0, 1}, for every frame."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = FrameFolder(folder, frames)
    painted = np.stack([content, border, np.maximum(content, border)], axis=-1).astype(np.uint8) * 255
    for frame in frames:
        pictures.write(frame, painted)
    return Masks(CLIP_HASH, frames, pictures, len(content))


def untuned(net: Generator, alignment: Alignment, w_plus: Tensor) -> Tuned:
    """A Tuned that holds the generator as it is."""
    history = np.zeros((0, 4))
    return Tuned(alignment.clip_hash, alignment.frame_indices, w_plus, net.state_dict(), history, 0.0, 0.0)


def plain_edit(alignment: Alignment, w_plus: Tensor) -> Edit:
    return Edit(alignment.clip_hash, alignment.frame_indices, w_plus, None, ())


def pivots_of(alignment: Alignment, w_plus: Tensor) -> Inversion:
    return Inversion(alignment.clip_hash, alignment.frame_indices, w_plus)


class LeftRight:
    """A parser that calls the left half of every picture skin and the right half hair, at 32 px."""

    def parse(self, images: Tensor) -> Tensor:
        logits = torch.zeros(len(images), 19, 32, 32)
        logits[:, 1, :, :16] = 1.0
        logits[:, 17, :, 16:] = 1.0
        return logits
