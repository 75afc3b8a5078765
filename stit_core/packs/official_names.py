"""The names that NVIDIA's and rosinality's StyleGAN2 checkpoints give to the generator's parameters."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from stit_core.models.generator import Generator
from stit_core.models.ops import UPSAMPLING_GAIN, fir_kernel


class Slot(NamedTuple):
    """Where a file's parameter goes: its shape in the file, and our name for it (None: it must equal `value`)."""

    shape: tuple[int, ...]
    ours: str | None
    value: Tensor | None = None


def official_layer(layer: str, nvidia: bool) -> str:
    """The official name of one of our layers, blocks.b{R}.{conv0, conv1 or torgb}."""
    if nvidia:
        return layer.replace("blocks.", "synthesis.", 1)
    _, block, kind = layer.split(".")
    position = int(block[1:]).bit_length() - 4  # 8 px -> 0
    if block == "b4":
        return "to_rgb1" if kind == "torgb" else "conv1"
    return f"to_rgbs.{position}" if kind == "torgb" else f"convs.{2 * position + int(kind[-1])}"


def nvidia_slots(generator: Generator) -> dict[str, Slot]:
    """NVIDIA's names for the generator's parameters and for its filters."""
    slots: dict[str, Slot] = {}
    for ours, tensor in generator.state_dict().items():
        name = ours.replace("mapping_network.layers.", "mapping.fc").replace("mapping_network.", "mapping.")
        slots[name.replace("blocks.", "synthesis.")] = Slot(tuple(tensor.shape), ours)
    kernel = fir_kernel() / UPSAMPLING_GAIN
    for size in generator.channels:
        for part in ("", "conv1.") if size == 4 else ("", "conv0.", "conv1."):
            slots[f"synthesis.b{size}.{part}resample_filter"] = Slot((4, 4), None, kernel)
    return slots


_ROSINALITY_PARTS = {"weight": "conv.weight", "bias": "activate.bias", "noise_strength": "noise.weight"}


def rosinality_slots(generator: Generator) -> dict[str, Slot]:
    """Rosinality's names and shapes for the generator's parameters and for its filters."""
    slots: dict[str, Slot] = {}
    for ours, tensor in generator.state_dict().items():
        shape = tuple(tensor.shape)
        if ours == "mapping_network.w_avg":
            continue
        if ours.startswith("mapping_network."):
            _, _, index, kind = ours.split(".")
            slots[f"style.{int(index) + 1}.{kind}"] = Slot(shape, ours)
        elif ours.endswith(".const"):
            slots["input.input"] = Slot((1, *shape), ours)
        else:
            _, block, layer, *parts = ours.split(".")
            official = official_layer(f"blocks.{block}.{layer}", nvidia=False)
            if parts == ["noise_const"]:
                plane = 2 * (int(block[1:]).bit_length() - 3) - (layer == "conv0")
                slots[f"noises.noise_{plane}"] = Slot((1, 1, *shape), ours)
            elif parts[0] == "affine":
                slots[f"{official}.conv.modulation.{parts[1]}"] = Slot(shape, ours)
            elif layer == "torgb" and parts == ["bias"]:
                slots[f"{official}.bias"] = Slot((1, 3, 1, 1), ours)
            else:
                extended = shape if parts == ["bias"] else (1, *shape)
                slots[f"{official}.{_ROSINALITY_PARTS[parts[0]]}"] = Slot(extended, ours)
    for position in range(len(generator.channels) - 1):
        slots[f"convs.{2 * position}.conv.blur.kernel"] = Slot((4, 4), None, fir_kernel())
        slots[f"to_rgbs.{position}.upsample.kernel"] = Slot((4, 4), None, fir_kernel())
    return slots
