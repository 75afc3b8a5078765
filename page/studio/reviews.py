"""A fairness review as a job in the studio's queue: its cost, its record, the rows of its live sheet, its report."""

from __future__ import annotations

import dataclasses
import functools
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from page.studio.direction_roots import roots_of
from page.studio.folders import is_id, new_id
from page.studio.holdings import KEPT, remove
from page.studio.job import Job, Status
from page.studio.lending import HeavyWork
from page.studio.review_requests import (
    LONGEST_QUESTION,
    NOT_STATED,
    PEOPLE,
    ReviewRequest,
    find_people,
    keep_request,
    review_folder,
)
from page.studio.studio import Studio
from page.studio.tasks import heavy_stages, stages_of_tuning
from stit_core.artefacts import Clip
from stit_core.errors import Cancelled, ConfigError
from stit_core.pipeline import Pipeline
from stit_core.review.costs import REPORT, expected_seconds
from stit_core.review.gathering import read_source
from stit_core.review.people import People, Person
from stit_core.review.plan import MOST_LABELS, Plan, choose_columns, choose_crossings
from stit_core.review.records import FAILURE
from stit_core.review.report import Written, write_report
from stit_core.review.running import STAGE, Review
from stit_core.review.sheet import picture_cell
from stit_core.review.words import edit_title
from stit_core.runtime import Runtime, pick_dtype
from stit_core.store.disk import disk_errors, read_json, write_json

RECORD, CURRENT = "record.json", "current.json"
REPORT_NAME = "review.html"  # as it is downloaded; the CSV and the JSON lie beside it
REPORTS = "review-"  # begins the names of the folders of reports, among the finished files
PRESET = "balanced"
FEWER = "Choose fewer people, edits or factors, or leave out the fit to each face."
SIDES = ((600, 128), (2400, 96))  # pictures of a sheet -> pixels of each
SMALLEST_SIDE = 64
ROWS_AT_ONCE = 20  # people that one answer holds
GONE = "the picture is gone"


@dataclass(frozen=True)
class ReviewRecord:
    """A review that waits, runs or has ended, as the page shows it after a reload too.

    Attributes
    ----------
    id: of the review within its run.
    title: of its people; people: how many.
    edits: titles of the edits, in the order of a row's pictures behind the source.
    filters: label columns and their labels, by which the sheet can be filtered.
    seen, failed: people who were looked at, and of these those without readings, by the report.
    findings: sentences of the report that say that groups differ.
    report: the HTML file, or None where there is none yet.
    partial: whether it was stopped.
    """

    id: str
    title: str
    people: int
    edits: tuple[str, ...]
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    seen: int = 0
    failed: int = 0
    findings: tuple[str, ...] = field(default=())
    report: str | None = None
    partial: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """The report as HTML, CSV and JSON; empty where there is none."""
        if self.report is None or not Path(self.report).is_file():
            return ()
        return tuple(Path(self.report).with_suffix(suffix) for suffix in (".html", ".csv", ".json"))


# --- Before it starts ---------------------------------------------------------------------------------------------


def make_review(
    studio: Studio, run_id: str, request: ReviewRequest, people: People, runtime: Runtime | None = None
) -> Review:
    """The review that a request means, of people who were chosen of `find_people`.

    Raises
    ------
    ConfigError: no edit, a factor that is none, a label column that cannot be compared.
    DirectionError: an edit that the pack cannot do.
    """
    columns = choose_columns(people, request.columns or ()) if request.columns != () else ()
    plan = Plan(
        edits=request.edits,
        columns=columns,
        crossings=choose_crossings(people, columns),
        tuning=request.tuning,
        preset=PRESET,
        question=request.question[:LONGEST_QUESTION],
    )
    models, folder = studio.networks.models, review_folder(studio, run_id) / KEPT
    runtime = runtime or Runtime(models.device, pick_dtype(PRESET, models.device))
    review = Review(plan, people, models, folder, runtime, roots=roots_of(studio.folders, run_id))
    # What a clip may be is the same here as in the studio; one beyond that is a failure of the report.
    review.clip_settings = review.clip_settings.with_changes({"video": studio.settings.video()})
    return review


def cost_of(studio: Studio, run_id: str, request: ReviewRequest, people: People) -> float:
    """Seconds that a review of all these people takes, nothing of it being there.

    Raises
    ------
    ConfigError, DirectionError: as `make_review`.
    """
    return expected_seconds(make_review(studio, run_id, request, people))


