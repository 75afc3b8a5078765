"""Pictures that a page shows at once, beside the heavy work: crops, faces, smoothing, edits of a few frames.

Everything here is made from what the run has stored, in a pipeline of its own that shares nothing with a job's but the
pack's networks, which nobody changes.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from page.threads import compute_lightly
from stit_core import alignment, compositing, editing, masks
from stit_core.artefacts import Alignment, Clip, Landmarks, Tuned
from stit_core.config import AlignmentConfig, EditConfig, RunConfig
from stit_core.directions import load_direction
from stit_core.errors import Cancelled, StitError
from stit_core.geometry import warp_quad_to_square
from stit_core.images import to_model, to_picture
from stit_core.models.generator import Generator
from stit_core.pipeline import Pipeline

REGION = 1.25  # of the quad's bounding box: what an edit's preview shows around the face
REGION_SIDE = 512  # pixels, longer side of that
CUT_REACH = 1.6  # of the quad's side, kept around a face for other quads of the same frame
DETAILED = 1.0  # pixels of a kept picture to a pixel of the crop that is cut from it
FACE_MARGIN = 0.35  # of a face's box, around it in its thumbnail
FACE_SIDE = 160  # pixels of a face's thumbnail


@dataclass(frozen=True)
class FoundFace:
    """A face of the clip to pick: its thumbnail, how settings name it, the share of frames that show it."""

    picture: np.ndarray
    face: int | None
    point: tuple[float, float]
    point_frame: int
    share: float
    chosen: bool


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
class KeyFrame:
    """The part of a frame around the face, before and after an edit."""

    frame: int
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class EditPreview:
    """Key frames under an edit; `draft` says that they were made before the tuning."""

    pictures: tuple[KeyFrame, ...]
    draft: bool
    seconds: float


@dataclass(frozen=True)
class _Key:
    """What an edit's preview needs of a frame and no factor changes."""

    frame: int
    w_plus: torch.Tensor  # (1, L, 512)
    pivot: np.ndarray  # (S, S, 3)
    region: np.ndarray
    quad: np.ndarray  # in pixels of the region
    mask: np.ndarray


