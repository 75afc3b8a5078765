"""The way of one clip through all stages: the only file that knows their order.

Every stage's result is stored under a key made of what it depends on, so a stopped run goes on where it was, and an
edit with another factor repeats neither alignment, inversion, tuning nor masks. Source: STIT, section 4.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from stit_core import report as reports
from stit_core import turning
from stit_core.artefacts import (
    Alignment,
    Clip,
    Edit,
    Identities,
    Inversion,
    Landmarks,
    Masks,
    Measured,
    Registration,
    Stitched,
    Tuned,
)
from stit_core.change.detail import transfer_detail
from stit_core.config import RunConfig
from stit_core.directions import library as directions
from stit_core.directions.library import Direction
from stit_core.errors import ArtefactMismatchError, ConfigError, StoreError, VideoError
from stit_core.faces import regions
from stit_core.fitting import expression, frame_record
from stit_core.fitting.optimising import own_copy
from stit_core.geometry import warp_quad_to_square
from stit_core.images import to_picture
from stit_core.media import probing, video
from stit_core.models.generator import Generator
from stit_core.packs.loading import Models
from stit_core.report import Report
from stit_core.runtime import Runtime
from stit_core.stages import (
    alignment,
    compositing,
    editing,
    inversion,
    landmarks,
    masks,
    measuring,
    registration,
    stitching,
    transfer,
    tuning,
)
from stit_core.store.runs import Run, Store, file_digest, key, save_artefact

STAGES = (
    "clip",
    "landmarks",
    "align",
    "invert",
    "tune",
    "edit",
    "register",
    "masks",
    "stitch",
    "identify",
    "measure",
    "write",
)
PIVOT_MEMORY = 16 * 2**20  # bytes of drawn pivots that are kept

T = TypeVar("T")


class Pipeline:
    """One clip's stages under one set of settings; each method gives its stage's result, made or found.

    Parameters
    ----------
    models: the networks of a pack; loaded when first used.
    store: where results are kept.
    config: settings of every stage.
    runtime: device, seed, progress, preview and the stop token of this run.
    roots: folders of directions, those of the library where None.

    Attributes
    ----------
    seconds: what each stage took here; 0 for one whose result was found.
    cached: the stages whose results were found.
    """

    def __init__(
        self, models: Models, store: Store, config: RunConfig, runtime: Runtime, roots: Sequence[Path] | None = None
    ) -> None:
        self.models, self.store, self.config, self.runtime = models, store, config, runtime
        self.pack, self.roots = models.pack, roots
        self.seconds: dict[str, float] = {}
        self.cached: set[str] = set()
        self._memory: dict[str, object] = {}
        self._runs: dict[str, Run] = {}

    def with_config(self, config: RunConfig, runtime: Runtime | None = None) -> Pipeline:
        """The same clip with other settings; results that both share are not even read again."""
        other = Pipeline(self.models, self.store, config, runtime or self.runtime, self.roots)
        other._memory, other._runs = self._memory, self._runs
        return other

    # --- Stages -----------------------------------------------------------------------------------------------

    def open(self, path: Path) -> Clip:
        """Decode the clip. Raises: VideoError for what is no usable video, StoreError."""
        path = Path(path)
        facts = probing.probe(path, self.config.video)  # says what is wrong before the file is hashed or copied
        probing.check_length(path, facts, self.config.video)
        source = _digest(path)
        run = self.store.run(source, path.name)
        clip = self._make(
            run,
            "clip",
            self._clip_key(source),
            Clip,
            lambda f: self._decoded(path, source, f / "frames"),
        )
        seconds = float(clip.timestamps[-1])
        probing.check_frames(path, len(clip.frames), seconds, self.config.video)  # it may have been stored under others
        clip = dataclasses.replace(clip, source=path)
        self._runs[clip.hash] = run
        return clip

    def _decoded(self, path: Path, source: str, folder: Path) -> Clip:
        clip = video.open_clip(path, self.config.video, self.runtime, folder)
        if _digest(path) != source:  # or its frames would be kept under the other file's name
            raise _changed(path)
        return clip

    def landmarks(self, clip: Clip) -> Landmarks:
        """Find and track the face. Raises: FaceError."""
        return self._stage(
            clip,
            "landmarks",
            self._landmarks_key(clip),
            Landmarks,
            lambda _: landmarks.find_landmarks(clip, self.config.landmarks, self.runtime),
        )

    def align(self, clip: Clip) -> Alignment:
        """Cut out the aligned crops."""
        found = self.landmarks(clip)
        size = self.pack.resolution
        return self._stage(
            clip,
            "align",
            self._align_key(clip),
            Alignment,
            lambda f: alignment.align(clip, found, self.config.alignment, size, self.runtime, _subfolder(f)),
        )

    def invert(self, clip: Clip) -> Inversion:
        """Encode the crops to pivots."""
        crops = self.align(clip)
        return self._stage(
            clip,
            "invert",
            self._invert_key(clip),
            Inversion,
            lambda _: inversion.invert(crops, self.models.encoder, self.config.inversion, self.runtime),
        )

    def tune(self, clip: Clip) -> Tuned:
        """Fit the generator to the clip."""
        crops, pivots = self.align(clip), self.invert(clip)
        return self._stage(
            clip,
            "tune",
            self._tune_key(clip),
            Tuned,
            lambda f: tuning.tune(
                crops,
                pivots,
                self.models.generator,
                self.models.perceptual,
                self.config.tuning,
                self.runtime,
                f,
                self._expressions,
            ),
        )

    def edit(self, clip: Clip) -> Edit:
        """Move the pivots along the directions. Cheap, so kept in memory only. Raises: DirectionError."""
        tuned = self.tune(clip)
        started = time.perf_counter()
        vectors = {name: direction.vector for name, direction in self.directions().items()}
        result = editing.edit(tuned, vectors, self.models.generator, self.config.edit, self.runtime)
        self.seconds["edit"] = time.perf_counter() - started
        return result

    def register(self, clip: Clip) -> Registration:
        """Lay the tuned pivots beside their sources, for the transfer."""
        crops, tuned = self.align(clip), self.tune(clip)
        return self._stage(
            clip,
            "register",
            self._register_key(clip),
            Registration,
            lambda f: registration.register(
                crops, tuned, self.tuned_generator(clip), self.models.parser, self.config.transfer, self.runtime, f
            ),
        )

    def masks(self, clip: Clip) -> Masks:
        """Parse the crops and make their masks."""
        crops = self.align(clip)
        return self._stage(
            clip,
            "masks",
            self._masks_key(clip),
            Masks,
            lambda f: masks.make_masks(crops, self.config.masks, self.models.parser, self.runtime, _subfolder(f)),
        )

    def stitch(self, clip: Clip) -> Stitched:
        """Fit the edited crops' borders to the source, or give the edit's change to the source."""
        if self.transfers:
            return self._transfer(clip)
        crops, tuned, regions = self.align(clip), self.tune(clip), self.masks(clip)
        return self._stage(
            clip,
            "stitch",
            self._stitch_key(clip),
            Stitched,
            lambda f: stitching.stitch(
                crops, self.edit(clip), regions, tuned, self.models.generator, self.config.stitching, self.runtime, f
            ),
        )

    def _transfer(self, clip: Clip) -> Stitched:
        regions = self.masks(clip)
        self.register(clip)
        return self._stage(
            clip,
            "stitch",
            self._stitch_key(clip),
            Stitched,
            lambda f: transfer.transfer(self.transfer_of(clip), regions, f),
        )

    def transfer_of(self, clip: Clip) -> transfer.Transfer:
        """The transfer of the edit, frame by frame. Raises: DirectionError."""
        return transfer.Transfer(
            clip,
            self.align(clip),
            self.edit(clip),
            self.register(clip),
            self.tuned_generator(clip),
            self.models.parser,
            self.changing_classes(),
            self.config.transfer,
            self.runtime,
        )

    @property
    def transfers(self) -> bool:
        """Whether the change is transferred, instead of the edit being stitched."""
        return self.config.method == "transfer"

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of a whole run under these settings, in order."""
        return tuple(stage for stage in STAGES if stage != "register" or self.transfers)

    def changing_classes(self) -> tuple[int, ...]:
        """The parser's classes that the edit may change. Raises: DirectionError."""
        cards = [direction.card for direction in self.directions().values()]
        parts = regions.parts_of(self.config.transfer.region, cards)
        return tuple(label for part in parts for label in regions.PARTS[part])

    def identify(self, clip: Clip) -> Identities:
        """Embed the identity of the source's crops, once for all edits."""
        crops = self.align(clip)
        return self._stage(
            clip,
            "identify",
            self._identify_key(clip),
            Identities,
            lambda _: measuring.identify(crops, self.models.identity, self.runtime),
        )

    def measure(self, clip: Clip) -> Measured:
        """Figures of the result: reconstruction, border, identity of source against edited crops as they are pasted."""
        crops, stitched, tuned, regions = self.align(clip), self.stitch(clip), self.tune(clip), self.masks(clip)
        sources = self.identify(clip)

        def finished(frame: int) -> np.ndarray:
            return self.finished_crop(clip, frame, stitched.crops.read(frame))

        return self._stage(
            clip,
            "measure",
            key("measure", self._stitch_key(clip), self.pack.part("identity").hash),
            Measured,
            lambda _: measuring.measure(
                crops, stitched, tuned, regions, sources, finished, self.models.identity, self.runtime
            ),
        )

    def write(self, clip: Clip, output: Path) -> video.Written:
        """Paste the stitched crops and write the video. Raises: VideoError."""
        crops, stitched = self.align(clip), self.stitch(clip)
        self._check_source(clip)
        started = time.perf_counter()
        pictures = self._composited(clip, crops, stitched)
        told = self.container_comment(_edit_text(self.config))
        written = video.write_video(pictures, clip, output, self.config.video, self.runtime, told)
        self.seconds["write"] = time.perf_counter() - started
        return written

    def stitched_so_far(self, clip: Clip) -> Stitched | None:
        """The frames that are stitched, from the first on, be the stage finished, at work or stopped; None for none."""
        run, name = self._run(clip), self._stitch_key(clip)
        finished = run.load("stitch", name, Stitched)
        return finished or frame_record.read_finished(run.part("stitch", name), self.align(clip))

    def write_part(self, clip: Clip, output: Path) -> video.Written | None:
        """Write the clip up to the last frame that is stitched so far; None where there is none. Raises: VideoError."""
        stitched = self.stitched_so_far(clip)
        if stitched is None:
            return None
        self._check_source(clip)
        crops, frames = self.align(clip), stitched.frame_indices
        count = clip.frames.indices.index(frames[-1]) + 1
        crops = dataclasses.replace(crops, frame_indices=frames, quads=crops.quads[: len(frames)])
        seconds = clip.timestamps[count] if count < len(clip.frames) else clip.seconds
        kept = dataclasses.replace(clip.frames, indices=clip.frames.indices[:count])
        part = dataclasses.replace(clip, frames=kept, timestamps=clip.timestamps[:count])
        config = dataclasses.replace(self.config.video, end=float(clip.start + seconds), speed="veryfast")
        told = self.container_comment(f"{_edit_text(self.config)}, stopped half-way")
        pictures = self._composited(part, crops, stitched)
        return video.write_video(pictures, part, output, config, self.runtime, told)

    def _check_source(self, clip: Clip) -> None:
        """Raise VideoError where the source was changed since: its sound would not belong to the pictures."""
        if not self._run(clip).is_of(_digest(clip.source)):
            raise _changed(clip.source)

    def _composited(self, clip: Clip, crops: Alignment, stitched: Stitched) -> Iterator[np.ndarray]:
        def paste(frame: int, picture: np.ndarray, face: np.ndarray) -> np.ndarray:
            return self._paste_face(clip, frame, picture, face)

        return compositing.composite(clip, crops, stitched, paste, self.config.compositing, self.runtime)

    def _paste_face(self, clip: Clip, frame: int, picture: np.ndarray, face: np.ndarray) -> np.ndarray:
        """A frame (H, W, 3) uint8 with the face that `stitch` made for it, whichever way it was made."""
        crops = self.align(clip)
        quad = crops.quads[_position(crops.frame_indices, frame)]
        if self.transfers:
            return transfer.lay_patch(picture, face, quad)
        mask = self.masks(clip).pictures.read(frame)[..., compositing.FULL]
        radius = compositing.feather_radius(self.config.compositing, self.config.masks.outer_dilation, crops.size)
        if self._meets_pivot():
            return compositing.paste_with_detail(picture, face, quad, mask, radius, self.pivot(clip, frame))
        return compositing.paste(picture, face, quad, mask, radius)

    def container_comment(self, edit: str) -> dict[str, str]:
        """What a video's container says of itself, `edit` being what was changed."""
        return {"comment": f"edited with STIT Studio, pack {self.pack.name}, {edit}"}

    # --- Whole runs -------------------------------------------------------------------------------------------

    def run(self, path: Path, output: Path) -> Report:
        """Do the whole job: write the edited video and, beside it, its edit manifest.

        Raises: StitError of the stage that cannot go on, Cancelled when the run was stopped.
        """
        return self.finish(self.prepare(Path(path), [Path(output)]), Path(output))

    def prepare(self, path: Path, outputs: Sequence[Path]) -> Clip:
        """See that nothing stands in the way of the whole job, then open the clip. Raises: StitError."""
        self._check_edit()
        for output in outputs:
            video.check_output(output)
            reports.check_output(path, output)
        self.models.verify()
        facts = probing.probe(path, self.config.video)
        probing.check_length(path, facts, self.config.video)  # before the room for all of it is asked for
        reports.check_space(facts, self.config.video, self.pack.resolution, self.store.root, outputs[0])
        return self.open(path)

    def _check_edit(self) -> None:
        """Raise DirectionError or ConfigError for an edit that the pack cannot do, before hours of work."""
        self.directions()
        freeze = self.config.edit.freeze_from
        if freeze is not None and freeze >= self.pack.num_ws:
            message = f"There is no style layer {freeze} to freeze from in the pack '{self.pack.name}'."
            raise ConfigError(message, f"Choose 'freeze_from' from 0 to {self.pack.num_ws - 1}.")

    def finish(self, clip: Clip, output: Path) -> Report:
        """Carry out all that is missing for an opened clip: its edited video and the manifest. Raises: as `run`."""
        self._found("clip")
        measures = self.measure(clip).summary
        written = self.write(clip, output)
        report = Report(
            output=written.path,
            manifest=reports.manifest_path(written.path),
            frames=written.frames,
            faces=len(self.align(clip).frame_indices),
            gaps=self.landmarks(clip).gaps,
            audio=written.audio,
            seconds={stage: round(self.seconds.get(stage, 0.0), 3) for stage in self.stages},
            cached=tuple(stage for stage in self.stages if stage in self.cached),
            measures=measures,
            warnings=(*self.warnings, *self.clip_warnings(clip)),
        )
        reports.write_manifest(report, clip, self.pack, self.directions(), self.config, self.runtime)
        return report

    # --- Previews ---------------------------------------------------------------------------------------------

    def quick_edit(self, clip: Clip, frame: int) -> np.ndarray:
        """The edited crop of one frame, (size, size, 3) uint8; the clip must be tuned.

        With the transfer that is what the video will show; else it has not been stitched yet.
        Raises: ArtefactMismatchError for a frame without a face.
        """
        edited = self.edit(clip)
        position = _position(edited.frame_indices, frame)
        if self.transfers:
            return self.finished_crop(clip, frame, self.transfer_of(clip).patch(position))
        net = self.tuned_generator(clip)
        with torch.inference_mode(), self.runtime.autocast():
            if edited.styles is not None:
                styles = [layer[position : position + 1].to(self.runtime.device) for layer in edited.styles]
            else:
                styles = net.styles(edited.w_plus[position : position + 1].to(self.runtime.device))
            image = net.synthesis_from_styles(styles)
        return self.finished_crop(clip, frame, to_picture(image.float())[0])

    def pivot(self, clip: Clip, frame: int) -> np.ndarray:
        """The tuned pivot of one frame, (size, size, 3) uint8. Raises: ArtefactMismatchError."""
        tuned = self.tune(clip)
        position = _position(tuned.frame_indices, frame)
        name = f"pivots-{self._tune_key(clip)}"
        kept = self._memory.get(name)
        if not isinstance(kept, _Pivots):
            kept = _Pivots()
            self._remember(name, kept)
        picture = kept.get(frame)
        if picture is None:
            with torch.inference_mode(), self.runtime.autocast():
                w_plus = tuned.w_plus[position : position + 1].to(self.runtime.device)
                image = self.tuned_generator(clip).synthesis(w_plus)
            picture = to_picture(image.float())[0]
            if len(kept) * picture.nbytes < PIVOT_MEMORY:
                kept[frame] = picture
        return picture

    def preview_frame(self, clip: Clip, frame: int, face: np.ndarray) -> np.ndarray:
        """The full frame (H, W, 3) uint8 with a face that `stitch` made for it, as the finished video will have it."""
        picture = self._paste_face(clip, frame, clip.frames.read(frame), face)
        return compositing.add_mark(picture) if self.config.compositing.mark else picture

    def finished_crop(self, clip: Clip, frame: int, face: np.ndarray) -> np.ndarray:
        """A face that `stitch` made for a frame, as an aligned crop (size, size, 3) of what will be seen."""
        crops = self.align(clip)
        if self.transfers:
            quad = crops.quads[_position(crops.frame_indices, frame)]
            return warp_quad_to_square(transfer.lay_patch(clip.frames.read(frame), face, quad), quad, crops.size)
        if self._meets_pivot():
            return transfer_detail(face, self.pivot(clip, frame), crops.crops.read(frame))
        return face

    def _meets_pivot(self) -> bool:
        return self.config.stitching.target == "pivot"

    def directions(self) -> dict[str, directions.Direction]:
        """The directions that the settings name. Raises: DirectionError."""
        return {name: directions.load_direction(self.pack, name, self.roots) for name, _ in self.config.edit.directions}

    @functools.cached_property
    def _expression_directions(self) -> tuple[Direction, ...]:
        """Those along which tuning gives pivots their expression; none where the settings or the pack have none."""
        if self.config.tuning.expression == 0:
            return ()
        known = {card.name for card in directions.list_directions(self.pack, self.roots)}
        names = [name for name in expression.DIRECTIONS if name in known]
        return tuple(directions.load_direction(self.pack, name, self.roots) for name in names)

    @property
    def _expressions(self) -> torch.Tensor | None:
        found = [torch.from_numpy(np.float32(direction.vector)) for direction in self._expression_directions]
        return torch.stack(found) if found else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the chosen directions, in plain words, before any work. Raises: DirectionError."""
        vectors = {name: direction.vector for name, direction in self.directions().items()}
        return editing.tell_overlaps(self.config.edit.directions, vectors)

    def clip_warnings(self, clip: Clip) -> tuple[str, ...]:
        """What to know of how the clip was taken, in plain words. Raises: FaceError, VideoError."""
        facts = probing.probe(clip.source, self.config.video)
        return (*facts.warnings, *turning.tell_turn(self.landmarks(clip).turn))

    # --- Keys -------------------------------------------------------------------------------------------------

    def _clip_key(self, source: str) -> str:
        return key("clip", source, self.config.video.start, self.config.video.end)  # limits change no frames

    def _landmarks_key(self, clip: Clip) -> str:
        asked = self.config.landmarks.second_detector and landmarks.second_detector_at_hand()
        return key("landmarks", clip.hash, dataclasses.replace(self.config.landmarks, second_detector=asked))

    def _align_key(self, clip: Clip) -> str:
        return key("align", self._landmarks_key(clip), self.config.alignment, self.pack.resolution)

    def _invert_key(self, clip: Clip) -> str:
        return key("invert", self._align_key(clip), self.pack.part("encoder").hash)

    def _tune_key(self, clip: Clip) -> str:
        networks = [self.pack.part(name).hash for name in ("generator", "perceptual")]
        how = [self.runtime.seed, str(self.runtime.dtype), *(found.hash for found in self._expression_directions)]
        return key("tune", self._invert_key(clip), networks, self.config.tuning, how)

    def _register_key(self, clip: Clip) -> str:
        sigma = self.config.transfer.registration_sigma
        return key("register", self._tune_key(clip), self.pack.part("parser").hash, sigma)

    def _identify_key(self, clip: Clip) -> str:
        return key("identify", self._align_key(clip), self.pack.part("identity").hash)

    def _masks_key(self, clip: Clip) -> str:
        return key("masks", self._align_key(clip), self.pack.part("parser").hash, self.config.masks)

    def _stitch_key(self, clip: Clip) -> str:
        vectors = [direction.hash for direction in self.directions().values()]
        if self.transfers:
            upstream = [self._register_key(clip), self._masks_key(clip), list(self.changing_classes())]
            return key("stitch", "transfer", upstream, vectors, self.config.edit, self.config.transfer)
        upstream = [self._tune_key(clip), self._masks_key(clip)]
        return key("stitch", upstream, vectors, self.config.edit, self.config.stitching, self.runtime.seed)

    def knows(self, path: Path) -> bool:
        """Whether the frames of a file are stored under these settings."""
        source = _digest(path)
        return self.store.run(source, path.name).find("clip", self._clip_key(source)) is not None

    def has(self, clip: Clip, stage: str) -> bool:
        """Whether the result of a stage up to `stitch` is stored under these settings. Raises: DirectionError."""
        names: dict[str, Callable[[Clip], str]] = {
            "landmarks": self._landmarks_key,
            "align": self._align_key,
            "invert": self._invert_key,
            "tune": self._tune_key,
            "register": self._register_key,
            "masks": self._masks_key,
            "stitch": self._stitch_key,
        }
        return self._run(clip).find(stage, names[stage](clip)) is not None

    # --- Making and finding -----------------------------------------------------------------------------------

    def _stage(self, clip: Clip, stage: str, name: str, kind: type[T], build: Callable[[Path], T]) -> T:
        return self._make(self._run(clip), stage, name, kind, build)

    def _run(self, clip: Clip) -> Run:
        if clip.hash not in self._runs:
            self._runs[clip.hash] = self.store.run(_digest(clip.source), clip.source.name)
        return self._runs[clip.hash]

    def _make(self, run: Run, stage: str, name: str, kind: type[T], build: Callable[[Path], T]) -> T:
        """The result `name` of a stage: from memory, from the store, or made now."""
        known = self._memory.get(name)
        if isinstance(known, kind) and run.find(stage, name) is not None:
            self._found(stage)
            return known
        started = time.perf_counter()
        result = run.load(stage, name, kind)
        if result is not None:
            self._found(stage)
        else:
            with run.make(stage, name) as folder:
                save_artefact(build(folder), folder)
            result = run.load(stage, name, kind)
            self.seconds[stage] = time.perf_counter() - started
        if result is None:
            raise StoreError(f"The result of '{stage}' could not be read back.", "Check the disk, then start again.")
        self._remember(name, result)
        return result

    def _remember(self, name: str, result: object) -> None:
        """Keep the newest result of each kind in memory; older ones are read from the store again."""
        for other, value in list(self._memory.items()):  # previews of the same run may be at it in another thread
            if type(value) is type(result):
                self._memory.pop(other, None)
        self._memory[name] = result

    def _found(self, stage: str) -> None:
        if stage not in self.seconds:
            self.seconds[stage] = 0.0
            self.cached.add(stage)
            self.runtime.step(stage, 1, 1)

    def tuned_generator(self, clip: Clip) -> Generator:
        """The generator as it was tuned to the clip, frozen; not to be changed."""
        name = f"generator-{self._tune_key(clip)}"
        net = self._memory.get(name)
        if not isinstance(net, Generator):
            net = own_copy(self.models.generator, self.runtime.device, self.tune(clip).state).requires_grad_(False)
            self._remember(name, net)
        return net


class _Pivots(dict[int, np.ndarray]):
    """Tuned pivots by frame, which the preview, the measuring and the writing of a frame ask for one after another."""


def _digest(source: Path) -> str:
    """sha256 of the source's bytes. Raises: VideoError when it is gone."""
    try:
        return file_digest(source)
    except OSError as error:
        message = f"{source.name} can no longer be read ({error.strerror})."
        raise VideoError(message, "Put the file back and start again; finished work is kept.") from error


def _changed(source: Path) -> VideoError:
    return VideoError(f"{source.name} was changed while it was worked on.", "Start again once the file is complete.")


def _subfolder(folder: Path) -> Path:
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    return pictures


def _position(frames: tuple[int, ...], frame: int) -> int:
    if frame not in frames:
        raise ArtefactMismatchError(f"Frame {frame} carries no face.", "Choose a frame in which the face was found.")
    return frames.index(frame)


def _edit_text(config: RunConfig) -> str:
    return ", ".join(f"{name}={factor:g}" for name, factor in config.edit.directions) or "no direction"
