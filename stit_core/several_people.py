"""Several people of one clip, each edited from the source, in one video.

Everyone has a pipeline of his or her own, whose results are stored under keys that say nothing of anybody else: another
person more costs that person only. What they share is the clip and the one search for all faces.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stit_core.artefacts import Clip, People
from stit_core.config import EditConfig
from stit_core.errors import ConfigError
from stit_core.marks import Mark, add_mark, place_mark
from stit_core.media import video
from stit_core.media.sources import check_source
from stit_core.pipeline import Pipeline
from stit_core.provenance import UNKNOWN, Provenance, edit_text, label_video
from stit_core.report import Report, manifest_path, write_manifest
from stit_core.scene import Scene
from stit_core.stages import choosing, compositing
from stit_core.whole_run import REPORTED, clip_warnings, edit_warnings, prepare

EVERYBODY = "all"
BRIEF = 12  # frames; who is seen in fewer is warned of


@dataclass(frozen=True)
class PersonEdit:
    """What to change of whom: a number, or `EVERYBODY`; pairs of direction and factor."""

    face: int | str
    directions: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class GroupReport:
    """One finished video of several people.

    Attributes
    ----------
    output, manifest: the files written; frames: of the video; audio: whether, or how, sound was carried over.
    people: a report each, by number.
    seconds: of what was done for all of them: opening, the search for faces, writing.
    warnings: of the clip; those of an edit stand with its person.
    """

    output: Path
    manifest: Path
    frames: int
    audio: object
    people: dict[int, Report]
    seconds: dict[str, float]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object, with a row a person."""
        shared = ("frames", "audio", "output", "manifest", "seconds_total")
        rows = [
            {"face": number} | {name: value for name, value in report.as_json().items() if name not in shared}
            for number, report in self.people.items()
        ]
        total = sum(self.seconds.values()) + sum(sum(report.seconds.values()) for report in self.people.values())
        return {
            "frames": self.frames,
            "audio": self.audio,
            "people": rows,
            "seconds": self.seconds,
            "seconds_total": round(total, 3),
            "warnings": list(self.all_warnings),
            "output": str(self.output),
            "manifest": str(self.manifest),
        }

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """Those of the clip, and everybody's, each once."""
        texts = [*self.warnings, *(text for report in self.people.values() for text in report.warnings)]
        return tuple(dict.fromkeys(texts))


class GroupEdit:
    """The people of an opened clip who are edited, and those who are not.

    Parameters
    ----------
    pipeline: with everything that holds for all of them; the face that its settings choose does not count.
    edits: what to change of whom.

    Raises
    ------
    FaceError: a number that nobody has.
    ConfigError: somebody without an edit, or named twice.
    """

    def __init__(self, pipeline: Pipeline, clip: Clip, edits: Sequence[PersonEdit]) -> None:
        self.clip, self.people = clip, pipeline.people(clip)
        self.pipeline = pipeline
        self.pipelines = {face: of_person(pipeline, face, pairs) for face, pairs in _resolved(self.people, edits)}
        followed, aligned = pipeline.config.landmarks, pipeline.config.alignment
        self.scene = Scene(clip, self.people, followed, aligned, list(self.pipelines))

    def picture(self, frame: int, picture: np.ndarray, faces: dict[int, np.ndarray] | None = None) -> np.ndarray:
        """A frame (H, W, 3) uint8 of the source with everybody's face, as the finished video will have it.

        `faces` are what `stitch` made for this frame, by number; without them they are read.
        """
        layers = {}
        for number, pipeline in self.pipelines.items():
            if frame not in pipeline.align(self.clip).frame_indices:
                continue
            face = pipeline.stitch(self.clip).crops.read(frame) if faces is None else faces.get(number)
            if face is not None:
                layers[number] = pipeline.layer(self.clip, frame, picture, face)
        return self.scene.together(frame, picture, layers) if layers else picture

    def composited(self) -> Iterator[np.ndarray]:
        """Every frame of the clip with all faces."""
        mark, runtime = self._mark(), self.pipeline.runtime
        for done, frame in enumerate(self.clip.frames.indices, start=1):
            made = self.picture(frame, self.clip.frames.read(frame))
            runtime.step(compositing.STAGE, done, len(self.clip.frames))
            yield made if mark is None else add_mark(made, mark)

    def _mark(self) -> Mark | None:
        """The visible mark, in a corner that all faces leave free; None where none is wanted."""
        if not self.pipeline.config.compositing.mark:
            return None
        quads = np.concatenate([own.align(self.clip).quads for own in self.pipelines.values()])
        return place_mark(self.clip.width, self.clip.height, quads)

    def describe(self, provenance: Provenance) -> dict[str, Any]:
        """The edit manifest without its last part: everybody's edits, and the same by person."""
        people = []
        for number, own in self.pipelines.items():
            record = own.describe(self.clip, provenance.consent)
            people.append({"face": number, "edits": record["edits"]})
        edits = [{"face": person["face"], **edit} for person in people for edit in person["edits"]]
        return {**self.pipeline.describe(self.clip, provenance.consent), "edits": edits, "people": people}

    def warnings(self, number: int) -> tuple[str, ...]:
        """What to know of one person's edit, in plain words."""
        pipeline, person = self.pipelines[number], self.people.person(number)
        carried, total = len(pipeline.landmarks(self.clip).frame_indices), len(self.clip.frames)
        texts = [f"Person {number}: {text}" for text in edit_warnings(pipeline)]
        if person.frames < min(BRIEF, total):
            where = f"frame {person.spans[0][0]} to {person.spans[-1][1]}"
            texts.append(
                f"Person {number} is seen in only {person.frames} of {total} frames ({where}): {carried} carry the "
                "edit, all others keep the source."
            )
        return tuple(texts)


