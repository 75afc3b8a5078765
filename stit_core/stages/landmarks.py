"""Finding, tracking and telling apart the faces of a clip: 68 landmarks each, by dlib first and face-alignment second.

Every frame is searched at a moderate size. A face that the search loses is looked for again around its last place, cut
out and enlarged, so that small faces and faces at the edge of the frame are kept. Faces of neighbouring frames
belong together when their centres are at most MAX_MOTION face sides a frame apart; whose they are, dlib's embeddings
say. Which of them is edited is chosen afterwards (stages/choosing.py).
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import numpy as np

from stit_core.artefacts import PASSING, Clip, People
from stit_core.config import LandmarkConfig
from stit_core.errors import FaceError
from stit_core.faces.detectors import (
    NEAR_REACH,
    POINT_SIDES,
    DlibDetector,
    Face,
    PointDetector,
    best_score,
    cut_square,
    load_second_detector,
)
from stit_core.faces.embedding import FaceEmbedder
from stit_core.faces.identities import people_of
from stit_core.faces.search import SURE, THOROUGH_EVERY, TURN_MARGIN
from stit_core.faces.tracks import Track, link
from stit_core.runtime import Runtime, made_ahead
from stit_core.turning import OTHER_TURNS, TurnedFrames, turn_box, turn_picture, turn_points

NEWCOMERS_EVERY = 12  # frames, in which smaller faces are looked for than the usual search finds
_TURN_LOOKS = 8  # frames that are looked at turned, in a clip in which no face was surely found


def find_people(clip: Clip, config: LandmarkConfig, runtime: Runtime) -> People:
    """Follow every face through a clip, forwards and backwards, and find out which are one person.

    A clip in which no face is surely found is looked at turned by quarters as well; what is found then is given in
    pixels of the clip as it is.

    Parameters
    ----------
    clip: frames in display orientation.
    config: of it the smallest face, the longest gap and the second detector; not whose face is wanted.
    runtime: progress and stop, one step a frame.

    Returns
    -------
    People with points in source pixels, the centre of the first pixel at (0, 0).

    Raises
    ------
    FaceError: no face.
    """
    finder = DlibDetector(config)
    second = load_second_detector(config, runtime.device)
    tracks = _follow(clip, finder, second, runtime)
    turn = _find_turn(clip, tracks, finder, runtime)
    source = clip
    if turn:
        clip = _turned(source, turn)
        tracks = _follow(clip, finder, second, runtime)
    if not tracks:
        raise FaceError(
            f"No face was found in any of the {len(clip.frames)} frames of {clip.source.name}, nor after turning them.",
            "Use a clip in which a face looks towards the camera, well lit and not too small.",
        )
    tracks = _numbered(_told_apart(clip, tracks, runtime))
    for rank, track in enumerate(tracks):
        _follow_back(clip, track, tracks, finder, runtime)
        _steady(clip, track, finder, runtime, (rank, len(tracks)))
        if second is not None:
            _ask_second(clip, track, tracks, second, runtime)
    return _people(source, tracks, turn)


def _told_apart(clip: Clip, tracks: list[Track], runtime: Runtime) -> list[Track]:
    """The tracks, one a person."""
    embedder = FaceEmbedder()

    def embed(frame: int, points: np.ndarray) -> np.ndarray:
        runtime.step("landmarks", len(clip.frames), 2 * len(clip.frames))
        return embedder.embed(clip.frames.read(frame), points)

    return people_of(tracks, embed)


def _numbered(tracks: list[Track]) -> list[Track]:
    """In the order in which people are numbered: the first faces by size, who comes later, who only passes."""
    first = min(min(track.faces) for track in tracks)

    def place(track: Track) -> tuple[bool, int, float]:
        begin = min(track.faces)
        return begin > first and len(track.faces) < PASSING, begin, -track.faces[begin].side

    return sorted(tracks, key=place)


def _people(clip: Clip, tracks: list[Track], turn: int) -> People:
    """What is stored of the tracks, in pixels of the clip as it is."""
    owner, frame, boxes, scores, points = [], [], [], [], []
    for number, track in enumerate(tracks):
        for at in sorted(track.faces):
            face = track.faces[at]
            owner.append(number)
            frame.append(at)
            boxes.append(face.box)
            scores.append(face.score)
            points.append(track.points[at])
    placed = np.stack(points)
    if turn:
        size = (clip.height, clip.width) if turn % 2 else (clip.width, clip.height)
        placed = turn_points(placed, -turn, *size)
        boxes = [turn_box(box, -turn, *size) for box in boxes]
    rows = np.array(owner), np.array(frame), np.array(boxes, dtype=np.float64), np.array(scores, dtype=np.float64)
    return People(clip.hash, len(clip.frames), *rows, placed, turn)


def _find_turn(clip: Clip, tracks: list[Track], finder: DlibDetector, runtime: Runtime) -> int:
    """The quarters to the left after which the clip's face is found, 0 where it stands upright or there is none.

    A face on its head is often taken for one that stands, with a low score and somewhere beside it. So a clip in which
    no face was surely found is looked at turned as well; a turn in which one is far surer is taken. A single frame may
    show a face by mistake, so that it takes a quarter of those that are looked at.
    """
    if best_score(face for track in tracks for face in track.faces.values()) >= SURE:
        return 0
    frames = clip.frames.indices[:: max(1, len(clip.frames) // _TURN_LOOKS)][:_TURN_LOOKS]
    scores = np.zeros((len(frames), 4))
    for row, frame in enumerate(frames):
        picture = clip.frames.read(frame)
        for turn in range(4):
            runtime.step("landmarks", len(clip.frames), 2 * len(clip.frames))
            scores[row, turn] = best_score(finder.thorough(turn_picture(picture, turn)))
    best = max(OTHER_TURNS, key=lambda turn: float(scores[:, turn].sum()))
    often = 4 * np.count_nonzero(scores[:, best]) >= len(frames)
    surer = not tracks or scores[:, best].mean() > scores[:, 0].mean() + TURN_MARGIN
    return best if often and surer else 0


def _turned(clip: Clip, turn: int) -> Clip:
    """The clip as it looks after `turn` quarters to the left."""
    frames = TurnedFrames(clip.frames.path, clip.frames.indices, turn)
    width, height = (clip.height, clip.width) if turn % 2 else (clip.width, clip.height)
    return dataclasses.replace(clip, frames=frames, width=width, height=height)


def _follow(clip: Clip, finder: DlibDetector, second: PointDetector | None, runtime: Runtime) -> list[Track]:
    """One pass over the clip: every face, linked from frame to frame."""
    tracks: list[Track] = []
    with made_ahead(_search_of(clip, finder.config), range(len(clip.frames))) as searched:
        for done, (frame, picture, faces, newcomers) in enumerate(searched):
            live = [track for track in tracks if frame - track.last <= max(1, finder.config.max_gap)]
            if not live and (faces or done % THOROUGH_EVERY == 0):
                faces = finder.thorough(picture) or faces
            for track, face in link(tracks, frame, faces):
                track.add(frame, face, finder.points(picture, face))
            for track in live:
                if frame not in track.faces:
                    _find_again(track, tracks, frame, picture, finder)
            if live:
                _add_newcomers(tracks, frame, picture, newcomers, finder)
            if second is not None and not live and not any(frame in track.faces for track in tracks):
                _start_with_second(tracks, frame, picture, second)
            runtime.step("landmarks", done + 1, 2 * len(clip.frames))
    return tracks


def _search_of(clip: Clip, config: LandmarkConfig) -> Callable[[int], tuple[int, np.ndarray, list[Face], list[Face]]]:
    """Looks for the faces at a position in the clip, in any thread.

    It gives the frame, its picture, what the usual search finds in it, and now and then smaller faces as well.
    """
    own = threading.local()

    def search(position: int) -> tuple[int, np.ndarray, list[Face], list[Face]]:
        if not hasattr(own, "finder"):
            own.finder = DlibDetector(config)  # no two threads may share one
        frame = clip.frames.indices[position]
        picture = clip.frames.read(frame)
        newcomers = own.finder.newcomers(picture) if position % NEWCOMERS_EVERY == 0 else []
        return frame, picture, own.finder.usual(picture), newcomers

    return search


def _find_again(track: Track, tracks: list[Track], frame: int, picture: np.ndarray, finder: DlibDetector) -> None:
    """Look for a lost face around its last place; another track's face is not taken for it."""
    face = finder.near(picture, track.faces[track.last])
    if face is None or track.distance(frame, face) is None or _is_taken(face, frame, track, tracks):
        return
    track.add(frame, face, finder.points(picture, face))


