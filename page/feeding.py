"""Stitched frames to the player while the job goes on making more."""

from __future__ import annotations

import logging
import queue
import threading

import numpy as np

from page.feeds import Feed
from page.jobs import Job
from page.threads import compute_lightly
from stit_core.artefacts import Clip
from stit_core.errors import StitError
from stit_core.pipeline import Pipeline

LOG = logging.getLogger(__name__)


class Feeder(threading.Thread):
    """Pastes each stitched crop into its frame and puts it into the feed, in a thread beside the job's.

    Parameters
    ----------
    pipeline: of the job's settings, reporting to nobody; may share what the job's has in memory.
    clip: the opened clip.
    feed: what the player asks.
    job: told how many frames were put.
    """

    def __init__(self, pipeline: Pipeline, clip: Clip, feed: Feed, job: Job) -> None:
        super().__init__(name="feeder", daemon=True)
        self.pipeline, self.clip, self.feed, self.job = pipeline, clip, feed, job
        self._offers: queue.SimpleQueue[tuple[int, np.ndarray | None, float | None] | None] = queue.SimpleQueue()
        self._dropped = threading.Event()

    def offer(self, frame: int, crop: np.ndarray | None, border: float | None = None) -> None:
        """Have a frame shown with this stitched crop (size, size, 3), or as it is; `border` is its loss there."""
        self._offers.put((frame, crop, border))

    def offer_all(self) -> None:
        """Offer the frames that carry no face, and those that an earlier run stitched."""
        with_face = set(self.pipeline.align(self.clip).frame_indices)
        for frame in self.clip.frames.indices:
            if frame not in with_face:
                self.offer(frame, None)
        known = self.pipeline.stitched_so_far(self.clip)
        if known is not None:
            for position, frame in enumerate(known.frame_indices):
                self.offer(frame, known.crops.read(frame), float(known.border_loss[position]))

    def close(self, drop: bool = False) -> None:
        """Wait until all that was offered is shown, or drop it."""
        if drop:
            self._dropped.set()
        self._offers.put(None)
        if self.is_alive():
            self.join()

    def run(self) -> None:
        with compute_lightly():
            self._show_all()

    def _show_all(self) -> None:
        while (offered := self._offers.get()) is not None:
            if self._dropped.is_set():
                continue
            frame, crop, border = offered
            try:
                before = self.clip.frames.read(frame)
                after = before if crop is None else self.pipeline.preview_frame(self.clip, frame, crop)
                self.feed.put(frame, before, after, seam=border)
                self.job.count("frames_made")
            except (StitError, ValueError) as error:  # the video does not depend on it
                LOG.warning("frame %d could not be shown: %s", frame, error)
