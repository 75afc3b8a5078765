"""Whose face it is: tracks cut and joined by embeddings that a test gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from stit_core.faces.detectors import Face
from stit_core.faces.identities import people_of
from stit_core.faces.tracks import Track

SIDE = 40.0  # pixels of a face
NOBODY_ELSE = 0.02  # of the embedding, by which pictures of one person differ


def track(frames: Iterable[int], where: Callable[[int], float]) -> Track:
    """A face whose middle is at `where` in each frame; its first landmark says where it was seen."""
    made = Track()
    for frame in frames:
        x = where(frame)
        box = (x - SIDE / 2, 80.0, x + SIDE / 2, 80.0 + SIDE)
        made.add(frame, Face(box, 1.0, "dlib"), np.full((68, 2), x))
    return made


def looks_like(who: Callable[[int, float], int]) -> Callable[[int, np.ndarray], np.ndarray]:
    """Embeddings of people 0, 1, ... who are 0.7 apart; `who` says who stands at x in a frame."""

    def embed(frame: int, points: np.ndarray) -> np.ndarray:
        vector = np.random.default_rng(frame).normal(size=128) * NOBODY_ELSE / np.sqrt(128)
        vector[who(frame, float(points[0, 0]))] += 0.5
        return vector

    return embed


def test_a_lone_track_of_one_person_stays_as_it_is() -> None:
    alone = track([*range(20), *range(25, 40)], lambda frame: 100.0 + frame)
    assert people_of([alone], looks_like(lambda frame, x: 0)) == [alone]  # noqa: ARG005


def test_where_two_cross_the_one_who_was_hidden_is_not_taken_for_the_other() -> None:
    """By place the two are taken for each other where they come apart; by their faces they are not."""
    left = track(range(30), lambda frame: 100.0 + 5 * min(frame, 30 - frame))  # by place: comes back to the left
    right = track([*range(13), *range(18, 30)], lambda frame: 260.0 - 5 * min(frame, 30 - frame))

    def who(frame: int, x: float) -> int:
        return int((x > 180) == (frame < 15))

    people = people_of([left, right], looks_like(who))
    assert len(people) == 2
    for number, found in enumerate(people):
        seen = {who(frame, float(points[0, 0])) for frame, points in found.points.items()}
        assert len(seen) == 1, f"person {number} is {seen}"
    assert sum(len(found.faces) for found in people) == len(left.faces) + len(right.faces)


def test_who_goes_and_comes_back_elsewhere_is_one_person_and_who_looks_otherwise_is_not() -> None:
    before, after = track(range(10), lambda frame: 50.0), track(range(60, 70), lambda frame: 500.0)  # noqa: ARG005
    assert len(people_of([before, after], looks_like(lambda frame, x: 0))) == 1  # noqa: ARG005
    assert len(people_of([before, after], looks_like(lambda frame, x: int(frame > 30)))) == 2  # noqa: ARG005


def test_a_cut_to_another_person_in_the_same_place_ends_the_track() -> None:
    through = track(range(50), lambda frame: 100.0)  # noqa: ARG005
    people = people_of([through], looks_like(lambda frame, x: int(frame >= 31)))  # noqa: ARG005
    assert [sorted(found.faces) for found in people] == [list(range(31)), list(range(31, 50))]


def test_two_who_are_seen_at_once_are_never_joined() -> None:
    twins = [track(range(10), lambda frame, x=x: x + 0 * frame) for x in (50.0, 250.0)]  # type: ignore[misc]
    assert len(people_of(twins, looks_like(lambda frame, x: 0))) == 2  # noqa: ARG005
