"""Pictures that a page shows at once, beside the jobs: crops, faces, smoothing, edits of a few frames.

Everything here is made from what the run has stored, in a pipeline of its own that shares nothing with a job's but the
pack's networks, which nobody changes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from page.studio.crops import bounds, mouth_openness, shrunk, spread, thumbnail
from page.studio.edit_previews import KeyFrame, PastedFrames, TransferredFrames, pivot_of
from page.studio.people import Cast
from page.studio.torch_threads import compute_lightly
from stit_core.artefacts import Alignment, Clip, Landmarks, People, Person
from stit_core.config import AlignmentConfig, CompositeConfig, EditConfig, RunConfig, TransferConfig
from stit_core.errors import Cancelled, FaceError, StitError
from stit_core.faces.reading import draw_faces
from stit_core.geometry import warp_quad_to_square
from stit_core.pipeline import Pipeline
from stit_core.several_people import of_person
from stit_core.stages import alignment

CUT_REACH = 1.6  # of the quad's side, kept around a face for other quads of the same frame
DETAILED = 1.0  # pixels of a kept picture to a pixel of the crop that is cut from it


@dataclass(frozen=True)
class FoundFace:
    """A face of the clip to pick: its thumbnail, how settings name it, the share of frames that show it."""

    picture: np.ndarray
    face: int
    point: tuple[float, float]
    point_frame: int
    share: float
    chosen: bool


@dataclass(frozen=True)
class Track:
    """When a person is seen: number, a small picture, stretches from and to, and length of the clip, in seconds."""

    number: int
    picture: np.ndarray
    spans: tuple[tuple[float, float], ...]
    seconds: float


@dataclass(frozen=True)
class Smoothing:
    """Crops under other settings, and the jitter without any smoothing and with them.

    Attributes
    ----------
    crops: pictures with captions.
    frames: (T,) numbers; before, after: (T,) pixels per frame squared, mean_before, mean_after their means.
    """

    crops: list[tuple[np.ndarray, str]]
    frames: np.ndarray
    before: np.ndarray
    after: np.ndarray
    mean_before: float
    mean_after: float


@dataclass(frozen=True)
class FitPreview:
    """One frame as the source has it, as the untuned generator draws it, and as the tuned one does, if it is begun.

    `history` (passes, 4) is that of artefacts.Tuned once the tuning has ended, before that it is empty.
    """

    frame: int
    source: np.ndarray
    pivot: np.ndarray
    tuned: np.ndarray | None
    history: np.ndarray


@dataclass(frozen=True)
class EditPreview:
    """Key frames under an edit.

    Attributes
    ----------
    draft: they were made before the tuning.
    final: they are pixel for pixel those of the finished video.
    """

    pictures: tuple[KeyFrame, ...]
    draft: bool
    final: bool
    seconds: float


class ClipPreviews:
    """One run's clip under one set of settings, opened for previews; what does not change is made once.

    For several threads: one preview is made at a time, and a newer request for an edit ends an older one.
    """

    def __init__(self, pipeline: Pipeline, source: Path) -> None:
        self.pipeline, self.source = pipeline, source
        self._lock = threading.RLock()
        self._ticket = 0
        self._clip: Clip | None = None
        self._shown: TransferredFrames | PastedFrames | None = None
        self._guess: tuple[int, np.ndarray] | None = None  # a frame and its untuned pivot, drawn
        self._others: dict[int, Pipeline] = {}
        self._thumbnails: dict[tuple[int, tuple[float, float, float, float]], np.ndarray] = {}
        self._cuts: dict[int, tuple[np.ndarray, np.ndarray, float]] = {}

    @property
    def clip(self) -> Clip:
        """The opened clip, read by an earlier job.

        Raises
        ------
        StitError: there is no such run, or what it needs is not there yet.
        """
        if self._clip is not None:  # without the lock, which a preview holds for as long as it takes
            return self._clip
        with self._lock:
            if self._clip is None and not self.pipeline.clips.knows(self.source):
                raise StitError("The face has not been found yet.", "Do the step 'Align' first.")
            if self._clip is None:
                self._clip = self.pipeline.open(self.source)
            return self._clip

    def is_aligned(self) -> bool:
        """Whether the crops are there."""
        return self.pipeline.clips.knows(self.source) and self.pipeline.has(self.clip, "align")

    def is_tuned(self) -> bool:
        """Whether the tuned generator is there and, for the transfer, how its pivots lie beside their sources."""
        last = "register" if self.pipeline.transfers else "tune"
        return self.pipeline.clips.knows(self.source) and all(self.pipeline.has(self.clip, s) for s in {"tune", last})

    def is_tuned_to(self, number: int | None) -> bool:
        """The same of another person; False for somebody who is not known yet."""
        if number is None or self.numbers() is None:
            return False
        with self._lock:
            if number not in self._others:
                self._others[number] = of_person(self.pipeline, number, ())
            own, last = self._others[number], "register" if self.pipeline.transfers else "tune"
            try:
                return all(own.has(self.clip, stage) for stage in {"tune", last})
            except FaceError:  # nobody has the number
                return False

    def numbers(self) -> list[int] | None:
        """Who is in the clip; None before that is known."""
        if not self.pipeline.clips.knows(self.source) or not self.pipeline.has(self.clip, "landmarks"):
            return None
        return [person.index for person in self.pipeline.people(self.clip).persons]

    def cast(self) -> Cast:
        """Who is in the clip, and whom the settings choose; nobody before that is known."""
        numbers = self.numbers()
        if numbers is None:
            return Cast()
        return Cast(self.landmarks().index, tuple(numbers))

    def align(self) -> Alignment:
        """The crops.

        Raises
        ------
        StitError: they have not been cut yet.
        """
        if not self.is_aligned():
            raise StitError("The face has not been found yet.", "Do the step 'Align' first.")
        return self.pipeline.align(self.clip)

    def landmarks(self) -> Landmarks:
        """The face's points.

        Raises
        ------
        StitError: they are not known yet.
        """
        if not self.pipeline.has(self.clip, "landmarks"):
            raise StitError("The face has not been found yet.", "Do the step 'Align' first.")
        return self.pipeline.landmarks(self.clip)

    # --- Align ---

    def crops(self, count: int, size: int) -> list[tuple[np.ndarray, str]]:
        """Evenly chosen crops at most `size` pixels wide, with captions."""
        with self._lock:
            found = self.align()
            return [
                (shrunk(found.crops.read(frame), size), self._caption(frame))
                for frame in spread(found.frame_indices, count)
            ]

    def faces(self) -> list[FoundFace]:
        """The faces to choose from, the largest over the clip first."""
        with self._lock:
            chosen, total, made = self.landmarks().index, len(self.clip.frames), []
            people = self.pipeline.people(self.clip)
            shown = {person.index: person for person in people.persons} | {chosen: people.person(chosen)}
            for person in sorted(shown.values(), key=lambda person: -people.extent(person.index)):
                left, top, right, bottom = person.box
                picture = self._thumbnail(person)
                point, share = ((left + right) / 2, (top + bottom) / 2), person.frames / total
                made.append(FoundFace(picture, person.index, point, person.frame, share, person.index == chosen))
            return made

    def tracks(self) -> list[Track]:
        """Who is in the clip and when, by number."""
        with self._lock:
            self.landmarks()
            times, end = [float(time) for time in self.clip.timestamps], self.clip.seconds
            found = []
            for person in sorted(self.pipeline.people(self.clip).persons, key=lambda person: person.index):
                spans = [(times[a], times[b + 1] if b + 1 < len(times) else end) for a, b in person.spans]
                found.append(Track(person.index, self._thumbnail(person), tuple(spans), end))
            return found

    def _thumbnail(self, person: Person) -> np.ndarray:
        place = person.frame, person.box
        if place not in self._thumbnails:
            self._thumbnails[place] = thumbnail(self.clip.frames.read(person.frame), np.array(person.box))
        return self._thumbnails[place]

    def corrected(self, corrections: tuple[tuple[str, int, int], ...]) -> People:
        """The people of the clip after other corrections; nothing is stored. Raises FaceError, ConfigError."""
        with self._lock:
            self.landmarks()
            landmarks = {"corrections": corrections, "face": None, "point": None, "point_frame": None}
            config = self.pipeline.config.with_changes({"landmarks": landmarks})
            return self.pipeline.with_config(config).people(self.clip)

    def smoothing(self, config: AlignmentConfig, count: int, size: int) -> Smoothing:
        """Crops and jitter under other settings of the alignment.

        Raises
        ------
        FaceError: the face is not found often enough.
        """
        with self._lock:
            points = self.landmarks()
            frames = points.frame_indices
            plain = dataclasses.replace(config, center_sigma=0.0, xy_sigma=0.0)
            before, after = alignment.fit_quads(points, plain), alignment.fit_quads(points, config)
            jitters = [alignment.jitter_by_frame(quads, frames) for quads in (before, after)]
            crops = []
            for frame in spread(frames, count):
                quad = after[frames.index(frame)]
                picture, corner, zoom = self._surroundings(frame, quad, size)
                crops.append((warp_quad_to_square(picture, (quad - corner) * zoom, size), self._caption(frame)))
            means = [float(jitter.mean()) for jitter in jitters]
            return Smoothing(crops, np.array(frames), jitters[0], jitters[1], means[0], means[1])

    def _surroundings(self, frame: int, quad: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, float]:
        """A kept part of a frame around the face, its corner in the frame and its zoom."""
        known = self._cuts.get(frame)
        if known is not None:
            picture, corner, zoom = known
            place = (quad - corner) * zoom
            if (place >= 0).all() and (place <= np.array(picture.shape[1::-1])).all():
                return known
        whole = self.clip.frames.read(frame)
        centre, reach = quad.mean(axis=0), CUT_REACH * float(np.hypot(*(quad[3] - quad[0]))) / 2
        left, top, right, bottom = bounds(np.array([centre - reach, centre + reach]), whole.shape)
        zoom = min(1.0, DETAILED * size * CUT_REACH / max(1.0, 2 * reach))
        part = Image.fromarray(whole[top:bottom, left:right])
        shrunk = max(1, round(part.width * zoom)), max(1, round(part.height * zoom))
        kept = np.asarray(part.resize(shrunk, Image.Resampling.BOX)), np.array([left, top], float), zoom
        self._cuts[frame] = kept
        return kept

    def _caption(self, frame: int) -> str:
        return f"{float(self.clip.timestamps[frame]):.1f} s"

    # --- Tune ---

    def fit(self, tuned: np.ndarray | None = None) -> FitPreview:
        """The frame that the tuning shows, with its picture of it or, once that has ended, the final one."""
        with self._lock, compute_lightly():
            crops = self.align()
            frame = crops.frame_indices[len(crops.frame_indices) // 2]
            history = np.zeros((0, 4))
            if self.pipeline.has(self.clip, "tune"):
                history = self.pipeline.tune(self.clip).history
                tuned = self.pipeline.pivot(self.clip, frame) if tuned is None else tuned
            if self._guess is None or self._guess[0] != frame:
                pivot = pivot_of(self.pipeline, self.clip, frame)
                self._guess = frame, draw_faces(self.pipeline.models.generator, pivot, self.pipeline.runtime)[0]
            return FitPreview(frame, crops.crops.read(frame), self._guess[1], tuned, history)

    # --- Edit ---

    def edit(self, config: RunConfig, count: int) -> EditPreview | None:
        """Key frames under the edit, region and mark of a configuration whose other settings are these.

        None if a newer request came meanwhile.

        Raises
        ------
        DirectionError: there is no such direction, or it cannot be read.
        StitError: there is no such run, or what it needs is not there yet.
        """
        started = time.perf_counter()
        self._ticket += 1
        ticket = self._ticket
        with self._lock, compute_lightly():
            try:
                tuned, frames = self.is_tuned(), self.key_frames(count)
                pictures = self._frames().show(frames, config, tuned, lambda: self._check(ticket))
            except Cancelled:
                return None
            seconds = time.perf_counter() - started
            return EditPreview(tuple(pictures), not tuned, tuned and self.pipeline.transfers, seconds)

    def _frames(self) -> TransferredFrames | PastedFrames:
        if self._shown is None:
            kind = TransferredFrames if self.pipeline.transfers else PastedFrames
            self._shown = kind(self.pipeline, self.clip)
        return self._shown

    def _check(self, ticket: int) -> None:
        if ticket != self._ticket:
            raise Cancelled("preview")

    def key_frames(self, count: int) -> list[int]:
        """Frames spread over the clip, one of them that in which the mouth is widest open."""
        points, crops = self.landmarks(), self.align()
        frames = spread(crops.frame_indices, count + 1)[:-1] if count > 1 else []
        middle = len(crops.frame_indices) // (2 * max(1, count))  # not the very first frame, often a blink or a fade
        frames = [
            crops.frame_indices[min(crops.frame_indices.index(f) + middle, len(points.points) - 1)] for f in frames
        ]
        widest = crops.frame_indices[int(np.argmax(mouth_openness(points.points)))]
        if count > 1 and frames:
            nearest = min(range(len(frames)), key=lambda i: abs(frames[i] - widest))
            frames[nearest] = widest
        return sorted(set(frames or [widest]))


def fit_key(config: RunConfig, source: Path) -> str:
    """Names the settings that a tuning depends on, so that nothing of another one is shown under them."""
    parts = (config.video, config.landmarks, config.alignment, config.inversion, config.tuning)
    return hashlib.sha256(repr((source, config.preset, *parts)).encode()).hexdigest()[:32]


def clip_previews_key(config: RunConfig, source: Path) -> Any:
    """What opened previews hold for: everything but the edit, where it is made, and the mark."""
    transfer = dataclasses.replace(config.transfer, region=TransferConfig.region)
    compositing = dataclasses.replace(config.compositing, mark=CompositeConfig.mark)
    return source, dataclasses.replace(config, edit=EditConfig(), transfer=transfer, compositing=compositing)
