"""Fit the reader to labels and places of occluded, distorted renders, and to the true motion between two of a pair.

Places are taught under glasses, hands and hats too, so that what hides a face does not bend its map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from recipes.heads.surface import L_CLOTH, L_EARRING, L_HAIR
from recipes.occluders import occlude
from recipes.occluders.canvas import HEAD_CLASSES, Canvas
from recipes.render_pairs import PLACE_STEPS
from recipes.training.data import MIRRORED_CLASSES
from recipes.training.looks import photograph
from recipes.training.loop import Figures, Phase
from stit_core.models.reader import CompactReader
from stit_core.runtime import cores

NUM_CLASSES = 19
MAP_SIZE = 128  # of the reader's places
CLOTH_SHARE, HAIR_SHARE = 0.2, 0.3  # weights of places on cloth, and of strands, whose truth is as rough as they are
DETAIL_CLASSES = (2, 3, 4, 5, 10, 11, 12, 13)  # brows, eyes, nose, mouth, lips: small, and what edits move
DETAIL_WEIGHT = 4.0
PLAIN_SHARE = 0.2  # of the pairs that nothing is painted over
JPEG_SHARE = 0.4
PIXELS = 100.0  # about as many pixels at 256 px are one unit of places
EDGE = 0.05  # places that differ by more between neighbours lie on two sides of an edge
MOVING_SHARE, MOST_MOTION = 0.6, 8.0  # what a pixel of motion adds to a point's weight in the loss of pairs
RARITY = 0.25  # power of a class's frequency
EARRING_GAIN = 3.0  # they are so few that they would not be learned
REFRESH_STEPS = 100  # after which pairs that were rendered meanwhile are taken in
AVERAGE = 0.995
WEIGHTS = {"labels": 2.5, "places": 0.06, "slopes": 0.4, "pairs": 0.5}


@dataclass(frozen=True)
class PairBatch:
    """B pairs: images (B, 2, 3, S, S) in [-1, 1], labels (B, 2, S, S) int64 as they are seen, bare labels without
    what hides the head, places (B, 2, 3, S, S), motion (B, 2, S, S) in pixels with NaN."""

    images: Tensor
    labels: Tensor
    bare: Tensor
    places: Tensor
    motion: Tensor


class PairShards:
    """The pairs of a folder that `recipes.render_pairs` wrote, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards: dict[Path, dict[str, np.ndarray]] = {}
        self.index: list[tuple[Path, int]] = []
        self.refresh()
        if not self.index:
            raise SystemExit(f"No shards in {folder}: run recipes.render_pairs first.")

    def __len__(self) -> int:
        return len(self.index)

    def refresh(self) -> None:
        """Add shards that were not there before."""
        for shard in sorted(self.folder.glob("shard_*")):
            if ".part" not in shard.name and shard not in self.shards:
                names = ("images", "labels", "places", "motion", "landmarks")
                parts = {name: np.load(shard / f"{name}.npy", mmap_mode="r") for name in names}
                self.shards[shard] = parts
                self.index += [(shard, row) for row in range(len(parts["images"]))]

    def draw(self, rows: np.ndarray, seeds: np.ndarray | None) -> Drawn:
        """The pairs `rows` (B,), with what hides heads by `seeds` (B,); None leaves all of them bare."""
        images, labels, bare, places, motion = [], [], [], [], []
        for place, row in enumerate(rows):
            shard, number = self.index[row]
            parts = self.shards[shard]
            for side in (0, 1):
                picture, classes = parts["images"][number, side], parts["labels"][number, side]
                bare.append(classes)
                if seeds is not None:
                    picture, classes = hidden(picture, classes, parts["landmarks"][number, side], int(seeds[place]))
                images.append(picture)
                labels.append(classes)
                places.append(parts["places"][number, side])
            motion.append(parts["motion"][number])
        return tuple(torch.from_numpy(np.stack(part)) for part in (images, labels, bare, places, motion))

    def batch(self, rows: np.ndarray, seeds: np.ndarray | None, device: torch.device) -> PairBatch:
        """What `draw` gives, as networks take it."""
        return as_batch(self.draw(rows, seeds), device)


# Of pairs, as stored: images, labels, bare labels and places of both of each pair in a row, (2B, ...); motion (B, ...).
Drawn = tuple[Tensor, ...]


