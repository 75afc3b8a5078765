"""A review under way: person by person through the pipeline, kept as it goes, resumable after a stop or a kill."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stit_core.config import RunConfig, preset
from stit_core.directions.labelled_pictures import UnusablePicture, decode
from stit_core.directions.library import load_direction
from stit_core.errors import (
    CheckpointError,
    ConfigError,
    DeviceError,
    DirectionError,
    PackError,
    StitError,
    StoreError,
)
from stit_core.packs.loading import Models
from stit_core.pipeline import Pipeline
from stit_core.review.attributes import AttributeColumns
from stit_core.review.examining import Examination, Prepare, quiet
from stit_core.review.people import People, Person, Source
from stit_core.review.plan import Plan
from stit_core.review.reading import CropReader
from stit_core.review.records import FAILURE, Record
from stit_core.review.stills import open_still
from stit_core.runtime import Runtime
from stit_core.store.disk import disk_errors
from stit_core.store.keys import file_digest
from stit_core.store.locks import alone
from stit_core.store.runs import Store

STAGE = "review"
LOCK, IN_USE = ".review.lock", "Another process is working on a review of these people."
RECORD_VERSION = 1  # raise it when readings of the same picture change
STILL_PASSES = 8  # of tuning, one step each: about as many as a clip gets
KEY_DIGITS = 24
# What is wrong with the program, disk or card, not with a picture: these end the review, all others are results.
FATAL = (StoreError, PackError, CheckpointError, DeviceError, DirectionError, ConfigError)


@dataclass(frozen=True)
class Examined:
    """A person who has just been looked at: place among the people, and why there is nothing, if so."""

    place: int
    person: Person
    failure: str


class Review:
    """A review of some people; `run` does what is missing of it, `stit_core.review.results` reads what is there.

    Parameters
    ----------
    plan, people: settled beforehand.
    models: the networks of a pack.
    folder: where everything of this review is kept; deleting it deletes all of it, but runs of clips.
    runtime: told of each person as (STAGE, done, total), and the same again at every step of a person's, as a sign of
        life; its token stops the review after the step it is at.
    store: where runs of clips are kept; by default inside `folder`.
    roots: folders of directions, those of the library where None.

    Attributes
    ----------
    prepare: has heavy stages of clips made elsewhere, see `Examination`; None for here.

    Raises
    ------
    DirectionError, ConfigError: an edit that the pack cannot do.
    """

    prepare: Prepare | None = None

    def __init__(
        self,
        plan: Plan,
        people: People,
        models: Models,
        folder: Path,
        runtime: Runtime,
        store: Store | None = None,
        roots: Sequence[Path] | None = None,
    ) -> None:
        self.plan, self.people, self.models, self.folder, self.runtime = plan, people, models, folder, runtime
        self.store = store or Store(folder / "runs")
        self.roots = roots
        self._at: tuple[int, int] | None = None  # people who are done, and all of them
        pack = models.pack
        self.directions = {name: load_direction(pack, name, roots) for name, _ in plan.edits}
        self.columns = AttributeColumns.of_pack(pack, [name for name, _ in plan.edits])
        self.clip_settings = preset(plan.preset, pack.schedules)
        self.still_settings = still_settings(self.clip_settings, plan.tuning)
        if not plan.tuning:
            self.clip_settings = untuned(self.clip_settings)

    # --- Names of what is kept --------------------------------------------------------------------------------

    def record(self, source: Source) -> Record:
        """The record of a file. Raises UnusablePicture where it cannot be read."""
        return self._record(source, self._digest(source))

    def _record(self, source: Source, digest: str) -> Record:
        config = self.clip_settings if source.is_clip else self.still_settings
        facts = [
            RECORD_VERSION,
            digest,
            self.models.pack.hash,
            dataclasses.asdict(config),
            [*self.columns.columns],
            [self.plan.seed, str(self.runtime.dtype)],
        ]
        name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:KEY_DIGITS]
        return Record(self.folder / "files" / name)

    def edit_key(self, name: str, factor: float) -> str:
        """The name under which an edit's readings are kept in a record."""
        facts = f"{self.directions[name].hash} {factor!r} {','.join(self.directions[name].card.parts)}"
        return f"edit-{hashlib.sha256(facts.encode()).hexdigest()[:KEY_DIGITS]}"

    @property
    def edit_keys(self) -> tuple[str, ...]:
        """Of every pair of the plan, in its order."""
        return tuple(self.edit_key(name, factor) for name, factor in self.plan.pairs)

    @staticmethod
    def _digest(source: Source) -> str:
        """sha256 of a file's bytes. Raises UnusablePicture."""
        if source.missing:
            raise UnusablePicture(source.missing)
        if source.path is not None:
            try:
                return file_digest(source.path)
            except OSError as error:
                raise UnusablePicture("the file cannot be read") from error
        assert source.read is not None
        return hashlib.sha256(source.read()).hexdigest()

    # --- Work -------------------------------------------------------------------------------------------------

    def run(self) -> Iterator[Examined]:
        """Look at everybody of whom something is missing; yields each person once, when that is kept.

        Raises Cancelled when stopped, StoreError for a full disk; everything finished stays, and is not done again.
        """
        total = len(self.people.persons)
        with disk_errors("The folder of the review"):
            self.folder.mkdir(parents=True, exist_ok=True)
        with alone(self.folder / LOCK, IN_USE):
            self.runtime.step(STAGE, 0, total)
            for place, person in enumerate(self.people.persons):
                self._at = place, total
                failure = self.look_at(place)
                self.runtime.step(STAGE, place + 1, total)
                yield Examined(place, person, failure)

    def look_at(self, place: int) -> str:
        """Do what is missing of one person; returns why there is nothing, empty where there is. Raises as `run`."""
        failures = [self._look_at(source) for source in self.people.persons[place].sources]
        return "; ".join(failures) if all(failures) else ""

    def digests(self, place: int) -> set[str]:
        """sha256 of each file of a person; of those that can be read."""
        found = set()
        for source in self.people.persons[place].sources:
            with contextlib.suppress(UnusablePicture):
                found.add(self._digest(source))
        return found

    def _look_at(self, source: Source) -> str:
        """Do what is missing of one file; returns why it has no readings, empty where it has."""
        try:
            digest = self._digest(source)
        except UnusablePicture as reason:
            return str(reason)
        record = self._record(source, digest)
        base = record.base()
        missing = [
            (pair, key) for pair, key in zip(self.plan.pairs, self.edit_keys, strict=True) if not record.edit(key)
        ]
        if base is not None and (FAILURE in base or not missing):
            return str(base.get(FAILURE, ""))
        try:
            with self._opened(source, digest) as work:
                if base is None:
                    record.keep_base(*work.source())
                for (name, factor), key in missing:
                    self._edit(record, work, name, factor, key)
        except UnusablePicture as reason:
            failure = str(reason)
        except FATAL:
            raise
        except StitError as error:
            failure = error.message
        else:
            return ""
        record.keep_base({FAILURE: failure}, [])
        return failure

    def _edit(self, record: Record, work: Examination, name: str, factor: float, key: str) -> None:
        """Make one edit and keep it, or why it failed: the others may still succeed."""
        try:
            record.keep_edit(key, *work.edit(name, factor))
        except FATAL:
            raise
        except StitError as error:
            record.keep_edit(key, {FAILURE: error.message}, [])

    @contextmanager
    def _opened(self, source: Source, digest: str) -> Iterator[Examination]:
        """The file on its way through the pipeline; what a still leaves on the disk is deleted afterwards."""
        runtime = dataclasses.replace(quiet(self.runtime), progress=lambda *_: self._sign())
        reader = CropReader(self.models, self.columns, runtime)
        if source.is_clip:
            pipeline = Pipeline(self.models, self.store, self.clip_settings, runtime, self.roots)
            yield Examination(pipeline, pipeline.open(self._clip_file(source, digest)), reader, self.prepare)
            return
        assert source.read is not None
        picture = decode(source.read())
        scratch = self.folder / "scratch" / digest[:KEY_DIGITS]
        shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
        try:
            clip = open_still(picture, digest, scratch / "frames", self.models.pack.resolution)
            pipeline = Pipeline(self.models, Store(scratch / "runs"), self.still_settings, runtime, self.roots)
            yield Examination(pipeline, clip, reader)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _sign(self) -> None:
        if self._at is not None:
            self.runtime.progress(STAGE, *self._at)

    def _clip_file(self, source: Source, digest: str) -> Path:
        """Where a clip lies on the disk; one of a zip is laid into the review's folder."""
        if source.path is not None:
            return source.path
        assert source.read is not None
        path = self.folder / "clips" / f"{digest[:KEY_DIGITS]}{PurePosixPath(source.name).suffix.lower()}"
        if not path.exists():
            with disk_errors("A clip of the zip"):
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(".part")
                part.write_bytes(source.read())
                part.replace(path)
        return path


def still_settings(config: RunConfig, tuning: bool) -> RunConfig:
    """The settings of a single picture: of a clip's, but that one frame is tuned with as many steps as a clip gets."""
    if not tuning:
        return untuned(config)
    passes = max(STILL_PASSES, config.tuning.passes) if config.method == "transfer" else config.tuning.passes
    return config.with_changes({"tuning": {"passes": passes, "batch_size": 1, "key_frames": None}})


def untuned(config: RunConfig) -> RunConfig:
    """The same without tuning: the encoder's pivots under the pack's own generator."""
    return config.with_changes({"tuning": {"passes": 0, "expression": 0.0}})
