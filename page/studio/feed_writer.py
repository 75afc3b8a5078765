"""Stitched frames to the player while the job goes on making more."""

from __future__ import annotations

import functools
import logging
import queue
import threading
from collections.abc import Callable

import numpy as np

from page.studio.feed import Feed
from page.studio.job import Job
from page.studio.torch_threads import compute_lightly
from stit_core.artefacts import Clip, Stitched
from stit_core.errors import StitError
from stit_core.pipeline import Pipeline
from stit_core.previews import preview_frame, stitched_so_far

LOG = logging.getLogger(__name__)

HELD = 32  # crops in memory that wait to be shown; 3 MB each at 1024 pixels
LOOK_SECONDS = 0.2  # between two looks whether there still is anybody to wait for

Crop = Callable[[], np.ndarray]


class FeedWriter(threading.Thread):
    """Pastes each stitched crop into its frame and puts it into the feed, in a thread beside the job's.

    Parameters
    ----------
    pipeline: of the job's settings, reporting to nobody; may share what the job's has in memory.
    clip: the opened clip.
    feed: what the player asks.
    job: told how many frames were put.
    """

    def __init__(self, pipeline: Pipeline, clip: Clip, feed: Feed, job: Job) -> None:
        super().__init__(name="writer", daemon=True)
        self.pipeline, self.clip, self.feed, self.job = pipeline, clip, feed, job
        self._offers: queue.SimpleQueue[tuple[int, Crop | None, float | None] | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(HELD)
        self._dropped = threading.Event()

    def offer(self, frame: int, crop: np.ndarray, border: float | None = None) -> None:
        """Have a frame shown with this stitched crop (size, size, 3); `border` is its loss there.

        Waits as long as too many crops are held: they come faster than they can be shown.
        """
        while not self._room.acquire(timeout=LOOK_SECONDS):
            if self._dropped.is_set() or not self.is_alive():
                return

        def held() -> np.ndarray:
            self._room.release()
            return crop

        self._offers.put((frame, held, border))

    def offer_all(self) -> None:
        """Offer the frames that carry no face, and those that an earlier run stitched, which are read one by one."""
        with_face = set(self.pipeline.align(self.clip).frame_indices)
        for frame in self.clip.frames.indices:
            if frame not in with_face:
                self._offers.put((frame, None, None))
        known = stitched_so_far(self.pipeline, self.clip)
        if known is not None:
            for position, frame in enumerate(known.frame_indices):
                read = functools.partial(self._stitched, frame, known)
                self._offers.put((frame, read, float(known.border_loss[position])))

    def _stitched(self, frame: int, known: Stitched) -> np.ndarray:
        """The crop of a frame that was stitched earlier; its folder has another name once the stage is finished."""
        try:
            return known.crops.read(frame)
        except StitError:
            found = stitched_so_far(self.pipeline, self.clip)
            if found is None:
                raise
            return found.crops.read(frame)

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
                after = before if crop is None else preview_frame(self.pipeline, self.clip, frame, crop())
                self.feed.put(frame, before, after, seam=border)
                self.job.count("frames_made")
            except (StitError, ValueError) as error:  # the video does not depend on it
                LOG.warning("frame %d could not be shown: %s", frame, error)