def as_batch(drawn: Drawn, device: torch.device) -> PairBatch:
    """Pairs as networks take them, on a device."""
    images, labels, bare, places, motion = (part.to(device) for part in drawn)
    return PairBatch(
        images.unflatten(0, (-1, 2)).permute(0, 1, 4, 2, 3).float() / 127.5 - 1.0,  # (B, 2, 3, S, S)
        labels.unflatten(0, (-1, 2)).long(),
        bare.unflatten(0, (-1, 2)).long(),
        places.unflatten(0, (-1, 2)).permute(0, 1, 4, 2, 3).float() / PLACE_STEPS,  # (B, 2, 3, S, S)
        motion.permute(0, 3, 1, 2).float(),  # (B, 2, S, S)
    )


class _Batches(Dataset[Drawn]):
    """The pairs of each step by its number, for other processes to draw: painting takes longer than a card's step."""

    def __init__(self, shards: PairShards, batch: int, seed: int) -> None:
        self.shards, self.batch, self.seed = shards, batch, seed
        self._refreshed = 0

    def __getitem__(self, number: int) -> Drawn:
        if number // REFRESH_STEPS > self._refreshed:
            self._refreshed = number // REFRESH_STEPS
            self.shards.refresh()
        random = np.random.default_rng([self.seed, 43, number])
        rows = random.integers(0, len(self.shards), self.batch)
        return self.shards.draw(rows, random.integers(0, 1 << 31, self.batch))


