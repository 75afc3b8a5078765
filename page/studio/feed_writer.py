"""Stitched frames to the player while the job goes on making more."""

from __future__ import annotations

import functools
import logging
import queue
import threading
from collections.abc import Callable, Mapping

import numpy as np

from page.studio.feed import Feed
from page.studio.job import Job
from page.studio.torch_threads import compute_lightly
from stit_core.artefacts import Clip, Stitched
from stit_core.errors import StitError
from stit_core.pipeline import Pipeline
from stit_core.previews import stitched_so_far

LOG = logging.getLogger(__name__)

HELD = 32  # crops in memory that wait to be shown; 3 MB each at 1024 pixels
LOOK_SECONDS = 0.2  # between two looks whether there still is anybody to wait for

Crop = Callable[[], np.ndarray]
Draw = Callable[[int, dict[int, np.ndarray]], np.ndarray]  # (frame, stitched crops by person) -> the whole frame


class FeedWriter(threading.Thread):
    """Pastes each stitched crop into its frame and puts it into the feed, in a thread beside the job's.

    A frame is shown with everybody's face that is made by then, and again when another's is made.

    Parameters
    ----------
    pipelines: of everybody who is edited, by number, in the order in which they are made; of the job's settings,
        reporting to nobody; may share what the job's have in memory.
    draw: lays the faces into a frame.
    clip: the opened clip.
    feed: what the player asks.
    job: counts how many frames were put.
    """

    def __init__(self, pipelines: Mapping[int, Pipeline], draw: Draw, clip: Clip, feed: Feed, job: Job) -> None:
        super().__init__(name="writer", daemon=True)
        self.pipelines, self.draw, self.clip, self.feed, self.job = dict(pipelines), draw, clip, feed, job
        self._offers: queue.SimpleQueue[tuple[int, int | None, Crop | None, float | None] | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(HELD)
        self._dropped = threading.Event()
        self._known: dict[int, Stitched] = {}
        self._made: dict[int, dict[int, float | None]] = {}  # borders by frame, then by person
        self._put: set[int] = set()

    def offer(self, number: int, frame: int, crop: np.ndarray, border: float | None = None) -> None:
        """Have a frame shown with this stitched crop (size, size, 3) of a person; `border` is its loss there.

        Waits as long as too many crops are held: they come faster than they can be shown.
        """
        while not self._room.acquire(timeout=LOOK_SECONDS):
            if self._dropped.is_set() or not self.is_alive():
                return

        def held() -> np.ndarray:
            self._room.release()
            return crop

        self._offers.put((frame, number, held, border))

    def offer_all(self) -> None:
        """Offer the frames that carry no face, and those that an earlier run stitched, which are read one by one."""
        with_face: set[int] = set()
        for number, pipeline in self.pipelines.items():
            with_face |= set(pipeline.align(self.clip).frame_indices)
            known = stitched_so_far(pipeline, self.clip)
            if known is not None:
                self._known[number] = known
                for frame, border in zip(known.frame_indices, known.border_loss, strict=True):
                    self._made.setdefault(frame, {})[number] = float(border)
        for frame in self.clip.frames.indices:
            if frame in self._made:
                number, border = next(iter(self._made[frame].items()))
                self._offers.put((frame, number, functools.partial(self._stitched, number, frame), border))
            elif frame not in with_face:
                self._offers.put((frame, None, None, None))

    def _stitched(self, number: int, frame: int) -> np.ndarray:
        """A crop that was stitched earlier; its folder has another name once the stage is finished."""
        if number in self._known:
            try:
                return self._known[number].crops.read(frame)
            except StitError:  # it is looked for anew
                pass
        found = stitched_so_far(self.pipelines[number], self.clip)
        if found is None:
            raise StitError("What was made is not there any more.", "Press the same button again.")
        self._known[number] = found
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
            frame, number, crop, border = offered
            try:
                before = self.clip.frames.read(frame)
                if number is None or crop is None:
                    self.feed.put(frame, before, before)
                else:
                    self._show(frame, number, crop(), border, before)
            except (StitError, ValueError) as error:  # the video does not depend on it
                LOG.warning("frame %d could not be shown: %s", frame, error)
                continue
            if frame not in self._put:
                self._put.add(frame)
                self.job.count("frames_made")

    def _show(self, frame: int, number: int, crop: np.ndarray, border: float | None, before: np.ndarray) -> None:
        """Put a frame with a person's crop, and with those of others that are made; its seam is the worst of theirs."""
        made = self._made.setdefault(frame, {})
        made[number] = border
        others = {other: self._stitched(other, frame) for other in made if other != number}
        worst = max((value for value in made.values() if value is not None), default=None)
        self.feed.put(frame, before, self.draw(frame, {number: crop, **others}), seam=worst)