def _add_newcomers(
    tracks: list[Track], frame: int, picture: np.ndarray, newcomers: list[Face], finder: DlibDetector
) -> None:
    """Take in small faces that no track has; who is found is followed back to where he or she came in."""
    known = [track.faces[frame] for track in tracks if frame in track.faces]
    faces = [
        face
        for face in newcomers
        if not any(np.linalg.norm(face.centre - other.centre) < max(face.side, other.side) / 2 for other in known)
    ]
    absent = [track for track in tracks if frame not in track.faces]
    before = len(absent)
    for track, face in link(absent, frame, faces):
        track.add(frame, face, finder.points(picture, face))
    tracks.extend(absent[before:])


def _is_taken(face: Face, frame: int, track: Track, tracks: list[Track]) -> bool:
    """Whether another track has the face of this frame."""
    others = [other.faces[frame] for other in tracks if other is not track and frame in other.faces]
    return any(np.linalg.norm(other.centre - face.centre) < face.side / 2 for other in others)


def _follow_back(clip: Clip, track: Track, tracks: list[Track], finder: DlibDetector, runtime: Runtime) -> None:
    """Follow a face backwards from its first sighting, until it has been gone for `max_gap` frames."""
    first = min(track.faces)
    for frame in range(first - 1, -1, -1):
        if min(track.faces) - frame > max(1, finder.config.max_gap):
            return
        picture = clip.frames.read(frame)
        face = finder.near(picture, track.faces[min(track.faces)])
        if face is not None and track.distance(frame, face) is not None and not _is_taken(face, frame, track, tracks):
            track.add(frame, face, finder.points(picture, face))
        runtime.step("landmarks", len(clip.frames), 2 * len(clip.frames))


