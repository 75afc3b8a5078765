"""Finding, choosing and tracking one face: 68 landmarks a frame, by dlib first and face-alignment second.

Every frame is searched at a moderate size. A face that the search loses is looked for again around its last place, cut
out and enlarged, so that small faces and faces at the edge of the frame are kept. Faces of neighbouring frames
belong together when their centres are at most MAX_MOTION face sides a frame apart.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import torch
from PIL import Image

from stit_core.artefacts import Clip, Landmarks
from stit_core.config import LandmarkConfig
from stit_core.errors import FaceError
from stit_core.faces.reading import predictor_file
from stit_core.runtime import Runtime
from stit_core.turning import OTHER_TURNS, TurnedFrames, turn_box, turn_picture, turn_points

MAX_MOTION = 0.5  # face sides a frame
_MAX_JUMP = 2.0  # face sides, after any number of frames
_MAX_GROWTH = 2.0  # of the side, either way
_WINDOW = 88.0  # pixels: side of the smallest face that dlib's detector sees surely
_SEARCH_SIDE = 640  # pixels: longer side of a frame in the usual search
_MAX_SEARCH = 8e6  # pixels of a frame in the thorough search
_THOROUGH_EVERY = 8  # frames, while no face is known
_NEAR_SIDE = 120.0  # pixels of the face in the search around its last place
_NEAR_REACH = 3.0  # sides of the square that is searched there
_NEAR_THRESHOLD = -0.3  # of the detector's score, where a face is expected
_POINT_SIDES = (200.0, 600.0)  # pixels of the face when landmarks are placed first and last: dlib rounds to pixels
_POINT_REACH = 1.5  # sides of the square in which they are placed
_PASSING = 3  # frames; what is seen in fewer is not counted among the people
_ROUNDING = 0.85  # the sides of dlib's boxes come in steps of 6/5
_SURE = 0.7  # of the detector's score, which faces that stand upright reach somewhere in a clip
_TURN_LOOKS = 8  # frames that are looked at turned, in a clip in which no face was surely found
_TURN_MARGIN = 0.5  # of the score, by which a face in a turned picture has to be surer
_TURN_LEAST = 0.2  # of the score in a turned picture of a clip that shows none as it is
_SECOND_WEIGHTS = ("2DFAN4-11f355bf06.pth.tar", "s3fd-619a316812.pth")


@dataclass(frozen=True)
class Face:
    """A face in a picture: box (left, top, right, bottom) in pixels, detector's score (higher is surer)."""

    box: tuple[float, float, float, float]
    score: float

    @property
    def side(self) -> float:
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def centre(self) -> np.ndarray:
        return np.array([self.box[0] + self.box[2], self.box[1] + self.box[3]]) / 2

    def is_usable(self, min_face: int) -> bool:
        """Whether it is large enough for `LandmarkConfig.min_face`."""
        return self.side >= min_face * _ROUNDING

    def holds(self, point: tuple[float, float]) -> bool:
        """Whether the point (x, y) lies in the box."""
        return self.box[0] <= point[0] <= self.box[2] and self.box[1] <= point[1] <= self.box[3]


@dataclass
class _Track:
    """One face through the clip: where it was seen, and its landmarks there."""

    faces: dict[int, Face] = field(default_factory=dict)
    points: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(self.faces)

    @property
    def side(self) -> float:
        return float(np.median([face.side for face in self.faces.values()]))

    def add(self, frame: int, face: Face, points: np.ndarray) -> None:
        self.faces[frame] = face
        self.points[frame] = points

    def distance(self, frame: int, face: Face) -> float | None:
        """Centre distance in sides to the nearest sighting, or None where the two cannot be one face."""
        near = min(self.faces, key=lambda known: abs(known - frame))
        known = self.faces[near]
        side = max(known.side, face.side)
        distance = float(np.linalg.norm(known.centre - face.centre)) / side
        reach = min(MAX_MOTION * abs(frame - near), _MAX_JUMP)
        alike = side / min(known.side, face.side) <= _MAX_GROWTH
        return distance if distance <= reach and alike else None


