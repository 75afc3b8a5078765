"""Instruments that no pack's attributes went into: dlib's points on enlarged pictures, and the parser's clothes."""

from __future__ import annotations

import numpy as np

from stit_core.config import LandmarkConfig
from stit_core.faces.detectors import DlibDetector
from stit_core.review.landmark_figures import DEFINITIONS as BY_POINTS

# Where the detector's boxes lie about the points: centre and side in units of the points' root mean square distance
# from their own centre, medians over held-out renders. Boxes that follow the points do not jump as the detector's do.
BOX_CENTRE = np.array([-0.04, -0.12])
BOX_SIDE = 2.84
POINT_SIDES = (200.0, 600.0)  # pixels of the face when points are placed again: dlib rounds to pixels
CLOTH = 16  # class of the parser
LEAST_CLOTH = 0.0046  # of the picture's pixels, under which nothing is said of the shoulders
SIDE = 5 / 16  # of the picture's width: the columns at each side in which a shoulder is looked for

# name of an attribute -> how an independent instrument reads it
DEFINITIONS = BY_POINTS | {
    "roll": "shoulders: how much lower the clothes begin on the picture's left than on its right (parser)",
}
BY_PARSER = frozenset({"roll"})


def shoulder_tilt(labels: np.ndarray) -> float:
    """How much lower the clothes begin on the picture's left than on its right.

    An aligned picture is turned until the eyes are level, so that a head that leans shows it below the chin: towards
    the person's left shoulder, that shoulder stands higher in the picture.

    Parameters
    ----------
    labels: (H, W) classes of the parser.

    Returns
    -------
    A share of the picture's height; NaN where hardly any clothes are seen.
    """
    cloth = labels == CLOTH
    if cloth.mean() < LEAST_CLOTH:
        return float("nan")
    height, width = labels.shape
    top = np.where(cloth.any(axis=0), cloth.argmax(axis=0), height)
    reach = round(SIDE * width)
    return float((np.median(top[:reach]) - np.median(top[-reach:])) / height)


class PointReader:
    """Places 68 points on aligned pictures, enlarged as the pipeline does; not to be shared between threads."""

    def __init__(self) -> None:
        self._finder = DlibDetector(LandmarkConfig())

    def find(self, picture: np.ndarray) -> np.ndarray | None:
        """Points (68, 2) on a picture (H, W, 3) uint8, x, y in its pixels; None where dlib sees no face."""
        faces = self._finder.usual(picture)
        if not faces:
            return None
        points = self._finder.points(picture, faces[0])
        for point_side in POINT_SIDES:
            centre = points.mean(axis=0)
            radius = float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean()))
            middle, half = centre + BOX_CENTRE * radius, BOX_SIDE * radius / 2
            box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
            points = self._finder.points(picture, faces[0].at(box), point_side)
        return points
