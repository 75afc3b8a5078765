"""A review by several workers gives what one process gives, reading for reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stit_core.errors import StitError
from stit_core.packs.loading import Models, find_pack
from stit_core.review.gathering import read_results
from stit_core.review.people import open_people
from stit_core.review.plan import Plan
from stit_core.review.running import Review
from stit_core.review.spreading import role_of, run_spread
from stit_core.runtime import Runtime
from stit_core.workers.processes import LocalProcesses
from tests.support.drawn_face import draw_face

pytest_plugins = ["tests.support.fixtures_pack"]


def make_review(people: Path, folder: Path, steps: list[tuple[str, int, int]]) -> Review:
    runtime = Runtime(progress=lambda *step: steps.append(step))
    models = Models(find_pack("tiny"), torch.device("cpu"))
    return Review(Plan((("smile", (2.0,)),)), open_people([people]), models, folder, runtime)


@pytest.mark.usefixtures("home")
def test_workers_look_at_everybody_as_one_process_does(tmp_path: Path) -> None:
    people = tmp_path / "people"
    people.mkdir()
    for k in range(2):
        Image.fromarray(draw_face(200, 200, (100, 100), 55 + k)).save(people / f"{k}.png")
    Image.fromarray(draw_face(200, 200, (100, 100), 55)).save(people / "2.png")  # the same picture as the first
    Image.fromarray(np.full((120, 120, 3), 90, np.uint8)).save(people / "wall.png")
    steps: list[tuple[str, int, int]] = []
    alone = make_review(people, tmp_path / "alone", [])
    list(alone.run())
    spread = make_review(people, tmp_path / "spread", steps)
    role = role_of(spread, [people], "not stated", None)
    examined = list(run_spread(spread, LocalProcesses(role, ("cpu",), 2, 1), 1))
    assert sorted(one.place for one in examined) == [0, 1, 2, 3]
    assert {one.person.name: bool(one.failure) for one in examined}["wall.png"]
    assert steps == [("review", k, 4) for k in range(5)]
    one, other = read_results(alone), read_results(spread)
    assert one.failures == other.failures
    for name, values in one.values.items():
        np.testing.assert_array_equal(values, other.values[name], err_msg=name)
    (people / "0.png").unlink()
    fewer = LocalProcesses(role, ("cpu",), 1, 1)
    with pytest.raises(StitError, match="people of the review were changed"):
        list(run_spread(make_review_of(spread), fewer, 1))


def make_review_of(before: Review) -> Review:
    """The same review, nothing of it being there."""
    return Review(before.plan, before.people, before.models, before.folder.with_name("again"), Runtime())
