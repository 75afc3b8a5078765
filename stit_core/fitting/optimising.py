"""What tuning and stitching share: a generator of their own to fit, rates, Adam on rows, atomic checkpoints."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from stit_core.errors import ConfigError, StitError, StoreError
from stit_core.models.generator import Generator

ADAM_EPSILON = 1e-8


def own_copy(generator: Generator, device: torch.device, state: Mapping[str, Tensor] | None = None) -> Generator:
    """One copy of `generator` to fit, channels_last on `device`, optionally with the weights `state`.

    Only what tuning moves asks for gradients: the mapping network takes no part in synthesis. Called once per clip.
    """
    net = copy.deepcopy(generator).eval()
    if state is not None:
        try:
            net.load_state_dict(dict(state))
        except RuntimeError as error:
            raise StoreError(
                "The tuned weights do not fit this pack's generator.", "Run the tuning again with this pack."
            ) from error
    net = net.to(device)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this form
    net.requires_grad_(False)
    for parameter in net.synthesis_parameters():
        parameter.requires_grad_(True)
    return net


def cpu_state(generator: Generator) -> dict[str, Tensor]:
    """The generator's state_dict as contiguous tensors of its own on the CPU."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous(memory_format=torch.contiguous_format)
        for name, tensor in generator.state_dict().items()
    }


def adam(generator: Generator, lr: float, beta1: float = 0.9, beta2: float = 0.999) -> torch.optim.Adam:
    """Adam on the generator's synthesis weights, in its fused form, which is several times faster on a CPU."""
    parameters = [p for p in generator.synthesis_parameters() if p.requires_grad]
    return adam_on([{"params": parameters, "lr": lr}], beta1, beta2)


def adam_on(groups: list[dict[str, Any]], beta1: float = 0.9, beta2: float = 0.999) -> torch.optim.Adam:
    """Fused Adam on groups of parameters, each with its rate: [{"params": [...], "lr": 1e-3}, ...]."""
    fused = groups[0]["params"][0].device.type in ("cpu", "cuda")
    return torch.optim.Adam(groups, betas=(beta1, beta2), eps=ADAM_EPSILON, fused=fused)


def cosine_rate(step: int, steps: int, final: float) -> float:
    """What a rate is multiplied by at `step` of `steps`: 1 at the first, falling along a cosine to `final`."""
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * step / max(steps, 1)))


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Give every group of parameters the learning rate `lr`."""
    for group in optimiser.param_groups:
        group["lr"] = lr


class RowAdam:
    """Adam on a table of which only the rows of a batch move, each with a step count of its own.

    Parameters
    ----------
    table: (T, ...) float32, changed in place.
    beta1, beta2: Adam's decay rates.

    Source: Kingma and Ba, "Adam" (2015), algorithm 1, row by row.
    """

    def __init__(self, table: Tensor, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.table = table
        self.betas = (beta1, beta2)
        self.mean = torch.zeros_like(table)
        self.square = torch.zeros_like(table)
        self.count = torch.zeros(table.shape[0])

    def step(self, rows: Tensor, gradient: Tensor, lr: float) -> None:
        """Move the rows (B,) of the table by their gradient (B, ...); a row may stand in `rows` once only."""
        beta1, beta2 = self.betas
        gradient = gradient.to(self.table)
        self.count[rows] += 1
        self.mean[rows] = beta1 * self.mean[rows] + (1 - beta1) * gradient
        self.square[rows] = beta2 * self.square[rows] + (1 - beta2) * gradient.square()
        count = self.count[rows].reshape(-1, *[1] * (gradient.ndim - 1)).to(self.table)
        mean = self.mean[rows] / (1 - beta1**count)
        square = self.square[rows] / (1 - beta2**count)
        self.table[rows] -= lr * mean / (square.sqrt() + ADAM_EPSILON)

    def state(self, name: str) -> dict[str, Tensor]:
        """Table and moments as tensors whose names begin with `name`, to be kept on disk."""
        parts = {"table": self.table, "mean": self.mean, "square": self.square, "count": self.count}
        return {f"{name}.{part}": tensor for part, tensor in parts.items()}

    def load(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        parts = {"table": self.table, "mean": self.mean, "square": self.square, "count": self.count}
        for part, tensor in parts.items():
            tensor.copy_(tensors[f"{name}.{part}"])


def adam_state(optimiser: torch.optim.Adam) -> dict[str, Tensor]:
    """Adam's moments and step counts as flat, named tensors."""
    found: dict[str, Tensor] = {}
    for index, entry in optimiser.state_dict()["state"].items():
        found |= {f"adam.{index}.{name}": value for name, value in entry.items()}
    return found


def load_adam_state(optimiser: torch.optim.Adam, tensors: Mapping[str, Tensor]) -> None:
    """Take over what `adam_state` gave.

    The moments get their weight's memory layout: fused Adam walks through both in the order in which they lie.
    """
    weights = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("adam."):
            _, index, part = name.split(".")
            weight = weights[int(index)]
            shaped = torch.empty_like(weight).copy_(value) if value.shape == weight.shape and part != "step" else value
            state.setdefault(int(index), {})[part] = shaped
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def save_checkpoint(file: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
    """Write tensors and JSON facts as one safetensors file, whole or not at all. Raises OSError as the disk does."""
    plain = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    part = file.with_suffix(".part")
    try:
        with part.open("wb") as handle:
            handle.write(save(plain, metadata={"facts": json.dumps(facts)}))
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(file: Path) -> tuple[dict[str, Tensor], dict[str, object]] | None:
    """What `save_checkpoint` wrote, or None where there is no file that can be read: the work is then done again."""
    try:
        with safe_open(file, framework="pt") as handle:
            facts = json.loads((handle.metadata() or {}).get("facts", "null"))
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError):
        return None
    return (tensors, facts) if isinstance(facts, dict) else None


def add_to_digest(digest: hashlib._Hash, tensors: Iterable[Tensor]) -> None:
    """Feed the bytes of tensors to a digest, without a copy of those that lie on the CPU in one piece."""
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().reshape(-1).view(np.uint8).data)


def check_finite(value: float, what: str, step: int) -> None:
    """Raise StitError when a loss is no number any more."""
    if not math.isfinite(value):
        raise StitError(
            f"The {what} loss became {value} at step {step}.",
            "Lower the learning rate (lr), or run in float32 if half precision is on.",
        )


def check_size(size: int, generator: Generator) -> None:
    """Raise ConfigError unless crops of `size` px are what the generator makes."""
    if size != generator.resolution:
        raise ConfigError(
            f"The crops are {size} px wide but the generator makes {generator.resolution} px.",
            "Align the clip again with this pack.",
        )
