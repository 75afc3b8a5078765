"""Pivots moved along expression directions until lips, lids and brows stand as the source has them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from stit_core.artefacts import Alignment
from stit_core.faces.reading import draw_faces, landmark_finder
from stit_core.models.generator import Generator
from stit_core.runtime import Runtime

DIRECTIONS = ("mouth_open", "smile", "eyes_open", "eye_eyebrow_distance", "mouth_ratio")
STEPS = 2  # Gauss-Newton steps of a key frame
PROBE = 1.0  # factor at which a direction's effect is measured, up and down
NOISE = (0.02, 0.02, 0.04, 0.015, 0.04)  # standard deviation of each figure's error, in distances of the eyes
RIDGE = 1.0  # how far factors are held to their mean over the clip where key frames say little
LIPS = ((61, 67), (62, 66), (63, 65))  # upper and lower point
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
BATCH = 4  # pictures drawn at once


def expression_figures(points: np.ndarray) -> np.ndarray:
    """What expression is to `fit_expression`, by the distance of the eyes.

    Parameters
    ----------
    points: (68, 2) landmarks, x to the right and y down.

    Returns
    -------
    (5,): gap of the lips, height of the mouth's corners over its middle, width of the mouth, gap of the lids, height of
    the brows over the eyes.
    """
    right, left = points[36:42].mean(0), points[42:48].mean(0)
    across = left - right
    apart = max(float(np.linalg.norm(across)), 1.0)  # pixels
    down = np.array([-across[1], across[0]]) / apart
    lips, lids = (np.mean([np.linalg.norm(points[a] - points[b]) for a, b in pairs]) for pairs in (LIPS, LIDS))
    corners = (points[[51, 57]].mean(0) - points[[48, 54]].mean(0)) @ down
    width = np.linalg.norm(points[54] - points[48])
    brows = ((right + left) / 2 - points[17:27].mean(0)) @ down
    return np.array([lips, corners, width, lids, brows]) / apart


def fit_expression(
    alignment: Alignment,
    pivots: Tensor,
    rows: np.ndarray,
    generator: Generator,
    vectors: Tensor,
    reach: float,
    runtime: Runtime,
) -> Tensor:
    """Move pivots along `vectors` until their pictures have the expression of their crops.

    An encoder tends to the middle: it opens lips and lids that are shut, and shuts those that are wide open. Key frames
    are fitted: what each direction does to the figures is measured once, at their mean pivot, then each takes STEPS
    Gauss-Newton steps under a normal prior. How the factors follow from the source's figures is learned from them by
    ridge regression and holds for every frame, so that a blink between two key frames is a blink too.

    Parameters
    ----------
    alignment: crops of T frames, all of which are looked at once, by dlib's landmarks.
    pivots: (T, L, 512), left as they are.
    rows: positions of the key frames, (K,).
    generator: untuned, on the runtime's device.
    vectors: directions (N, L, 512).
    reach: standard deviation of the prior, in factors of the directions; no factor goes beyond three of it.
    runtime: asked before every batch of pictures whether to stop.

    Returns
    -------
    Pivots (T, L, 512), new.

    Source: ours.
    """
    find, noise = landmark_finder(), np.array(NOISE)
    figures = np.stack([expression_figures(find(crop)) for crop in alignment.crops]) / noise  # (T, 5)

    def drawn(w_plus: Tensor) -> np.ndarray:
        found = []
        for part in w_plus.split(BATCH):
            runtime.step("tune", 0, 1)
            found += [expression_figures(find(picture)) for picture in draw_faces(generator, part, runtime)]
        return np.stack(found) / noise

    factors = _key_factors(figures[rows], pivots[rows], vectors, reach, drawn)
    every = predict(figures[rows], factors, figures).clip(-3 * reach, 3 * reach)
    return pivots + torch.einsum("tn,nlw->tlw", torch.from_numpy(every).to(vectors), vectors)


def _key_factors(
    wanted: np.ndarray, pivots: Tensor, vectors: Tensor, reach: float, drawn: Callable[[Tensor], np.ndarray]
) -> np.ndarray:
    """Factors (K, N) at which the figures of pivots (K, L, 512) come nearest to those wanted, (K, 5)."""
    mean = pivots.mean(dim=0)
    effect = ((drawn(mean + PROBE * vectors) - drawn(mean - PROBE * vectors)) / (2 * PROBE)).T  # (5, N)
    inverse = np.linalg.inv(effect.T @ effect + np.eye(len(vectors)) / reach**2)
    factors = np.zeros((len(pivots), len(vectors)))
    for _ in range(STEPS):
        moved = pivots + torch.einsum("kn,nlw->klw", torch.from_numpy(factors).to(vectors), vectors)
        factors += ((wanted - drawn(moved)) @ effect - factors / reach**2) @ inverse
        factors = factors.clip(-3 * reach, 3 * reach)
    return factors


def predict(known: np.ndarray, factors: np.ndarray, figures: np.ndarray) -> np.ndarray:
    """Factors (T, N) for figures (T, 5), by ridge regression from known figures (K, 5) with their factors (K, N)."""
    centre = known.mean(axis=0)
    x, y = known - centre, factors - factors.mean(axis=0)
    slopes = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ y)  # (5, N)
    return factors.mean(axis=0) + (figures - centre) @ slopes
