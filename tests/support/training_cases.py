"""Trainings of directions from drawn faces on the tiny pack."""

from __future__ import annotations

import numpy as np

from stit_core.config import DirectionTrainingConfig
from stit_core.directions import library as directions
from stit_core.directions.labelled_pictures import PictureSet
from stit_core.directions.training import train_directions
from stit_core.packs.loading import Models
from stit_core.runtime import Runtime

COUNT = 21  # people a class
CLASSES = {"serious": 0.0, "smiling": 1.0}
ALIGNED = DirectionTrainingConfig(aligned=True)
SUFFIXES = (".npy", ".json", ".jpg")


def train(pictures: PictureSet, models: Models, name: str = "smile", **options: object) -> list[directions.Direction]:
    config = options.pop("config", ALIGNED)
    return train_directions(pictures, name, models, config, Runtime(), **options)  # type: ignore[arg-type]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))
