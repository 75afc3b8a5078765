"""What the tab "Clips" says, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from page.studio.batch_costs import ListCost
from page.studio.batches import Card
from page.studio.estimates import duration
from page.studio.studio import Limits
from page.ui import words

ABOUT = (
    "Several clips with the same edit. Each becomes a run of its own, one after the other; one that cannot be done "
    "does not stop the others."
)
YOUR_CLIPS = "Your clips"
WHICH_EDIT = "Which edit"
WHICH_FACE = "In a clip with several people the largest face of its beginning is edited; open the clip for another."
PRESETS = "How thorough"
START = "Edit all clips"
DOWNLOAD = "Download all finished videos (zip)"
GET_ARCHIVE = "The videos"
ALL_DONE = "All clips have this edit already."
KEEP_OPEN = "Keep this page open until all are finished: each clip begins when there is a place for it."
STATE_TITLES = {
    "ready": "Ready",
    "waiting": "Waiting",
    "running": "At work",
    "saving": "Stopping",
    "done": "Finished",
    "stopped": "Stopped",
    "failed": "Not done",
    "same": "Done once",
    "gone": "Deleted",
}
KINDS = {
    "waiting": "busy",
    "running": "busy",
    "saving": "busy",
    "done": "done",
    "failed": "failed",
    "stopped": "stopped",
}


def together(known: Limits) -> str:
    """How much one upload may hold."""
    return (
        f"Choose several files at once, together up to {known.megabytes:g} MB, and add more when they have arrived. "
        f"Each may have up to {known.seconds:g} seconds."
    )


def counted(found: Sequence[Card]) -> str:
    """How many clips there are, and in which state."""
    if not found:
        return ""
    counts = Counter(_counted_as(card) for card in found)
    told = [f"{count} {name}" for name, count in counts.items()]
    return f"{len(found)} {'clip' if len(found) == 1 else 'clips'}: {', '.join(told)}"


def _counted_as(card: Card) -> str:
    return STATE_TITLES[card.state].lower()


def card(found: Card) -> dict[str, Any]:
    """A clip for the widget "clips", as plain text; see its script for what each is."""
    return {
        "id": found.clip.id,
        "name": found.clip.name,
        "state": found.state,
        "kind": KINDS.get(found.state, ""),
        "title": STATE_TITLES[found.state],
        "text": _text(found),
        "share": round(100 * found.status.share) if found.state == "running" and found.status is not None else None,
        "run": found.clip.run if found.state != "gone" else "",
        "output": found.output.id if found.output is not None else "",
        "working": found.working,
    }


def _text(found: Card) -> str:
    if found.state == "same":
        return f"Its content is that of {found.same}, which is edited once."
    if found.reason:
        return words.without_folders(found.reason)
    if found.state == "done" and found.output is not None:
        return f"{words.output_name(found.output)}. {_sentence(words.output_text(found.output))}"
    line = words.job(found.status) if found.working and not found.clip.wanted else None
    if line is None or found.state == "saving":
        return ""
    return str(line["detail"]) if found.state == "waiting" else ", ".join(filter(None, (line["text"], line["detail"])))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def cost(found: ListCost, known: Limits) -> str:
    """What a start takes, before it; nothing where there is nothing to edit."""
    told = []
    if found.clips:
        clips = "1 clip" if found.clips == 1 else f"{found.clips} clips"
        time = words.UNTIMED if found.seconds is None else f"About {duration(found.seconds)}, once it is their turn."
        told = [f"{clips} to edit, up to {_megabytes(found.stored)} on this server's disk.", time]
    if found.refused:
        clips = "1 clip takes" if found.refused == 1 else f"{found.refused} clips take"
        limit = duration(known.job_seconds)
        told.append(f"{clips} longer than the {limit} that a job may: choose a quicker preset, or shorten it.")
    return " ".join(told)


def _megabytes(stored: int) -> str:
    return f"{stored / 1e9:.2g} GB" if stored >= 1e9 else f"{max(1, round(stored / 1e6))} MB"


def begun(count: int) -> str:
    """How many clips a start has put into the queue."""
    return f"{count} {'clip is' if count == 1 else 'clips are'} edited now. {KEEP_OPEN}"
