"""The previews of all runs: which clips are opened for them, and what the tunings have drawn so far."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from page.studio.clips import clip_of
from page.studio.direction_roots import roots_of
from page.studio.folders import RunFolders
from page.studio.lru import Lru
from page.studio.networks import Networks
from page.studio.people import Cast, numbers_of
from page.studio.previews import (
    ClipPreviews,
    EditPreview,
    FitPreview,
    FoundFace,
    Smoothing,
    Track,
    clip_previews_key,
    fit_key,
)
from page.studio.runs import Runs, RunState
from stit_core.config import AlignmentConfig, RunConfig
from stit_core.errors import StitError
from stit_core.pipeline import Pipeline
from stit_core.runtime import Runtime, pick_dtype

OPENED = 4  # runs that are kept open for previews
MOMENT = 1e-3  # seconds by which a frame may begin before what was typed, which is rounded


class RunPreviews:
    """What is shown of runs beside their jobs, by their ids; for several threads.

    Parameters
    ----------
    configure: the settings of the stages that a run's choices make.
    """

    def __init__(
        self, folders: RunFolders, runs: Runs, networks: Networks, configure: Callable[[RunState], RunConfig]
    ) -> None:
        self._folders, self._runs, self._networks, self._configure = folders, runs, networks, configure
        self._lock = threading.RLock()
        self._opened: Lru[str, tuple[Any, ClipPreviews]] = Lru(OPENED)
        self._fits: Lru[str, tuple[str, np.ndarray]] = Lru(OPENED)  # with the name of their settings

    def opened(self, run_id: str) -> ClipPreviews:
        """The run's clip, opened for previews.

        Raises
        ------
        StitError: there is no such run, or what it needs is not there yet.
        """
        return self._open(self._runs.get(run_id))

    def _open(self, state: RunState) -> ClipPreviews:
        config, path, models = self._configure(state), clip_of(state), self._networks.models
        key = clip_previews_key(config, path)
        with self._lock:
            known = self._opened.get(state.id)
            if known is not None and known[0] == key:
                return known[1]
            runtime = Runtime(models.device, pick_dtype(config.preset, models.device))
            roots = roots_of(self._folders, state.id)
            pipeline = Pipeline(models, self._folders.store(state.id), config, runtime, roots)
            return self._opened.put(state.id, (key, ClipPreviews(pipeline, path)))[1]

    def what_is_done(self, state: RunState) -> tuple[bool, bool]:
        """Whether the run's clip is aligned, and whether the generator is tuned to it, under its choices."""
        if state.clip is None:
            return False, False
        try:
            opened = self._open(state)
            return opened.is_aligned(), opened.is_tuned()
        except StitError:
            return False, False

    def tuned_people(self, state: RunState) -> list[bool]:
        """Of everybody whom the run edits, the one who is shown first, whether the generator is tuned."""
        if not state.clip:
            return [False]
        try:
            opened = self._open(state)
            numbers = numbers_of(state, opened.numbers())
            return [opened.is_tuned_to(number) if at else opened.is_tuned() for at, number in enumerate(numbers)]
        except StitError:
            return [False] * len(numbers_of(state, None))

    def forget(self, run_id: str) -> None:
        """Keep nothing in memory of what was shown of a run."""
        self._opened.drop(run_id)
        self._fits.drop(run_id)

    def crops(self, run_id: str, count: int = 12, size: int = 192) -> list[tuple[np.ndarray, str]]:
        """Aligned crops along the clip, with captions.

        Raises
        ------
        StitError: before the alignment.
        """
        return self.opened(run_id).crops(count, size)

    def faces(self, run_id: str) -> list[FoundFace]:
        """The faces of the clip to pick from.

        Raises
        ------
        StitError: before the alignment.
        """
        return self.opened(run_id).faces()

    def cast(self, run_id: str) -> Cast:
        """Who is in the clip, and who is shown; nobody before that is known.

        Raises
        ------
        StitError: there is no such run.
        """
        state = self._runs.get(run_id)
        try:
            return self._open(state).cast() if state.clip else Cast()
        except StitError:
            return Cast()

    def tracks(self, run_id: str) -> list[Track]:
        """Who is in the clip and when.

        Raises
        ------
        StitError: before the alignment.
        """
        return self.opened(run_id).tracks()

    def frame_after(self, run_id: str, seconds: float) -> int:
        """The first frame of the clip at a moment or after it.

        Raises
        ------
        StitError: before the alignment.
        """
        times = self.opened(run_id).clip.timestamps
        return next((frame for frame, time in enumerate(times) if time >= seconds - MOMENT), len(times))

    def check_corrections(self, run_id: str, corrections: tuple[tuple[str, int, int], ...]) -> None:
        """Raise FaceError or ConfigError where the people of the clip cannot be corrected so."""
        self.opened(run_id).corrected(corrections)

    def smoothing(
        self, run_id: str, center_sigma: float, xy_sigma: float, scale: float, count: int = 6, size: int = 160
    ) -> Smoothing:
        """Crops and jitter under other settings; nothing is stored.

        Raises
        ------
        StitError: there is no such run, or what it needs is not there yet.
        ConfigError: a choice that is not possible.
        """
        return self.opened(run_id).smoothing(AlignmentConfig(center_sigma, xy_sigma, scale), count, size)

    def put_fit(self, run_id: str, fit: str, picture: np.ndarray) -> None:
        """Keep what a tuning has just drawn, (S, S, 3) uint8; `fit` names its settings, see `fit_name`."""
        self._fits.put(run_id, (fit, picture))

    def fit(self, run_id: str) -> FitPreview | None:
        """Source, pivot and tuned picture of one frame under the run's settings; None before the alignment."""
        state = self._runs.get(run_id)
        try:
            fit, picture = self._fits.get(run_id) or ("", None)
            return self._open(state).fit(picture if fit == self.fit_name(state) else None)
        except StitError:
            return None

    def fit_name(self, state: RunState) -> str:
        """Names the settings that a run's tuning depends on.

        Raises
        ------
        StitError: without a clip.
        """
        return fit_key(self._configure(state), clip_of(state))

    def edit(self, run_id: str, edits: Sequence[tuple[str, float]], count: int = 2) -> EditPreview | None:
        """Key frames under an edit; None if a newer request came meanwhile.

        Raises
        ------
        StitError: there is no such run, or what it needs is not there yet.
        DirectionError: there is no such direction, or it cannot be read.
        """
        state = self._runs.get(run_id)
        config = self._configure(dataclasses.replace(state, edits=tuple(edits)))
        return self._open(state).edit(config, count)
