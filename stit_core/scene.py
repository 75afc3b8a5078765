"""Everyone in a clip: where each stands, who is in front where two overlap, and frames in which nobody covers another.

What a face's edit changes reaches beyond the face. Where another's crop overlaps, that is kept off the other's face,
whether or not the other is edited too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stit_core.artefacts import Clip, Landmarks, People
from stit_core.config import AlignmentConfig, LandmarkConfig
from stit_core.errors import FaceError
from stit_core.geometry import patch_bounds
from stit_core.stages import choosing
from stit_core.stages.alignment import fit_quads
from stit_core.stages.layering import Layer, lay_together, shows_first

SMALLEST = 16  # pixels, side of a face that is kept free of others' edits
_NEARBY = 15  # frames before and after two faces overlap, in which the one that is gone is behind
_LOOKS = 5  # frames of an overlap that are looked at


@dataclass(frozen=True)
class Place:
    """Where one person stands: frames, landmarks (T, 68, 2) and quads (T, 4, 2) in frame pixels."""

    frames: Mapping[int, int]  # frame -> row
    points: np.ndarray
    quads: np.ndarray

    def at(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks and quad of a frame."""
        row = self.frames[frame]
        return self.points[row], self.quads[row]


class Scene:
    """The people of a clip and their places.

    Parameters
    ----------
    clip, people: of one clip.
    landmarks, alignment: how faces are followed and their quads are fitted, for everyone.
    chosen: who is edited, however short they are seen; others who are there for a moment only do not count.
    """

    def __init__(
        self,
        clip: Clip,
        people: People,
        landmarks: LandmarkConfig,
        alignment: AlignmentConfig,
        chosen: Sequence[int] = (),
    ) -> None:
        self.clip, self.people = clip, people
        self.places: dict[int, Place] = {}
        self._order: dict[tuple[int, int], dict[int, bool]] = {}
        numbers = {*chosen, *(person.index for person in people.persons)}
        if len(numbers) == 1:  # nobody to stand in anybody's way
            return
        anyone = dataclasses.replace(landmarks, min_face=SMALLEST)
        for number in sorted(numbers):
            try:
                found = choosing.follow(people, number, anyone, clip.source.name)
                self.places[number] = _place(found, fit_quads(found, alignment))
            except FaceError:  # too small, or never seen without another before it: there is nothing to keep free
                continue

    def neighbours(self, number: int, frame: int) -> list[int]:
        """Whose crops overlap that of a person in a frame."""
        own = self.places.get(number)
        if own is None or frame not in own.frames:
            return []
        size, (_, quad) = (self.clip.width, self.clip.height), own.at(frame)
        return [
            other
            for other, place in self.places.items()
            if other != number and frame in place.frames and _overlap(quad, place.at(frame)[1], size)
        ]

    def together(self, frame: int, picture: np.ndarray, layers: Mapping[int, Layer]) -> np.ndarray:
        """A frame (H, W, 3) uint8 of the source with the edited faces of these people, and all others as they are."""
        stills = {
            number: Layer(*place.at(frame))
            for number, place in self.places.items()
            if number not in layers and frame in place.frames
        }
        everyone = {**layers, **stills}
        return lay_together(picture, [everyone[number] for number in self._front_first(frame, sorted(everyone))])

    # --- who is in front ---

    def _front_first(self, frame: int, numbers: Sequence[int]) -> list[int]:
        """The people of a frame, the nearest first."""
        wins = dict.fromkeys(numbers, 0)
        for i, a in enumerate(numbers):
            for b in numbers[i + 1 :]:
                wins[a if self._is_first(a, b, frame) else b] += 1
        return sorted(numbers, key=lambda number: (-wins[number], number))

    def _is_first(self, a: int, b: int, frame: int) -> bool:
        """Whether a is before b, the same for all of a stretch of frames in which the two overlap."""
        if (a, b) not in self._order:
            self._order[a, b] = dict(self._ordered(a, b))
        return self._order[a, b].get(frame, a < b)

    def _ordered(self, a: int, b: int) -> Iterator[tuple[int, bool]]:
        """Frames in which the crops of two people overlap, each with whether a is in front.

        Who is seen while the other is gone is in front; else who is seen where their faces overlap, by the colours;
        else who is larger.
        """
        if a not in self.places or b not in self.places:
            return
        first, second = ({frame: place.at(frame)[1] for frame in place.frames} for place in self._pair(a, b))
        size = self.clip.width, self.clip.height
        shared = [frame for frame in first if frame in second and _overlap(first[frame], second[frame], size)]
        stretches: list[list[int]] = []
        for frame in shared:
            if stretches and frame - stretches[-1][-1] <= _NEARBY:
                stretches[-1].append(frame)
            else:
                stretches.append([frame])
        seen = [set(self.people.frame[self.people.rows(number)].tolist()) for number in (a, b)]
        for stretch in stretches:
            near = range(stretch[0] - _NEARBY, stretch[-1] + _NEARBY + 1)
            hidden = range(stretch[0], stretch[-1] + 1)  # between the two ends, who is gone is behind
            alone = sum((f in seen[0]) - (f in seen[1]) for f in hidden)
            colours = sum(self._colours(a, b, frame) for frame in _spread(stretch, _LOOKS)) if alone == 0 else 0.0
            larger = sum(float(np.ptp(first[f][:, 0]) - np.ptp(second[f][:, 0])) for f in stretch)
            verdict = next((value for value in (alone, colours, larger) if value), 1.0)
            for frame in near:
                yield frame, verdict > 0

    def _pair(self, a: int, b: int) -> tuple[Place, Place]:
        return self.places[a], self.places[b]

    def _colours(self, a: int, b: int, frame: int) -> float:
        points = [
            self.people.points[self.people.rows(n)][self.people.frame[self.people.rows(n)] == frame] for n in (a, b)
        ]
        if not all(len(each) for each in points):
            return 0.0
        return shows_first(self.clip.frames.read(frame), points[0][0], points[1][0])


def _place(landmarks: Landmarks, quads: np.ndarray) -> Place:
    return Place({frame: row for row, frame in enumerate(landmarks.frame_indices)}, landmarks.points, quads)


def _overlap(a: np.ndarray, b: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether the parts of a frame that two quads touch have a pixel in common."""
    (l0, t0, r0, b0), (l1, t1, r1, b1) = (patch_bounds(quad, *size) for quad in (a, b))
    return max(l0, l1) < min(r0, r1) and max(t0, t1) < min(b0, b1)


def _spread(frames: list[int], count: int) -> list[int]:
    """At most `count` of the frames, evenly."""
    places = np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int))
    return [frames[place] for place in places.tolist()]
