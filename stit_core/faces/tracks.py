"""Faces of neighbouring frames that belong together by their place: linked, and bridged where they are missing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from stit_core.faces.detectors import Face

MAX_MOTION = 0.5  # face sides a frame
_MAX_JUMP = 2.0  # face sides, after any number of frames
_MAX_GROWTH = 2.0  # of the side, either way


@dataclass
class Track:
    """One face through the clip: where it was seen, and its landmarks there."""

    faces: dict[int, Face] = field(default_factory=dict)
    points: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(self.faces)

    def add(self, frame: int, face: Face, points: np.ndarray) -> None:
        self.faces[frame] = face
        self.points[frame] = points

    def part(self, frames: Iterable[int]) -> Track:
        """The same face in some of its frames only."""
        kept = list(frames)
        return Track({frame: self.faces[frame] for frame in kept}, {frame: self.points[frame] for frame in kept})

    def distance(self, frame: int, face: Face) -> float | None:
        """Centre distance in sides to the nearest sighting, or None where the two cannot be one face."""
        near = min(self.faces, key=lambda known: abs(known - frame))
        known = self.faces[near]
        side = max(known.side, face.side)
        distance = float(np.linalg.norm(known.centre - face.centre)) / side
        reach = min(MAX_MOTION * abs(frame - near), _MAX_JUMP)
        alike = side / min(known.side, face.side) <= _MAX_GROWTH
        return distance if distance <= reach and alike else None


def link(tracks: list[Track], frame: int, faces: Iterable[Face]) -> list[tuple[Track, Face]]:
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
            tracks.append(Track())
            owner[f] = len(tracks) - 1
    return [(tracks[owner[f]], face) for f, face in enumerate(faces)]


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
