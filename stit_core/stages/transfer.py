"""Transfer: the change from the tuned pivot to the edit, given to the source's own pixels.

Where stitching pastes what the generator drew, this takes from the generator only what the edit changes, so that the
person's pores, lashes and light stay. Source: ours; the idea is that of the expression ratio images of Liu, Shan and
Zhang (2001) and of the predicted differences of FRAN (Zoss et al., "Production-Ready Face Re-Aging", 2022).
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import itertools
import threading
from collections.abc import Callable, Collection, Hashable, Sequence
from collections.abc import Generator as Generated
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
import torch

from stit_core.artefacts import Alignment, Clip, Edit, Masks, Registration, Stitched, check_clip, check_same_frames
from stit_core.change.applying import apply_change
from stit_core.change.drawn import Drawn
from stit_core.change.mouth import Mouth, mean_mouth, mouth_light
from stit_core.change.novelty import is_open, is_shut, looks_open
from stit_core.change.own_teeth import OwnTeeth, cut_teeth
from stit_core.change.placing import place_weights
from stit_core.change.reading import (
    FIELD,
    Anatomy,
    Change,
    Laid,
    OpenMouth,
    dense_flow,
    judge_open_mouth,
    lay_out,
    read_change,
)
from stit_core.change.relief import read_folds
from stit_core.change.tint import strength
from stit_core.config import TransferConfig
from stit_core.faces.labels import MOUTH
from stit_core.faces.reading import Reading, draw_faces, from_place_picture, landmark_finder, read_faces
from stit_core.fitting.frame_record import FrameRecord
from stit_core.geometry import frame_to_crop, lay_patch, warp_quad_to_square
from stit_core.images import to_mask, to_model
from stit_core.metrics import masked_loss
from stit_core.models.generator import Generator
from stit_core.models.interfaces import Parser, Reader
from stit_core.runtime import Runtime, torch_threads
from stit_core.warps import warp, warp_between

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
STAGE = "stitch"  # it stands in that stage's place
LEAST_MOUTH = 0.004  # of a crop, that the inside of an open mouth takes up
TRIED = 16  # of the frames with open mouths, in which teeth are looked for
JUDGED = 16  # frames with an open mouth of which one is asked what the edit does to it
MOST_JUDGED = 4  # of those that follow each other
BLINK = 1  # frames in which a mouth may seem shut between two in which it is open
SPREAD = 1.2  # frames, deviation of the Gaussian over time by which neighbours' changes count


def transfer(work: Transfer, masks: Masks, folder: Path) -> Stitched:
    """Give the change of an edit to every frame of a clip.

    Every frame is written when it is finished; a run that was stopped goes on from there and ends with the same
    pictures as one that was not, since a frame depends on the edits of its neighbours, not on their results.

    Parameters
    ----------
    work: the clip and its edit; its runtime gets progress at every frame, and every finished frame.
    masks: of the same T frames; they change nothing, the border loss is measured on their border.
    folder: of this result, existing, private to it.

    Returns
    -------
    Stitched, whose pictures are patches of the frames; its border losses are those of the crops cut from them.

    Raises
    ------
    ArtefactMismatchError: artefacts of different frames. StoreError: the folder cannot be written.
    Cancelled: the run was stopped.
    """
    alignment, runtime = work.alignment, work.runtime
    check_same_frames(alignment, masks)
    record = FrameRecord(folder, alignment, work.fingerprint)
    runtime.step(STAGE, len(record), len(alignment.frame_indices))
    left = [position for position in range(len(alignment.frame_indices)) if position not in record.rows]
    # As many threads as torch may use, with a core each; its own would only wait for each other.
    with closing(work.patches(left, torch.get_num_threads())) as patches, torch_threads(1):
        for position, picture, patch in patches:
            frame = alignment.frame_indices[position]
            border = border_loss(picture, patch, alignment, position, masks)
            record.add(position, patch, border, 0.0, 0)
            runtime.tell(STAGE, frame=frame, border=border, content=0.0, steps=0)
            runtime.show(STAGE, frame, patch)
            runtime.step(STAGE, len(record), len(alignment.frame_indices))
            runtime.kept(STAGE)
    return record.result()


def border_loss(frame: np.ndarray, patch: np.ndarray, alignment: Alignment, position: int, masks: Masks) -> float:
    """STIT's border loss of a finished frame's crop against the source's."""
    name, quad = alignment.frame_indices[position], alignment.quads[position]
    made = warp_quad_to_square(lay_patch(frame, patch, quad), quad, alignment.size)
    border = to_mask(masks.border(name))
    return float(masked_loss(to_model(made), to_model(alignment.crops.read(name)), border, "l2"))


