"""Several people of one clip, each edited from the source, in one video.

Everyone has a pipeline of his or her own, whose results are stored under keys that say nothing of anybody else: another
person more costs that person only. What they share is the clip and the one search for all faces.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stit_core.artefacts import Clip, People, Stitched
from stit_core.config import EditConfig
from stit_core.errors import ConfigError
from stit_core.media import video
from stit_core.partial_video import write_made
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline
from stit_core.previews import stitched_so_far
from stit_core.provenance import UNKNOWN, Provenance, edit_text, label_video
from stit_core.report import Report, manifest_path, write_manifest
from stit_core.runtime import Runtime
from stit_core.stages import choosing
from stit_core.whole_run import brief_warnings, clip_warnings, edit_warnings, prepare, report_of, reported

EVERYBODY = "all"
LOWER_IS_BETTER = ("lpips", "border_loss")  # of the figures of a result


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
    def worst_figures(self) -> dict[str, float]:
        """Of each figure of the result, the worst of anybody's."""
        found = [report.measures.figures for report in self.people.values()]
        return {name: (max if name in LOWER_IS_BETTER else min)(each[name] for each in found) for name in found[0]}

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

    def reporting(self, runtime: Callable[[int | None], Runtime]) -> GroupEdit:
        """The same people, each with the runtime that is given for the number; for None, what is done for all."""
        other = copy.copy(self)
        other.pipeline = self.pipeline.with_config(self.pipeline.config, runtime(None))
        other.pipelines = {n: own.with_config(own.config, runtime(n)) for n, own in self.pipelines.items()}
        return other

    @property
    def pasting(self) -> Pasting:
        """Everybody's faces into the frames of the clip."""
        return Pasting(self.pipeline, self.clip, self.pipelines)

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
        own = self.pipelines[number]
        return (*(f"Person {number}: {text}" for text in edit_warnings(own)), *brief_warnings(own, self.clip))


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
    made = {number: own.stitch(clip) for number, own in group.pipelines.items()}
    record, figures = group.describe(provenance), {number: found.figures for number, found in measured.items()}
    label = label_video(record, group_text(group), provenance.signer, people_measures=figures)
    written = group.pasting.write(made, output, label)
    stages = [stage for stage in reported(pipeline) if stage not in shared]
    report = GroupReport(
        output=written.path,
        manifest=manifest_path(written.path),
        frames=written.frames,
        audio=written.audio,
        people={
            number: report_of(own, clip, written, measured[number], stages, group.warnings(number))
            for number, own in group.pipelines.items()
        },
        seconds=pipeline.results.taken(shared),
        warnings=clip_warnings(pipeline, clip),
    )
    write_manifest(report, record)
    return report


def write_group_part(
    group: GroupEdit, output: Path, provenance: Provenance = UNKNOWN
) -> tuple[video.Written, tuple[str, ...]] | None:
    """Write the clip with what is made of everybody so far, up to the last frame in which anybody's face is.

    Returns
    -------
    What was written, and whose edit ends before; None where nothing is made yet.

    Raises
    ------
    VideoError: it cannot be written.
    """
    found = {number: stitched_so_far(own, group.clip) for number, own in group.pipelines.items()}
    made = {number: stitched for number, stitched in found.items() if stitched is not None}
    if not made:
        return None
    written = write_made(group.pasting, made, output, group.describe(provenance), group_text(group), provenance.signer)
    return written, tuple(_shortfalls(group, made))


def _shortfalls(group: GroupEdit, made: Mapping[int, Stitched]) -> Iterator[str]:
    """Whose edit does not reach as far as the part does, in plain words."""
    last = max(stitched.frame_indices[-1] for stitched in made.values())
    for number, own in group.pipelines.items():
        wanted = [frame for frame in own.landmarks(group.clip).frame_indices if frame <= last]
        reached = made[number].frame_indices[-1] if number in made else None
        if wanted and reached is None:
            yield f"Person {number} was not begun yet and stands in this part as in the source."
        elif wanted and reached is not None and reached < wanted[-1]:
            yield f"Person {number} carries the edit up to frame {reached} of this part, which ends with frame {last}."


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
