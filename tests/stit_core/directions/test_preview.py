"""The picture of a direction."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from stit_core.directions.preview import FACTORS, LABEL_HEIGHT, preview_sheet
from stit_core.directions.preview import SIDE as HEAD
from stit_core.packs.loading import Models
from stit_core.runtime import Runtime
from tests.support.tiny_pack import make_direction

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_training"]


def test_the_preview_shows_the_factors_side_by_side(models: Models) -> None:
    vector = 3 * make_direction(1)
    sheet = np.asarray(Image.open(io.BytesIO(preview_sheet(vector, models, Runtime()))).convert("RGB")).astype(int)
    still = np.asarray(Image.open(io.BytesIO(preview_sheet(0 * vector, models, Runtime()))).convert("RGB")).astype(int)
    assert sheet.shape[1] == HEAD * len(FACTORS)
    columns = [sheet[LABEL_HEIGHT + 4 :, k * HEAD + 8 : (k + 1) * HEAD - 8] for k in range(len(FACTORS))]
    plain = [still[LABEL_HEIGHT + 4 :, k * HEAD + 8 : (k + 1) * HEAD - 8] for k in range(len(FACTORS))]
    moved = [np.abs(a - b).mean() for a, b in zip(columns, plain, strict=True)]
    assert moved[2] < 2
    assert moved[0] > moved[1] > 2 * moved[2]
    assert moved[4] > moved[3] > 2 * moved[2]
    for k in range(len(FACTORS)):
        assert sheet[:LABEL_HEIGHT, k * HEAD : (k + 1) * HEAD].min() < 120  # something is written
    assert np.abs(sheet[:8] - still[:8]).max() < 20  # the same words
