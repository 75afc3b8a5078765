"""The truth of the clips of people who cross says what their recipe does."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recipes.render_clips import ease
from recipes.render_crossings import CROSSINGS, SIZE, Crossing
from tests.support.head_scenes import DATA


@pytest.mark.parametrize("crossing", CROSSINGS, ids=lambda crossing: crossing.name)
def test_the_truth_is_that_of_the_recipe(crossing: Crossing) -> None:
    truth = json.loads((DATA / f"{crossing.name}.json").read_text())
    assert set(truth["places"]) == {walker.scene.name for walker in crossing.walkers}
    sides = {walker.scene.name: walker.side for walker in crossing.walkers}
    assert truth["nearest_first"] == sorted(sides, key=lambda name: -sides[name])
    for walker in crossing.walkers:
        places = np.array(truth["places"][walker.scene.name], dtype=float)
        assert places.shape == (crossing.frames, 3)
        across = ease(walker.across, crossing.frames) * SIZE[1]
        turned = np.abs(ease(walker.turns, crossing.frames)) > 60
        assert np.abs(places[:, 0] - across)[~turned].max() < 40, "the face is where the head is"
        assert 0 < places[:, 2].sum() <= crossing.frames
    order = np.argsort([[p[0] for p in truth["places"][name]] for name in sides], axis=0)
    assert (order[:, 0] != order[:, -1]).any(), "somebody crosses"
    seen = np.array([[p[2] for p in truth["places"][name]] for name in sides])
    assert not seen.all(), "somebody is hidden or away"
