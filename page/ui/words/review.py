"""What the tab "Review" says, in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from page.studio.estimates import duration
from page.studio.reviews import ReviewRecord
from stit_core.review.label_table import NOT_GIVEN
from stit_core.review.people import People, labels_of

ABOUT = (
    "What does an edit do to different groups of people? The same edits are made on a fixed set of faces, measured, "
    "and compared by labels that somebody gave; labels are never inferred."
)
ON_CARD = (
    "Clips use the graphics card that is lent to you, and your share of it; pictures are looked at on this server's "
    "processor."
)
WHOM = "Whom"
PACK_PEOPLE = "The pack's own people"
OWN_PEOPLE = "Your own"
YOUR_PEOPLE = "Your people"
WHICH_EDITS = "Which edits"
START = "Start the review"
DOWNLOAD_REPORT = "Download the report"
DOWNLOAD_FIGURES = "Figures (CSV)"
DOWNLOAD_ALL = "All of it (JSON)"
NO_VIDEO = "There is no video whose edit could be reviewed.", "Make one first."
SOURCE = "source"
OWN = (
    "Rendered heads that none of the networks has seen, balanced over shape, gender, age and skin tone. What is true "
    "of renders need not be true of photographs."
)
UPLOAD = (
    "A zip with a subfolder for each group, or pictures and clips, with one CSV beside them that names each file: "
    "`file`, `person`, then any label columns such as `group` or `age_band`. A clip counts as one person. All of it is "
    "deleted with your data."
)
LABELS_FROM = "Where do the labels come from?"
LABELS_FROM_WHY = "It is printed in the report: what people say of themselves is not what others see in them."
ANSWERS = {
    "self-reported": "The people themselves said so",
    "perceived": "Somebody looked and decided",
    "rendered": "The pictures were rendered so",
    "not stated": "I do not know, or there are none",
}
EDITS = "Each by itself, at each of its factors; 0 is the face as it is."
PEOPLE = "How many people"
PEOPLE_WHY = "Spread evenly over the labels. Under 8 in a group there are no intervals."
COLUMNS = "Compare by"
TUNING = "Fit the generator to each face first, as for a video"
TUNING_WHY = "Closer to the person, and it takes about twice as long."
QUESTION = "Your question, for the head of the report (optional)"
REPLACED = "A new review takes the place of this one: download the report first if you want to keep it."
NO_EDIT = "Choose an edit and a factor."
MOST_LABELS_SHOWN = 6
MOST_FINDINGS = 5


def uploaded_people(people: People) -> str:
    """How many people an upload holds, and by what they can be compared."""
    count = len(people.persons)
    text = f"{count:,} {'person' if count == 1 else 'people'} in {people.title}."
    groups = [f"{column_title(column).lower()} ({_labels(people, column)})" for column in people.columns]
    if not groups:
        return f"{text} Without labels no groups are compared."
    return f"{text} Labels: {'; '.join(groups)}."


def column_title(column: str) -> str:
    """A column of labels, as a person would write it: "Age band" for age_band."""
    words = column.replace("_", " ").strip()
    return words[:1].upper() + words[1:] or column


def _labels(people: People, column: str) -> str:
    found = sorted(set(labels_of(people, column)) - {NOT_GIVEN})
    more = len(found) - MOST_LABELS_SHOWN
    return ", ".join(found[:MOST_LABELS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def left_out(people: People) -> list[str]:
    """Which files of an upload nobody looks at, and why."""
    if not people.left_out:
        return []
    name, reason = people.left_out[0]
    count = len(people.left_out)
    return [f"{count} {'file is' if count == 1 else 'files are'} left out, such as {name}: {reason}."]


def cost(people: int, factors: Sequence[int], seconds: float) -> str:
    """What a review takes: `factors` of each edit."""
    pictures = people * sum(factors)
    if len(set(factors)) == 1:
        each = f"{_count(len(factors), 'edit')} × {_count(factors[0], 'factor')}"
    else:
        each = _count(sum(factors), "edit")
    who = "1 person" if people == 1 else f"{people:,} people"
    made = f"{pictures:,} edited {'face' if pictures == 1 else 'faces'}"
    kept = "What is known of these people already is not done again."
    return f"{who} × {each}: {made}, about {duration(math.ceil(seconds))}. {kept}"


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def result(record: ReviewRecord) -> str:
    """Whom a review has looked at."""
    failed = f"; {record.failed} of them could not be used" if record.failed else ""
    stopped = "Stopped: " if record.partial else ""
    return f"{stopped}{record.seen} of {record.people} people looked at{failed}."


def findings(record: ReviewRecord) -> list[str]:
    """What a report found first, or that it found nothing."""
    if not record.findings:
        return ["No difference between groups is beyond chance. The report says what could have been seen."]
    more = len(record.findings) - MOST_FINDINGS
    return [*record.findings[:MOST_FINDINGS], *([f"{more} more in the report."] if more > 0 else [])]
