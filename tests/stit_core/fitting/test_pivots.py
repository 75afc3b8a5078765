"""Pivots are drawn when they are asked for, and kept as long as there is room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stit_core.errors import ArtefactMismatchError
from stit_core.fitting import pivots
from stit_core.models.generator import Generator
from tests.support.pipeline_cases import open_done, settings

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_pipeline"]

HEAVY = ("clip", "landmarks", "align", "invert", "tune", "masks", "identify")


@pytest.mark.usefixtures("done")
def test_the_pivot_of_a_frame_is_drawn_once_for_all_factors(face_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, clip = open_done(face_clip)
    drawn = []
    synthesis = Generator.synthesis
    monkeypatch.setattr(Generator, "synthesis", lambda self, w: drawn.append(1) or synthesis(self, w))
    first = watch.pipeline.pivot(clip, 1)
    other = watch.pipeline.with_config(settings(("age", 1.0))).pivot(clip, 1)
    assert np.array_equal(first, other)
    assert len(drawn) == 1
    assert not np.array_equal(watch.pipeline.pivot(clip, 4), first)
    with pytest.raises(ArtefactMismatchError, match="Frame 99"):
        watch.pipeline.pivot(clip, 99)
    assert np.array_equal(watch.pipeline.pivot(clip, 1), first)
    assert len(drawn) == 2
    monkeypatch.setattr(pivots, "PIVOT_MEMORY", first.nbytes)
    assert np.array_equal(watch.pipeline.pivot(clip, 2), watch.pipeline.pivot(clip, 2))
    assert len(drawn) == 4, "where there is no room, a picture is drawn again"
