"""What the instruments read in aligned crops: attributes, landmarks, identity, parts of the face."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from stit_core.faces.labels import FACE, is_one_of
from stit_core.faces.reading import landmark_finder, read_faces
from stit_core.images import to_model
from stit_core.packs.loading import Models
from stit_core.review.attributes import AttributeColumns
from stit_core.review.landmark_figures import DEFINITIONS, LEFT_EYE, RIGHT_EYE, landmark_figures
from stit_core.runtime import Runtime

POINT_SIDE = 512  # pixels to which a crop is enlarged before its landmarks are placed: dlib rounds to pixels
FIGURES = tuple(DEFINITIONS)
INNER = slice(17, 68)  # landmarks without the contour, which dlib places loosely
BATCH = 8  # crops a call of a network
EDGES = 0.7  # pixels, deviation of the Gaussian before edges are looked for
SHARP_EDGE = 9  # pixels, side of the square by which the face is shrunk where its sharpness is measured
LEAST_ERROR = 1e-6  # mean squared error of images in [-1, 1] beyond which PSNR grows no further


@dataclass(frozen=True)
class CropReading:
    """What is read in one crop.

    Attributes
    ----------
    attributes: (C,) of the columns, in the network's units; empty where the pack has no such network.
    mirrored: (C,) the same of the crop's mirror image; empty where not asked for.
    figures: (K,) of FIGURES, by landmarks.
    points: (68, 2) landmarks in pixels of the crop.
    embedding: (D,) unit length.
    labels: (S, S) uint8, the parser's.
    """

    attributes: np.ndarray
    mirrored: np.ndarray
    figures: np.ndarray
    points: np.ndarray
    embedding: np.ndarray
    labels: np.ndarray


class CropReader:
    """All instruments of a review; reads crops a few at a time."""

    def __init__(self, models: Models, columns: AttributeColumns, runtime: Runtime) -> None:
        self.models, self.columns, self.runtime = models, columns, runtime

    @torch.inference_mode()
    def read(self, crops: np.ndarray, mirrored: bool = False) -> list[CropReading]:
        """Read crops (B, S, S, 3) uint8; with `mirrored` their mirror images' attributes as well."""
        found: list[CropReading] = []
        for first in range(0, len(crops), BATCH):
            found += self._read_batch(crops[first : first + BATCH], mirrored)
        return found

    def _read_batch(self, crops: np.ndarray, mirrored: bool) -> list[CropReading]:
        images = to_model(crops).to(self.runtime.device)
        attributes = self._attributes(images)
        others = self._attributes(images.flip(3)) if mirrored else np.zeros((len(crops), 0))
        embeddings = self.models.identity.embed(images).float().cpu().numpy()
        readings = read_faces(crops, self.models.parser, self.runtime)
        points = [place_points(crop) for crop in crops]
        return [
            CropReading(attributes[k], others[k], figures_of(points[k]), points[k], embeddings[k], reading.labels)
            for k, reading in enumerate(readings)
        ]

    def _attributes(self, images: Tensor) -> np.ndarray:
        """The columns (B, C) of images (B, 3, S, S)."""
        if not self.columns.columns:
            return np.zeros((len(images), 0))
        values = self.models.attributes.attributes(images).float().cpu().numpy()
        return self.columns.read(values)

    @torch.inference_mode()
    def distance(self, crop: np.ndarray, other: np.ndarray, mask: np.ndarray | None = None) -> float:
        """Perceptual distance of two crops (S, S, 3) uint8; with a mask (S, S) bool only what it shows counts."""
        if mask is not None:
            other = np.where(mask[..., None], other, crop)
        features = self.models.perceptual.features(to_model(np.stack([crop, other])).to(self.runtime.device))
        pair = [[part[k : k + 1] for part in features] for k in (0, 1)]
        return float(self.models.perceptual.distance(*pair))


def place_points(crop: np.ndarray) -> np.ndarray:
    """Landmarks (68, 2) of an aligned crop (S, S, 3) uint8 in its pixels; no detector is asked."""
    size = crop.shape[0]
    if size >= POINT_SIDE:
        return landmark_finder()(crop)
    large = cv2.resize(crop, (POINT_SIDE, POINT_SIDE), interpolation=cv2.INTER_CUBIC)
    return (landmark_finder()(large) + 0.5) * (size / POINT_SIDE) - 0.5


def figures_of(points: np.ndarray) -> np.ndarray:
    """FIGURES (K,) of landmarks (68, 2)."""
    found = landmark_figures(points)
    return np.array([found[name] for name in FIGURES])


def landmark_error(source: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of the inner landmarks (68, 2) in per cent of the distance of the source's eyes."""
    eyes = np.linalg.norm(source[RIGHT_EYE].mean(0) - source[LEFT_EYE].mean(0))
    return float(100 * np.linalg.norm(source[INNER] - other[INNER], axis=1).mean() / max(eyes, 1e-6))


def face_mask(labels: np.ndarray) -> np.ndarray:
    """Where a label map (S, S) shows the face, (S, S) bool."""
    return is_one_of(labels, FACE) > 0


def face_psnr(crop: np.ndarray, other: np.ndarray, mask: np.ndarray) -> float:
    """PSNR in dB of two crops (S, S, 3) uint8 inside a mask (S, S) bool; NaN where that is empty."""
    if not mask.any():
        return float("nan")
    error = float(np.square((crop[mask].astype(np.float64) - other[mask]) / 127.5).mean())
    return 10 * float(np.log10(4.0 / max(error, LEAST_ERROR)))


def sharpness(source: np.ndarray, edited: np.ndarray, mask: np.ndarray) -> float:
    """Laplacian energy of an edited crop by that of its source (S, S, 3) uint8 inside a face (S, S) bool.

    Under 0.9 looks soft, over 1.15 noisy; NaN where the face is too small. Source: ours.
    """
    inner = cv2.erode(mask.astype(np.uint8), np.ones((SHARP_EDGE, SHARP_EDGE), np.uint8)) > 0
    if not inner.any():
        return float("nan")
    before, after = (_edges(crop)[inner].sum() for crop in (source, edited))
    return float(after / max(before, 1e-6))


def _edges(crop: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.abs(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), EDGES), cv2.CV_32F))
