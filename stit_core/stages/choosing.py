"""Whose face is edited: one of the people of a clip, corrected where somebody was taken for somebody else."""

from __future__ import annotations

import dataclasses

import numpy as np

from stit_core.artefacts import Landmarks, People, stretches
from stit_core.config import LandmarkConfig
from stit_core.errors import FaceError
from stit_core.faces.detectors import check_side
from stit_core.faces.tracks import bridge

HIDDEN = 0.6  # of a face's side: nearer than this to another's place, a face that is not seen is behind it


def correct(people: People, corrections: tuple[tuple[str, int, int], ...]) -> People:
    """The people after a visitor's corrections, one after another; nobody else's number changes.

    Parameters
    ----------
    corrections: ("join", a, b) makes b's sightings a's; ("split", a, frame) gives those from a frame on to a new
        person, whose number is the next that nobody ever had.

    Raises
    ------
    FaceError: a number that nobody has, two people who are seen in one frame, or nothing on one side of a split.
    """
    owner, used = people.owner.copy(), max(people.numbers, default=-1)
    for kind, number, other in corrections:
        for named in (number, other) if kind == "join" else (number,):
            if named not in owner:
                raise unknown_person(named, tuple(np.unique(owner).tolist()))
        if kind == "join":
            both = set(people.frame[owner == number].tolist()) & set(people.frame[owner == other].tolist())
            if both:
                message = f"Person {number} and person {other} are both seen in frame {min(both)}: they are two."
                raise FaceError(message, "Split the one that is wrong there first.")
            owner[owner == other] = number
            continue
        later = (owner == number) & (people.frame >= other)
        if not later.any() or later.sum() == (owner == number).sum():
            message = f"Person {number} is not seen on both sides of frame {other}."
            raise FaceError(message, "Choose a frame between two in which the face is seen.")
        used += 1
        owner[later] = used
    order = np.lexsort((people.frame, owner))
    rows = {name: getattr(people, name)[order] for name in ("frame", "boxes", "scores", "points")}
    return dataclasses.replace(people, owner=owner[order], **rows)


def choose(people: People, config: LandmarkConfig) -> int:
    """The number of the person who was asked for; without a choice, of the one who is largest over all frames.

    `config.face` is a number; `config.point` takes the first face that holds the point, in source pixels.

    Raises
    ------
    FaceError: there is none with that number or at that point.
    """
    if config.point is not None:
        x, y = config.point
        left, top, right, bottom = people.boxes.T
        holds = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
        if config.point_frame is not None:
            holds &= people.frame == config.point_frame
        if not holds.any():
            message = f"There is no face at the point ({x:g}, {y:g})."
            raise FaceError(message, "Click on a face, or choose it by number.")
        rows = np.flatnonzero(holds)
        return int(people.owner[rows[np.lexsort((people.owner[rows], people.frame[rows]))[0]]])
    if config.face is None:
        return max(people.numbers, key=people.extent)
    if config.face not in people.numbers:
        raise unknown_person(config.face, people.numbers)
    return config.face


def unknown_person(number: int, numbers: tuple[int, ...]) -> FaceError:
    """There is nobody with this number."""
    count = "is 1 person" if len(numbers) == 1 else f"are {len(numbers)} people"
    listed = ", ".join(map(str, numbers))
    return FaceError(
        f"There is no face number {number}: there {count} in the clip.",
        f"Numbers: {listed}; 0 is the largest in the first frame that has any. `check` lists them.",
    )


def follow(people: People, number: int, config: LandmarkConfig, name: str) -> Landmarks:
    """The landmarks of one person along the clip.

    Stretches of at most `max_gap` frames without the face are bridged linearly; at the beginning and the end at most
    `max_gap // 2` frames, and no more than there are sightings, keep the nearest landmarks; longer stretches are gaps,
    and so are frames in which the face would stand where another is seen, which hides it.

    Parameters
    ----------
    number: whose, as `choose` gives it.
    name: of the clip, for errors.

    Raises
    ------
    FaceError: only faces under `min_face`.
    """
    rows = people.rows(number)
    boxes = people.boxes[rows]
    side = float(np.median(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])))
    check_side(side, config.min_face, f"The face in {name}", "Use a clip in which the face is larger")
    found = dict(zip(people.frame[rows].tolist(), people.points[rows], strict=True))
    indices, points, detected, _ = bridge(found, people.frames, config.max_gap)
    first, last = min(found) - len(found), max(found) + len(found)
    seen = np.array(
        [
            at or (first <= f <= last and not _is_hidden(people, number, f, p))
            for f, p, at in zip(indices, points, detected, strict=True)
        ]
    )
    indices = tuple(np.array(indices)[seen].tolist())
    missing = tuple(sorted(set(range(people.frames)) - set(indices)))
    gaps = tuple((missing[s.start], missing[s.stop - 1]) for s in stretches(missing)) if missing else ()
    return Landmarks(people.clip_hash, indices, points[seen], detected[seen], gaps, number)


def _is_hidden(people: People, number: int, frame: int, points: np.ndarray) -> bool:
    """Whether another's face is seen where this one would be, by its landmarks (68, 2)."""
    others = (people.frame == frame) & (people.owner != number)
    if not others.any():
        return False
    apart = np.linalg.norm(people.points[others].mean(axis=1) - points.mean(axis=0), axis=1)
    boxes = people.boxes[others]
    return bool((apart < HIDDEN * (boxes[:, 2] - boxes[:, 0])).any())
