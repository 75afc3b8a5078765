"""Shards of renders as training batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recipes.training.factors import known_factors, num_factors

# Classes whose error counts more: brows, eyes, mouth, lips (FACTS' order of the 19 classes).
DETAIL_CLASSES = (2, 3, 4, 5, 11, 12, 13)
DETAIL_WEIGHT = 4.0
FACE_CLASSES = (1, 2, 3, 4, 5, 10, 11, 12, 13)
# Left and right change places when a picture is mirrored.
MIRRORED_CLASSES = (0, 1, 3, 2, 5, 4, 6, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)


@dataclass(frozen=True)
class Batch:
    """Pictures (B, 3, R, R) in [-1, 1], labels (B, R, R) int64, latents (B, K), factors (B, F), attributes (B, A)."""

    images: Tensor
    labels: Tensor
    latents: Tensor
    factors: Tensor
    attributes: Tensor


class Shards:
    """The renders of a folder, memory-mapped; `refresh` takes in shards that have been written since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: set[Path] = set()
        self.images: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []
        self._small: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        self._lent: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self.latents = np.zeros((0, 0), np.float32)
        self.factors = np.zeros((0, num_factors()), np.float32)
        self.attributes = np.zeros((0, 0), np.float32)
        self.index = np.zeros((0, 2), np.int64)
        self.refresh()
        if not len(self):
            raise SystemExit(f"No shards in {folder}: run recipes.render_dataset first.")

    def __len__(self) -> int:
        return len(self.index)

    def refresh(self) -> None:
        """Add shards that were not there before."""
        for shard in sorted(self.folder.glob("shard_*")):
            if ".part" in shard.name or shard in self._seen or not (shard / "images.npy").exists():
                continue
            self._seen.add(shard)
            images = np.load(shard / "images.npy", mmap_mode="r")
            rows = np.stack([np.full(len(images), len(self.images)), np.arange(len(images))], 1)
            self.images.append(images)
            self.labels.append(np.load(shard / "labels.npy", mmap_mode="r"))
            latents = np.load(shard / "latents.npy")
            attributes = np.load(shard / "attributes.npy")
            self.factors = np.concatenate([self.factors, known_factors(latents)])
            self.latents = latents if not len(self.index) else np.concatenate([self.latents, latents])
            self.attributes = attributes if not len(self.index) else np.concatenate([self.attributes, attributes])
            self.index = np.concatenate([self.index, rows])

    def _shrunk(self, shard: int, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """A shard's pictures shrunk by area and labels by nearest pixel, kept in memory below their full size."""
        images, labels = self.images[shard], self.labels[shard]
        step = images.shape[1] // resolution
        if step == 1:
            return images, labels
        if (shard, resolution) not in self._small:
            count = len(images)
            blocks = images.reshape(count, resolution, step, resolution, step, 3)
            small = blocks.mean((2, 4), dtype=np.float32).round().astype(np.uint8)
            self._small[shard, resolution] = small, labels[:, step // 2 :: step, step // 2 :: step].copy()
        return self._small[shard, resolution]

    def _lend(self, device: torch.device, shard: int, resolution: int) -> tuple[Tensor, Tensor]:
        """A shard's pictures and labels on a card, where they stay: fetching them takes longer than a step."""
        if (shard, resolution) not in self._lent:
            images, labels = (torch.from_numpy(np.array(part)).to(device) for part in self._shrunk(shard, resolution))
            self._lent[shard, resolution] = images, labels
        return self._lent[shard, resolution]

    def _pictures(self, rows: np.ndarray, resolution: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Pictures (B, R, R, 3) and labels (B, R, R), both uint8 and on the device."""
        if device.type == "cpu":
            places = [(self._shrunk(shard, resolution), row) for shard, row in self.index[rows]]
            parts = ([pair[side][row] for pair, row in places] for side in (0, 1))
            images, labels = (torch.from_numpy(np.stack(part)) for part in parts)
            return images, labels
        lent = [(self._lend(device, shard, resolution), row) for shard, row in self.index[rows]]
        return torch.stack([pair[0][row] for pair, row in lent]), torch.stack([pair[1][row] for pair, row in lent])

    def batch(self, rows: np.ndarray, resolution: int, device: torch.device) -> Batch:
        """The pictures `rows` (B,) at `resolution`."""
        images, labels = self._pictures(rows, resolution, device)
        pictures = images.permute(0, 3, 1, 2).float()  # (B, 3, R, R)
        return Batch(
            (pictures / 127.5 - 1.0).contiguous(memory_format=torch.channels_last),
            labels.long(),
            torch.from_numpy(self.latents[rows]).to(device),
            torch.from_numpy(self.factors[rows]).to(device),
            torch.from_numpy(self.attributes[rows]).to(device),
        )

    def draw(self, random: np.random.Generator, size: int, resolution: int, device: torch.device) -> Batch:
        """A batch drawn at random."""
        return self.batch(random.integers(0, len(self), size), resolution, device)


def class_mask(labels: Tensor, classes: tuple[int, ...]) -> Tensor:
    """1 where a label is one of `classes`: (B, R, R) -> (B, 1, R, R)."""
    return torch.isin(labels, torch.tensor(classes, device=labels.device))[:, None].float()


def detail_weight(labels: Tensor) -> Tensor:
    """Weight of each pixel, (B, 1, R, R): 1, and more around eyes, brows and mouth."""
    mask = class_mask(labels, DETAIL_CLASSES)
    reach = max(labels.shape[-1] // 32, 1)
    mask = F.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)
    return 1.0 + (DETAIL_WEIGHT - 1.0) * mask


def face_psnr(images: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
    """PSNR in dB inside the face, (B,); images in [-1, 1]."""
    mask = class_mask(labels, FACE_CLASSES)
    error = ((images.clamp(-1, 1) - targets).square() * mask).sum(dim=(1, 2, 3)) / (3 * mask.sum(dim=(1, 2, 3)))
    return 10 * torch.log10(4.0 / error.clamp(min=1e-10))


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """PSNR in dB of whole pictures, (B,); images in [-1, 1]."""
    error = (images.clamp(-1, 1) - targets).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(4.0 / error.clamp(min=1e-10))