class Bench:
    """One run's clip under one set of settings, opened for previews; what does not change is made once.

    For several threads: one preview is made at a time, and a newer request for an edit ends an older one.
    """

    def __init__(self, pipeline: Pipeline, source: Path) -> None:
        self.pipeline, self.source = pipeline, source
        self._lock = threading.RLock()
        self._ticket = 0
        self._clip: Clip | None = None
        self._keys: dict[tuple[int, bool], _Key] = {}
        self._cuts: dict[int, tuple[np.ndarray, np.ndarray, float]] = {}

    @property
    def clip(self) -> Clip:
        """The opened clip, read by an earlier job. Raises: StitError."""
        with self._lock:
            if self._clip is None and not self.pipeline.knows(self.source):
                raise StitError("The face has not been found yet.", "Do the step 'Align' first.")
            if self._clip is None:
                self._clip = self.pipeline.open(self.source)
            return self._clip

    def is_aligned(self) -> bool:
        """Whether the crops are there."""
        return self.pipeline.knows(self.source) and self.pipeline.has(self.clip, "align")

    def is_tuned(self) -> bool:
        """Whether the tuned generator is there."""
        return self.pipeline.knows(self.source) and self.pipeline.has(self.clip, "tune")

    def align(self) -> Alignment:
        """The crops. Raises: StitError where they have not been cut yet."""
        if not self.is_aligned():
            raise StitError("The face has not been found yet.", "Do the step 'Align' first.")
        return self.pipeline.align(self.clip)

    def landmarks(self) -> Landmarks:
        """The face's points. Raises: StitError where they are not known yet."""
        if not self.pipeline.has(self.clip, "landmarks"):
            raise StitError("The face has not been found yet.", "Do the step 'Align' first.")
        return self.pipeline.landmarks(self.clip)

    # --- Align ---

    def crops(self, count: int, size: int) -> list[tuple[np.ndarray, str]]:
        """Evenly chosen crops at most `size` pixels wide, with captions."""
        with self._lock:
            found = self.align()
            return [
                (_shrunk(found.crops.read(frame), size), self._caption(frame))
                for frame in spread(found.frame_indices, count)
            ]

    def faces(self) -> list[FoundFace]:
        """The faces to choose from, the largest over the clip first."""
        with self._lock:
            found, total, made = self.landmarks(), len(self.clip.frames), []
            for row in found.people:
                index, frame, box, seen, chosen = int(row[0]), int(row[1]), row[2:6], row[6], bool(row[7])
                picture = _thumbnail(self.clip.frames.read(frame), box)
                point = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
                made.append(FoundFace(picture, None if index < 0 else index, point, frame, seen / total, chosen))
            return made

    def smoothing(self, config: AlignmentConfig, count: int, size: int) -> Smoothing:
        """Crops and jitter under other settings of the alignment. Raises: FaceError."""
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
        left, top, right, bottom = _bounds(np.array([centre - reach, centre + reach]), whole.shape)
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
            if self.is_tuned():
                history = self.pipeline.tune(self.clip).history
                tuned = self.pipeline.pivot(self.clip, frame) if tuned is None else tuned
            return FitPreview(frame, crops.crops.read(frame), self._key(frame, tuned=False).pivot, tuned, history)

    # --- Edit ---

    def edit(self, edits: Sequence[tuple[str, float]], count: int) -> EditPreview | None:
        """Key frames under an edit, or None if a newer request came meanwhile. Raises: DirectionError, StitError."""
        started = time.perf_counter()
        self._ticket += 1
        ticket = self._ticket
        with self._lock, compute_lightly():
            try:
                return self._edit(edits, count, ticket, started)
            except Cancelled:
                return None

    def _edit(self, edits: Sequence[tuple[str, float]], count: int, ticket: int, started: float) -> EditPreview:
        tuned = self.is_tuned()
        generator = self.pipeline.tuned_generator(self.clip) if tuned else self.pipeline.models.generator
        keys = []
        for frame in self.key_frames(count):
            self._check(ticket)
            keys.append(self._key(frame, tuned))
        pictures = []
        for key, w_plus in zip(keys, self._edited(keys, edits, generator, tuned), strict=True):
            self._check(ticket)
            pictures.append(self._picture(key, w_plus, generator))
        return EditPreview(tuple(pictures), not tuned, time.perf_counter() - started)

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

    def _key(self, frame: int, tuned: bool) -> _Key:
        known = self._keys.get((frame, tuned))
        if known is not None:
            return known
        pipeline, crops = self.pipeline, self.align()
        position = crops.frame_indices.index(frame)
        crop = crops.crops.read(frame)
        if tuned:
            w_plus = pipeline.tune(self.clip).w_plus[position : position + 1]
            pivot = pipeline.pivot(self.clip, frame)
        else:
            w_plus = self._pivot(crop, position)
            pivot = self._draw(pipeline.models.generator, w_plus)
        region, quad = _region(self.clip.frames.read(frame), crops.quads[position])
        key = _Key(frame, w_plus, pivot, region, quad, self._mask(frame, crop))
        self._keys[frame, tuned] = key
        return key

    def _pivot(self, crop: np.ndarray, position: int) -> torch.Tensor:
        """The pivot (1, L, 512) of a crop: as it was stored, or encoded now."""
        if self.pipeline.has(self.clip, "invert"):
            return self.pipeline.invert(self.clip).w_plus[position : position + 1]
        with torch.inference_mode():
            images = to_model(crop).to(self.pipeline.runtime.device)
            return self.pipeline.models.encoder.encode(images).float().cpu()  # type: ignore[no-any-return]

    def _mask(self, frame: int, crop: np.ndarray) -> np.ndarray:
        if self.pipeline.has(self.clip, "masks"):
            return self.pipeline.masks(self.clip).pictures.read(frame)[..., compositing.FULL]
        config, models = self.pipeline.config, self.pipeline.models
        return masks.full_masks(crop[None], config.masks, models.parser, self.pipeline.runtime)[0]

    def _edited(
        self, keys: Sequence[_Key], edits: Sequence[tuple[str, float]], generator: Generator, tuned: bool
    ) -> list[torch.Tensor]:
        """The latents (1, L, 512) of the key frames, edited."""
        pairs = tuple((name, float(factor)) for name, factor in edits if factor)
        vectors = {name: load_direction(self.pipeline.pack, name, self.pipeline.roots).vector for name, _ in pairs}
        # In style space the pictures would be the same, so that it is left out.
        config = EditConfig(pairs, self.pipeline.config.edit.freeze_from)
        if tuned:
            whole = editing.edit(self.pipeline.tune(self.clip), vectors, generator, config, self.pipeline.runtime)
            return [whole.w_plus[[whole.frame_indices.index(key.frame)]] for key in keys]
        pivots = torch.cat([key.w_plus for key in keys])
        frames = tuple(key.frame for key in keys)
        draft = Tuned(self.clip.hash, frames, pivots, {}, np.zeros((0, 4)), 0.0, 0.0)
        return list(editing.edit(draft, vectors, generator, config, self.pipeline.runtime).w_plus.split(1))

    def _draw(self, generator: Generator, w_plus: torch.Tensor) -> np.ndarray:
        runtime = self.pipeline.runtime
        with torch.inference_mode(), runtime.autocast():
            image = generator.synthesis(w_plus.to(runtime.device))
        return to_picture(image.float())[0]

    def _picture(self, key: _Key, w_plus: torch.Tensor, generator: Generator) -> KeyFrame:
        """A key frame with its edit pasted in, as the finished video will nearly have it."""
        config = self.pipeline.config
        crop = self._draw(generator, w_plus)
        dilation: int = config.masks.outer_dilation
        radius = compositing.feather_radius(config.compositing, dilation, crop.shape[0])
        if config.stitching.target == "pivot":
            after = compositing.paste_with_detail(key.region, crop, key.quad, key.mask, radius, key.pivot)
        else:
            after = compositing.paste(key.region, crop, key.quad, key.mask, radius)
        return KeyFrame(key.frame, _shrunk(key.region, REGION_SIDE), _shrunk(after, REGION_SIDE))


