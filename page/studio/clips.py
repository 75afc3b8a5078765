"""A run's clip before any job: taken in, looked through, trimmed."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from page.settings import PageSettings
from page.studio.folders import RunFolders
from page.studio.lru import Lru
from page.studio.networks import Networks
from page.studio.runs import Runs, RunState
from stit_core.config import PRESETS, LandmarkConfig, VideoConfig
from stit_core.errors import StitError
from stit_core.media import preflight, probing, trimming
from stit_core.media.preflight import Preflight
from stit_core.runtime import CancelToken, Progress, Runtime
from stit_core.store.keys import file_digest

PREFLIGHTS = 32  # clips whose pre-flight is remembered
POSTERS = 16  # samples whose picture is remembered
POSTER_HEIGHT = 240


@dataclass(frozen=True)
class TrimFacts(trimming.TrimFacts):
    """What a trim holds, and seconds for each preset, None while the machine has not been timed."""

    estimates: Mapping[str, float] | None


class Clips:
    """What is asked about the sample clips and those of runs; for several threads.

    Parameters
    ----------
    settings: what the environment decided.
    samples: clips that come with the program, by name.
    """

    def __init__(
        self,
        settings: PageSettings,
        samples: Mapping[str, Path],
        folders: RunFolders,
        runs: Runs,
        networks: Networks,
    ) -> None:
        self._settings, self._samples = settings, dict(samples)
        self._folders, self._runs, self._networks = folders, runs, networks
        self._lock = threading.Lock()
        self._preflights: Lru[tuple[str, VideoConfig], Preflight] = Lru(PREFLIGHTS)
        self._posters: Lru[str, np.ndarray] = Lru(POSTERS)
        self._looking: dict[str, tuple[Path, CancelToken]] = {}

    @property
    def samples(self) -> dict[str, Path]:
        """Copies of the sample clips that the page may serve, by name."""
        return {name: self._folders.sample(path) for name, path in self._samples.items()}

    def poster(self, sample: str) -> np.ndarray:
        """A small picture (h, w, 3) uint8 of a sample.

        Raises
        ------
        StitError: an unknown name.
        """
        path = self._sample(sample)
        known = self._posters.get(sample)
        return self._posters.put(sample, self.still(path, 0.5)) if known is None else known

    def sample(self, name: str) -> Path:
        """The copy of a sample that the page may serve.

        Raises
        ------
        StitError: an unknown name.
        """
        return self._folders.sample(self._sample(name))

    def check(self, path: Path) -> None:
        """Raise VideoError for what is no video, or one over a limit."""
        probing.probe(path, self._video())

    def _sample(self, name: str) -> Path:
        if name not in self._samples:
            raise StitError("There is no such sample.", "Pick one of those that are shown.")
        return self._samples[name]

    def preflight(self, run_id: str, cancel: CancelToken | None = None, progress: Progress | None = None) -> Preflight:
        """Look into the run's clip; a request for another clip of the same run ends this one.

        Raises
        ------
        VideoError: no video, or one over a limit.
        StitError: there is no clip, or it was deleted meanwhile.
        Cancelled: it was stopped, or a newer request came.
        """
        clip, token = clip_of(self._runs.get(run_id)), cancel or CancelToken()
        with self._lock:
            before, self._looking[run_id] = self._looking.get(run_id), (clip, token)
        if before is not None and before[0] != clip:  # else whoever asked first would get no answer
            before[1].set()
        try:
            return self.look_into(clip, token, progress)
        finally:
            with self._lock:
                if self._looking.get(run_id) == (clip, token):
                    del self._looking[run_id]

    def look_into(self, path: Path, cancel: CancelToken | None = None, progress: Progress | None = None) -> Preflight:
        """The pre-flight of a file, remembered by its content.

        Raises
        ------
        VideoError: no video, or one over a limit.
        StitError: the file is not there any more.
        Cancelled: it was stopped, or a newer request came.
        """
        _, config = key = self._preflight_key(path)
        known = self._preflights.get(key)
        if known is not None:
            return known
        reporting: dict[str, Any] = {"progress": progress} if progress is not None else {}
        runtime = Runtime(cancel=cancel or CancelToken(), **reporting)
        return self._preflights.put(key, preflight.look_into(path, config, LandmarkConfig(), runtime))

    def _preflight_key(self, path: Path) -> tuple[str, VideoConfig]:
        with _deleted_in_words():
            return file_digest(path), self._video()

    def trim_facts(self, run_id: str, start: float | None, end: float | None) -> TrimFacts:
        """What a trim of the run's clip holds.

        Raises
        ------
        StitError: there is no clip.
        ConfigError: an end not after the start.
        """
        return self.facts_of(self.preflight(run_id), start, end, self._runs.get(run_id))

    def estimates(self, run_id: str) -> Mapping[str, float] | None:
        """Seconds for each preset; None while the clip was not looked through or the machine not timed."""
        state = self._runs.get(run_id)
        if state.clip is None:
            return None
        found = self._preflights.get(self._preflight_key(clip_of(state)))
        return None if found is None else self.facts_of(found, state.start, state.end, state).estimates

    def facts_of(
        self,
        found: Preflight,
        start: float | None = None,
        end: float | None = None,
        state: RunState | None = None,
    ) -> TrimFacts:
        """What a trim of a looked-into clip holds; how long it takes is that of a run's method.

        Raises
        ------
        ConfigError: a choice that is not possible.
        """
        config = VideoConfig(**self._settings.video(), start=start or None, end=end or None)
        facts = trimming.trim_facts(found, config)
        frames = max(1, round(facts.frames * max(facts.face_share, facts.states["small"])))
        chosen = state or RunState("")
        schedules = {name: chosen.schedule(self._networks.pack.schedules, name) for name in PRESETS}
        seconds = {name: self._networks.estimator.seconds(schedule, frames) for name, schedule in schedules.items()}
        known = {str(name): value for name, value in seconds.items() if value is not None}
        return TrimFacts(**vars(facts), estimates=known if len(known) == len(seconds) else None)

    def frame_at(self, run_id: str, seconds: float, height: int = 360) -> np.ndarray:
        """The picture that the run's clip shows at a moment, at most `height` high.

        Raises
        ------
        VideoError: no video, or one over a limit.
        StitError: there is no clip.
        """
        return self.still(clip_of(self._runs.get(run_id)), seconds, height)

    def still(self, path: Path, seconds: float, height: int = POSTER_HEIGHT) -> np.ndarray:
        """The picture that a video shows at a moment, at most `height` high.

        Raises
        ------
        VideoError: no video, or one over a limit.
        """
        config = self._video()
        return preflight.still(path, self.probe(path, config), seconds, config, height)

    def probe(self, path: Path, config: VideoConfig) -> probing.Probe:
        """What a file says of itself, read once.

        Raises
        ------
        VideoError: no video, or one over a limit.
        """
        with _deleted_in_words():
            changed = path.stat().st_mtime_ns
        return self._probed(path, changed, config)

    def forget(self, state: RunState) -> None:
        """Keep nothing in memory of what was seen in a run's clip."""
        with contextlib.suppress(StitError):  # one that is gone already
            self._preflights.drop(self._preflight_key(clip_of(state)))  # it holds pictures

    def _video(self) -> VideoConfig:
        return VideoConfig(**self._settings.video())

    @functools.lru_cache(maxsize=64)  # noqa: B019 (there is one studio for the process)
    def _probed(self, path: Path, changed: int, config: VideoConfig) -> probing.Probe:  # noqa: ARG002 (of the key)
        return probing.probe(path, config)


@contextlib.contextmanager
def _deleted_in_words() -> Iterator[None]:
    """Say of a clip that went while it was asked for, as when its run is deleted in another tab, what can be done."""
    try:
        yield
    except OSError as error:
        raise StitError("This clip is not there any more.", "Upload it again or pick a sample.") from error


def has_clip(state: RunState) -> bool:
    """Whether the run has a clip."""
    return state.clip is not None and Path(state.clip).is_file()


def clip_of(state: RunState) -> Path:
    """The run's clip.

    Raises
    ------
    StitError: there is none.
    """
    if state.clip is None or not has_clip(state):
        raise StitError("There is no clip yet.", "Upload one or pick a sample.")
    return Path(state.clip)
