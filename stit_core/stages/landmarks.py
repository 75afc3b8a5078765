"""Finding, choosing and tracking one face: 68 landmarks a frame, by dlib first and face-alignment second.

Every frame is searched at a moderate size. A face that the search loses is looked for again around its last place, cut
out and enlarged, so that small faces and faces at the edge of the frame are kept. Faces of neighbouring frames
belong together when their centres are at most MAX_MOTION face sides a frame apart.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from stit_core.artefacts import Clip, Landmarks, people_table
from stit_core.config import LandmarkConfig
from stit_core.errors import FaceError
from stit_core.faces.detectors import (
    NEAR_REACH,
    POINT_SIDES,
    DlibDetector,
    PointDetector,
    best_score,
    check_side,
    cut_square,
    load_second_detector,
)
from stit_core.faces.search import SURE, THOROUGH_EVERY, TURN_MARGIN
from stit_core.faces.tracks import Track, bridge, choose_track, link, list_people
from stit_core.runtime import Runtime
from stit_core.turning import OTHER_TURNS, TurnedFrames, turn_box, turn_picture, turn_points

_TURN_LOOKS = 8  # frames that are looked at turned, in a clip in which no face was surely found


def find_landmarks(clip: Clip, config: LandmarkConfig, runtime: Runtime) -> Landmarks:
    """Follow one face through a clip.

    Without a choice it is the face that is largest over all its frames. `config.face` counts the faces of the first
    frame that has any, largest first; `config.point` takes the first face that holds the point. The face is followed
    forwards and backwards. A clip in which no face is surely found is looked at turned by quarters as well; what is
    found then is given in pixels of the clip as it is. Stretches of at most `max_gap` frames without the face are
    bridged linearly; at the beginning and the end at most `max_gap // 2` frames keep the nearest landmarks; longer
    stretches are gaps.

    Parameters
    ----------
    clip: frames in display orientation.
    runtime: progress and stop, one step a frame.

    Returns
    -------
    Landmarks with points in source pixels, the centre of the first pixel at (0, 0).

    Raises
    ------
    FaceError: no face, none at the index or point that was asked for, or only faces under `min_face`.
    """
    finder = DlibDetector(config)
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
    people = list_people(tracks, track)
    subject = f"The face in {clip.source.name}"
    check_side(track.side, config.min_face, subject, "Use a clip in which the face is larger")
    _follow_back(clip, track, counts, finder, config.max_gap, runtime)
    _steady(clip, track, finder, runtime)
    if second is not None:
        _ask_second(clip, track, second, runtime)
    indices, points, detected, gaps = bridge(track.points, len(clip.frames), config.max_gap)
    if turn:
        points = turn_points(points, -turn, clip.width, clip.height)
        boxes = [turn_box(person.box, -turn, clip.width, clip.height) for person in people]
        people = tuple(dataclasses.replace(person, box=box) for person, box in zip(people, boxes, strict=True))
    return Landmarks(clip.hash, indices, points, detected, counts, gaps, people_table(people), turn)


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


def _turned_point(point: tuple[float, float], turn: int, size: tuple[int, int]) -> tuple[float, float]:
    x, y = turn_points(np.array(point, dtype=np.float64), turn, *size)
    return float(x), float(y)


def _follow(
    clip: Clip, finder: DlibDetector, second: PointDetector | None, runtime: Runtime
) -> tuple[list[Track], np.ndarray]:
    """One pass over the clip: every face, linked from frame to frame, and how many each frame has."""
    tracks: list[Track] = []
    counts = np.zeros(len(clip.frames), dtype=np.int64)
    for done, (frame, picture) in enumerate(zip(clip.frames.indices, clip.frames, strict=True)):
        live = [track for track in tracks if frame - track.last <= max(1, finder.config.max_gap)]
        faces = finder.usual(picture)
        if not live and (faces or done % THOROUGH_EVERY == 0):
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


def _find_again(track: Track, tracks: list[Track], frame: int, picture: np.ndarray, finder: DlibDetector) -> None:
    """Look for a lost face around its last place; another track's face is not taken for it."""
    face = finder.near(picture, track.faces[track.last])
    if face is None or track.distance(frame, face) is None:
        return
    others = [other.faces[frame] for other in tracks if frame in other.faces]
    if not any(np.linalg.norm(other.centre - face.centre) < face.side / 2 for other in others):
        track.add(frame, face, finder.points(picture, face))


def _follow_back(
    clip: Clip, track: Track, counts: np.ndarray, finder: DlibDetector, max_gap: int, runtime: Runtime
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


def _steady(clip: Clip, track: Track, finder: DlibDetector, runtime: Runtime) -> None:
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
    for done, frame in enumerate(frames, 1):
        picture, points = clip.frames.read(frame), track.points[frame]
        for point_side in POINT_SIDES:
            centre, radius = _spread(points)
            corner = centre + (offset - size / 2) * radius
            box = (corner[0], corner[1], corner[0] + size * radius, corner[1] + size * radius)
            points = finder.points(picture, track.faces[frame].at(box), point_side)
        track.points[frame] = points
        runtime.step("landmarks", len(clip.frames) + done, 2 * len(clip.frames))


def _spread(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (2,) of landmarks and their root mean square distance from it, in pixels."""
    centre = points.mean(axis=0)
    return centre, max(1.0, float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean())))


def _start_with_second(tracks: list[Track], frame: int, picture: np.ndarray, second: PointDetector) -> None:
    found = second.find(picture)
    for (_, points), (track, face) in zip(found, link(tracks, frame, [face for face, _ in found]), strict=True):
        track.add(frame, face, points)


def _ask_second(clip: Clip, track: Track, second: PointDetector, runtime: Runtime) -> None:
    """Ask the second detector about the frames in which the track has no face."""
    for frame in clip.frames.indices:
        if frame in track.faces:
            continue
        near = track.faces[min(track.faces, key=lambda known: abs(known - frame))]
        side = int(np.ceil(near.side * NEAR_REACH))
        left, top = (int(v) for v in np.floor(near.centre - side / 2))
        for face, points in second.find(cut_square(clip.frames.read(frame), left, top, side)):
            placed = face.moved(left, top)
            if frame not in track.faces and track.distance(frame, placed) is not None:
                track.add(frame, placed, points + np.array([left, top]))
        runtime.step("landmarks", 2 * len(clip.frames), 2 * len(clip.frames))
