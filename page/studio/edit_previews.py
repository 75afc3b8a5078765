"""Single frames under an edit: with the transfer as the finished video has them, with stitching nearly so.

Before the tuning both begin with the encoder's pivots and the generator as it comes. What no edit changes is made once
for each frame, so that a slider's next move costs only what it changes.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from page.studio.crops import region, shrunk
from page.studio.torch_threads import compute_lightly
from stit_core.artefacts import Clip, Tuned
from stit_core.config import EditConfig, RunConfig, TransferConfig
from stit_core.faces.reading import draw_faces
from stit_core.images import to_model
from stit_core.models.generator import Generator
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline
from stit_core.stages import editing, masks
from stit_core.stages.registration import register
from stit_core.stages.transfer import Transfer
from stit_core.store.disk import disk_errors

SCRATCH = "previews"  # folder in that of the run's results
REGION_SIDE = 512  # pixels, longer side of what is shown of a frame

Check = Callable[[], None]  # raises Cancelled once a newer preview is wanted


@dataclass(frozen=True)
class KeyFrame:
    """The part of a frame around the face, before and after an edit."""

    frame: int
    before: np.ndarray
    after: np.ndarray


def pivot_of(pipeline: Pipeline, clip: Clip, frame: int) -> torch.Tensor:
    """The untuned pivot (1, L, 512) of a frame: as it was stored, or encoded now."""
    crops = pipeline.align(clip)
    if pipeline.has(clip, "invert"):
        position = crops.frame_indices.index(frame)
        return pipeline.invert(clip).w_plus[position : position + 1]
    with torch.inference_mode():
        images = to_model(crops.crops.read(frame)).to(pipeline.runtime.device)
        return pipeline.models.encoder.encode(images).float().cpu()


def untuned(pipeline: Pipeline, clip: Clip, frames: Sequence[int]) -> Tuned:
    """The untuned pivots of some frames, as if the generator had been tuned to them and had not moved."""
    pivots = torch.cat([pivot_of(pipeline, clip, frame) for frame in frames])
    return Tuned(clip.hash, tuple(frames), pivots, {}, np.zeros((0, 4)), 0.0, 0.0)


class DraftPasting(Pasting):
    """Pasting before all that it needs is stored: what is missing is made for single frames.

    Parameters
    ----------
    pipeline, clip: as of any pasting of one person.
    tuned: whether the clip is.
    kept: holds what was made, by its kind and frame; no edit changes it.
    """

    def __init__(self, pipeline: Pipeline, clip: Clip, tuned: bool, kept: dict[tuple[str, int], np.ndarray]) -> None:
        super().__init__(pipeline, clip)
        self._tuned, self._kept = tuned, kept

    def mask(self, number: int, frame: int) -> np.ndarray:
        """The full mask (S, S) uint8: as it was stored, or parsed now."""
        pipeline = self.pipeline
        if pipeline.has(self.clip, "masks"):
            return super().mask(number, frame)
        if ("mask", frame) not in self._kept:
            crop, config = pipeline.align(self.clip).crops.read(frame), pipeline.config.masks
            (mask,) = masks.full_masks(crop[None], config, pipeline.models.parser, pipeline.runtime)
            self._kept["mask", frame] = mask
        return self._kept["mask", frame]

    def pivot(self, number: int, frame: int) -> np.ndarray:
        """The pivot (S, S, 3) uint8: the tuned one, or before that the untuned one."""
        if self._tuned:
            return super().pivot(number, frame)
        if ("pivot", frame) not in self._kept:
            w_plus = pivot_of(self.pipeline, self.clip, frame)
            self._kept["pivot", frame] = draw_faces(self.pipeline.models.generator, w_plus, self.pipeline.runtime)[0]
        return self._kept["pivot", frame]

    def key_frame(self, frame: int, face: np.ndarray) -> KeyFrame:
        """What is shown of a frame into which this face is pasted."""
        (number,) = self.pipelines
        quad = self.pipeline.align(self.clip).quad(frame)
        pictures = self.clip.frames.read(frame), self.preview(frame, {number: face})
        return KeyFrame(frame, *(shrunk(region(picture, quad), REGION_SIDE) for picture in pictures))


class TransferredFrames:
    """Frames of one clip whose own pixels take the change of an edit.

    With a tuned and registered clip they are those of the finished video. Before that, each frame is a clip of its own:
    its pivot is registered alone, and its change is not averaged with its neighbours'.
    """

    def __init__(self, pipeline: Pipeline, clip: Clip) -> None:
        self.pipeline, self.clip = pipeline, clip
        self._whole: Transfer | None = None
        self._alone: dict[int, tuple[Tuned, Transfer]] = {}
        self._kept: dict[tuple[str, int], np.ndarray] = {}
        scratch = pipeline.store.root / SCRATCH
        with disk_errors("The folder of previews"):
            scratch.mkdir(parents=True, exist_ok=True)
        # It goes with this object, or with the run, of whose face it holds pictures.
        self._folder = tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True)

    def show(self, frames: Sequence[int], config: RunConfig, tuned: bool, check: Check) -> list[KeyFrame]:
        """The frames under the edit of a configuration whose other settings are the pipeline's.

        Raises
        ------
        StitError: there is no such run, or what it needs is not there yet.
        """
        pipeline = self.pipeline.with_config(config)
        whole = self._tuned(pipeline) if tuned else None
        pasting = DraftPasting(pipeline, self.clip, tuned, self._kept)

        def show(frame: int) -> KeyFrame:
            check()
            with compute_lightly():
                work = whole or self._untuned(pipeline, frame)
                return pasting.key_frame(frame, work.patch(work.alignment.frame_indices.index(frame)))

        with ThreadPoolExecutor(max(1, len(frames))) as threads:  # each keeps one core busy
            return list(threads.map(show, frames))

    def _tuned(self, pipeline: Pipeline) -> Transfer:
        if self._whole is None:
            self._whole = pipeline.transfer_of(self.clip)
        changing = pipeline.changing_classes(), pipeline.changing_settings(), pipeline.changing_relief()
        return self._whole.under(pipeline.edit(self.clip), *changing)

    def _untuned(self, pipeline: Pipeline, frame: int) -> Transfer:
        models, config, runtime = pipeline.models, pipeline.config, pipeline.runtime
        single = dataclasses.replace(pipeline.changing_settings(), registration_sigma=0.0, every=1, steadying=0)
        tuned, work = self._alone.get(frame) or self._begin(pipeline, frame, single)
        self._alone[frame] = tuned, work
        edited = editing.edit(tuned, vectors(pipeline), models.generator, config.edit, runtime)
        return work.under(edited, pipeline.changing_classes(), single, pipeline.changing_relief())

    def _begin(self, pipeline: Pipeline, frame: int, config: TransferConfig) -> tuple[Tuned, Transfer]:
        models, runtime, crops = pipeline.models, pipeline.runtime, pipeline.align(self.clip)
        quad = crops.quads[[crops.frame_indices.index(frame)]]
        crop = dataclasses.replace(crops, frame_indices=(frame,), quads=quad)
        tuned, nets = untuned(pipeline, self.clip, [frame]), (models.generator, models.parser)
        own = Path(self._folder.name) / str(frame)  # two frames at once would take each other's batches for their own
        own.mkdir(exist_ok=True)
        registration = register(crop, tuned, *nets, config, runtime, own)
        edited = editing.edit(tuned, {}, models.generator, EditConfig(), runtime)
        return tuned, Transfer(self.clip, crop, edited, registration, *nets, (), config, runtime)


class PastedFrames:
    """Frames of one clip into which their edited crops are pasted, as they are before they are stitched."""

    def __init__(self, pipeline: Pipeline, clip: Clip) -> None:
        self.pipeline, self.clip = pipeline, clip
        self._kept: dict[tuple[str, int], np.ndarray] = {}

    def show(self, frames: Sequence[int], config: RunConfig, tuned: bool, check: Check) -> list[KeyFrame]:
        """The frames under the edit of a configuration whose other settings are the pipeline's.

        Raises
        ------
        StitError: there is no such run, or what it needs is not there yet.
        """
        pipeline = self.pipeline.with_config(config)
        pasting = DraftPasting(pipeline, self.clip, tuned, self._kept)
        generator = pipeline.tuned_generator(self.clip) if tuned else pipeline.models.generator
        check()
        shown = []
        for frame, w_plus in zip(frames, self._edited(pipeline, frames, generator, tuned), strict=True):
            check()
            shown.append(pasting.key_frame(frame, draw_faces(generator, w_plus, pipeline.runtime)[0]))
        return shown

    def _edited(
        self, pipeline: Pipeline, frames: Sequence[int], generator: Generator, tuned: bool
    ) -> list[torch.Tensor]:
        """The latents (1, L, 512) of the frames, edited."""
        # In style space the pictures would be the same, so that it is left out.
        config = dataclasses.replace(pipeline.config.edit, styles=False)
        fitted = pipeline.tune(self.clip) if tuned else untuned(pipeline, self.clip, frames)
        whole = editing.edit(fitted, vectors(pipeline), generator, config, pipeline.runtime)
        return [whole.w_plus[[whole.frame_indices.index(frame)]] for frame in frames]


def vectors(pipeline: Pipeline) -> dict[str, np.ndarray]:
    """The directions of a pipeline's edit, name -> (L, 512).

    Raises
    ------
    DirectionError: there is no such direction, or it cannot be read.
    """
    return {name: direction.vector for name, direction in pipeline.directions().items()}