class _Finder:
    """dlib's detector and landmark predictor, built for one call: neither may be shared between threads."""

    def __init__(self, config: LandmarkConfig) -> None:
        self.config = config
        self.detector = dlib.get_frontal_face_detector()

    @functools.cached_property
    def predictor(self) -> Any:
        """Read when it is first needed: it is large, and a search for faces alone does without."""
        return dlib.shape_predictor(str(predictor_file()))

    def search(self, picture: np.ndarray, scale: float, threshold: float = 0.0) -> list[Face]:
        """Faces in a picture looked at in `scale` times its size, largest first."""
        boxes, scores, _ = self.detector.run(_scaled(picture, scale), 0, threshold)
        x, y = _true_scale(picture, scale)
        faces = [
            Face((box.left() / x, box.top() / y, (box.right() + 1) / x, (box.bottom() + 1) / y), float(score))
            for box, score in zip(boxes, scores, strict=True)
        ]
        return sorted(faces, key=lambda face: -face.side)

    def usual(self, picture: np.ndarray) -> list[Face]:
        """The search that every frame gets."""
        return self.search(picture, min(1.0, _SEARCH_SIDE / max(picture.shape[:2])))

    def thorough(self, picture: np.ndarray) -> list[Face]:
        """The search for faces down to 40 px, or the smallest that is asked for."""
        wanted = _WINDOW / min(self.config.min_face, 40)
        affordable = (_MAX_SEARCH / (picture.shape[0] * picture.shape[1])) ** 0.5
        return self.search(picture, min(wanted, affordable))

    def near(self, picture: np.ndarray, known: Face) -> Face | None:
        """The face where one was seen before, or None."""
        side = known.side * _NEAR_REACH
        left, top = (int(v) for v in np.floor(known.centre - side / 2))
        patch = _cut(picture, left, top, int(np.ceil(side)))
        found = self.search(patch, _NEAR_SIDE / known.side, _NEAR_THRESHOLD)
        faces = [Face((f.box[0] + left, f.box[1] + top, f.box[2] + left, f.box[3] + top), f.score) for f in found]
        return min(faces, key=lambda face: float(np.linalg.norm(face.centre - known.centre)), default=None)

    def points(self, picture: np.ndarray, face: Face, point_side: float = _POINT_SIDES[0]) -> np.ndarray:
        """Landmarks of a face, (68, 2) float64, x, y in pixels of the picture."""
        side = face.side * _POINT_REACH
        left, top = (int(v) for v in np.floor(face.centre - side / 2))
        patch = _cut(picture, left, top, int(np.ceil(side)))
        scale = max(1.0, point_side / face.side)
        x, y = _true_scale(patch, scale)
        box = np.array([face.box[0] - left, face.box[1] - top, face.box[2] - left, face.box[3] - top])
        edges = np.round(box * (x, y, x, y)).astype(int).tolist()
        shape = self.predictor(_scaled(patch, scale), dlib.rectangle(*edges[:2], edges[2] - 1, edges[3] - 1))
        placed = np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float64)  # (68, 2)
        return (placed + 0.5) / (x, y) - 0.5 + np.array([left, top])


def find_faces(picture: np.ndarray, config: LandmarkConfig) -> list[Face]:
    """All faces in one picture, (H, W, 3) uint8, down to 40 px or `config.min_face`, largest first."""
    return _Finder(config).thorough(picture)


class PictureLandmarks:
    """Finds the largest face of single pictures; built once for many of them, not shared between threads."""

    def __init__(self, config: LandmarkConfig | None = None) -> None:
        self._finder = _Finder(config or LandmarkConfig())

    def points(self, picture: np.ndarray) -> np.ndarray:
        """Landmarks (68, 2) of the largest face of a picture (H, W, 3) uint8, in its pixels.

        Raises
        ------
        FaceError: no face, or only faces under `min_face`.
        """
        faces = self._finder.usual(picture) or self._finder.thorough(picture)
        if not faces:
            raise FaceError("No face was found.", "Use a picture of a face that looks towards the camera.")
        smallest = self._finder.config.min_face
        if faces[0].side < smallest * _ROUNDING:
            message = f"The face is {faces[0].side:.0f} pixels wide; at least {smallest} are needed."
            raise FaceError(message, "Use a larger picture, or lower 'min_face'.")
        return self._finder.points(picture, faces[0], _POINT_SIDES[-1])


