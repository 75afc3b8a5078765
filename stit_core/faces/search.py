"""Faces in pictures that are no neighbours: samples of a clip, and single ones."""

from __future__ import annotations

import numpy as np

from stit_core.config import LandmarkConfig
from stit_core.errors import FaceError
from stit_core.faces.detectors import POINT_SIDES, DlibDetector, Face, best_score, check_side
from stit_core.faces.tracks import Track, link
from stit_core.turning import OTHER_TURNS, turn_box, turn_picture

SURE = 0.7  # of the detector's score, which faces that stand upright reach somewhere in a clip
TURN_MARGIN = 0.5  # of the score, by which a face in a turned picture has to be surer
THOROUGH_EVERY = 8  # frames, while no face is known
_TURN_LEAST = 0.2  # of the score in a turned picture of a clip that shows none as it is


class PictureLandmarks:
    """Finds the largest face of single pictures; built once for many of them, not shared between threads."""

    def __init__(self, config: LandmarkConfig | None = None) -> None:
        self._finder = DlibDetector(config or LandmarkConfig())

    def points(self, picture: np.ndarray) -> np.ndarray:
        """Landmarks (68, 2) of the largest face of a picture (H, W, 3) uint8, in its pixels.

        Raises
        ------
        FaceError: no face, or only faces under `min_face`.
        """
        faces = self._finder.usual(picture) or self._finder.thorough(picture)
        if not faces:
            raise FaceError("No face was found.", "Use a picture of a face that looks towards the camera.")
        check_side(faces[0].side, self._finder.config.min_face, "The face", "Use a larger picture")
        return self._finder.points(picture, faces[0], POINT_SIDES[-1])


class FaceSearch:
    """Looks for faces in pictures of a clip that lie some frames apart, as `find_landmarks` does in all frames.

    Built once a clip, not shared between threads.

    Attributes
    ----------
    turn: quarters to the left after which faces are found, 0 where the clip stands upright or none was found.
    """

    def __init__(self, config: LandmarkConfig) -> None:
        self._finder = DlibDetector(config)
        self._tracks: list[Track] = []
        self._calls = 0
        self._best = 0.0  # score so far
        self.turn = 0

    def faces(self, frame: int, picture: np.ndarray) -> list[tuple[int, Face]]:
        """Number of the track and place of each face in the picture (H, W, 3) uint8 of a frame, the largest first."""
        live = [track for track in self._tracks if frame - track.last <= max(1, self._finder.config.max_gap)]
        faces, due = self._usual(picture, self.turn), self._calls % THOROUGH_EVERY == 0
        if not faces and not live and due:
            faces = self._finder.thorough(picture)
            self.turn = 0 if faces else self.turn
        if self._best < SURE and (due or self.turn):
            faces = self._surest(picture, faces)
        self._best = max(self._best, best_score(faces))
        self._calls += 1
        nothing = np.empty((0, 2))
        for track, face in link(self._tracks, frame, faces):
            track.add(frame, face, nothing)
        for track in live if not faces else ():
            face_again = self._near(picture, track.faces[track.last])
            if face_again is not None and track.distance(frame, face_again) is not None:
                track.add(frame, face_again, nothing)
        seen = [(i, track.faces[frame]) for i, track in enumerate(self._tracks) if frame in track.faces]
        return sorted(seen, key=lambda found: -found[1].side)

    def _surest(self, picture: np.ndarray, faces: list[Face]) -> list[Face]:
        """These faces, or those after another turn where they are far surer, which is then the clip's."""
        tried = {turn: self._usual(picture, turn) for turn in (0, *OTHER_TURNS) if turn != self.turn}
        best = max(tried, key=lambda turn: best_score(tried[turn]))
        if best_score(tried[best]) <= (best_score(faces) + TURN_MARGIN if faces else _TURN_LEAST):
            return faces
        self.turn = best
        return tried[best]

    def _usual(self, picture: np.ndarray, turn: int) -> list[Face]:
        """Faces of a picture after it was turned, where they lie in it as it is."""
        height, width = picture.shape[:2]
        size = (height, width) if turn % 2 else (width, height)
        faces = self._finder.usual(turn_picture(picture, turn))
        return [face.at(turn_box(face.box, -turn, *size)) for face in faces]

    def _near(self, picture: np.ndarray, known: Face) -> Face | None:
        """The face where one was seen before, in the picture as it is, or None."""
        height, width = picture.shape[:2]
        size = (height, width) if self.turn % 2 else (width, height)
        place = known.at(turn_box(known.box, self.turn, width, height))
        found = self._finder.near(turn_picture(picture, self.turn), place)
        return None if found is None else found.at(turn_box(found.box, -self.turn, *size))
