"""Clips opened from their files: decoded once, and then found in the store."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from stit_core.artefacts import Clip
from stit_core.config import VideoConfig
from stit_core.errors import StoreError
from stit_core.media import probing, video
from stit_core.media.sources import source_changed, source_digest
from stit_core.store.keys import key
from stit_core.store.results import Results
from stit_core.store.runs import Run, Store


@dataclass(frozen=True)
class ClipStore:
    """The clips of files under one set of settings.

    Attributes
    ----------
    store, results: where their frames are kept.
    config: which part of a file is the clip, and what is refused.
    runs: those of the clips that are open, by the clip's hash.
    """

    store: Store
    results: Results
    config: VideoConfig
    runs: dict[str, Run]

    def open(self, path: Path) -> Clip:
        """Decode the clip.

        Raises
        ------
        VideoError: what is no usable video.
        StoreError: the frames cannot be stored.
        """
        path = Path(path)
        facts = probing.probe(path, self.config)  # says what is wrong before the file is hashed or copied
        probing.check_length(path, facts, self.config)
        source = source_digest(path)
        run = self.store.run(source, path.name)

        def decode(folder: Path) -> Clip:
            clip = video.open_clip(path, self.config, self.results.runtime, folder / "frames")
            if source_digest(path) != source:  # or its frames would be kept under the other file's name
                raise source_changed(path)
            return clip

        clip = self.results.make(run, "clip", self._key(source), Clip, decode)
        seconds = float(clip.timestamps[-1])
        probing.check_frames(path, len(clip.frames), seconds, self.config)  # it may have been stored under others
        return self._opened(clip, run, path)

    def reopen(self, path: Path) -> Clip:
        """The clip of a file whose frames are stored, without a look into the file by ffmpeg.

        Raises
        ------
        StoreError: they are not stored under these settings.
        """
        path = Path(path)
        source = source_digest(path)
        run = self.store.run(source, path.name)
        clip = run.load("clip", self._key(source), Clip)
        if clip is None:
            raise StoreError(f"The frames of {path.name} are not there any more.", "Start again.")
        return self._opened(clip, run, path)

    def knows(self, path: Path) -> bool:
        """Whether the frames of a file are stored under these settings."""
        source = source_digest(path)
        return self.store.run(source, path.name).find("clip", self._key(source)) is not None

    def run_of(self, clip: Clip) -> Run:
        """Where the results of a clip are stored."""
        if clip.hash not in self.runs:
            self.runs[clip.hash] = self.store.run(source_digest(clip.source), clip.source.name)
        return self.runs[clip.hash]

    def _opened(self, clip: Clip, run: Run, path: Path) -> Clip:
        self.runs[clip.hash] = run
        return dataclasses.replace(clip, source=path)

    def _key(self, source: str) -> str:
        # The other settings of a video refuse a clip or say how one is written; they choose no frames.
        return key("clip", source, self.config.start, self.config.end)