def find_landmarks(clip: Clip, config: LandmarkConfig, runtime: Runtime) -> Landmarks:
    """Follow one face through a clip.

    Without a choice it is the face that is largest over all its frames. `config.face` counts the faces of the first
    frame that has any, largest first; `config.point` takes the first face that holds the point. The face is followed
    forwards and backwards. A clip in which no face is surely found is looked at turned by quarters as well; what is
    found then is told in the pixels of the clip as it is. Stretches of at most `max_gap` frames without the face are
    bridged linearly; at the beginning and the end at most `max_gap // 2` frames keep the nearest landmarks; longer
    stretches are gaps.

    Parameters
    ----------
    clip: frames in display orientation.
    runtime: told of each frame as ("landmarks", done, total).

    Returns
    -------
    Landmarks with points in source pixels, the centre of the first pixel at (0, 0).

    Raises
    ------
    FaceError: no face, none at the index or point that was asked for, or only faces under `min_face`.
    """
    finder = _Finder(config)
    second = load_second_detector(config, runtime.device)
    tracks, counts = _follow(clip, finder, second, runtime)
    turn = _find_turn(clip, tracks, finder, runtime)
    source, size = clip, (clip.width, clip.height)
    point = config.point
    if turn:
        clip = _turned(source, turn)
        point = point and _turned_point(point, turn, size)
        tracks, counts = _follow(clip, finder, second, runtime)
    if not tracks:
        raise FaceError(
            f"No face was found in any of the {len(clip.frames)} frames of {clip.source.name}, nor after turning them.",
            "Use a clip in which a face looks towards the camera, well lit and not too small.",
        )
    track = choose_track(tracks, config, point)
    people = _people(tracks, track)
    if track.side < config.min_face * _ROUNDING:
        raise FaceError(
            f"The face in {clip.source.name} is {track.side:.0f} pixels wide; at least {config.min_face} are needed.",
            "Use a clip in which the face is larger, or lower 'min_face'.",
        )
    _follow_back(clip, track, counts, finder, config.max_gap, runtime)
    _steady(clip, track, finder, runtime)
    if second is not None:
        _ask_second(clip, track, second, runtime)
    indices, points, detected, gaps = bridge(track.points, len(clip.frames), config.max_gap)
    if turn:
        points = turn_points(points, -turn, clip.width, clip.height)
        for row in people:
            row[2:6] = turn_box(tuple(row[2:6]), -turn, clip.width, clip.height)
    return Landmarks(clip.hash, indices, points, detected, counts, gaps, people, turn)


