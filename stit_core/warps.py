"""Fields over a picture: offsets made from points, values looked up along them, and continued where unknown."""

from __future__ import annotations

import cv2
import numpy as np

KNOTS = 33  # a side, of the grid on which a spline is computed before it is enlarged
STIFFNESS = 0.01  # of the spline: landmarks are a pixel off here and there, and the warp need not follow that
RIM = 5  # points a side of the crop that stay where they are


def warp_between(points: np.ndarray, offsets: np.ndarray, size: int) -> np.ndarray:
    """A smooth warp of a crop that takes points along by their offsets and leaves the crop's rim where it is.

    Parameters
    ----------
    points, offsets: (N, 2), x, y in pixels of the crop.
    size: side of the crop in pixels.

    Returns
    -------
    (size, size, 2) float32: by how much each pixel is moved.

    Source: Bookstein, "Principal Warps: Thin-Plate Splines and the Decomposition of Deformations" (1989), with a
    stiffness.
    """
    edge = np.linspace(0.0, size - 1.0, RIM)
    rim = np.array([(x, y) for x in edge for y in edge if x in edge[[0, -1]] or y in edge[[0, -1]]])
    places = np.concatenate([points, rim]) / size
    values = np.concatenate([offsets, np.zeros_like(rim)])
    count = len(places)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _radial(places, places) + STIFFNESS * np.eye(count)
    system[:count, count:] = np.concatenate([np.ones((count, 1)), places], axis=1)
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))
    side = np.linspace(0.0, (size - 1) / size, KNOTS)
    knots = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    linear = np.concatenate([np.ones((len(knots), 1)), knots], axis=1)
    coarse = _radial(knots, places) @ weights[:count] + linear @ weights[count:]
    position = np.linspace(0.0, KNOTS - 1.0, size, dtype=np.float32)
    coarse = coarse.reshape(KNOTS, KNOTS, 2).astype(np.float32)
    return cv2.remap(coarse, *np.meshgrid(position, position), cv2.INTER_CUBIC)


def _radial(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squared = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
    return 0.5 * squared * np.log(np.maximum(squared, 1e-12))  # (len(a), len(b))


def warp(values: np.ndarray, offset: np.ndarray, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Values (S, S) or (S, S, C) looked up at every pixel plus its offset (S, S, 2); float32."""
    rows, columns = np.indices(offset.shape[:2], dtype=np.float32)
    x, y = columns + offset[..., 0], rows + offset[..., 1]
    if values.ndim < 3 or values.shape[2] <= 4:
        return cv2.remap(values.astype(np.float32), x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)
    parts = [warp(values[..., i : i + 4], offset, interpolation) for i in range(0, values.shape[2], 4)]
    return np.concatenate([part.reshape(*offset.shape[:2], -1) for part in parts], axis=-1)


def warp_labels(labels: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Labels (S, S) uint8 looked up at the nearest pixel."""
    rows, columns = np.indices(offset.shape[:2], dtype=np.float32)
    x, y = columns + offset[..., 0], rows + offset[..., 1]
    return cv2.remap(labels, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def blurred(values: np.ndarray, deviation: float) -> np.ndarray:
    """Values (S, S) or (S, S, C) blurred by `deviation` pixels; far, by two boxes, which cost the same at any width."""
    if deviation < 2:
        return cv2.GaussianBlur(values, (0, 0), deviation)
    width = 2 * round(deviation * 1.22) + 1  # two boxes of it have that deviation
    return cv2.blur(cv2.blur(values, (width, width)), (width, width))


def mean_of_channels(values: np.ndarray) -> np.ndarray:
    """The mean of the three channels of values (S, S, 3), float32 or uint8, at every pixel: (S, S) float32."""
    # numpy takes seventy times as long for means of so few numbers.
    return cv2.transform(values.astype(np.float32, copy=False), np.full((1, 3), 1 / 3, np.float32))


def fill(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Continue values (S, S, C) smoothly from where they are known, `known` (S, S) in [0, 1], over all of the field.

    Source: the pull-push pyramid of Gortler et al., "The Lumigraph" (1996), section 3.4.
    """
    levels = [(values * known[..., None], known)]
    while min(levels[-1][1].shape) > 2:
        total, weight = (cv2.pyrDown(part) for part in levels[-1])
        levels.append((total.reshape(*weight.shape, -1), weight))  # OpenCV drops a single channel
    total, weight = levels[-1]
    result = (total.sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)) * np.ones_like(total)
    for total, weight in reversed(levels):
        size = weight.shape[1], weight.shape[0]
        coarse = cv2.resize(result, size, interpolation=cv2.INTER_LINEAR).reshape(total.shape)
        share = np.clip(2 * weight, 0, 1)[..., None]
        result = share * total / np.maximum(weight, 1e-6)[..., None] + (1 - share) * coarse
    return result.astype(np.float32)
