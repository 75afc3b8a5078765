"""Pipelines on the tiny pack that are watched."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch

from stit_core import whole_run
from stit_core.artefacts import Clip
from stit_core.config import RunConfig, preset
from stit_core.packs.loading import Models, find_pack
from stit_core.pipeline import Pipeline
from stit_core.runtime import CancelToken, Runtime
from stit_core.store.runs import Store

STAGES = tuple(stage for stage in whole_run.REPORTED if stage != "register")  # of stitching


class Watched(NamedTuple):
    """A pipeline and what its runtime reported."""

    pipeline: Pipeline
    steps: Counter[str]
    shown: list[tuple[str, int, tuple[int, ...]]]


def settings(*edits: tuple[str, float], **changes: dict[str, object]) -> RunConfig:
    config = preset("balanced", find_pack("tiny").schedules)
    return config.with_changes({"edit": {"directions": tuple(edits or (("smile", 2.0),))}, **changes})


def watched(
    config: RunConfig | None = None, token: CancelToken | None = None, stop_at: tuple[str, int] | None = None
) -> Watched:
    """A fresh pipeline on the tiny pack; `stop_at` = (stage, n) cancels at the n-th step of that stage."""
    token = token or CancelToken()
    steps: Counter[str] = Counter()
    shown: list[tuple[str, int, tuple[int, ...]]] = []

    def progress(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        steps[stage] += 1
        if stop_at and stage == stop_at[0] and steps[stage] >= stop_at[1]:
            token.set()

    runtime = Runtime(
        progress=progress,
        preview=lambda stage, frame, picture: shown.append((stage, frame, picture.shape)),
        cancel=token,
    )
    models = Models(find_pack("tiny"), torch.device("cpu"))
    return Watched(Pipeline(models, Store(), config or settings(), runtime), steps, shown)


def open_done(face_clip: Path, *edits: tuple[str, float]) -> tuple[Watched, Clip]:
    watch = watched(settings(*edits))
    return watch, watch.pipeline.open(face_clip)
