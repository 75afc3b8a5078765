"""A picture with labels and landmarks that may be painted on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SHIFT = 4  # binary places of the coordinates that OpenCV draws at
HEAD_CLASSES = (1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 17)


@dataclass
class Canvas:
    """What painters change in place.

    Attributes
    ----------
    image: (H, W, 3) float32, 0 to 255.
    labels: (H, W) uint8.
    landmarks: (68, 2) float, pixels, iBUG order.
    """

    image: np.ndarray
    labels: np.ndarray
    landmarks: np.ndarray

    def __post_init__(self) -> None:
        eyes = np.array([self.landmarks[36:42].mean(0), self.landmarks[42:48].mean(0)])
        self.eyes = eyes
        self.eye_distance = max(float(np.linalg.norm(eyes[1] - eyes[0])), 8.0)
        self.across = (eyes[1] - eyes[0]) / self.eye_distance
        middle = eyes.mean(0)
        below = self.landmarks[48:68].mean(0) - middle
        below -= self.across * (below @ self.across)
        self.down = below / max(float(np.linalg.norm(below)), 1e-6)
        self.middle = middle

    @classmethod
    def of(cls, image: np.ndarray, labels: np.ndarray, landmarks: np.ndarray) -> Canvas:
        """Copies of a render's image (H, W, 3) uint8, labels (H, W) and landmarks (68, 2)."""
        return cls(image.astype(np.float32), labels.copy(), landmarks.astype(np.float64))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.labels.shape[0], self.labels.shape[1]

    def at(self, right: float, down: float) -> np.ndarray:
        """A point (2,) in eye distances from the middle of the eyes, along the face's axes."""
        return self.middle + self.eye_distance * (right * self.across + down * self.down)  # type: ignore[no-any-return]

    def median_colour(self, label: int, otherwise: tuple[float, float, float]) -> np.ndarray:
        """Median colour (3,) of a class, or another one where there is hardly any of it."""
        chosen = self.image[self.labels == label]
        return np.median(chosen, axis=0) if len(chosen) > 40 else np.array(otherwise)  # type: ignore[no-any-return]

    def paint(self, alpha: np.ndarray, colour: np.ndarray, label: int | None) -> None:
        """Lay `colour` (3,) or (H, W, 3) over the picture with alpha (H, W) in [0, 1]; over half, labels change too."""
        rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
        if not len(rows):
            return
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        new = np.asarray(colour, np.float32)
        part = self.image[box]
        part += alpha[box][..., None].astype(np.float32) * ((new if new.ndim == 1 else new[box]) - part)
        if label is not None:
            self.labels[box][alpha[box] > 0.5] = label

    def shade(self, mask: np.ndarray, offset: tuple[float, float], softness: float, strength: float) -> None:
        """Darken what lies under the shadow of `mask` (H, W), moved by `offset` pixels and blurred."""
        matrix = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
        shadow = cv2.GaussianBlur(cv2.warpAffine(mask, matrix, mask.shape[::-1]), (0, 0), max(softness, 0.5))
        self.image *= (1 - strength * shadow)[..., None].astype(np.float32)


def filled(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Alpha (H, W) float32 of a polygon (N, 2)."""
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [to_fixed(points)], 255, cv2.LINE_AA, SHIFT)
    return mask.astype(np.float32) / 255


def stroked(lines: list[np.ndarray], thickness: float, size: tuple[int, int], closed: bool = False) -> np.ndarray:
    """Alpha (H, W) float32 of polylines, `thickness` pixels wide; thin ones are fainter."""
    mask = np.zeros(size, np.uint8)
    width = max(round(thickness), 1)
    cv2.polylines(mask, [to_fixed(line) for line in lines], closed, 255, width, cv2.LINE_AA, SHIFT)
    return mask.astype(np.float32) * (min(thickness, 1.0) / 255)


def to_fixed(points: np.ndarray) -> np.ndarray:
    """Points (N, 2) as OpenCV's fixed-point integers (N, 1, 2)."""
    limit = 4000.0
    return np.round(np.clip(points, -limit, limit) * (1 << SHIFT)).astype(np.int32)[:, None]  # (N, 1, 2)


def curve(first: np.ndarray, bend: np.ndarray, last: np.ndarray, count: int = 10) -> np.ndarray:
    """Points (count, 2) of a quadratic Bezier curve."""
    t = np.linspace(0, 1, count)[:, None]
    return (1 - t) ** 2 * first + 2 * t * (1 - t) * bend + t**2 * last  # type: ignore[no-any-return]


def any_colour(rng: np.random.Generator, dark: float = 0.0) -> np.ndarray:
    """A random colour (3,), 0 to 255; greys are as frequent as hues, `dark` in [0, 1] draws it to black."""
    grey = rng.uniform(5, 250)
    vivid = rng.uniform(0, 255, 3)
    colour = grey + rng.beta(0.6, 1.2) * (vivid - grey)
    return colour * (1 - dark * rng.random())  # type: ignore[no-any-return]


def cloth_texture(rng: np.random.Generator, size: tuple[int, int], colour: np.ndarray) -> np.ndarray:
    """A woven, striped, knitted or plain colour field (H, W, 3)."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turn, period = rng.uniform(0, np.pi), rng.uniform(2.5, 24)
    wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / period)
    kind = rng.integers(0, 4)
    if kind == 0:
        wave = np.zeros_like(wave)
    elif kind == 1:
        wave = np.sign(wave)
    elif kind == 2:
        wave *= np.sin((y * np.cos(turn) - x * np.sin(turn)) * 2 * np.pi / period)
    other, colour = any_colour(rng).astype(np.float32), np.asarray(colour, np.float32)
    amount = rng.uniform(0.03, 0.6) if kind == 1 else rng.uniform(0.02, 0.3)
    field = colour + (0.5 + 0.5 * wave)[..., None] * amount * (other - colour)
    rough = cv2.resize(rng.normal(0, 1, (24, 24)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return (field * (1 + rng.uniform(0.02, 0.16) * rough)[..., None]).astype(np.float32)  # type: ignore[no-any-return]
