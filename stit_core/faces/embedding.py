"""A face as a point in dlib's space of identities: near for one person, far for two."""

from __future__ import annotations

import functools
from typing import Any

import dlib
import numpy as np

from stit_core.faces.reading import recogniser_file
from stit_core.models.dlib_identity import CHIP_PADDING, CHIP_SIZE


class FaceEmbedder:
    """Embeds faces whose landmarks are known; not shared between threads."""

    @functools.cached_property
    def _network(self) -> Any:
        """Read when it is first needed: it is large."""
        return dlib.face_recognition_model_v1(str(recogniser_file()))

    def embed(self, picture: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The embedding (128,) float64 of a face; 0.6 apart, two of them are two people (King 2017).

        Parameters
        ----------
        picture: (H, W, 3) uint8.
        points: (68, 2), landmarks x, y in its pixels.
        """
        (left, top), (right, bottom) = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int)
        parts = [dlib.point(int(x), int(y)) for x, y in np.rint(points)]
        shape = dlib.full_object_detection(dlib.rectangle(int(left), int(top), int(right), int(bottom)), parts)
        chip = dlib.get_face_chip(np.ascontiguousarray(picture), shape, size=CHIP_SIZE, padding=CHIP_PADDING)
        return np.array(self._network.compute_face_descriptor(chip), dtype=np.float64)
