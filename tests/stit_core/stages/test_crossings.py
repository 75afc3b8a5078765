"""People who cross, hide each other, turn away, go and come back: rendered clips of which it is known who is where."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stit_core.artefacts import People
from stit_core.config import LandmarkConfig, VideoConfig
from stit_core.media import video
from stit_core.runtime import Runtime
from stit_core.stages import choosing
from stit_core.stages.landmarks import find_people
from tests.support.head_scenes import DATA

NEAR = 16.0  # pixels between the truth and what is found, where a face is partly covered; people stand 60 apart


@pytest.mark.parametrize(("name", "count"), [("two-crossing", 2), ("four-crossing", 4)])
def test_nobody_is_taken_for_somebody_else_in_any_frame(name: str, count: int, tmp_path: Path) -> None:
    truth = json.loads((DATA / f"{name}.json").read_text())["places"]
    clip = video.open_clip(DATA / f"{name}.mp4", VideoConfig(), Runtime(), tmp_path / "frames")
    people = find_people(clip, LandmarkConfig(), Runtime())
    assert len(people.persons) == count == len(truth)
    identities = {}
    for person in people.persons:
        rows = people.rows(person.index)
        names = [who_is_at(truth, f, p) for f, p in zip(people.frame[rows].tolist(), people.points[rows], strict=True)]
        assert set(names) == {names[0]}, f"person {person.index} is {set(names)}"
        identities[names[0]] = person.index
    assert set(identities) == set(truth), "everyone is somebody"
    for who, places in truth.items():
        seen = set(people.frame[people.rows(identities[who])].tolist())
        shown = {frame for frame, place in enumerate(places) if place[2]}
        assert len(shown - seen) <= 1 + len(shown) // 12, f"{who} is missed in {sorted(shown - seen)}"
        hidden_is_kept_out(people, identities[who], places)


def who_is_at(truth: dict[str, list[list[float]]], frame: int, points: np.ndarray) -> str:
    """Whose face the landmarks are."""
    apart = {who: float(np.hypot(*(points.mean(axis=0) - places[frame][:2]))) for who, places in truth.items()}
    nearest = min(apart, key=lambda who: apart[who])
    assert apart[nearest] < NEAR, f"nobody is there in frame {frame}"
    return nearest


def hidden_is_kept_out(people: People, number: int, places: list[list[float]]) -> None:
    """Where somebody else's face is seen in the place of this one's, nothing is bridged over it."""
    found = choosing.follow(people, number, LandmarkConfig(), "clip")
    for frame, points, seen in zip(found.frame_indices, found.points, found.detected, strict=True):
        others = people.points[(people.frame == frame) & (people.owner != number)].mean(axis=1)
        apart = np.hypot(*(others - points.mean(axis=0)).T) if len(others) else np.array([np.inf])
        assert seen or apart.min() > 30
        assert np.hypot(*(points.mean(axis=0) - places[frame][:2])) < 3 * NEAR
