"""Which folds and wrinkles of skin come with a direction, learned from pairs of pictures that differ by it.

A generator of a few million weights draws them faintly or not at all; the pictures that a direction is learned from
show them. Source: ours, after the mean difference in texture of Rowland and Perrett, "Manipulating Facial Appearance
through Shape and Color" (1995).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import cv2
import numpy as np

from stit_core.directions.parts import CropPair
from stit_core.faces.reading import read_faces
from stit_core.faces.relief import SHAPE, read_relief, unroll
from stit_core.packs.loading import Models
from stit_core.runtime import Runtime

SIDE = 256  # pixels, at which crops are compared
FEWEST = 8  # pairs that must show a place
NOISE = 4.0  # times the squared error of the mean, which is taken from its square
NEAR = 2.0  # pixels of a map within which noise is estimated
EDGE = 3.0  # pixels of a map over which it fades out where fewer than half of the pairs are seen
BROAD = 3.0  # pixels of a map, deviation of the Gaussian whose blur is taken out: broad shadows look like bruises
DEEPER = 1.8  # than the mean over people, whose folds do not lie in the same place
LEAST = 0.003  # of the logarithm of brightness, a map's root mean square: less is that of features that move


def is_expression(changes: Mapping[str, float]) -> bool:
    """Whether a mouth changes more than any other part, see `parts.measure_changes`.

    Folds of an expression come and go with it in every frame, which a map cannot: change.smile draws them.
    """
    return bool(changes) and max(changes, key=lambda part: changes[part]) == "mouth"


def learn_relief(pairs: Iterable[CropPair | None], models: Models, runtime: Runtime) -> np.ndarray | None:
    """The relief of skin that a factor of 1 brings: the mean change from the first crop of each pair to the second.

    Parameters
    ----------
    pairs: crops (S, S, 3) uint8 of any size; None is passed over.
    models: the parser is used.

    Returns
    -------
    A map (faces.relief.SHAPE) float32 of changes of the logarithm of brightness, 0 where it cannot be told from noise;
    None where nothing is left of it, or the parser does not know places.
    """
    total, squares, seen = np.zeros(SHAPE), np.zeros(SHAPE), np.zeros(SHAPE)
    for pair in pairs:
        if pair is None:
            continue
        crops = np.stack([cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for crop in pair])
        sides = []
        for crop, reading in zip(crops, read_faces(crops, models.parser, runtime, places=True), strict=True):
            if reading.places is None:
                return None
            sides.append(unroll(*read_relief(crop, reading.labels), reading.places))
        (before, first), (after, second) = sides
        both = first & second
        change = np.where(both, after - before, 0.0)
        total, squares, seen = total + change, squares + change**2, seen + both
    found = _without_noise(total, squares, seen)
    found = (found + found[:, ::-1]) / 2  # a face has two like sides, which halves the noise
    found = DEEPER * (found - cv2.GaussianBlur(found, (0, 0), BROAD))
    return found if np.sqrt(np.square(found).mean()) >= LEAST else None


def _without_noise(total: np.ndarray, squares: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The mean of what was seen, smaller the less it stands out from its error (a Wiener filter)."""
    count = np.maximum(seen, 1)
    mean = np.where(seen >= FEWEST, total / count, 0.0)
    error = np.maximum(squares / count - mean**2, 0) / np.maximum(seen - 1, 1)
    power, noise = (cv2.GaussianBlur(part, (0, 0), NEAR) for part in (mean**2, error))
    share = np.clip(1 - NOISE * noise / np.maximum(power, 1e-9), 0, 1)
    often = (seen > seen.max() / 2).astype(np.float64)
    share *= np.clip(2 * cv2.GaussianBlur(often, (0, 0), EDGE) - 1, 0, 1)
    return (mean * share).astype(np.float32)