class Once(Generic[K, V]):
    """Values by key, each made by the first thread that asks for it; the others wait for that one."""

    def __init__(self) -> None:
        self._values: dict[K, Future[V]] = {}
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of `key`, made where it is not at hand; what `make` raises is raised to all who wait."""
        with self._lock:
            value = self._values.get(key)
            if own := value is None:
                value = self._values[key] = Future()
        if own:
            try:
                value.set_result(make())
            except BaseException as error:
                value.set_exception(error)
                self.drop(lambda other: other == key)
        return value.result()

    def drop(self, needless: Callable[[K], bool]) -> None:
        """Forget the values whose keys are needless."""
        with self._lock:
            for key in [key for key in self._values if needless(key)]:
                del self._values[key]


class Transfer:
    """The frames of one clip under one edit; `patch` makes one of them, alone or in a row.

    Parameters
    ----------
    clip, alignment, edit, registration: of the same T frames.
    generator: as it was tuned, on the runtime's device.
    parser: on the runtime's device.
    classes: the parser's classes that may change.
    config: shares of the parts of the change, and how far it is steadied.
    relief: map (faces.relief.SHAPE) of the folds of skin that the edit brings, or None.

    Raises
    ------
    ArtefactMismatchError: artefacts of different frames or clips.
    """

    def __init__(
        self,
        clip: Clip,
        alignment: Alignment,
        edit: Edit,
        registration: Registration,
        generator: Generator,
        parser: Parser,
        classes: Collection[int],
        config: TransferConfig,
        runtime: Runtime,
        relief: np.ndarray | None = None,
    ) -> None:
        check_same_frames(alignment, edit, registration)
        check_clip(alignment, clip)
        self.clip, self.alignment, self.edit, self.registration = clip, alignment, edit, registration
        self.generator, self.parser, self.classes = generator, parser, tuple(sorted(classes))
        self.config, self.runtime, self.relief = config, runtime, relief
        self._folds = read_folds(relief) if config.anatomy else None
        self.size = min(FIELD, alignment.size)
        # A reader of places tells where all of the head goes, and reading dlib's model takes half a second.
        self._find_points = None if isinstance(parser, Reader) else landmark_finder()
        self._changes: Once[int, tuple[np.ndarray, Mouth | None]] = Once()  # by position, as they were read, stacked
        self._flows: Once[tuple[int, int], np.ndarray] = Once()
        self._sources: Once[int, Drawn] = Once()
        self._layouts: Once[int, tuple[Drawn, Drawn, Laid]] = Once()  # source and pivot with the edit, laid out
        self._mouths: Once[tuple[int, int], OpenMouth] = Once()  # by the stretch of frames in which they are open
        self._teeth: list[OwnTeeth | None] = []  # those of the clip, once they have been looked for
        self._opened: Once[None, list[tuple[int, int]]] = Once()  # see `_stretches`
        self._looking = threading.Lock()
        self._forgets = True

    def under(
        self, edit: Edit, classes: Collection[int], config: TransferConfig, relief: np.ndarray | None
    ) -> Transfer:
        """The same frames under another edit, for trials of a few: what is known of the sources serves all of them.

        Raises ArtefactMismatchError for an edit of other frames.
        """
        check_same_frames(self.alignment, edit)
        other = copy.copy(self)  # with the same sources, flows and teeth
        other.edit, other.classes, other.config = edit, tuple(sorted(classes)), config
        other.relief, other._folds = relief, read_folds(relief) if config.anatomy else None
        other._changes, other._layouts, other._mouths, other._forgets = Once(), Once(), Once(), False
        return other

    @property
    def fingerprint(self) -> str:
        """What unfinished work must have been made from to be resumed."""
        facts = [self.alignment.clip_hash, self.alignment.frame_indices, self.alignment.size, self.classes]
        facts += [dataclasses.astuple(self.config), str(self.runtime.dtype)]
        digest = hashlib.sha256(repr(facts).encode())
        relief = np.zeros(0) if self.relief is None else self.relief
        for values in (self.edit.w_plus.numpy(), self.registration.offsets, self.registration.points, relief):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def patch(self, position: int) -> np.ndarray:
        """The part of a frame around its quad, edited: (h, w, 3) uint8, in the place of geometry.patch_bounds."""
        self._forget(position)
        return self._made(position)[1]

    def patches(self, positions: Sequence[int], threads: int) -> Generated[tuple[int, np.ndarray, np.ndarray]]:
        """Frame after frame: its position, itself (H, W, 3), and its patch. At least two threads read changes."""
        ahead = threads + self.config.every  # frames whose changes are read before they are due
        with ThreadPoolExecutor(max(2, threads)) as readers, ThreadPoolExecutor(max(1, threads - 1)) as makers:
            try:
                made: dict[int, Future[tuple[np.ndarray, np.ndarray]]] = {}
                asked: set[int] = set()
                for place, position in enumerate(positions):
                    for other in positions[place : place + ahead]:
                        for read in sorted(self._needed(other) - asked):
                            readers.submit(self._change, read)
                            asked.add(read)
                    for other in positions[place : place + threads]:
                        if other not in made:
                            made[other] = makers.submit(self._made, other)
                    yield position, *made.pop(position).result()
                    self._forget(position + 1)
            finally:
                for pool in (makers, readers):
                    pool.shutdown(cancel_futures=True)

    def _needed(self, position: int) -> set[int]:
        """The positions whose changes a frame is made of."""
        reach = self.config.steadying
        near = range(max(0, position - reach), min(position + reach + 1, len(self.alignment.frame_indices)))
        return {other for other in near if self._is_read(other)}

    def _made(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """A frame and its patch."""
        with torch_threads(1):
            source = self._source(position)
            frame = self.clip.frames.read(self.alignment.frame_indices[position])
            change = self._steadied(position)
            ageing = 0.0 if self._folds is None else self._folds.ageing
            strong = bool(strength(change).any())
            weights = place_weights(source, self.classes, self.config, strong, ageing)
            return frame, apply_change(frame, self.alignment.quads[position], change, weights)

    # --- over time ---

    def _steadied(self, position: int) -> Change:
        """The change of a frame: a mean of those around it, each carried here along the source's motion."""
        total = np.zeros((self.size, self.size, Change.CHANNELS), np.float32)
        mouths: list[tuple[float, Mouth | None]] = []
        if self._is_read(position):
            fields, mouth = self._change(position)
            total = total + fields
            mouths.append((1.0, mouth))
        for side in (-1, 1):
            way = np.zeros((self.size, self.size, 2), np.float32)
            for other in self._up_to_read(position, side):
                step = abs(other - position)
                way = way + warp(self._flow(other - side, other), way)
                if self._is_read(other):
                    share = float(np.exp(-0.5 * (step / SPREAD) ** 2))
                    fields, mouth = self._change(other)
                    total += share * warp(fields, way)
                    mouths.append((share, None if mouth is None else mouth.carried(way)))
        weight = sum(share for share, _ in mouths)
        return Change.unstacked(total / np.float32(weight), mean_mouth(mouths, is_shut(self._source(position))))

    def _up_to_read(self, position: int, side: int) -> Sequence[int]:
        """The positions after or before one, from the nearest to the last whose change is read and counts for it."""
        ends = position + side * (self.config.steadying + 1)
        near = list(itertools.takewhile(lambda o: self._adjoin(o, o - side), range(position + side, ends, side)))
        return near[: max((place + 1 for place, other in enumerate(near) if self._is_read(other)), default=0)]

    def _is_read(self, position: int) -> bool:
        """Whether the change is read in this frame: in one of `every`, and at the ends of an unbroken stretch."""
        ends = not (self._adjoin(position - 1, position) and self._adjoin(position, position + 1))
        return ends or position % self.config.every == 0

    def _adjoin(self, a: int, b: int) -> bool:
        """Whether both positions are there and follow each other in the clip, in either order."""
        frames = self.alignment.frame_indices
        return min(a, b) >= 0 and max(a, b) < len(frames) and abs(frames[a] - frames[b]) == 1

    def _flow(self, here: int, there: int) -> np.ndarray:
        """Where in the crop of one position each pixel of a neighbour's, `here`, comes from."""

        def find() -> np.ndarray:
            return dense_flow(self._source(here).picture, self._source(there).picture, fast=True)

        return self._flows.get((here, there), find)

    def _forget(self, position: int) -> None:
        """Drop what no frame from `position` on needs."""
        if self._forgets:
            first = position - self.config.steadying
            self._changes.drop(lambda other: other < first)
            self._sources.drop(lambda other: other < first)
            self._layouts.drop(lambda other: other < first)
            self._flows.drop(lambda pair: min(pair) < first)

    # --- one frame ---

    def _change(self, position: int) -> tuple[np.ndarray, Mouth | None]:
        """The change, stacked, of a frame by itself."""
        return self._changes.get(position, lambda: self._read(position))

    def _read(self, position: int) -> tuple[np.ndarray, Mouth | None]:
        # Always with one of torch's threads: the bits of a convolution may depend on their number, and two frames at
        # once use two cores better than two threads of one frame do.
        with torch_threads(1):
            known = self._open_mouth(position)
            source, pivot, laid = self._laid(position)
        self._layouts.drop(lambda other: other == position)  # which nothing else needs from here on
        drawn = source, pivot, laid.edited, laid.offset
        change = read_change(*drawn, self.classes, self._anatomy(), known, laid)
        return change.stacked(), change.mouth

    def _laid(self, position: int) -> tuple[Drawn, Drawn, Laid]:
        """The source, its pivot and the edit of a frame, laid out."""

        def make() -> tuple[Drawn, Drawn, Laid]:
            source, pivot = self._source(position), self._pivot(position)
            offset = warp_between(source.points, pivot.points - source.points, self.size)
            edited = self._draw(position)
            return source, pivot, lay_out(source, pivot, edited, offset, self._anatomy())

        return self._layouts.get(position, make)

    def _anatomy(self) -> Anatomy | None:
        config = self.config
        return Anatomy(self._folds, config.turning, config.eye_growth, self._own_teeth) if config.anatomy else None

    def _draw(self, position: int) -> Drawn:
        drawn = draw_faces(self.generator, self.edit.w_plus[position : position + 1], self.runtime)[0]
        reading = read_faces(drawn[None], self.parser, self.runtime, places=True)[0]
        points = np.zeros((0, 2)) if self._find_points is None else self._find_points(drawn)
        return self._drawn(drawn, reading, points)

    # --- mouths ---

    def _open_mouth(self, position: int) -> OpenMouth | None:
        """What the edit does to the mouth that is open in a frame, the same for all frames around in which it is.

        By each frame alone, a mouth would be drawn in one and kept in the next.
        """
        if not self.config.anatomy or MOUTH not in self.classes:
            return None
        stretch = next((each for each in self._stretches() if each[0] <= position < each[1]), None)
        return None if stretch is None else self._mouths.get(stretch, lambda: self._judge(*stretch))

    def _judge(self, begin: int, end: int) -> OpenMouth:
        count = min(MOST_JUDGED, 1 + (end - begin) // JUDGED)
        places = [begin + (2 * k + 1) * (end - begin) // (2 * count) for k in range(count)]
        # Rather those that are drawn anyway.
        places = [max(begin, place - place % self.config.every) for place in places]
        # Who else reads waits for this.
        with ThreadPoolExecutor(len(places)) as judges:
            said = list(judges.map(self._judged, places))
        means = (float(np.mean(values)) for values in zip(*((one.opens, one.another) for one in said), strict=True))
        return OpenMouth(*means)

    def _judged(self, position: int) -> OpenMouth:
        with torch_threads(1):
            return judge_open_mouth(*self._laid(position), self._own_teeth)

    def _stretches(self) -> list[tuple[int, int]]:
        """The first position of every stretch of frames with an open mouth, and the one after its last."""

        def find() -> list[tuple[int, int]]:
            names = self.alignment.frame_indices
            open_ = np.flatnonzero([self._is_open(position) for position in range(len(names))])
            groups = np.split(open_, np.flatnonzero(np.diff(np.array(names)[open_]) > BLINK + 1) + 1)
            return [(int(group[0]), int(group[-1]) + 1) for group in groups if len(group)]

        return self._opened.get(None, find)

    def _is_open(self, position: int) -> bool:
        looks = looks_open(self.registration.source_labels(self.alignment.frame_indices[position]))
        return is_open(self._read_source(position)) if looks is None else looks

    def _own_teeth(self) -> OwnTeeth | None:
        """The teeth of which the clip shows most, for edits that may show them; looked for once."""
        if MOUTH not in self.classes:
            return None
        with self._looking:
            if not self._teeth:
                self._teeth.append(self._most_teeth())
            return self._teeth[0]

    def _most_teeth(self) -> OwnTeeth | None:
        names = self.alignment.frame_indices
        shown = [(self.registration.source_labels(name) == MOUTH).mean() for name in names]
        open_ = np.flatnonzero(np.array(shown) > LEAST_MOUTH)
        tried = open_[np.unique(np.linspace(0, len(open_) - 1, TRIED).round().astype(int))] if len(open_) else open_
        found = [teeth for position in tried if (teeth := self._cut(int(position))) is not None]
        return max(found, key=lambda teeth: teeth.seen, default=None)

    def _cut(self, position: int) -> OwnTeeth | None:
        source, quad = self._read_source(position), self.alignment.quads[position]
        frame = self.clip.frames.read(self.alignment.frame_indices[position])
        return cut_teeth(frame, frame_to_crop(quad, self.size), source, mouth_light(source))

    def _source(self, position: int) -> Drawn:
        return self._sources.get(position, lambda: self._read_source(position))

    def _read_source(self, position: int) -> Drawn:
        frame = self.alignment.frame_indices[position]
        reading = Reading(self.registration.source_labels(frame))
        return self._drawn(self.alignment.crops.read(frame), reading, self.registration.points[position])

    def _pivot(self, position: int) -> Drawn:
        known, frame = self.registration, self.alignment.frame_indices[position]
        places = (None, None) if known.places is None else from_place_picture(known.places.read(frame))
        points = known.points[position] + known.offsets[position]
        return self._drawn(known.pivots.read(frame), Reading(known.pivot_labels(frame), *places), points)

    def _drawn(self, picture: np.ndarray, reading: Reading, points: np.ndarray) -> Drawn:
        """A crop and what is known of it, at the size at which changes are read."""
        labels = reading.labels
        scale, size = self.size / picture.shape[0], (self.size, self.size)
        if scale != 1:
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        return Drawn(picture, np.ascontiguousarray(labels), points * scale, reading.places, reading.head)