def of_person(pipeline: Pipeline, face: int, directions: Sequence[tuple[str, float]]) -> Pipeline:
    """The pipeline of one person, with results in memory of its own."""
    chosen = {"face": face, "point": None, "point_frame": None}
    config = pipeline.config.with_changes({"landmarks": chosen, "edit": {"directions": tuple(directions)}})
    return pipeline.apart(config)


def edit_people(
    pipeline: Pipeline, path: Path, output: Path, edits: Sequence[PersonEdit], provenance: Provenance = UNKNOWN
) -> GroupReport:
    """Do the whole job for several people: write the edited video and, beside it, its edit manifest.

    Raises
    ------
    StitError: of the stage that cannot be finished.
    Cancelled: the run was stopped.
    """
    for each in edits:  # before anything is opened: a direction that is not there
        prepared = pipeline.with_config(pipeline.config.with_changes({"edit": {"directions": each.directions}}))
        prepared.directions()
    clip = prepare(pipeline, Path(path), [Path(output)], provenance)
    return finish_people(GroupEdit(pipeline, clip, edits), Path(output), provenance)


def finish_people(group: GroupEdit, output: Path, provenance: Provenance = UNKNOWN) -> GroupReport:
    """Carry out all that is missing for an opened clip. Raises as `edit_people`."""
    pipeline, clip, shared = group.pipeline, group.clip, ("clip", "landmarks", "write")
    pipeline.results.note_found("clip")
    measured = {number: own.measure(clip) for number, own in group.pipelines.items()}
    check_source(clip.source, pipeline.run_of(clip))
    started = time.perf_counter()
    record, figures = group.describe(provenance), {number: found.figures for number, found in measured.items()}
    label = label_video(record, group_text(group), provenance.signer, people_measures=figures)
    written = video.write_video(group.composited(), clip, output, pipeline.config.video, pipeline.runtime, label)
    pipeline.results.seconds["write"] = time.perf_counter() - started
    stages = [stage for stage in REPORTED if stage not in shared and (stage != "register" or pipeline.transfers)]
    reports = {
        number: Report(
            output=written.path,
            manifest=manifest_path(written.path),
            frames=written.frames,
            faces=len(own.align(clip).frame_indices),
            gaps=own.landmarks(clip).gaps,
            audio=written.audio,
            seconds={stage: round(own.results.seconds.get(stage, 0.0), 3) for stage in stages},
            cached=tuple(stage for stage in stages if stage in own.results.found),
            measures=measured[number],
            warnings=group.warnings(number),
        )
        for number, own in group.pipelines.items()
    }
    seconds = {stage: round(pipeline.results.seconds.get(stage, 0.0), 3) for stage in shared}
    warnings = clip_warnings(pipeline, clip)
    report = GroupReport(
        written.path, manifest_path(written.path), written.frames, written.audio, reports, seconds, warnings
    )
    write_manifest(report, record)
    return report


def group_text(group: GroupEdit) -> str:
    """What was changed of whom, in a line: "0: smile=2; 1: age=-2"."""
    return "; ".join(f"{number}: {edit_text(own.config)}" for number, own in group.pipelines.items())


def _resolved(people: People, edits: Sequence[PersonEdit]) -> Iterator[tuple[int, tuple[tuple[str, float], ...]]]:
    """Whom each edit means, by number."""
    named: dict[int, tuple[tuple[str, float], ...]] = {}
    for each in edits:
        if not each.directions:
            message = f"Person {each.face} has no edit."
            raise ConfigError(message, f"Write --face {each.face} -d smile=2, or leave the person out.")
        EditConfig(directions=each.directions)
        numbers = [p.index for p in people.persons] if each.face == EVERYBODY else [int(each.face)]
        for number in numbers:
            if number not in people.numbers:
                raise choosing.unknown_person(number, people.numbers)
            if number in named:
                raise ConfigError(f"Person {number} is named twice.", "Give each person one edit.")
            named[number] = each.directions
    yield from sorted(named.items())