def mouth_openness(points: np.ndarray) -> np.ndarray:
    """(T,): distance of the inner lips by that of the eyes, of landmarks (T, 68, 2)."""
    lips = np.linalg.norm(points[:, 66] - points[:, 62], axis=1)
    eyes = np.linalg.norm(points[:, 42:48].mean(axis=1) - points[:, 36:42].mean(axis=1), axis=1)
    return lips / np.maximum(eyes, 1e-6)


def spread(frames: Sequence[int], count: int) -> list[int]:
    """`count` of the frames, evenly from the first to the last; all of them if there are fewer."""
    if count <= 1:
        return [frames[len(frames) // 2]]
    return [frames[i] for i in sorted({round(p * (len(frames) - 1) / (count - 1)) for p in range(count)})]


def bench_key(config: RunConfig, source: Path) -> Any:
    """What a bench holds for: everything but the edit and the mark."""
    return source, dataclasses.replace(config, edit=EditConfig(freeze_from=config.edit.freeze_from))


def _shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    if max(picture.shape[:2]) <= side:
        return picture
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)


def _bounds(corners: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in whole pixels of the box around (N, 2) points, inside a picture (H, W, ...)."""
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    left, top = (int(v) for v in np.clip(low, 0, (shape[1] - 1, shape[0] - 1)))
    right, bottom = (int(v) for v in np.clip(high, (left + 1, top + 1), (shape[1], shape[0])))
    return left, top, right, bottom


def _region(frame: np.ndarray, quad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a frame (H, W, 3) around a quad, and the quad in its pixels."""
    centre = quad.mean(axis=0)
    left, top, right, bottom = _bounds(centre + (quad - centre) * REGION, frame.shape)
    return np.ascontiguousarray(frame[top:bottom, left:right]), quad - np.array([left, top])


def _thumbnail(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    margin = FACE_MARGIN * (box[2:] - box[:2])
    left, top, right, bottom = _bounds(np.array([box[:2] - margin, box[2:] + margin]), frame.shape)
    return _shrunk(np.ascontiguousarray(frame[top:bottom, left:right]), FACE_SIDE)
