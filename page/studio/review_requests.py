"""What a visitor wants reviewed: whom, which edits, how thoroughly; and the people whom a visitor brings for it.

Of a run's review, below its private folder:

review/wanted.json      what the form says, so that a reload shows it again
review/people/<set>/    what was uploaded, in the folder UPLOAD of a set of its own
review/kept/            what the review found, by content: stit_core.review.running
review/<id>/            the record of the review and the rows of its sheet, see page.studio.reviews
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from page.studio.folders import is_id, link_or_copy, new_id, safe_name
from page.studio.holdings import REVIEW, remove
from page.studio.studio import Studio
from stit_core.directions.labelled_pictures import SUFFIXES
from stit_core.errors import ConfigError
from stit_core.review.people import CLIPS, LABELS_FROM, OWN_LABELS, People, open_people, own_people
from stit_core.store.disk import disk_errors, write_json

WANTED = "wanted.json"
PEOPLE = "people"  # folder of what was uploaded
UPLOAD = "your upload"  # folder of one upload; errors and the report say its name
USUAL_COUNT = 60  # people of a review that nobody has changed
USUAL_EDITS = ("age", "smile", "gender", "skin_tone")  # as far as the pack has them
USUAL_FACTORS = (-2.0, 2.0)
LONGEST_QUESTION = 300  # characters
NOT_STATED = LABELS_FROM[-1]
ANSWERS = ("self-reported", "perceived", "rendered", NOT_STATED)  # to where labels come from

Edits = tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class ReviewRequest:
    """A review that a visitor wants.

    Attributes
    ----------
    own: whether the pack's own people are looked at; else those of the upload.
    uploaded: the set of what was uploaded last; "" for none.
    labels_from: one of ANSWERS, or "" where it was not answered yet.
    count: people at most.
    edits: directions and their factors.
    columns: label columns that are compared; None for the usual ones of these people.
    tuning: whether the generator is fitted to each face.
    question: for the head of the report.
    """

    own: bool = True
    uploaded: str = ""
    labels_from: str = ""
    count: int = USUAL_COUNT
    edits: Edits = ()
    columns: tuple[str, ...] | None = None
    tuning: bool = True
    question: str = ""


def usual_request(studio: Studio, run_id: str) -> ReviewRequest:
    """The request of a form that nobody has touched.

    Raises
    ------
    PackError: there is no such pack, or a part of it is missing or damaged.
    """
    names = [card.name for card in studio.directions.cards(run_id=run_id)]
    wanted = [name for name in USUAL_EDITS if name in names] or names[:1]
    return ReviewRequest(edits=tuple((name, USUAL_FACTORS) for name in wanted))


def load_request(studio: Studio, run_id: str) -> ReviewRequest:
    """What the run's form says.

    Raises
    ------
    StitError: there is no such run.
    """
    studio.runs.get(run_id)
    try:
        return request_from(json.loads((review_folder(studio, run_id) / WANTED).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return usual_request(studio, run_id)


def keep_request(studio: Studio, run_id: str, request: ReviewRequest) -> None:
    """Store what the run's form says.

    Raises
    ------
    StitError: there is no such run.
    StoreError: the disk is full, or cannot be written or read.
    """
    studio.runs.get(run_id)
    with disk_errors("What the review shall be"):
        folder = review_folder(studio, run_id)
        folder.mkdir(exist_ok=True)
        write_json(folder / WANTED, dataclasses.asdict(request))


def request_from(record: Mapping[str, Any]) -> ReviewRequest:
    """The request of a record.

    Raises
    ------
    KeyError, TypeError, ValueError: what is no record of one.
    """
    known = {field.name for field in dataclasses.fields(ReviewRequest)}
    values = {name: value for name, value in record.items() if name in known}
    values["edits"] = tuple((str(name), tuple(float(f) for f in factors)) for name, factors in record["edits"])
    values["columns"] = None if record["columns"] is None else tuple(str(column) for column in record["columns"])
    return ReviewRequest(**values)


def want_edit(studio: Studio, run_id: str, edits: Sequence[tuple[str, float]]) -> ReviewRequest:
    """Let the run's form ask for the edit that was just made, each of its directions by itself.

    Raises
    ------
    StitError: there is no such run.
    StoreError: the disk is full, or cannot be written or read.
    """
    chosen = tuple((name, (factor,)) for name, factor in edits if factor)
    request = dataclasses.replace(load_request(studio, run_id), edits=chosen)
    keep_request(studio, run_id, request)
    return request


def review_folder(studio: Studio, run_id: str) -> Path:
    """The folder of a run's review; it may not be there.

    Raises
    ------
    StitError: what is no id.
    """
    return studio.folders.private(run_id) / REVIEW


# --- People -------------------------------------------------------------------------------------------------------


def find_people(studio: Studio, run_id: str, request: ReviewRequest) -> People:
    """Everybody whom a request could look at.

    Raises
    ------
    ConfigError: nothing was uploaded, or nothing that could be looked at. DirectionError: a zip that is damaged.
    """
    if request.own:
        return own_people()
    folder = review_folder(studio, run_id) / PEOPLE / request.uploaded / UPLOAD
    if not is_id(request.uploaded) or not folder.is_dir():
        raise ConfigError("There are no people of yours yet.", "Upload pictures, clips or a zip.")
    return _open_upload(folder, request.labels_from or NOT_STATED)


def bring_people(studio: Studio, run_id: str, uploads: Sequence[tuple[Path, str]]) -> ReviewRequest:
    """Take uploaded pictures, clips, a zip or a table into the run; its form then asks for these people.

    Parameters
    ----------
    uploads: the files, and what the visitor called each; none to have no people of the visitor's any more.

    Raises
    ------
    ConfigError: what cannot be looked at; what was brought before is kept. DirectionError: a zip that is damaged.
    StitError: a file that was not uploaded here.
    """
    studio.bring(run_id, [path for path, _ in uploads])
    _check_kinds([name for _, name in uploads])
    if not uploads:
        _keep_only(studio, run_id, "")
        request = dataclasses.replace(load_request(studio, run_id), own=False, uploaded="", columns=None)
        keep_request(studio, run_id, request)
        return request
    fresh = review_folder(studio, run_id) / PEOPLE / new_id()
    try:
        with disk_errors("The uploaded pictures"):
            (fresh / UPLOAD).mkdir(parents=True)
            for path, name in uploads:
                link_or_copy(path, _place(fresh / UPLOAD, name))
        people = _open_upload(fresh / UPLOAD, NOT_STATED)
    except BaseException:
        remove(fresh)
        raise
    _keep_only(studio, run_id, fresh.name)
    before = load_request(studio, run_id)
    request = dataclasses.replace(before, own=False, uploaded=fresh.name, count=len(people.persons), columns=None)
    keep_request(studio, run_id, request)
    return request


def _keep_only(studio: Studio, run_id: str, name: str) -> None:
    """Delete what was brought before a set; a review that waits or runs still reads it."""
    folder = review_folder(studio, run_id) / PEOPLE
    if run_id in studio.jobs or not folder.is_dir():
        return
    with disk_errors("The uploaded pictures"):
        for other in folder.iterdir():
            if other.name != name:
                remove(other)


def _check_kinds(names: Sequence[str]) -> None:
    """Raises ConfigError."""
    suffixes = [Path(name).suffix.lower() for name in names]
    if ".zip" in suffixes and len(names) > 1:
        raise ConfigError("A zip cannot stand beside other files.", f"Put all into the zip, a table as {OWN_LABELS}.")
    if suffixes.count(".csv") > 1:
        raise ConfigError("There are several tables of labels.", "Bring one CSV beside the pictures that it names.")
    wrong = [n for n, suffix in zip(names, suffixes, strict=True) if suffix not in {*SUFFIXES, *CLIPS, ".zip", ".csv"}]
    if wrong:
        message = f"'{safe_name(wrong[0])}' is no picture, clip, zip or CSV."
        raise ConfigError(message, f"Pictures: {', '.join(sorted(SUFFIXES))}; clips: {', '.join(sorted(CLIPS))}.")


def _place(folder: Path, name: str) -> Path:
    """Where an upload goes: a table under the name by which it is found, all others under names that are no paths."""
    if Path(name).suffix.lower() == ".csv":
        return folder / OWN_LABELS
    plain = Path(safe_name(name))
    target, number = folder / plain, 1
    while target.exists():
        number += 1
        target = folder / f"{plain.stem} {number}{plain.suffix}"
    return target


def _open_upload(folder: Path, labels_from: str) -> People:
    """Raises ConfigError, DirectionError."""
    archive = next((path for path in folder.iterdir() if path.suffix.lower() == ".zip"), None)
    return open_people([archive or folder], labels_from)