def _find_turn(clip: Clip, tracks: list[_Track], finder: _Finder, runtime: Runtime) -> int:
    """The quarters to the left after which the clip's face is found, 0 where it stands upright or there is none.

    A face on its head is often taken for one that stands, with a low score and somewhere beside it. So a clip in which
    no face was surely found is looked at turned as well; a turn in which one is far surer is taken. A single frame may
    show a face by mistake, so that it takes a quarter of those that are looked at.
    """
    if _best_score(face for track in tracks for face in track.faces.values()) >= _SURE:
        return 0
    frames = clip.frames.indices[:: max(1, len(clip.frames) // _TURN_LOOKS)][:_TURN_LOOKS]
    scores = np.zeros((len(frames), 4))
    for row, frame in enumerate(frames):
        picture = clip.frames.read(frame)
        for turn in range(4):
            runtime.step("landmarks", len(clip.frames), 2 * len(clip.frames))
            scores[row, turn] = _best_score(finder.thorough(turn_picture(picture, turn)))
    best = max(OTHER_TURNS, key=lambda turn: float(scores[:, turn].sum()))
    often = 4 * np.count_nonzero(scores[:, best]) >= len(frames)
    surer = not tracks or scores[:, best].mean() > scores[:, 0].mean() + _TURN_MARGIN
    return best if often and surer else 0


def _best_score(faces: Iterable[Face]) -> float:
    return max((face.score for face in faces), default=0.0)


def _turned(clip: Clip, turn: int) -> Clip:
    """The clip as it looks after `turn` quarters to the left."""
    frames = TurnedFrames(clip.frames.path, clip.frames.indices, turn)
    width, height = (clip.height, clip.width) if turn % 2 else (clip.width, clip.height)
    return dataclasses.replace(clip, frames=frames, width=width, height=height)


def _turned_point(point: tuple[float, float], turn: int, size: tuple[int, int]) -> tuple[float, float]:
    x, y = turn_points(np.array(point, dtype=np.float64), turn, *size)
    return float(x), float(y)


def _people(tracks: list[_Track], chosen: _Track) -> np.ndarray:
    """The faces of a clip as `Landmarks.people` has them, without those seen for a moment only."""
    first = min(min(track.faces) for track in tracks)
    there = sorted((t for t in tracks if first in t.faces), key=lambda track: -track.faces[first].side)
    kept = [track for track in tracks if len(track.faces) >= _PASSING or track is chosen]
    rows = []
    for track in sorted(kept, key=lambda track: -sum(face.side for face in track.faces.values())):
        index = next((i for i, other in enumerate(there) if other is track), -1)
        frame = max(track.faces, key=lambda f: track.faces[f].score)
        rows.append([index, frame, *track.faces[frame].box, len(track.faces), track is chosen])
    return np.array(rows, dtype=np.float64).reshape(-1, 8)


def _follow(clip: Clip, finder: _Finder, second: Any, runtime: Runtime) -> tuple[list[_Track], np.ndarray]:
    """One pass over the clip: every face, linked from frame to frame, and how many each frame has."""
    tracks: list[_Track] = []
    counts = np.zeros(len(clip.frames), dtype=np.int64)
    for done, (frame, picture) in enumerate(zip(clip.frames.indices, clip.frames, strict=True)):
        live = [track for track in tracks if frame - track.last <= max(1, finder.config.max_gap)]
        faces = finder.usual(picture)
        if not live and (faces or done % _THOROUGH_EVERY == 0):
            faces = finder.thorough(picture) or faces
        for track, face in link(tracks, frame, faces):
            track.add(frame, face, finder.points(picture, face))
        for track in live:
            if frame not in track.faces:
                _find_again(track, tracks, frame, picture, finder)
        counts[done] = sum(frame in track.faces for track in tracks)
        if counts[done] == 0 and second is not None and not live:
            _start_with_second(tracks, frame, picture, second)
            counts[done] = sum(frame in track.faces for track in tracks)
        runtime.step("landmarks", done + 1, 2 * len(clip.frames))
    return tracks, counts


def link(tracks: list[_Track], frame: int, faces: Iterable[Face]) -> list[tuple[_Track, Face]]:
    """Give each face of a frame to the nearest track that it can belong to, or to a new one put into `tracks`."""
    faces = list(faces)
    pairs = [
        (distance, t, f)
        for t, track in enumerate(tracks)
        for f, face in enumerate(faces)
        if (distance := track.distance(frame, face)) is not None
    ]
    owner: dict[int, int] = {}
    for _, t, f in sorted(pairs):
        if f not in owner and t not in owner.values():
            owner[f] = t
    for f in range(len(faces)):
        if f not in owner:
            tracks.append(_Track())
            owner[f] = len(tracks) - 1
    return [(tracks[owner[f]], face) for f, face in enumerate(faces)]


def _find_again(track: _Track, tracks: list[_Track], frame: int, picture: np.ndarray, finder: _Finder) -> None:
    """Look for a lost face around its last place; another track's face is not taken for it."""
    face = finder.near(picture, track.faces[track.last])
    if face is None or track.distance(frame, face) is None:
        return
    others = [other.faces[frame] for other in tracks if frame in other.faces]
    if not any(np.linalg.norm(other.centre - face.centre) < face.side / 2 for other in others):
        track.add(frame, face, finder.points(picture, face))


def choose_track(tracks: list[_Track], config: LandmarkConfig, point: tuple[float, float] | None = None) -> _Track:
    """The face that was asked for, see `find_landmarks`; `point` is config.point in the pictures that were searched.

    Raises
    ------
    FaceError: there is none at the index or point.
    """
    if config.point is not None:
        point, wanted = point or config.point, config.point_frame
        holding = [
            (min(sightings), i)
            for i, track in enumerate(tracks)
            if (sightings := [f for f, face in track.faces.items() if face.holds(point) and wanted in (None, f)])
        ]
        if not holding:
            x, y = config.point
            raise FaceError(
                f"There is no face at the point ({x:g}, {y:g}).", "Click on a face, or choose it by number."
            )
        return tracks[min(holding)[1]]
    if config.face is None:
        return max(tracks, key=lambda track: sum(face.side for face in track.faces.values()))
    first = min(min(track.faces) for track in tracks)
    there = sorted((t for t in tracks if first in t.faces), key=lambda track: -track.faces[first].side)
    if config.face >= len(there):
        count = "is 1 face" if len(there) == 1 else f"are {len(there)} faces"
        raise FaceError(
            f"There is no face number {config.face}: there {count} in frame {first}, the first that has any.",
            f"Choose a number from 0 to {len(there) - 1}; 0 is the largest.",
        )
    return there[config.face]


def _follow_back(
    clip: Clip, track: _Track, counts: np.ndarray, finder: _Finder, max_gap: int, runtime: Runtime
) -> None:
    """Follow a face backwards from its first sighting, until it has been gone for `max_gap` frames."""
    first = min(track.faces)
    for frame in range(first - 1, -1, -1):
        if min(track.faces) - frame > max(1, max_gap):
            return
        picture = clip.frames.read(frame)
        face = finder.near(picture, track.faces[min(track.faces)])
        if face is not None and track.distance(frame, face) is not None:
            track.add(frame, face, finder.points(picture, face))
            counts[frame] = max(1, counts[frame])
        runtime.step("landmarks", len(clip.frames), 2 * len(clip.frames))


def _steady(clip: Clip, track: _Track, finder: _Finder, runtime: Runtime) -> None:
    """Place the landmarks again in boxes that follow the landmarks, not the detector.

    The detector's boxes jump by a pyramid level from frame to frame, and the landmarks with them; the landmarks' own
    centre and spread move far less. How the box lies about them is taken from the whole track, so nothing is biased.
    Source: ours.
    """
    frames = sorted(frame for frame in track.faces if track.faces[frame].score != 0.0)
    if not frames:
        return
    spreads = {frame: _spread(track.points[frame]) for frame in frames}
    offset = np.median([(track.faces[f].centre - spreads[f][0]) / spreads[f][1] for f in frames], axis=0)  # (2,)
    size = float(np.median([track.faces[f].side / spreads[f][1] for f in frames]))
    for done, frame in enumerate(frames, 1):
        picture, points = clip.frames.read(frame), track.points[frame]
        for point_side in _POINT_SIDES:
            centre, radius = _spread(points)
            corner = centre + (offset - size / 2) * radius
            box = (corner[0], corner[1], corner[0] + size * radius, corner[1] + size * radius)
            points = finder.points(picture, Face(box, track.faces[frame].score), point_side)
        track.points[frame] = points
        runtime.step("landmarks", len(clip.frames) + done, 2 * len(clip.frames))


def _spread(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (2,) of landmarks and their root mean square distance from it, in pixels."""
    centre = points.mean(axis=0)
    return centre, max(1.0, float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean())))


def bridge(
    found: dict[int, np.ndarray], frames: int, max_gap: int
) -> tuple[tuple[int, ...], np.ndarray, np.ndarray, tuple[tuple[int, int], ...]]:
    """Fill short stretches without landmarks.

    Parameters
    ----------
    found: frame -> (68, 2), at least one.
    frames: of the clip.
    max_gap: longest stretch between two sightings that is filled, linearly; at the ends of the clip up to half as many
        frames repeat the nearest sighting.

    Returns
    -------
    frame indices (T,), points (T, 68, 2), detected (T,) bool, and first and last frame of each stretch left out.
    """
    known = sorted(found)
    stretches = [(-1, known[0]), *itertools.pairwise(known), (known[-1], frames)]
    points = dict(found)
    gaps: list[tuple[int, int]] = []
    for before, after in stretches:
        missing = range(before + 1, after)
        at_end = before < 0 or after == frames
        if len(missing) > (max_gap // 2 if at_end else max_gap):
            gaps.append((missing[0], missing[-1]))
            continue
        for frame in missing:
            if at_end:
                points[frame] = found[after if before < 0 else before]
            else:
                share = (frame - before) / (after - before)
                points[frame] = (1 - share) * found[before] + share * found[after]
    indices = tuple(sorted(points))
    detected = np.array([frame in found for frame in indices])
    return indices, np.stack([points[frame] for frame in indices]), detected, tuple(gaps)


class FaceSearch:
    """Looks for faces in pictures of a clip that lie some frames apart, as `find_landmarks` does in all frames.

    Built once a clip, not shared between threads.

    Attributes
    ----------
    turn: quarters to the left after which faces are found, 0 where the clip stands upright or none was found.
    """

    def __init__(self, config: LandmarkConfig) -> None:
        self._finder = _Finder(config)
        self._tracks: list[_Track] = []
        self._calls = 0
        self._best = 0.0  # score so far
        self.turn = 0

    def faces(self, frame: int, picture: np.ndarray) -> list[tuple[int, Face]]:
        """Number of the track and place of each face in the picture (H, W, 3) uint8 of a frame, the largest first."""
        live = [track for track in self._tracks if frame - track.last <= max(1, self._finder.config.max_gap)]
        faces, due = self._usual(picture, self.turn), self._calls % _THOROUGH_EVERY == 0
        if not faces and not live and due:
            faces = self._finder.thorough(picture)
            self.turn = 0 if faces else self.turn
        if self._best < _SURE and (due or self.turn):
            faces = self._surest(picture, faces)
        self._best = max(self._best, _best_score(faces))
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
        best = max(tried, key=lambda turn: _best_score(tried[turn]))
        if _best_score(tried[best]) <= (_best_score(faces) + _TURN_MARGIN if faces else _TURN_LEAST):
            return faces
        self.turn = best
        return tried[best]

    def _usual(self, picture: np.ndarray, turn: int) -> list[Face]:
        """Faces of a picture after it was turned, where they lie in it as it is."""
        height, width = picture.shape[:2]
        size = (height, width) if turn % 2 else (width, height)
        faces = self._finder.usual(turn_picture(picture, turn))
        return [Face(turn_box(face.box, -turn, *size), face.score) for face in faces]

    def _near(self, picture: np.ndarray, known: Face) -> Face | None:
        """The face where one was seen before, in the picture as it is, or None."""
        height, width = picture.shape[:2]
        size = (height, width) if self.turn % 2 else (width, height)
        place = Face(turn_box(known.box, self.turn, width, height), known.score)
        found = self._finder.near(turn_picture(picture, self.turn), place)
        return None if found is None else Face(turn_box(found.box, -self.turn, *size), found.score)


def second_detector_at_hand() -> bool:
    """Whether face-alignment is installed and its weights lie on disk."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    return all((folder / name).is_file() for name in _SECOND_WEIGHTS) and _is_installed("face_alignment")


@functools.cache
def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def load_second_detector(config: LandmarkConfig, device: torch.device) -> Any:
    """face-alignment's 2D network where it is wanted, installed and its weights lie on disk; else None.

    Nothing is downloaded: without the weights dlib works alone.
    """
    if not config.second_detector or not second_detector_at_hand():
        return None
    try:
        import face_alignment  # slow to import, and seldom at hand
    except ImportError:
        return None
    kind = face_alignment.LandmarksType.TWO_D
    return face_alignment.FaceAlignment(kind, device=str(device), flip_input=False, compile=False)


def _second_points(picture: np.ndarray, second: Any) -> list[np.ndarray]:
    """Landmarks of each face that the second detector sees, (68, 2) float64; it answers (None, ...) for none."""
    found = second.get_landmarks_from_image(picture)
    return [np.asarray(points, dtype=np.float64)[:, :2] for points in found or [] if points is not None]


def _around(points: np.ndarray) -> Face:
    """The box that dlib would put around landmarks, roughly: from the brows to the chin."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return Face((float(left), float(top), float(right), float(bottom)), 0.0)


def _start_with_second(tracks: list[_Track], frame: int, picture: np.ndarray, second: Any) -> None:
    found = [(points, _around(points)) for points in _second_points(picture, second)]
    for (points, _), (track, face) in zip(found, link(tracks, frame, [face for _, face in found]), strict=True):
        track.add(frame, face, points)


def _ask_second(clip: Clip, track: _Track, second: Any, runtime: Runtime) -> None:
    """Ask the second detector about the frames in which the track has no face."""
    for frame in clip.frames.indices:
        if frame in track.faces:
            continue
        near = track.faces[min(track.faces, key=lambda known: abs(known - frame))]
        side = int(np.ceil(near.side * _NEAR_REACH))
        left, top = (int(v) for v in np.floor(near.centre - side / 2))
        for points in _second_points(_cut(clip.frames.read(frame), left, top, side), second):
            placed = points + np.array([left, top])
            if frame not in track.faces and track.distance(frame, _around(placed)) is not None:
                track.add(frame, _around(placed), placed)
        runtime.step("landmarks", 2 * len(clip.frames), 2 * len(clip.frames))


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


def _cut(picture: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A square of the picture, (side, side, 3); what lies outside repeats the edge."""
    height, width = picture.shape[:2]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return picture[rows[:, None], columns]
