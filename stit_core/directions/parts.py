"""Which parts of the head a direction changes, measured on pairs of crops that differ by it. Source: ours.

Where each person is in both classes, the pairs are pictures of one person, so that what the generator changes besides
does not count. Elsewhere they are the generator's own heads, moved both ways along the direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from stit_core.directions.labelled_pictures import PictureEntry, UnusablePicture, decode, person_of
from stit_core.directions.picture_latents import make_crop
from stit_core.directions.preview import TRUNCATION
from stit_core.faces.changed_parts import SIDE, part_changes, typical_changes
from stit_core.images import to_model, to_picture
from stit_core.packs.loading import Models
from stit_core.regions import PARTS
from stit_core.runtime import Runtime

STAGE = "parts"
PAIRS = 40  # pairs of pictures at most
HEADS = 24  # drawn instead where no person is in both classes
FACTOR = 1.5  # of the direction, each way
CropPair = tuple[np.ndarray, np.ndarray]


def pictured_changes(
    entries: Sequence[tuple[PictureEntry, PictureEntry]], models: Models, aligned: bool, runtime: Runtime
) -> dict[str, float]:
    """How much each part changes between pairs of pictures; see `measure_changes`, and `make_crop` for `aligned`."""
    pairs = picture_pairs(entries, models.pack.resolution, aligned)
    return measure_changes(pairs, len(entries), models, runtime)


def drawn_changes(vector: np.ndarray, models: Models, seed: int, runtime: Runtime) -> dict[str, float]:
    """How much each part changes along a direction (L, 512) in what the generator draws; see `measure_changes`."""
    return measure_changes(drawn_pairs(vector, models, seed), HEADS, models, runtime)


def pair_entries(
    entries: Sequence[PictureEntry], classes: tuple[str, str], seed: int
) -> list[tuple[PictureEntry, PictureEntry]]:
    """One picture of either class for each person who is in both, at most PAIRS people, drawn by `seed`."""
    one, other = ({person_of(e.name): e for e in reversed(entries) if e.label == label} for label in classes)
    people = sorted(set(one) & set(other))
    chosen = np.random.default_rng(seed).permutation(len(people))[:PAIRS]
    return [(one[people[place]], other[people[place]]) for place in sorted(chosen)]


def picture_pairs(
    entries: Iterable[tuple[PictureEntry, PictureEntry]], size: int, aligned: bool
) -> Iterator[CropPair | None]:
    """The crops (size, size, 3) of pairs of pictures, None for a pair that cannot be used; see `make_crop`."""
    crop = make_crop(size, aligned)
    for first, second in entries:
        try:
            yield crop(decode(first.read())), crop(decode(second.read()))
        except UnusablePicture:
            yield None


def drawn_pairs(vector: np.ndarray, models: Models, seed: int) -> Iterator[CropPair]:
    """HEADS of the generator's heads at both ends of a direction (L, 512), each (S, S, 3); the same for a seed."""
    generator = models.generator
    offset = torch.from_numpy(np.ascontiguousarray(vector)).to(models.device) * FACTOR
    latents = torch.randn(HEADS, generator.z_dim, generator=torch.Generator().manual_seed(seed))
    for z in latents.split(1):
        with torch.inference_mode():
            w_plus = generator.mapping(z.to(models.device), TRUNCATION)
            low, high = (generator.synthesis(w_plus + sign * offset) for sign in (-1.0, 1.0))
        yield to_picture(low)[0], to_picture(high)[0]


def measure_changes(pairs: Iterable[CropPair | None], total: int, models: Models, runtime: Runtime) -> dict[str, float]:
    """How much each part changes between the crops of the pairs: part -> median distance in CIELAB.

    Parameters
    ----------
    pairs: crops (S, S, 3) uint8 of any size; None is passed over. total: how many.
    models: the parser is used.
    runtime: progress and stop, one step a pair.

    Returns
    -------
    Parts that are seen in any pair; empty without pairs.

    Raises
    ------
    Cancelled: the run was stopped.
    """
    found = [np.full(len(PARTS), np.nan)]
    runtime.step(STAGE, 0, total)
    for done, pair in enumerate(pairs, start=1):
        if pair is not None:
            first, second = (cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for crop in pair)
            labels = _parse(np.stack(pair), models)
            found.append(part_changes(first, second, labels[0], labels[1]))
        runtime.step(STAGE, done, total)
    return typical_changes(np.stack(found))


@torch.inference_mode()
def _parse(crops: np.ndarray, models: Models) -> np.ndarray:
    """Classes (B, SIDE, SIDE) uint8 of crops (B, S, S, 3)."""
    logits = models.parser.parse(to_model(crops).to(models.device)).float()
    if logits.shape[-2:] != (SIDE, SIDE):
        logits = F.interpolate(logits, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return logits.argmax(dim=1).to(torch.uint8).cpu().numpy()  # type: ignore[no-any-return]
