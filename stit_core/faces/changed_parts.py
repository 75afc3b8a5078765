"""Which parts of the head differ between two crops that ought to differ in one thing only. Source: ours."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from stit_core.faces.framing import framing
from stit_core.regions import PARTS

SIDE = 256  # pixels, at which crops are compared; what is in pixels below belongs to it
BLUR = 1.5  # pixels; grain does not count
TOLERANCE = 2  # pixels by which an edge may lie elsewhere
RIM = 2  # pixels along a part's outline that may belong to its neighbour
FEWEST = 20  # pixels that a part must have without its rim, to go without it
SMALLEST = 40  # pixels; a part of less is not seen
CLEAR = 330  # pixels, half a per cent of the crop: the change that counts is that of the most changed so many
WIDE = {"hair": 0.3}  # of the part must change instead: its ragged outline moves with every shape of the head
LEAST = 1.8  # colour difference in CIELAB from which a change is one
SHARE = 0.1  # of the strongest part's change, from which another part's counts,
ENOUGH = 2.3  # unless it is as large as this
BEHIND = (0, 16)  # classes of the parser that belong to no head: background, cloth
# A pixel belongs to the first of these that either crop sees there: what a jaw covers of the neck is the jaw's change.
ORDER = ("eyes", "brows", "nose", "mouth", "skin", "ears", "hair", "neck")


def part_changes(
    first: np.ndarray, second: np.ndarray, first_labels: np.ndarray, second_labels: np.ndarray
) -> np.ndarray:
    """How much each part differs between two crops, whose framings may differ a little.

    Parameters
    ----------
    first, second: (SIDE, SIDE, 3) uint8 RGB.
    first_labels, second_labels: (SIDE, SIDE), classes of the parser.

    Returns
    -------
    (P,) float64 in the order of PARTS, distances in CIELAB; nan for a part that is in neither crop.

    Raises
    ------
    ValueError: another shape.
    """
    shapes = [picture.shape for picture in (first, second, first_labels, second_labels)]
    if shapes != [(SIDE, SIDE, 3)] * 2 + [(SIDE, SIDE)] * 2:
        raise ValueError(f"Two crops of {SIDE} x {SIDE} pixels and their labels are wanted, not {shapes}.")
    head = ~np.isin(first_labels, BEHIND) | ~np.isin(second_labels, BEHIND)
    matrix = framing(first, second, head)
    moved = _moved(second, matrix, cv2.INTER_LINEAR)
    labels = _moved(second_labels.astype(np.uint8), matrix, cv2.INTER_NEAREST)
    apart = _difference(_colours(first), _colours(moved))
    found = dict.fromkeys(PARTS, float("nan"))
    free = np.ones((SIDE, SIDE), bool)
    for part in ORDER:
        seen = (np.isin(first_labels, PARTS[part]) | np.isin(labels, PARTS[part])) & free
        free &= ~seen
        found[part] = _strongest(apart, seen, WIDE.get(part))
    return np.array(list(found.values()))


def _moved(picture: np.ndarray, matrix: np.ndarray, kind: int) -> np.ndarray:
    flags = kind | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _colours(crop: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.GaussianBlur(crop.astype(np.float32) / 255, (0, 0), BLUR), cv2.COLOR_RGB2LAB)


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance (S, S) of each pixel to the likest within TOLERANCE in the other picture, the larger of both ways."""
    return np.maximum(_one_way(a, b), _one_way(b, a))


def _one_way(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    padded = np.pad(b, ((TOLERANCE, TOLERANCE), (TOLERANCE, TOLERANCE), (0, 0)), mode="edge")
    least = np.full(a.shape[:2], np.inf, np.float32)
    for down in range(2 * TOLERANCE + 1):
        for right in range(2 * TOLERANCE + 1):
            step = a - padded[down : down + a.shape[0], right : right + a.shape[1]]
            np.minimum(least, np.einsum("ijk,ijk->ij", step, step), out=least)
    found: np.ndarray = np.sqrt(least)
    return found


def _strongest(apart: np.ndarray, seen: np.ndarray, share: float | None) -> float:
    """Mean of the CLEAR most changed pixels of a part; of a wide one what `share` of it changes by at least."""
    if seen.sum() < SMALLEST:
        return float("nan")
    core = cv2.erode(seen.astype(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)) > 0
    values = np.sort(apart[core if core.sum() >= FEWEST else seen])[::-1]
    return float(values[:CLEAR].mean() if share is None else values[int(share * len(values))])


def typical_changes(changes: np.ndarray) -> dict[str, float]:
    """The median over pairs (N, P) for each part that any of them shows, rounded."""
    seen = [values[~np.isnan(values)] for values in changes.T]
    return {part: round(float(np.median(v)), 2) for part, v in zip(PARTS, seen, strict=True) if v.size}


def changed_parts(changes: Mapping[str, float]) -> tuple[str, ...]:
    """The parts whose change counts, in the order of PARTS; none where no change is strong enough to tell.

    changes: part -> distance in CIELAB, as `typical_changes` gives them.
    """
    wanted = min(max(SHARE * max(changes.values(), default=0.0), LEAST), ENOUGH)
    return tuple(part for part in PARTS if changes.get(part, 0.0) >= wanted)
