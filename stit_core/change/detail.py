"""Detail of the source that the generator cannot draw, carried along with the edit.

A small generator leaves pores, single hairs and the sparkle of an eye out of its pivots and so out of every edit. What
it left out is known: source minus pivot. Where an edit only moves or tints the face, that difference is moved with it
(dense optical flow from pivot to edit) and added; where the edit shows something else than the pivot did, teeth in a
mouth that was closed, it is not. Source: ours; the idea that an edit should get back what inversion lost is that of
Wang et al., "High-Fidelity GAN Inversion for Image Attribute Editing" (2022), who learn it.
"""

from __future__ import annotations

import cv2
import numpy as np

WINDOW = 0.03  # of the crop's side: deviation of the Gaussian within which pivot and edit are compared
FLOW_BLUR = 0.01  # of the crop's side: deviation of the Gaussian that steadies the flow
FLAT = 16.0  # grey levels squared; less variance than this counts as flat, and flat places are alike
ALIKE = (0.5, 0.9)  # correlation from which detail begins to be carried, and from which all of it is
GAIN = (0.4, 1.6)  # darker places show weaker detail, within these bounds
SHADE = 12.0  # grey levels added before brightnesses are compared
LARGEST_ZOOM = 4


def transfer_detail(edited: np.ndarray, pivot: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Add to an edited crop what the pivot lacks of the source.

    Parameters
    ----------
    edited, pivot: (S, S, 3) uint8, the edit and the tuned pivot.
    source: (k S, k S, 3) uint8, what the pivot was fitted to, at k times its size, k a whole number from 1.

    Returns
    -------
    (k S, k S, 3) uint8. Where the edit equals the pivot it equals the source.

    Raises
    ------
    ValueError: shapes that do not fit.
    """
    size, fine = edited.shape[0], source.shape[0]
    if not edited.shape == pivot.shape == (size, size, 3) or source.shape != (fine, fine, 3) or fine % size:
        raise ValueError(f"The crops do not fit together: {edited.shape}, {pivot.shape}, {source.shape}.")
    flow = _flow(edited, pivot)
    moved = _grey(_warp(pivot.astype(np.float32), flow))
    share = _alike(moved, _grey(edited)) * _gain(moved, _grey(edited))
    missing = _warp(source.astype(np.float32) - _enlarge(pivot, fine), _enlarge(flow, fine) * (fine / size))
    result = _enlarge(edited, fine) + missing * _enlarge(share, fine)[..., None]
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def zoom_of(quad: np.ndarray, size: int) -> int:
    """How many times finer than a crop of `size` pixels the frame is inside the quad (4, 2), 1 to LARGEST_ZOOM."""
    side = float(np.hypot(*(quad[3] - quad[0])))
    return int(np.clip(np.ceil(side / size - 0.2), 1, LARGEST_ZOOM))


def _grey(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # type: ignore[no-any-return]


def _enlarge(values: np.ndarray, size: int) -> np.ndarray:
    """Values (S, S) or (S, S, C) as float32 at `size` pixels a side."""
    values = values.astype(np.float32)
    if values.shape[0] == size:
        return values
    return cv2.resize(values, (size, size), interpolation=cv2.INTER_CUBIC)


def _flow(edited: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    """Where in the pivot each pixel of the edit comes from, (S, S, 2) offsets in pixels.

    Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016), as OpenCV has it.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [np.rint(_grey(picture)).astype(np.uint8) for picture in (edited, pivot)]
    flow = search.calc(grey[0], grey[1], np.zeros((*edited.shape[:2], 2), np.float32))
    return cv2.GaussianBlur(flow, (0, 0), FLOW_BLUR * edited.shape[0])


def _warp(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Values (S, S, C) looked up at every pixel plus its flow (S, S, 2)."""
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    return cv2.remap(
        values, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _alike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How much of the detail of `a` belongs into `b`, both (S, S) grey: 0 ... 1 by their local correlation."""
    sigma = WINDOW * a.shape[0]

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (0, 0), sigma)

    mean_a, mean_b = mean(a), mean(b)
    covariance = mean(a * b) - mean_a * mean_b
    variance_a, variance_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    spread = np.sqrt(np.maximum(variance_a, 0) + FLAT) * np.sqrt(np.maximum(variance_b, 0) + FLAT)
    share = np.clip(((covariance + FLAT) / spread - ALIKE[0]) / (ALIKE[1] - ALIKE[0]), 0, 1)
    return mean(share * share * (3 - 2 * share))


def _gain(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How much stronger detail shows in `b` than in `a`, both (S, S) grey, by local brightness."""
    sigma = WINDOW * a.shape[0]
    return np.clip((cv2.GaussianBlur(b, (0, 0), sigma) + SHADE) / (cv2.GaussianBlur(a, (0, 0), sigma) + SHADE), *GAIN)