def _in_one_thread(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def batches(shards: PairShards, batch: int, seed: int, first: int, workers: int) -> Iterator[Drawn]:
    """The pairs of step `first` and of all after it, drawn ahead by `workers` processes; 0 draws them in this one."""
    return iter(
        DataLoader(
            _Batches(shards, batch, seed),
            batch_size=None,
            sampler=range(first, 1 << 40),
            num_workers=workers,
            worker_init_fn=_in_one_thread,
        )
    )


def hidden(image: np.ndarray, labels: np.ndarray, landmarks: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture (S, S, 3) uint8 and its labels with what hides faces, now and then after JPEG."""
    rng = np.random.default_rng([seed, 73])
    canvas = Canvas.of(image, labels, landmarks)
    if rng.random() >= PLAIN_SHARE:
        occlude(canvas, seed)
    picture = np.clip(np.round(canvas.image), 0, 255).astype(np.uint8)
    if rng.random() < JPEG_SHARE:
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))])
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return picture, canvas.labels


def similarity(count: int, random: np.random.Generator) -> Tensor:
    """A random similarity and shear for each pair, (count, 3, 3): from the new picture's [-1, 1] to the old one's."""
    angle, zoom = random.normal(0, 0.22, count), np.exp(random.normal(0, 0.16, count))
    matrix = np.zeros((count, 3, 3), np.float32)
    matrix[:, 0] = np.stack(
        [np.cos(angle) * zoom, -np.sin(angle) * zoom + random.normal(0, 0.06, count), random.normal(0, 0.1, count)], 1
    )
    matrix[:, 1] = np.stack([np.sin(angle) * zoom, np.cos(angle) * zoom, random.normal(0, 0.1, count)], 1)
    matrix[:, 2, 2] = 1
    if random.random() < 0.5:
        matrix[:, :2, 0] *= -1
    return torch.from_numpy(matrix)


def moved(batch: PairBatch, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Both pictures of each pair under one similarity (B, 3, 3), a tensor of the processor's.

    Returns images (2B, 3, S, S), labels (2B, S, S), places (2B, 3, M, M), their weights (2B, 1, M, M); and for the
    first pictures' map the places in [-1, 1] of the second pictures where each point has gone (B, M, M, 2), with its
    weight (B, 1, M, M). M is MAP_SIZE.
    """
    count, size, device = batch.motion.shape[0], batch.motion.shape[-1], batch.motion.device
    mirrored, inverse = (matrix.det() < 0).to(device), torch.linalg.inv(matrix).to(device)
    both = matrix.repeat_interleave(2, 0).to(device)
    full = F.affine_grid(both[:, :2], [2 * count, 1, size, size], align_corners=False)
    small = F.affine_grid(both[:, :2], [2 * count, 1, MAP_SIZE, MAP_SIZE], align_corners=False)
    images = F.grid_sample(batch.images.flatten(0, 1), full, padding_mode="border", align_corners=False)
    seen, bare = (
        F.grid_sample(each.flatten(0, 1)[:, None].float(), grid, "nearest", "border", align_corners=False)[:, 0].long()
        for each, grid in ((batch.labels, full), (batch.bare, small))
    )
    inside = (small.abs() < 1).all(-1)[:, None].float()
    places = F.grid_sample(batch.places.flatten(0, 1), small, padding_mode="border", align_corners=False)
    weight = inside * place_weight(bare)
    # Bilinear sampling mixes the head with the background's zeros along its outline.
    weight = weight * (-F.max_pool2d(-(bare != 0).float()[:, None], 3, 1, 1))
    flip = mirrored.repeat_interleave(2)
    places = torch.cat([torch.where(flip[:, None, None, None], -places[:, :1], places[:, :1]), places[:, 1:]], 1)
    swapped = torch.tensor(MIRRORED_CLASSES, device=seen.device)[seen]
    seen = torch.where(flip[:, None, None], swapped, seen)
    motion = F.grid_sample(batch.motion, small[::2], "nearest", align_corners=False).permute(0, 2, 3, 1)
    known = ~motion.isnan().any(-1)
    target = small[::2] + motion.nan_to_num() * (2.0 / size)
    target = torch.einsum("bij,bxyj->bxyi", inverse[:, :2, :2], target) + inverse[:, None, None, :2, 2]
    # What stays where it is is most of a pair, and would teach that nothing moves.
    moving = 1 + MOVING_SHARE * motion.nan_to_num().norm(dim=-1).clamp(max=MOST_MOTION)[:, None]
    pair_weight = known[:, None].float() * moving * weight[::2] * (target.abs() < 1).all(-1)[:, None]
    return images, seen, places, weight, target, pair_weight


def place_weight(labels: Tensor) -> Tensor:
    """How much the place of each pixel counts, (B, M, M) -> (B, 1, M, M): most around eyes, nose and mouth."""

    def share(classes: tuple[int, ...]) -> Tensor:
        return torch.isin(labels, torch.tensor(classes, device=labels.device)).float()[:, None]  # (B, 1, M, M)

    around = F.max_pool2d(share(DETAIL_CLASSES), 5, 1, 2)
    head = share(HEAD_CLASSES) * (1 - (1 - HAIR_SHARE) * share((L_HAIR,)))
    return head * (1 + (DETAIL_WEIGHT - 1) * around) + CLOTH_SHARE * share((L_CLOTH,))


def place_losses(
    found: Tensor, places: Tensor, weight: Tensor, target: Tensor, pair_weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean errors in pixels at 256 px: of places, of their slopes, and between the two pictures of each pair."""
    total = weight.sum().clamp(min=1)
    error = F.smooth_l1_loss(found, places, reduction="none", beta=0.01).sum(1, keepdim=True)
    by_place = PIXELS * (error * weight).sum() / total
    slopes = torch.zeros((), device=found.device)
    for step in (1, 2):
        for axis in (2, 3):
            a, b = (each.narrow(axis, step, MAP_SIZE - step) for each in (found, places))
            c, d = (each.narrow(axis, 0, MAP_SIZE - step) for each in (found, places))
            smooth = ((b - d).abs().amax(1, keepdim=True) < EDGE * step).float()
            inside = weight.narrow(axis, step, MAP_SIZE - step) * weight.narrow(axis, 0, MAP_SIZE - step) * smooth
            slopes = slopes + (((a - c) - (b - d)).abs().sum(1, keepdim=True) * inside).sum() / inside.sum().clamp(
                min=1
            )
    first, second = found[::2], found[1::2]
    there = F.grid_sample(second, target, padding_mode="border", align_corners=False)
    truth = F.grid_sample(places[1::2], target, padding_mode="border", align_corners=False)
    # Where the second picture's own place is another one, an edge runs through the samples.
    same = ((truth - places[::2]).abs().amax(1, keepdim=True) < 0.5 * EDGE).float() * pair_weight
    by_pair = PIXELS * ((there - first).abs().sum(1, keepdim=True) * same).sum() / same.sum().clamp(min=1)
    return by_place, PIXELS * slopes / 4, by_pair


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of logits (B, C, M, M) with all labels (B, k M, k M) that lie in each of their pixels."""
    step = labels.shape[-1] // logits.shape[-1]
    blocks = F.pixel_unshuffle(labels[:, None].float(), step).long()  # (B, k k, M, M)
    weight = weights[blocks]
    return -(logits.log_softmax(1).gather(1, blocks) * weight).sum() / weight.sum()


def class_weights(shards: PairShards, count: int = 150) -> Tensor:
    """Weights (19,) that fall with each class's frequency over hidden pictures, mean 1 where present.

    Gently: with its inverse square root thin classes were drawn too thick, and earrings where there were none.
    """
    rows = np.linspace(0, len(shards) - 1, count).astype(int)
    counts = np.zeros(NUM_CLASSES)
    for row in rows:
        labels = shards.batch(np.array([row]), np.array([row]), torch.device("cpu")).labels
        counts += np.bincount(labels.numpy().ravel(), minlength=NUM_CLASSES)
    present = counts > 0
    weights = np.where(present, np.maximum(counts / counts.sum(), 1e-4) ** -RARITY, 0.0)
    weights /= weights[present].mean()
    weights[L_EARRING] *= EARRING_GAIN
    return torch.from_numpy(weights.astype(np.float32))


def reader_step(reader: CompactReader, batch: PairBatch, weights: Tensor, random: np.random.Generator) -> Figures:
    """One step on a batch; leaves gradients behind, returns the losses."""
    images, labels, *places = moved(batch, similarity(len(batch.motion), random))
    look = int(random.integers(0, 1 << 31))
    # The two of a pair are two drawings of one moment: one light, one camera.
    for side in (0, 1):
        images[side::2] = photograph(images[side::2], np.random.default_rng(look))
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, torch.bfloat16):
        logits, found = reader.read(images, full_size=False)
    losses = dict(zip(("places", "slopes", "pairs"), place_losses(found, *places), strict=True))
    losses["labels"] = label_loss(logits.float(), labels, weights)
    torch.stack([WEIGHTS[name] * loss for name, loss in losses.items()]).sum().backward()
    return {name: loss.detach() for name, loss in losses.items()}


def reader_phase(
    reader: CompactReader,
    train: PairShards,
    held_out: PairShards,
    section: dict[str, Any],
    seed: int,
    device: torch.device,
) -> Phase:
    """A phase that fits the reader."""
    cv2.setNumThreads(1)
    weights = class_weights(train).to(device)
    optimiser = torch.optim.AdamW(reader.parameters(), lr=section["lr"], weight_decay=1e-4, fused=True)
    workers = 0 if device.type == "cpu" else max(1, cores() // 2)
    drawn: list[Iterator[Drawn]] = []

    def step(number: int) -> Figures:
        if not drawn:  # begun with the step at which training goes on
            drawn.append(batches(train, section["batch"], seed, number, workers))
        batch = as_batch(next(drawn[0]), device)
        return reader_step(reader, batch, weights, np.random.default_rng([seed, 41, number]))

    def evaluate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, CompactReader)
        return evaluate_reader(module, held_out, device)

    return Phase("reader", reader, optimiser, step, evaluate, section["minutes"], average=AVERAGE)


@torch.no_grad()
def for_use(reader: CompactReader) -> CompactReader:
    """The reader with its prior of earrings set right: they weighed more in training than they are frequent."""
    reader.classify.get_parameter("bias")[L_EARRING] -= math.log(EARRING_GAIN)
    return reader


def as_trained(bias: Tensor) -> Tensor:
    """The bias (19,) of the classes of a reader in use, as training left it: undoes `for_use`."""
    bias = bias.clone()
    bias[L_EARRING] += math.log(EARRING_GAIN)
    return bias


@torch.no_grad()
def evaluate_reader(
    reader: CompactReader, held_out: PairShards, device: torch.device, count: int = 40
) -> dict[str, float]:
    """Mean IoU of bare and hidden pictures, and the losses of places, over the first pairs held out."""
    reader.eval()
    figures: dict[str, float] = {}
    for name in ("bare", "hidden"):
        confusion = torch.zeros(NUM_CLASSES, NUM_CLASSES)
        sums = np.zeros(3)
        for first in range(0, min(count, len(held_out)), 8):
            rows = np.arange(first, min(first + 8, len(held_out)))
            batch = held_out.batch(rows, None if name == "bare" else rows + 10_000, device)
            images, labels, *places = moved(batch, torch.eye(3).repeat(len(rows), 1, 1))
            logits, found = reader.read(images)
            pairs = torch.bincount((labels * NUM_CLASSES + logits.argmax(1)).flatten(), minlength=NUM_CLASSES**2)
            confusion += pairs.reshape(NUM_CLASSES, NUM_CLASSES).cpu()
            sums += [float(loss) for loss in place_losses(found, *places)]
        ious = class_ious(confusion.numpy())
        figures[f"miou_{name}"] = float(np.nanmean(ious))
        if name == "hidden":
            figures |= {"glasses": ious[6], "earring": ious[9], "hat": ious[18]}
        names = (f"{what}_{name}" for what in ("places", "slopes", "pairs"))
        rounds = math.ceil(min(count, len(held_out)) / 8)
        figures |= {key: float(value) / rounds for key, value in zip(names, sums, strict=True)}
    return figures


def class_ious(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union (C,) of a confusion matrix (C true, C found); NaN for classes that never occur."""
    both, true, found = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    return np.where(true > 0, both / np.maximum(true + found - both, 1), np.nan)  # type: ignore[no-any-return]
