"""Faces and their 68 landmarks in one picture: by dlib, and where it finds nothing by a second detector.

Another detector is a class like `FaceAlignmentDetector` in this file, named in `SECOND_DETECTOR`.
"""

from __future__ import annotations

import copy
import functools
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import dlib
import numpy as np
import torch
from PIL import Image

from stit_core.config import LandmarkConfig
from stit_core.errors import FaceError
from stit_core.faces.reading import landmark_predictor

NEAR_REACH = 3.0  # sides of the square around a face's last place that is searched for it
POINT_SIDES = (200.0, 600.0)  # pixels of the face when landmarks are placed first and last: dlib rounds to pixels
_WINDOW = 88.0  # pixels: side of the smallest face that dlib's detector sees surely
_SEARCH_SIDE = 640  # pixels: longer side of a frame in the usual search
_MAX_SEARCH = 8e6  # pixels of a frame in the thorough search
_MAX_NEWCOMERS = 1.5e6  # pixels of a frame in the search for those who come in
_NEWCOMER_SCORE = 0.5  # of the detector, where no face is expected and few are
_NEAR_SIDE = 120.0  # pixels of the face in the search around its last place
_NEAR_THRESHOLD = -0.3  # of the detector's score, where a face is expected
_POINT_REACH = 1.5  # sides of the square in which landmarks are placed
_ROUNDING = 0.85  # the sides of dlib's boxes come in steps of 6/5
_SECOND_WEIGHTS = ("2DFAN4-11f355bf06.pth.tar", "s3fd-619a316812.pth")


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes
    ----------
    box: left, top, right, bottom in pixels.
    score: of the detector, higher is surer; 0 where it gives none.
    detector: name of the detector that found it.
    """

    box: tuple[float, float, float, float]
    score: float
    detector: str

    @property
    def side(self) -> float:
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def centre(self) -> np.ndarray:
        return np.array([self.box[0] + self.box[2], self.box[1] + self.box[3]]) / 2

    def moved(self, left: float, top: float) -> Face:
        """The same face in a picture whose origin lies `left`, `top` pixels before this one's."""
        return self.at((self.box[0] + left, self.box[1] + top, self.box[2] + left, self.box[3] + top))

    def at(self, box: tuple[float, float, float, float]) -> Face:
        """The same face in another place."""
        return replace(self, box=box)

    def is_usable(self, min_face: int) -> bool:
        """Whether it is large enough for `LandmarkConfig.min_face`."""
        return is_large_enough(self.side, min_face)

    def holds(self, point: tuple[float, float]) -> bool:
        """Whether the point (x, y) lies in the box."""
        return self.box[0] <= point[0] <= self.box[2] and self.box[1] <= point[1] <= self.box[3]


def best_score(faces: Iterable[Face]) -> float:
    """The highest score among faces; 0 for none."""
    return max((face.score for face in faces), default=0.0)


def is_large_enough(side: float, min_face: int) -> bool:
    """Whether a face of this side in pixels is large enough for `LandmarkConfig.min_face`."""
    return side >= min_face * _ROUNDING


def check_side(side: float, min_face: int, subject: str, remedy: str) -> None:
    """Raise FaceError for a face that is too small: "The face in a.mp4" is; "Use a clip ..." is what to do."""
    if not is_large_enough(side, min_face):
        message = f"{subject} is {side:.0f} pixels wide; at least {min_face} are needed."
        raise FaceError(message, f"{remedy}, or lower 'min_face'.")


@functools.cache
def _first_detector() -> Any:
    """dlib's, which nobody uses but to copy it: that takes a millisecond, and to unpack it 0.3 seconds."""
    return dlib.get_frontal_face_detector()


