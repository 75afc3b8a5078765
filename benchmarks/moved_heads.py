"""Held-out heads moved along directions, and what the instruments read on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.groups import choose_evenly, group_indices
from benchmarks.landmark_figures import BY_PARSER, DEFINITIONS, PointReader, shoulder_tilt
from recipes.training.data import Shards
from stit_core.images import to_picture
from stit_core.packs.loading import Models
from stit_core.review.landmark_figures import landmark_figures

BATCH = 8
BALANCED_OVER = ("ethnicity shape", "gender", "age")


@dataclass(frozen=True)
class Reading:
    """What the instruments say of N pictures.

    Attributes
    ----------
    attributes: (N, A) by the attribute network.
    figures: name -> (N,) by dlib's points and the parser; NaN where they see nothing. Empty where not asked for.
    embeddings: (N, D) by the identity network; empty (0, 0) where not asked for.
    """

    attributes: np.ndarray
    figures: Mapping[str, np.ndarray]
    embeddings: np.ndarray


class Instruments:
    """The pack's networks and dlib's points."""

    def __init__(self, models: Models) -> None:
        self.models, self.points = models, PointReader()

    @torch.inference_mode()
    def read(self, images: Tensor, figures: Sequence[str] = (), identity: bool = False) -> Reading:
        """Read pictures (N, 3, R, R) in [-1, 1]; of DEFINITIONS' `figures` only those that are named."""
        attributes = self.models.attributes.attributes(images).float().cpu().numpy()
        found: dict[str, np.ndarray] = {}
        if set(figures) - BY_PARSER:
            rows = [self._figures(picture) for picture in to_picture(images)]
            found |= {name: np.array([row.get(name, np.nan) for row in rows]) for name in figures}
        if set(figures) & BY_PARSER:
            logits = F.interpolate(self.models.parser.parse(images), size=images.shape[-2:], mode="bilinear")
            labels = logits.argmax(1).cpu().numpy()  # (N, R, R)
            found["roll"] = np.array([shoulder_tilt(classes) for classes in labels])
        embeddings = self.models.identity.embed(images).cpu().numpy() if identity else np.zeros((0, 0))
        return Reading(attributes, found, embeddings)

    def _figures(self, picture: np.ndarray) -> dict[str, float]:
        points = self.points.find(picture)
        return {} if points is None else landmark_figures(points)

    @torch.inference_mode()
    def read_latents(self, w_plus: Tensor, figures: Sequence[str] = (), identity: bool = False) -> Reading:
        """Read what the generator makes of w_plus (N, L, 512), BATCH pictures at a time."""
        parts = []
        for part in w_plus.split(BATCH):
            images = self.models.generator.synthesis(part.to(self.models.device)).clamp(-1, 1)
            parts.append(self.read(images, figures, identity))
        return joined(parts)


def joined(parts: Sequence[Reading]) -> Reading:
    """Readings of successive pictures as one."""
    figures = {name: np.concatenate([part.figures[name] for part in parts]) for name in parts[0].figures}
    return Reading(
        np.concatenate([part.attributes for part in parts]),
        figures,
        np.concatenate([part.embeddings for part in parts]),
    )


def read_renders(instruments: Instruments, renders: Shards, count: int, step: Callable[[int], object]) -> Reading:
    """Every figure of the first `count` renders, `step` being told how many more are done."""
    parts = []
    for first in range(0, count, BATCH):
        rows = np.arange(first, min(first + BATCH, count))
        images = renders.batch(rows, instruments.models.generator.resolution, instruments.models.device).images
        parts.append(instruments.read(images, (*DEFINITIONS, "eye_line")))
        step(len(rows))
    return joined(parts)


def choose_heads(attributes: np.ndarray, names: Sequence[str], usable: np.ndarray, count: int) -> np.ndarray:
    """Rows of `count` heads, spread evenly over ethnicity shape, gender and age and over their combinations.

    Parameters
    ----------
    attributes: (N, A) with columns `names`.
    usable: (N,) bool, the heads to choose from.

    Returns
    -------
    Rows, ascending; all usable ones where there are not more.
    """
    rows = np.flatnonzero(usable)
    groups = group_indices(attributes[rows], names)
    chosen = {name: groups[name] for name in BALANCED_OVER}
    cell = np.zeros(len(rows), np.int64)
    for members, member in chosen.values():
        cell = cell * len(members) + member
    chosen["all three"] = ((), cell)
    return rows[choose_evenly(chosen, count)]


@torch.inference_mode()
def encode_heads(models: Models, renders: Shards, rows: np.ndarray) -> Tensor:
    """The encoder's w_plus (N, L, 512) of renders, on the CPU."""
    parts = []
    for first in range(0, len(rows), BATCH):
        batch = renders.batch(rows[first : first + BATCH], models.generator.resolution, models.device)
        parts.append(models.encoder.encode(batch.images).cpu())
    return torch.cat(parts)


@dataclass(frozen=True)
class Moved:
    """Readings of N heads at F ascending factors: attributes (N, F, A), figure (N, F) if there is one, cosines (N, 2).

    The cosines are those of the identity at the lowest and the highest factor with factor 0.
    """

    attributes: np.ndarray
    figure: np.ndarray | None
    cosines: np.ndarray


def move_heads(
    instruments: Instruments,
    w_plus: Tensor,
    vector: np.ndarray,
    factors: Sequence[float],
    still: Reading,
    name: str = "",
) -> Moved:
    """Move heads along a direction.

    Parameters
    ----------
    w_plus: (N, L, 512).
    vector: the direction (L, 512).
    factors: ascending, 0 among them.
    still: the heads' reading at factor 0.
    name: of the attribute to read with an independent instrument as well, with the identity at the outer factors; empty
        for the attribute network's reading alone.
    """
    figures, outer = [name] if name in DEFINITIONS else [], (factors[0], factors[-1])
    step = torch.from_numpy(vector)
    readings = [
        still
        if factor == 0
        else instruments.read_latents(w_plus + factor * step, figures, identity=bool(name) and factor in outer)
        for factor in factors
    ]
    attributes = np.stack([reading.attributes for reading in readings], axis=1)  # (N, F, A)
    figure = np.stack([reading.figures[name] for reading in readings], axis=1) if figures else None
    ends = [readings[0], readings[-1]] if name else []
    cosines = [(reading.embeddings * still.embeddings).sum(axis=1) for reading in ends]
    return Moved(attributes, figure, np.stack(cosines, axis=1) if cosines else np.zeros((len(w_plus), 0)))