def _steady(clip: Clip, track: Track, finder: DlibDetector, runtime: Runtime, part: tuple[int, int]) -> None:
    """Place the landmarks again in boxes that follow the landmarks, not the detector.

    The detector's boxes jump by a pyramid level from frame to frame, and the landmarks with them; the landmarks' own
    centre and spread move far less. How the box lies about them is taken from the whole track, so nothing is biased.
    Source: ours.
    """
    frames = sorted(frame for frame in track.faces if track.faces[frame].detector == finder.name)
    if not frames:
        return
    spreads = {frame: _spread(track.points[frame]) for frame in frames}
    offset = np.median([(track.faces[f].centre - spreads[f][0]) / spreads[f][1] for f in frames], axis=0)  # (2,)
    size = float(np.median([track.faces[f].side / spreads[f][1] for f in frames]))

    def place(frame: int) -> np.ndarray:
        picture, points = clip.frames.read(frame), track.points[frame]
        for point_side in POINT_SIDES:
            centre, radius = _spread(points)
            corner = centre + (offset - size / 2) * radius
            box = (corner[0], corner[1], corner[0] + size * radius, corner[1] + size * radius)
            points = finder.points(picture, track.faces[frame].at(box), point_side)
        return points

    with made_ahead(place, frames) as placed:
        for done, (frame, points) in enumerate(zip(frames, placed, strict=True), 1):
            track.points[frame] = points
            rank, count = part  # of the tracks, of which one after another is steadied
            share = len(clip.frames) * (rank * len(frames) + done) // (count * len(frames))
            runtime.step("landmarks", len(clip.frames) + share, 2 * len(clip.frames))


def _spread(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (2,) of landmarks and their root mean square distance from it, in pixels."""
    centre = points.mean(axis=0)
    return centre, max(1.0, float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean())))


def _start_with_second(tracks: list[Track], frame: int, picture: np.ndarray, second: PointDetector) -> None:
    found = second.find(picture)
    for (_, points), (track, face) in zip(found, link(tracks, frame, [face for face, _ in found]), strict=True):
        track.add(frame, face, points)


def _ask_second(clip: Clip, track: Track, tracks: list[Track], second: PointDetector, runtime: Runtime) -> None:
    """Ask the second detector about the frames in which the track has no face."""
    for frame in clip.frames.indices:
        if frame in track.faces:
            continue
        near = track.faces[min(track.faces, key=lambda known: abs(known - frame))]
        side = int(np.ceil(near.side * NEAR_REACH))
        left, top = (int(v) for v in np.floor(near.centre - side / 2))
        for face, points in second.find(cut_square(clip.frames.read(frame), left, top, side)):
            placed = face.moved(left, top)
            taken = _is_taken(placed, frame, track, tracks)
            if frame not in track.faces and track.distance(frame, placed) is not None and not taken:
                track.add(frame, placed, points + np.array([left, top]))
        runtime.step("landmarks", 2 * len(clip.frames), 2 * len(clip.frames))