class DlibDetector:
    """dlib's detector, which no two threads may share, and its landmark predictor.

    Parameters
    ----------
    config: of it the size of the smallest face that is looked for.
    """

    name = "dlib"

    def __init__(self, config: LandmarkConfig) -> None:
        self.config = config
        self.detector = copy.deepcopy(_first_detector())

    def search(self, picture: np.ndarray, scale: float, threshold: float = 0.0) -> list[Face]:
        """Faces in a picture looked at in `scale` times its size, largest first."""
        boxes, scores, _ = self.detector.run(_scaled(picture, scale), 0, threshold)
        x, y = _true_scale(picture, scale)
        faces = []
        for found, score in zip(boxes, scores, strict=True):
            box = found.left() / x, found.top() / y, (found.right() + 1) / x, (found.bottom() + 1) / y
            faces.append(Face(box, float(score), self.name))
        return sorted(faces, key=lambda face: -face.side)

    def usual(self, picture: np.ndarray) -> list[Face]:
        """The search that every frame gets."""
        return self.search(picture, min(1.0, _SEARCH_SIDE / max(picture.shape[:2])))

    def thorough(self, picture: np.ndarray) -> list[Face]:
        """The search for faces down to 40 px, or the smallest that is asked for."""
        wanted = _WINDOW / min(self.config.min_face, 40)
        affordable = (_MAX_SEARCH / (picture.shape[0] * picture.shape[1])) ** 0.5
        return self.search(picture, min(wanted, affordable))

    def newcomers(self, picture: np.ndarray) -> list[Face]:
        """A search for smaller faces than the usual one finds, for now and then: those who come into a clip."""
        wanted = _WINDOW / min(self.config.min_face, 40)
        affordable = (_MAX_NEWCOMERS / (picture.shape[0] * picture.shape[1])) ** 0.5
        return [face for face in self.search(picture, min(wanted, affordable)) if face.score >= _NEWCOMER_SCORE]

    def near(self, picture: np.ndarray, known: Face) -> Face | None:
        """The face where one was seen before, or None."""
        side = known.side * NEAR_REACH
        left, top = (int(v) for v in np.floor(known.centre - side / 2))
        patch = cut_square(picture, left, top, int(np.ceil(side)))
        found = self.search(patch, _NEAR_SIDE / known.side, _NEAR_THRESHOLD)
        faces = [face.moved(left, top) for face in found]
        return min(faces, key=lambda face: float(np.linalg.norm(face.centre - known.centre)), default=None)

    def points(self, picture: np.ndarray, face: Face, point_side: float = POINT_SIDES[0]) -> np.ndarray:
        """Landmarks of a face, (68, 2) float64, x, y in pixels of the picture."""
        side = face.side * _POINT_REACH
        left, top = (int(v) for v in np.floor(face.centre - side / 2))
        patch = cut_square(picture, left, top, int(np.ceil(side)))
        scale = max(1.0, point_side / face.side)
        x, y = _true_scale(patch, scale)
        box = np.array([face.box[0] - left, face.box[1] - top, face.box[2] - left, face.box[3] - top])
        edges = np.round(box * (x, y, x, y)).astype(int).tolist()
        shape = landmark_predictor()(_scaled(patch, scale), dlib.rectangle(*edges[:2], edges[2] - 1, edges[3] - 1))
        placed = np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float64)  # (68, 2)
        return (placed + 0.5) / (x, y) - 0.5 + np.array([left, top])


class PointDetector(Protocol):
    """A detector that is asked where dlib finds nothing; it places landmarks by itself."""

    name: str

    def find(self, picture: np.ndarray) -> list[tuple[Face, np.ndarray]]:
        """Each face in a picture (H, W, 3) uint8 with its landmarks (68, 2) float64, x, y in pixels."""
        ...


class FaceAlignmentDetector:
    """face-alignment's 2D network, "for animation and hard poses"; it is used where its weights lie on disk.

    Raises
    ------
    ImportError: the package is not installed.
    """

    name = "face-alignment"

    def __init__(self, device: torch.device) -> None:
        import face_alignment  # slow to import, and seldom at hand

        kind = face_alignment.LandmarksType.TWO_D
        self._network = face_alignment.FaceAlignment(kind, device=str(device), flip_input=False, compile=False)

    @staticmethod
    def at_hand() -> bool:
        """Whether the package is installed and its weights lie on disk; nothing is downloaded."""
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        return all((folder / name).is_file() for name in _SECOND_WEIGHTS) and _is_installed("face_alignment")

    def find(self, picture: np.ndarray) -> list[tuple[Face, np.ndarray]]:
        """As `PointDetector.find`."""
        found = self._network.get_landmarks_from_image(picture)  # (None, ...) for no face
        points = [np.asarray(each, dtype=np.float64)[:, :2] for each in found or [] if each is not None]
        return [(Face(_box_around(each), 0.0, self.name), each) for each in points]


SECOND_DETECTOR = FaceAlignmentDetector  # another one takes its place here


def second_detector_at_hand() -> bool:
    """Whether the second detector can be used here."""
    return SECOND_DETECTOR.at_hand()


def load_second_detector(config: LandmarkConfig, device: torch.device) -> PointDetector | None:
    """The second detector where it is wanted and can be used; else None, and dlib works alone."""
    if not config.second_detector or not second_detector_at_hand():
        return None
    try:
        return SECOND_DETECTOR(device)
    except ImportError:
        return None


@functools.cache
def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _box_around(points: np.ndarray) -> tuple[float, float, float, float]:
    """The box that dlib would put around landmarks, roughly: from the brows to the chin."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _true_scale(picture: np.ndarray, scale: float) -> tuple[float, float]:
    """Scale in x and y that whole pixels allow."""
    height, width = picture.shape[:2]
    return max(1, round(width * scale)) / width, max(1, round(height * scale)) / height


def _scaled(picture: np.ndarray, scale: float) -> np.ndarray:
    height, width = picture.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return np.ascontiguousarray(picture)
    return np.array(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def cut_square(picture: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A square of the picture, (side, side, 3); what lies outside repeats the edge."""
    height, width = picture.shape[:2]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return picture[rows[:, None], columns]
