"""A whole run of one edit: what is checked first, the edited video, and the manifest beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stit_core.artefacts import Clip, Measured
from stit_core.checks import check_edit, check_output, check_space
from stit_core.directions.library import vectors_of
from stit_core.media import probing, video
from stit_core.pasting import Pasting
from stit_core.pipeline import Pipeline
from stit_core.provenance import UNKNOWN, Provenance, edit_text, label_video
from stit_core.report import Report, manifest_path, write_manifest
from stit_core.stages.editing import tell_overlaps
from stit_core.turning import tell_turn

# As reports show them: with the first and the last, and the edit, whose result is never stored.
REPORTED = (
    "clip", "landmarks", "align", "invert", "tune", "edit", "register", "masks", "stitch", "identify", "measure",
    "write",
)  # fmt: skip

BRIEF = 12  # frames; who is chosen and seen in fewer is warned of


def edit_video(pipeline: Pipeline, path: Path, output: Path, provenance: Provenance = UNKNOWN) -> Report:
    """Do the whole job: write the edited video and, beside it, its edit manifest.

    Raises
    ------
    StitError: of the stage that cannot be finished.
    Cancelled: the run was stopped.
    """
    clip = prepare(pipeline, Path(path), [Path(output)], provenance)
    return finish(pipeline, clip, Path(output), provenance)


def prepare(pipeline: Pipeline, path: Path, outputs: Sequence[Path], provenance: Provenance = UNKNOWN) -> Clip:
    """See that nothing stands in the way of the whole job, then open the clip. Raises StitError."""
    config = pipeline.config
    pipeline.directions()  # refuses one that is not there
    check_edit(config.edit, pipeline.pack)
    for output in outputs:
        video.check_output(output, provenance.signer is not None)
        check_output(path, output)
    pipeline.models.verify()
    facts = probing.probe(path, config.video)
    probing.check_length(path, facts, config.video)  # before the room for all of it is asked for
    check_space(facts, config.video, pipeline.pack.resolution, pipeline.store.root, outputs[0])
    return pipeline.open(path)


def finish(pipeline: Pipeline, clip: Clip, output: Path, provenance: Provenance = UNKNOWN) -> Report:
    """Carry out all that is missing for an opened clip: its edited video and the manifest. Raises as `edit_video`."""
    pipeline.results.note_found("clip")
    measures = pipeline.measure(clip)
    record, pasting = pipeline.describe(clip, provenance.consent), Pasting(pipeline, clip)
    label = label_video(record, edit_text(pipeline.config), provenance.signer, measures.figures)
    written = pasting.write(dict.fromkeys(pasting.pipelines, pipeline.stitch(clip)), output, label)
    warnings = (*edit_warnings(pipeline), *brief_warnings(pipeline, clip), *clip_warnings(pipeline, clip))
    report = report_of(pipeline, clip, written, measures, reported(pipeline), warnings)
    write_manifest(report, record)
    return report


def reported(pipeline: Pipeline) -> tuple[str, ...]:
    """The stages of a pipeline that its report shows."""
    return tuple(stage for stage in REPORTED if stage != "register" or pipeline.transfers)


def report_of(
    pipeline: Pipeline,
    clip: Clip,
    written: video.Written,
    measures: Measured,
    stages: Sequence[str],
    warnings: tuple[str, ...],
) -> Report:
    """The report of one person's edit in a finished video, with what these stages took."""
    return Report(
        output=written.path,
        manifest=manifest_path(written.path),
        frames=written.frames,
        faces=len(pipeline.align(clip).frame_indices),
        gaps=pipeline.landmarks(clip).gaps,
        audio=written.audio,
        seconds=pipeline.results.taken(stages),
        cached=tuple(stage for stage in stages if stage in pipeline.results.found),
        measures=measures,
        warnings=warnings,
    )


def edit_warnings(pipeline: Pipeline) -> tuple[str, ...]:
    """What to know of the chosen directions, in plain words, before any work. Raises DirectionError."""
    return tell_overlaps(pipeline.config.edit.directions, vectors_of(pipeline.directions()))


def brief_warnings(pipeline: Pipeline, clip: Clip) -> tuple[str, ...]:
    """That somebody who was chosen is seen for a moment only, in plain words. Raises FaceError."""
    if pipeline.config.landmarks.face is None and pipeline.config.landmarks.point is None:
        return ()
    found, total = pipeline.landmarks(clip), len(clip.frames)
    person = pipeline.people(clip).person(found.index)
    if person.frames >= min(BRIEF, total):
        return ()
    where = f"frame {person.spans[0][0]} to {person.spans[-1][1]}"
    text = f"Person {found.index} is seen in only {person.frames} of {total} frames ({where})"
    return (f"{text}: {len(found.frame_indices)} carry the edit, all others keep the source.",)


def clip_warnings(pipeline: Pipeline, clip: Clip) -> tuple[str, ...]:
    """What to know of how the clip was taken, in plain words. Raises FaceError, VideoError."""
    facts = probing.probe(clip.source, pipeline.config.video)
    return (*facts.warnings, *tell_turn(pipeline.people(clip).turn))