def start_review(studio: Studio, run_id: str, request: ReviewRequest) -> Status:
    """Put a review into the queue. What is known of these people already is not done again.

    Raises
    ------
    ConfigError: what cannot be reviewed, or labels of which nobody said where they come from.
    StitError: the queue is full, another job of the run is not ended, or it would take too long.
    """
    keep_request(studio, run_id, request)
    people = find_people(studio, run_id, request).chosen(request.count)
    if not request.own and people.columns and not request.labels_from:
        raise ConfigError("Nobody said where the labels come from.", "Choose an answer beside the upload.")
    review = make_review(studio, run_id, request, people)
    plan = {STAGE: max(0.0, expected_seconds(_unfinished(review)) - REPORT), "report": REPORT}
    studio.planner.check(sum(plan.values()), FEWER)
    studio.make_room(run_id)
    record = _new_record(review)
    folder = review_folder(studio, run_id) / record.id
    try:
        with disk_errors("The record of the review"):
            folder.mkdir(parents=True)
            write_json(folder / RECORD, dataclasses.asdict(record))
        studio.jobs.submit(run_id, "review", _work(studio, run_id, request, people, record), plan)
    except BaseException:
        remove(folder)
        raise
    _take_the_place_of_others(studio, run_id, record.id)
    status = studio.jobs.status(run_id)
    assert status is not None
    return status


def _unfinished(review: Review) -> Review:
    """The same review of those people of whom something is missing."""
    left = tuple(person for person in review.people.persons if not _is_finished(review, person))
    people = dataclasses.replace(review.people, persons=left)
    found = Review(review.plan, people, review.models, review.folder, review.runtime, review.store, review.roots)
    found.clip_settings = review.clip_settings
    return found


def _is_finished(review: Review, person: Person) -> bool:
    for source in person.sources:
        base, record = read_source(review, source)
        if base is None or (FAILURE not in base and record and any(not record.edit(key) for key in review.edit_keys)):
            return False
    return True


def _new_record(review: Review) -> ReviewRecord:
    people = review.people
    labels = {column: sorted({p.labels[column] for p in people.persons}) for column in people.columns}
    return ReviewRecord(
        new_id(),
        people.title,
        len(people.persons),
        tuple(edit_title(*pair) for pair in review.plan.pairs),
        tuple((column, tuple(found)) for column, found in labels.items() if 2 <= len(found) <= MOST_LABELS),
    )


def _take_the_place_of_others(studio: Studio, run_id: str, review_id: str) -> None:
    """Let a review be the run's only one; what was found of people and files stays."""
    folder, reports = review_folder(studio, run_id), studio.folders.outputs(run_id)
    with disk_errors("The record of the review"):
        write_json(folder / CURRENT, {"id": review_id})
        for other in folder.iterdir():
            if other.is_dir() and other.name not in (KEPT, PEOPLE, review_id):
                remove(other)
        for other in reports.glob(f"{REPORTS}*"):
            if other.name != REPORTS + review_id:
                remove(other)


# --- The job ------------------------------------------------------------------------------------------------------


def _work(
    studio: Studio, run_id: str, request: ReviewRequest, people: People, record: ReviewRecord
) -> Callable[[Job], None]:
    """What the job does: look at everybody, then report; a stopped one reports on what is there."""

    def work(job: Job) -> None:
        device = studio.networks.models.device
        dtype = pick_dtype(PRESET, device)
        runtime = Runtime(device, dtype, progress=job.progress, cancel=job.token)
        review = make_review(studio, run_id, request, people, runtime)
        if studio.networks.lent:
            review.prepare = functools.partial(_make_on_card, studio, job)
        folder = review_folder(studio, run_id) / record.id
        stopped = False
        try:
            for examined in review.run():
                _write_row(folder, examined.place, sheet_row(review, examined.person, examined.failure))
        except Cancelled:
            stopped = True
        if stopped:
            if job.discarded or job.saving_token.is_set():
                raise Cancelled(STAGE)
            job.set_status(state="saving")
        job.progress("report", 0, 1)
        with disk_errors("The report"):
            target = studio.folders.outputs(run_id) / f"{REPORTS}{record.id}" / REPORT_NAME
            target.parent.mkdir(exist_ok=True)
        written = write_report(review, target, command_of(request, people, studio.networks.pack.name))
        with disk_errors("The record of the review"):
            write_json(folder / RECORD, dataclasses.asdict(_reported(record, written, stopped)))
        if stopped:
            raise Cancelled(STAGE)

    return work


def _make_on_card(studio: Studio, job: Job, pipeline: Pipeline, clip: Clip) -> None:
    """Make the heavy stages of a clip, or of an edit of it, on the lent card.

    Stills stay on the processor: one takes less time there than the way to the card.
    """
    stages = heavy_stages(pipeline) if pipeline.config.edit.directions else stages_of_tuning(pipeline)
    HeavyWork(studio.lending, job, pipeline, clip, kind="edit").carry_out(stages)


