"""Pictures of the tuned pivots, which previewing, measuring and writing a frame need one after another."""

from __future__ import annotations

import threading

import numpy as np

from stit_core.artefacts import Tuned, position_of
from stit_core.faces.reading import draw_faces
from stit_core.models.interfaces import FaceGenerator
from stit_core.runtime import Runtime

PIVOT_MEMORY = 16 * 2**20  # bytes of drawn pivots that are kept


class DrawnPivots:
    """Tuned pivots of one clip, drawn when they are asked for; the first PIVOT_MEMORY bytes of them are kept.

    Parameters
    ----------
    tuned: the pivots.
    generator: as it was tuned, on the runtime's device.
    runtime: device and precision.
    """

    def __init__(self, tuned: Tuned, generator: FaceGenerator, runtime: Runtime) -> None:
        self.tuned, self.generator, self.runtime = tuned, generator, runtime
        self._kept: dict[int, np.ndarray] = {}
        self._drawing = threading.Lock()

    def picture(self, frame: int) -> np.ndarray:
        """The pivot of a frame, (S, S, 3) uint8. Raises ArtefactMismatchError for a frame without a face."""
        position = position_of(self.tuned.frame_indices, frame)
        with self._drawing:
            picture = self._kept.get(frame)
            if picture is None:
                picture = draw_faces(self.generator, self.tuned.w_plus[position : position + 1], self.runtime)[0]
                if len(self._kept) * picture.nbytes < PIVOT_MEMORY:
                    self._kept[frame] = picture
            return picture
