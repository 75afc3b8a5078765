"""The heavy stages of a run, a slice of time at a time: one generator for a processor, a card of one's own and ZeroGPU.

A slice opens the store in the run's folder, makes what is missing of the stages that it is asked for, and ends when all
is made or when its budget is spent: then at the first place where what was done lies on the disk, so that even a budget
of nothing gets further. What it makes goes through the store; what it says is plain tuples, small enough for a pipe:

("progress", stage, done, total)            as Runtime.progress
("figures", stage, ((name, figure), ...))   as Runtime.figures
("preview", stage, frame, picture)          as Runtime.preview; None for a picture that lies in the store
("made", stage, seconds, found)             a stage is ready; whether it was so before
("beat",)                                   nothing is new, but it works
and last
("done",)                                   all that was asked for is ready
("rest", stage, seconds)                    the budget is spent; seconds of work on the stage that is not ready
("failed", kind, message, hint)             a StitError, by the name of its class

In this process pictures are handed over as they are. On a ZeroGPU Space `lent_slice` runs in a fork of this process
that has been lent a card, where the networks that were placed at the start are found on it. Decoding, the detectors of
faces, what identifies people, and the writing of videos are not done in slices: none of it uses a card.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import spaces
import torch

from page.studio.networks import placed
from page.studio.stepwise import Message, Say, in_steps, is_forked, settle_after_fork
from stit_core import errors
from stit_core.config import RunConfig
from stit_core.errors import BudgetSpent, StitError
from stit_core.pipeline import Pipeline
from stit_core.runtime import CancelToken, Runtime
from stit_core.store.disk import disk_errors
from stit_core.store.runs import Store

HEAVY = ("invert", "tune", "register", "masks", "stitch")
START_SECONDS = 8.0  # for the fork, its way to the card, and opening the run
PREVIEW_SIDE = 512  # pixels of a picture that goes through a pipe, at most
STORED = ("stitch",)  # stages that write each picture before they show it


@dataclass(frozen=True)
class SliceSettings:
    """What a slice has to know beside the run's folder; all of it can be pickled.

    Attributes
    ----------
    networks: by what name they are placed, see page/studio/networks.py.
    clip: the file whose frames are in the store.
    config, dtype, seed, roots: of the pipeline.
    unit_seconds: of the longest piece of work between two places where a slice can end, as far as is known.
    """

    networks: str
    clip: str
    config: RunConfig
    dtype: torch.dtype
    seed: int
    roots: tuple[str, ...] | None
    unit_seconds: float = 0.0


def work_slice(folder: str, settings: SliceSettings, stages: tuple[str, ...], budget: float) -> Iterator[Message]:
    """Get on with stages of a run for `budget` seconds; gives the messages above.

    Parameters
    ----------
    folder: the run's store.
    stages: of HEAVY, in their order; crops and frames are there.
    """
    threads = settle_after_fork()
    ends = time.monotonic() + budget
    yield from in_steps(functools.partial(_work, folder, settings, stages, ends), threads)


def lent_seconds(folder: str, settings: SliceSettings, stages: tuple[str, ...], budget: float) -> int:  # noqa: ARG001
    """For how many seconds a slice asks for the card."""
    return math.ceil(START_SECONDS + budget + settings.unit_seconds)


# Given back as it is anywhere but on a ZeroGPU Space.
lent_slice = spaces.GPU(duration=lent_seconds)(work_slice)


def _work(
    folder: str, settings: SliceSettings, stages: tuple[str, ...], ends: float, say: Say, token: CancelToken
) -> None:
    def preview(stage: str, frame: int, picture: np.ndarray) -> None:
        if not is_forked():
            say(("preview", stage, frame, picture))
        else:
            say(("preview", stage, frame, None if stage in STORED else _small(picture)))

    def figures(stage: str, found: Mapping[str, float]) -> None:
        say(("figures", stage, tuple((name, float(value)) for name, value in found.items())))

    def progress(stage: str, done: int, total: int) -> None:
        say(("progress", stage, done, total))

    stage, begun = stages[0], time.monotonic()
    try:
        with disk_errors("A file of this run"):
            models = placed(settings.networks)
            runtime = Runtime(
                models.device, settings.dtype, settings.seed, progress, preview, figures, token,
                lambda: time.monotonic() >= ends,
            )  # fmt: skip
            roots = None if settings.roots is None else [Path(root) for root in settings.roots]
            pipeline = Pipeline(models, Store(Path(folder)), settings.config, runtime, roots)
            clip = pipeline.clips.reopen(Path(settings.clip))
            noted: set[str] = set()
            for stage in stages:
                begun = time.monotonic()
                getattr(pipeline, stage)(clip)
                _tell_made(pipeline, noted, say)
                if stage != stages[-1] and stage not in pipeline.results.found:
                    begun = time.monotonic()
                    runtime.kept(stage)
        say(("done",))
    except BudgetSpent:
        say(("rest", stage, time.monotonic() - begun))
    except StitError as error:
        say(("failed", type(error).__name__, error.message, error.hint))


def _tell_made(pipeline: Pipeline, noted: set[str], say: Say) -> None:
    results = pipeline.results
    for stage, seconds in list(results.seconds.items()):
        if stage not in noted:
            noted.add(stage)
            say(("made", stage, seconds, stage in results.found))


def _small(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) no larger than what may go through a pipe."""
    scale = PREVIEW_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def error_of(kind: str, message: str, hint: str) -> StitError:
    """The error that ("failed", kind, message, hint) tells of."""
    known = getattr(errors, kind, StitError)
    fits = isinstance(known, type) and issubclass(known, StitError)
    return known(message, hint) if fits else StitError(message, hint)
