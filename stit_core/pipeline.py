"""The way of one clip through all stages: their order, what each result depends on, and who makes it.

Every result is stored under a key made of what it depends on, so a stopped run is resumed where it was, and an edit
with another factor repeats neither alignment, inversion, tuning nor masks. Source: STIT, section 4.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stit_core import regions
from stit_core.artefacts import (
    Alignment,
    Clip,
    Edit,
    Identities,
    Inversion,
    Landmarks,
    Masks,
    Measured,
    People,
    Registration,
    Stitched,
    Tuned,
)
from stit_core.config import LandmarkConfig, RunConfig, TransferConfig
from stit_core.directions import library
from stit_core.directions.library import Direction
from stit_core.errors import FaceError
from stit_core.faces.detectors import second_detector_at_hand
from stit_core.fitting import expression
from stit_core.fitting.optimising import own_copy
from stit_core.fitting.pivots import DrawnPivots
from stit_core.media.opening import ClipStore
from stit_core.models.generator import Generator
from stit_core.packs.loading import Models
from stit_core.packs.manifest import Pack
from stit_core.provenance import Consent, describe_edit
from stit_core.runtime import Runtime
from stit_core.stages import (
    alignment,
    choosing,
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
from stit_core.store.keys import key
from stit_core.store.results import Results
from stit_core.store.runs import Run, Store


@dataclass(frozen=True)
class Stage:
    """One row of the order.

    Attributes
    ----------
    kind: class of the result.
    needs: the stages whose results it takes, in the order in which they are made.
    key: under what its result is stored: all that it depends on.
    build: makes the result, in a folder of its own.
    """

    kind: type
    needs: tuple[str, ...]
    key: Callable[[Pipeline, Clip], str]
    build: Callable[[Pipeline, Clip, Path], object]


EYES_MEANT = 10.0  # TransferConfig.eye_growth of directions that are about eyes alone: as much as they are drawn
STAGES: dict[str, Stage] = {
    "landmarks": Stage(
        People,
        (),
        lambda p, clip: key("landmarks", clip.hash, p.landmark_settings),
        lambda p, clip, _: landmarks.find_people(clip, p.config.landmarks, p.runtime),
    ),
    "align": Stage(
        Alignment,
        ("landmarks",),
        lambda p, clip: key("align", p.followed(clip), p.config.alignment, p.pack.resolution),
        lambda p, clip, folder: alignment.align(
            clip, p.landmarks(clip), p.config.alignment, p.pack.resolution, p.runtime, folder / "pictures"
        ),
    ),
    "invert": Stage(
        Inversion,
        ("align",),
        lambda p, clip: key("invert", p.key("align", clip), p.network("encoder")),
        lambda p, clip, folder: inversion.invert(
            p.align(clip), p.models.encoder, p.config.inversion, p.runtime, folder
        ),
    ),
    "tune": Stage(
        Tuned,
        ("align", "invert"),
        lambda p, clip: key(
            "tune", p.key("invert", clip), [p.network("generator"), p.network("perceptual")], p.config.tuning,
            [p.runtime.seed, str(p.runtime.dtype), *(direction.hash for direction in p.expressions)],
        ),
        lambda p, clip, folder: tuning.tune(
            p.align(clip), p.invert(clip), p.models.generator, p.models.perceptual, p.config.tuning, p.runtime, folder,
            library.stacked(p.expressions),
        ),
    ),
    "masks": Stage(
        Masks,
        ("align",),
        lambda p, clip: key("masks", p.key("align", clip), p.network("parser"), p.config.masks),
        lambda p, clip, folder: masks.make_masks(
            p.align(clip), p.config.masks, p.models.parser, p.runtime, folder / "pictures", p.parsed(clip)
        ),
    ),
    "register": Stage(
        Registration,
        ("align", "tune"),
        lambda p, clip: key(
            "register", p.key("tune", clip), p.network("parser"), p.config.transfer.registration_sigma
        ),
        lambda p, clip, folder: registration.register(
            p.align(clip), p.tune(clip), p.tuned_generator(clip), p.models.parser, p.config.transfer, p.runtime, folder
        ),
    ),
    "stitch": Stage(
        Stitched,
        ("align", "tune", "masks"),
        lambda p, clip: key(
            "stitch", [p.key("tune", clip), p.key("masks", clip)], library.hashes(p.directions()), p.config.edit,
            p.config.stitching, p.runtime.seed,
        ),
        lambda p, clip, folder: stitching.stitch(
            p.align(clip), p.edit(clip), p.masks(clip), p.tune(clip), p.models.generator, p.config.stitching,
            p.runtime, folder,
        ),
    ),
    "transfer": Stage(  # with the method "transfer" in the place of "stitch", and stored as such
        Stitched,
        ("register", "masks"),
        lambda p, clip: key(
            "stitch", "transfer", [p.key("register", clip), p.key("masks", clip), list(p.changing_classes())],
            library.hashes(p.directions()) + library.relief_hashes(p.directions()), p.config.edit,
            p.changing_settings(),
        ),
        lambda p, clip, folder: transfer.transfer(p.transfer_of(clip), p.masks(clip), folder),
    ),
    "identify": Stage(
        Identities,
        ("align",),
        lambda p, clip: key("identify", p.key("align", clip), p.network("identity")),
        lambda p, clip, _: measuring.identify(p.align(clip), p.models.identity, p.runtime),
    ),
    "measure": Stage(
        Measured,
        ("align", "stitch", "tune", "masks", "identify"),
        lambda p, clip: key("measure", p.key("stitch", clip), p.network("identity")),
        lambda p, clip, _: measuring.measure(
            p.align(clip), p.stitch(clip), p.tune(clip), p.masks(clip), p.identify(clip),
            functools.partial(p.finished_crop, clip), p.models.identity, p.runtime,
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Named:
    """Landmarks and the key of their content, which takes a while to make."""

    landmarks: Landmarks
    name: str


@dataclass(eq=False)
class Pipeline:
    """One clip's stages under one set of settings; each method gives its stage's result, made or found.

    Parameters
    ----------
    models: the networks of a pack; loaded when first used.
    store: where results are kept.
    config: settings of every stage.
    runtime: device, seed, progress, preview and the stop token of this run.
    roots: folders of directions, those of the library where None.
    """

    models: Models
    store: Store
    config: RunConfig
    runtime: Runtime
    roots: Sequence[Path] | None = None

    def __post_init__(self) -> None:
        self.results = Results(self.runtime)
        self._runs: dict[str, Run] = {}

    @property
    def pack(self) -> Pack:
        """The pack whose networks these are."""
        return self.models.pack

    def with_config(self, config: RunConfig, runtime: Runtime | None = None) -> Pipeline:
        """The same clip with other settings; results that both share are not even read again."""
        other = Pipeline(self.models, self.store, config, runtime or self.runtime, self.roots)
        other.results, other._runs = self.results.shared(other.runtime), self._runs
        return other

    def apart(self, config: RunConfig) -> Pipeline:
        """The same clip with other settings and results in memory of its own, to be used beside this one."""
        other = Pipeline(self.models, self.store, config, self.runtime, self.roots)
        other._runs = self._runs
        return other

    @property
    def clips(self) -> ClipStore:
        """The clips of files under these settings."""
        return ClipStore(self.store, self.results, self.config.video, self._runs)

    def open(self, path: Path) -> Clip:
        """Decode the clip, or find its frames. Raises VideoError, StoreError."""
        return self.clips.open(path)

    def people(self, clip: Clip) -> People:
        """Find, track and tell apart the faces of the clip, once for everyone. Raises FaceError."""
        return choosing.correct(self._result("landmarks", clip), self.config.landmarks.corrections)

    def landmarks(self, clip: Clip) -> Landmarks:
        """Those of the person who is chosen. Raises FaceError."""

        def follow() -> Landmarks:
            people, config = self.people(clip), self.config.landmarks
            return choosing.follow(people, choosing.choose(people, config), config, clip.source.name)

        name = key("landmarks", self.key("landmarks", clip), self.config.landmarks)
        self._result("landmarks", clip)  # counted, and made again where it was deleted
        return self.results.keep(f"followed-{name}", Landmarks, follow)

    def followed(self, clip: Clip) -> str:
        """Names the landmarks of the person who is chosen: what is made of them does not depend on anybody else."""
        try:
            found = self.landmarks(clip) if self.has(clip, "landmarks") else None
        except FaceError:  # which the stage itself raises
            found = None
        if found is None:
            return key("landmarks", "unknown", self.key("landmarks", clip), self.config.landmarks)

        def name() -> _Named:
            return _Named(found, key("landmarks", clip.hash, list(found.frame_indices), found.points))

        known = self.results.keep(f"named-{id(found)}", _Named, name)
        return known.name

    def align(self, clip: Clip) -> Alignment:
        """Cut out the aligned crops."""
        return self._result("align", clip)

    def invert(self, clip: Clip) -> Inversion:
        """Encode the crops to pivots."""
        return self._result("invert", clip)

    def tune(self, clip: Clip) -> Tuned:
        """Fit the generator to the clip."""
        return self._result("tune", clip)

    def edit(self, clip: Clip) -> Edit:
        """Move the pivots along the directions; cheap, so that it is made anew each time. Raises DirectionError."""
        tuned = self.tune(clip)
        started = time.perf_counter()
        result = editing.edit(
            tuned, library.vectors_of(self.directions()), self.models.generator, self.config.edit, self.runtime
        )
        self.results.seconds["edit"] = time.perf_counter() - started
        return result

    def register(self, clip: Clip) -> Registration:
        """Lay the tuned pivots beside their sources, for the transfer."""
        return self._result("register", clip)

    def parsed(self, clip: Clip) -> Callable[[int], np.ndarray] | None:
        """Gives the parser's classes (size, size) uint8 of a frame's crop where the registration has read them."""
        return self.register(clip).source_labels if self.transfers and self.has(clip, "register") else None

    def masks(self, clip: Clip) -> Masks:
        """Parse the crops and make their masks."""
        return self._result("masks", clip)

    def stitch(self, clip: Clip) -> Stitched:
        """Fit the edited crops' borders to the source, or give the edit's change to the source."""
        return self._result("stitch", clip)

    def identify(self, clip: Clip) -> Identities:
        """Embed the identity of the source's crops, once for all edits."""
        return self._result("identify", clip)

    def measure(self, clip: Clip) -> Measured:
        """Figures of the result: reconstruction, border, identity of source against edited crops as they are pasted."""
        return self._result("measure", clip)

    @property
    def transfers(self) -> bool:
        """Whether the change is transferred, instead of the edit being stitched."""
        return self.config.method == "transfer"

    def directions(self) -> dict[str, Direction]:
        """The directions that the settings name. Raises DirectionError."""
        return {name: library.load_direction(self.pack, name, self.roots) for name, _ in self.config.edit.directions}

    def describe(self, clip: Clip, consent: Consent | None) -> dict[str, Any]:
        """What is known of the edit before its result: see `provenance.describe_edit`. Raises DirectionError."""
        return describe_edit(clip, self.pack, self.directions(), self.config, self.runtime, consent)

    def changing_classes(self) -> tuple[int, ...]:
        """The parser's classes that the edit may change. Raises DirectionError."""
        cards = [direction.card for direction in self.directions().values()]
        return regions.classes_of(self.config.transfer.region, cards)

    def changing_settings(self) -> TransferConfig:
        """The settings of the transfer, without what no direction moves. Raises DirectionError."""
        moves = {direction.card.moves for direction in self.directions().values()}
        settings = self.config.transfer
        if moves and "head" not in moves:
            settings = dataclasses.replace(settings, turning=0.0)
        if any(direction.card.parts == ("eyes",) for direction in self.directions().values()):
            settings = dataclasses.replace(settings, eye_growth=EYES_MEANT)  # larger eyes are what is meant
        return dataclasses.replace(settings, motion=0.0) if moves == {"nothing"} else settings

    def changing_relief(self) -> np.ndarray | None:
        """The map of folds of skin that come and go with the edit; None for none. Raises DirectionError."""
        return library.relief_of(self.directions(), self.config.edit.directions)

    @functools.cached_property
    def expressions(self) -> tuple[Direction, ...]:
        """Directions along which tuning gives pivots their expression; none where settings or pack have none."""
        if self.config.tuning.expression == 0:
            return ()
        known = {card.name for card in library.list_directions(self.pack, self.roots)}
        names = [name for name in expression.DIRECTIONS if name in known]
        return tuple(library.load_direction(self.pack, name, self.roots) for name in names)

    def transfer_of(self, clip: Clip) -> transfer.Transfer:
        """The transfer of the edit, frame by frame. Raises DirectionError."""
        sources = clip, self.align(clip), self.edit(clip), self.register(clip)
        nets = self.tuned_generator(clip), self.models.parser
        settings = self.changing_settings(), self.runtime
        return transfer.Transfer(*sources, *nets, self.changing_classes(), *settings, self.changing_relief())

    def tuned_generator(self, clip: Clip) -> Generator:
        """The generator as it was tuned to the clip, frozen; not to be changed."""

        def load() -> Generator:
            return own_copy(self.models.generator, self.runtime.device, self.tune(clip).state).requires_grad_(False)

        return self.results.keep(f"generator-{self.key('tune', clip)}", Generator, load)

    def pivot(self, clip: Clip, frame: int) -> np.ndarray:
        """The tuned pivot of one frame, (size, size, 3) uint8. Raises ArtefactMismatchError."""

        def begin() -> DrawnPivots:
            return DrawnPivots(self.tune(clip), self.tuned_generator(clip), self.runtime)

        return self.results.keep(f"pivots-{self.key('tune', clip)}", DrawnPivots, begin).picture(frame)

    def finished_crop(self, clip: Clip, frame: int, face: np.ndarray) -> np.ndarray:
        """A face that `stitch` made for a frame, as an aligned crop (size, size, 3) of what will be seen."""
        crops = self.align(clip)
        pivot = functools.partial(self.pivot, clip, frame)
        return compositing.seen_crop(clip, crops, frame, face, self.config, pivot)

    def key(self, stage: str, clip: Clip) -> str:
        """Under what the result of a stage is stored. Raises DirectionError."""
        return self._row(stage).key(self, clip)

    @property
    def landmark_settings(self) -> LandmarkConfig:
        """The settings of the search for faces, whoever is chosen; the second detector counts where it is at hand."""
        asked = self.config.landmarks.second_detector and second_detector_at_hand()
        usual = LandmarkConfig()
        return dataclasses.replace(
            self.config.landmarks, second_detector=asked, face=usual.face, point=usual.point,
            point_frame=usual.point_frame, corrections=usual.corrections,
        )  # fmt: skip

    def network(self, part: str) -> str:
        """Hash of a part of the pack."""
        return self.pack.part(part).hash

    def has(self, clip: Clip, stage: str) -> bool:
        """Whether the result of a stage of `STAGES` is stored under these settings. Raises DirectionError."""
        return self.run_of(clip).find(stage, self.key(stage, clip)) is not None

    def run_of(self, clip: Clip) -> Run:
        """Where the results of a clip are stored."""
        return self.clips.run_of(clip)

    def _row(self, stage: str) -> Stage:
        return STAGES["transfer" if stage == "stitch" and self.transfers else stage]

    def _result(self, stage: str, clip: Clip) -> Any:
        """The result of a stage of `STAGES`, made or found, after those that it needs."""
        row = self._row(stage)
        for needed in row.needs:
            self._result(needed, clip)
        build = functools.partial(row.build, self, clip)
        return self.results.make(self.run_of(clip), stage, row.key(self, clip), row.kind, build)