def _reported(record: ReviewRecord, written: Written, stopped: bool) -> ReviewRecord:
    results = written.results
    seen, usable = int(results.looked_at.sum()), int(results.usable.sum())
    findings = tuple(sentence.text for sentence in written.findings)
    return dataclasses.replace(
        record, seen=seen, failed=seen - usable, findings=findings, report=str(written.html), partial=stopped
    )


def command_of(request: ReviewRequest, people: People, pack: str) -> str:
    """The command that repeats a review elsewhere."""
    given = [] if request.own else [people.title]
    words = ["python", "-m", "stit_core", "review", *given, "--pack", pack, "--people", str(len(people.persons))]
    for name, factors in request.edits:
        words += ["-d", f"{name}={','.join(f'{factor:g}' for factor in factors)}"]
    words += ["--groups", ",".join(request.columns)] if request.columns else []
    words += [] if request.own else ["--labels-from", request.labels_from or NOT_STATED]
    words += [] if request.tuning else ["--no-tuning"]
    return shlex.join([*words, "-o", REPORT_NAME])


# --- The sheet ----------------------------------------------------------------------------------------------------


def sheet_row(review: Review, person: Person, failure: str) -> dict[str, Any]:
    """A person of the live sheet, as JSON.

    Returns
    -------
    name; labels: [[column, label]]; cells: of the source and of each edit in order, {picture: data address, "" where
    there is none, failure: why}.
    """
    labels = [[column, person.labels[column]] for column in review.people.columns if column in person.labels]
    count = 1 + len(review.edit_keys)
    found = [read_source(review, source) for source in person.sources]
    record = next((record for base, record in found if base and record and record.picture().is_file()), None)
    if failure or record is None:
        cells = [{"picture": "", "failure": failure or GONE}] * count
        return {"name": person.name, "labels": labels, "cells": cells}
    side = _side(count * len(review.people.persons))
    shown = [picture_cell(record.picture(), side, GONE)]
    for key in review.edit_keys:
        why = str((record.edit(key) or {}).get(FAILURE, "")) or GONE
        shown.append(picture_cell(record.picture(key), side, why))
    return {
        "name": person.name,
        "labels": labels,
        "cells": [{"picture": cell.picture, "failure": cell.failure} for cell in shown],
    }


def _side(pictures: int) -> int:
    return next((side for most, side in SIDES if pictures <= most), SMALLEST_SIDE)


def _row_file(folder: Path, place: int) -> Path:
    return folder / f"{place:06d}.json"


def _write_row(folder: Path, place: int, row: dict[str, Any]) -> None:
    with disk_errors("The sheet of the review"):
        write_json(_row_file(folder, place), row)


def read_rows(studio: Studio, run_id: str, review_id: str, first: int) -> list[dict[str, Any]]:
    """People of a review's sheet from the place `first` on, as many as one answer holds and as there are by now."""
    if not studio.folders.known(run_id) or not is_id(review_id) or first < 0:
        return []
    rows: list[dict[str, Any]] = []
    folder = review_folder(studio, run_id) / review_id
    for place in range(first, first + ROWS_AT_ONCE):
        row = read_json(_row_file(folder, place))
        if row is None:
            break
        rows.append(row)
    return rows


# --- What is there ------------------------------------------------------------------------------------------------


def last_review(studio: Studio, run_id: str) -> ReviewRecord | None:
    """The review that was started last in a run; None where there is none."""
    if not studio.folders.known(run_id):
        return None
    folder = review_folder(studio, run_id)
    review_id = (read_json(folder / CURRENT) or {}).get("id")
    found = read_json(folder / str(review_id) / RECORD) if is_id(review_id) else None
    return None if found is None else _from_record(found)


def report_text(studio: Studio, run_id: str) -> str:
    """The report of a run's last review as HTML; "" where there is none.

    Every label in it is hostile input: it is escaped, and belongs into a frame that may not touch the page.
    """
    record = last_review(studio, run_id)
    if record is None or not record.files:
        return ""
    with disk_errors("The report", writing=False):
        return record.files[0].read_text(encoding="utf-8")


def is_reviewing(status: Status | None) -> bool:
    """Whether a job is a review that waits or runs."""
    return status is not None and status.kind == "review" and not status.finished


def _from_record(record: dict[str, Any]) -> ReviewRecord | None:
    try:
        values = {name: tuple(record[name]) for name in ("edits", "findings")}
        filters = tuple((str(column), tuple(labels)) for column, labels in record["filters"])
        return ReviewRecord(**{**record, **values, "filters": filters})
    except (KeyError, TypeError, ValueError):
        return None
