"""Eyes that grow with a face, and irises that do not grow with them.

Irises of all adults are of one size, to a twentieth: an eye looks larger for its lids. A source's iris has no more to
show than its lids leave, so that an eye may grow a little only, before it looks like a doll's. Source: ours.
"""

from __future__ import annotations

import numpy as np

from stit_core.change.drawn import Drawn, moved_point
from stit_core.change.smile import Pixels, pixels_of, unsmiling

LIDS = ((37, 41), (38, 40)), ((43, 47), (44, 46))  # landmarks of each eye, of an upper lid and the lower one below it
APPROACHES = 2  # times that it is made less high: motions around an eye are no even stretch
BESIDE, ABOVE = 0.3, 0.16  # of the eyes' distance, deviations of the Gaussians beside and above an eye that grows less


def hold_eyes(motion: np.ndarray, source: Drawn, growth: float) -> np.ndarray:
    """A motion (S, S, 2) under which eyes get higher by a share of their height at most, lids, lashes and all."""
    face = unsmiling(source)
    if face is None:
        return motion
    pixels: Pixels = pixels_of(len(motion))
    wanted: dict[tuple[tuple[int, int], ...], float] = {}
    for lids in LIDS * APPROACHES:
        pairs = [tuple(moved_point(face.points[i], motion) for i in pair) for pair in lids]
        before = sum(float((face.points[below] - face.points[above]) @ face.down) for above, below in lids)
        after = sum(float((below - above) @ face.down) for above, below in pairs)
        if before < 1 or after <= before:
            continue
        grows = after / before
        ends = wanted.setdefault(lids, 1 + growth * float(np.tanh((grows - 1) / growth)))
        middle = np.mean([point for pair in pairs for point in pair], axis=0)
        across, along = face.around(middle, pixels)
        beyond = np.maximum(np.abs(along) - after / len(lids) / 2, 0) / ABOVE
        near = np.exp(-0.5 * (np.square(across / BESIDE) + np.square(beyond)) / face.unit**2)
        # What lies `along` below the middle came from `along` / grows, and is to come from `along` / ends.
        motion = motion + face.over(np.zeros_like(along), (1 / ends - 1 / grows) * along * near)
    return motion.astype(np.float32)
