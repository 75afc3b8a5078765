"""What the page says, all of it: here what it says of progress, findings, measures and errors in plain words.

To translate the page, translate the strings of this package and nothing else:

- here, texts with facts in them: a function takes the facts and gives the text, so that another language may put them
  into another order and count in its own way;
- `labels`: titles, headings, buttons and fields, by step;
- `widgets`: texts of our own widgets and of the player, with places such as {count} that their scripts fill in;
- `about`: the long texts, in Markdown.

Names, keys and what stands in braces stay as they are. Texts are plain: html.py and the scripts put them into HTML.
What stit_core and page.studio report, errors among it, is written there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from page.studio.errors import for_visitors
from page.studio.estimates import duration
from page.ui.words import labels
from stit_core.directions.library import Card
from stit_core.errors import StitError

if TYPE_CHECKING:
    from page.studio.clips import TrimFacts
    from page.studio.job import Status
    from page.studio.runs import Output
    from page.studio.studio import Limits
    from stit_core.media.preflight import Preflight

STAGE_WORDS = {
    "clip": "Reading the clip",
    "frames": "Reading the clip",
    "landmarks": "Looking for the face",
    "align": "Cutting out the face",
    "invert": "Finding the face in the generator",
    "tune": "Fitting the generator to the face",
    "edit": "Editing",
    "register": "Laying the drawn face beside yours",
    "masks": "Finding the outline of the face",
    "stitch": "Making the edited frames",
    "identify": "Measuring",
    "measure": "Measuring",
    "video": "Writing the video",
    "write": "Writing the video",
    "latents": "Looking at the pictures",
    "fit": "Learning the direction",
    "parts": "Looking where it changes the head",
    "preview": "Drawing what it does",
    "review": "Looking at the people",
    "report": "Writing the report",
}
STATE_WORDS = {
    "face": "one face",
    "none": "no face",
    "several": "several faces",
    "small": "face too small",
    "cut": "cut to another scene",
}
DONE_WORDS = {
    "align": "The face was found.",
    "tune": "The generator fits the face.",
    "edit": "The video is finished.",
    "train": "The direction is ready.",
    "review": "The review is finished.",
}
SAVING_WORDS = {
    "edit": "Stopping: writing down the frames that are ready",
    "review": "Stopping: writing the report on those who were looked at",
}
PRESET_WORDS = {
    "draft": ("Draft", "A first look"),
    "balanced": ("Balanced", "Recommended"),
    "paper": ("Paper", "The published schedule"),
}
METHOD_WORDS = {
    "transfer": ("Transfer", "Keeps your own pixels; seconds"),
    "stitch": ("Stitch", "The paper's method: the face is drawn anew and its border tuned; minutes"),
}
PAPER_STITCHES = "The preset Paper stitches: choose another for this"
REGION_WORDS = {"auto": "Automatic", "face": "Face", "eyes": "Eyes", "mouth": "Mouth", "head": "Whole head"}
UNTIMED = "How long it will take is known in a moment; this machine is being timed."
STOPPED = "Stopped. Nothing that was finished is lost; it goes on from there."
GOOD_PSNR, FAIR_PSNR = 28.0, 24.0  # dB
FIT_OF_TRANSFERS = "gentle, as transfer is"  # it pastes nothing that was drawn
GOOD_IDENTITY, FAIR_IDENTITY, BEST_IDENTITY = 0.8, 0.6, 1.0  # cosine
GOOD_STEADINESS, FAIR_STEADINESS = 0.98, 0.94  # of the source's own
GOOD_BORDER, FAIR_BORDER, BEST_BORDER = 0.005, 0.01, 0.0  # STIT's units
IDENTITY_GRADES = ("kept", "changed a little", "changed")  # good, fair, poor
SEAM_GRADES = ("fine", "faint", "may show")
_PATH = re.compile(r"(?<![\w.:/])(?:/[^\s/'\"()<>]+)+/([^\s/'\"()<>]+)")
_PATH_ASIDE = re.compile(r" \(/[^()]*\)")


# --- The line above the steps -------------------------------------------------------------------------------------


def job(status: Status | None, ready: bool = True) -> dict[str, Any] | None:
    """The line above the steps, as plain text: this visitor's job, how far it is, how long it takes yet.

    Returns
    -------
    kind (a class of page.css), text, detail, share (0 to 100, None for no bar); None where there is nothing to say.
    """
    if status is None:
        return None if ready else _line("warming", "Warming up: the networks are being read. You can begin meanwhile.")
    if status.state == "waiting":
        return _line("busy", "Waiting for your turn", _place(status.ahead), 0.0)
    if status.state == "running":
        left = status.seconds_left
        detail = "" if left is None or left < 1 else f"about {duration(round(left))} left"
        if status.stage == "review":
            detail = ", ".join(filter(None, (f"{status.done} of {status.total} people", detail)))
        return _line("busy", STAGE_WORDS.get(status.stage, "At work"), detail, status.share)
    if status.state == "saving":
        return _line("busy", SAVING_WORDS.get(status.kind, "Stopping"), "", status.share)
    if status.state == "done":
        return _line("done", DONE_WORDS.get(status.kind, "Done."), f"It took {duration(status.elapsed)}.")
    if status.state in ("stopped", "interrupted"):
        return _line("stopped", status.message or STOPPED, status.hint)
    message = without_folders(status.message) or "Something went wrong on the server."
    return _line("failed", message, without_folders(status.hint))


def run_gone(known: Limits) -> str:
    """That an address names a run that is not here, why that may be, and what to do."""
    hours = duration(3600 * known.keep_hours)
    return (
        f"{labels.RUN_GONE}: it was deleted, nobody used it for {hours}, or this server was started anew on a disk "
        "that does not last. A new run has begun, under an address of its own: choose a clip to begin again."
    )


def run_gone_here() -> dict[str, Any]:
    """The line above the steps in a tab that was open when its run went."""
    return _line("stopped", labels.RUN_GONE, labels.RUN_GONE_HERE)


def _place(ahead: int) -> str:
    """Where a job stands that waits behind so many."""
    if ahead < 1:
        return "Yours is next"
    return "One clip is before yours" if ahead == 1 else f"{ahead} clips are before yours"


def _line(kind: str, text: str, detail: str = "", share: float | None = None) -> dict[str, Any]:
    return {"kind": kind, "text": text, "detail": detail, "share": None if share is None else round(100 * share)}


def error_text(error: StitError) -> str:
    """Message and hint; names in them come from users, and gradio shows errors as HTML."""
    return escape(without_folders(str(for_visitors(error))))


def without_folders(text: str) -> str:
    """A message without the folders of the server: of a path, only the file's own name stays."""
    return _PATH.sub(r"\1", _PATH_ASIDE.sub("", text))


# --- Clip ---------------------------------------------------------------------------------------------------------


def upload_limits(known: Limits) -> list[str]:
    """What may be uploaded."""
    return [
        f"up to {known.megabytes:g} MB",
        f"{known.seconds:g} seconds",
        f"{known.frames:,} frames",
        f"{known.megapixels:.3g} megapixels each",
    ]


def upload_kept(known: Limits) -> str:
    """How long an upload is kept."""
    return f"Your clip stays on this server and is deleted after {duration(3600 * known.keep_hours)}."


def sample_title(name: str) -> str:
    """`young woman turning` -> `Young woman turning`; `... sound` says that there is some."""
    clip, sound = (name.removesuffix(" sound"), ", with sound") if name.endswith(" sound") else (name, "")
    return clip[:1].upper() + clip[1:] + sound


def clip_facts(found: Preflight) -> list[str]:
    """Size, rate, length and sound of a clip."""
    return [
        f"{found.width} × {found.height}",
        f"{found.frame_rate:.4g} frames a second",
        duration(found.seconds),
        f"{found.megabytes:.3g} MB",
        "with sound" if found.sound else "no sound",
    ]


def preset_times(seconds: Mapping[str, float], limit: float = math.inf) -> list[tuple[str, str]]:
    """How long each preset takes, by its title; what is over the limit, in seconds, is not done."""
    return [(PRESET_WORDS[name][0], _within(seconds[name], limit)) for name in PRESET_WORDS if name in seconds]


def _within(seconds: float, limit: float) -> str:
    return duration(seconds) + ("" if seconds <= limit else f"; a job may take {duration(limit)}")


def best_label(facts: TrimFacts) -> str:
    """What the button does that sets the trim."""
    start, end = facts.best or (0.0, 0.0)
    return f"Use the best {end - start:.3g} seconds"


def method_items(preset: str) -> list[dict[str, Any]]:
    """The two methods for a widget "picker", beside a preset."""
    items: list[dict[str, Any]] = [
        {"id": name, "title": title, "text": text} for name, (title, text) in METHOD_WORDS.items()
    ]
    if preset == "paper":
        items[0] |= {"disabled": True, "text": PAPER_STITCHES}
    return items


def preset_text(name: str, seconds: float | None, limit: float = math.inf) -> str:
    """What a preset is, and how long it takes; `limit` seconds are what a job may take."""
    about = PRESET_WORDS[name][1]
    return about if seconds is None else f"{about}, about {_within(seconds, limit)}"


# --- Align and tune -----------------------------------------------------------------------------------------------


def face_share(share: float) -> str:
    """In how much of the clip a face is seen; `share`: 0 to 1."""
    return f"in {100 * share:.0f} % of the clip"


def person(number: int) -> str:
    """What one of several people is called."""
    return f"Person {number}"


def seen_when(spans: Sequence[tuple[float, float]]) -> str:
    """When somebody is seen: `0.0 to 1.2 s, 2.4 to 3.0 s`; of many stretches the first and the last."""
    told = [f"{a:.1f} to {b:.1f} s" for a, b in spans]
    return ", ".join(told) if len(told) <= 3 else f"{told[0]}, {len(told) - 2} more, {told[-1]}"


def steadiness(before: float, after: float) -> str:
    """What the smoothing does, in a sentence."""
    return f"The crop jerks by {after:.2f} pixels a frame; without smoothing by {before:.2f}."


def tuned_face(psnr: float, transfers: bool) -> str:
    """How well the generator fits; a transfer takes nothing but the change from it, and is tuned gently for that."""
    if transfers:
        return f"The fit is gentle: only what changes is taken from it, the rest stays yours ({psnr:.1f} dB PSNR)."
    return f"The fit is {fit_word(psnr)} ({psnr:.1f} dB PSNR)."


# --- Edit ---------------------------------------------------------------------------------------------------------


def card_title(card: Card) -> str:
    """What a direction is called."""
    return card.title or card.name.replace("_", " ").capitalize()


def card_text(card: Card) -> str:
    """What a direction does, in one line; nothing where its title says so."""
    text = " to ".join(end for end in (card.negative, card.positive) if end)
    return text if set(text.lower().split()) - set(card_title(card).lower().split()) else ""


def delete_direction(card: Card) -> str:
    """What the button does that deletes a direction, for who cannot see beside which it stands."""
    return f"Delete {card_title(card)}"


def delete_direction_sure(card: Card) -> str:
    """The question before a direction is deleted."""
    return f"Delete the direction “{card_title(card)}” that you trained? Videos made with it stay."


def key_frame(frame: int) -> str:
    """Which frame a preview shows, by its number."""
    return f"frame {frame}"


def edits(pairs: Iterable[tuple[str, float]]) -> str:
    """`smile +1.5, age -2`."""
    return ", ".join(f"{name.replace('_', ' ')} {factor:+g}" for name, factor in pairs if factor) or "no change"


# --- Watch --------------------------------------------------------------------------------------------------------


def part_made(output: Output) -> str:
    """That a video is a part of one."""
    return f"Stopped after {output.frames} of {output.of} frames. What is there can be watched and kept."


def output_name(output: Output) -> str:
    """`Smile +2 · transfer · draft`, and where the change was made unless that was left to the directions.

    In a clip with several people it says whose change it is: `Person 0: smile +2; Person 1: age -2 · transfer · draft`.
    """
    where = REGION_WORDS[output.region] if output.method == "transfer" and output.region != "auto" else ""
    preset = PRESET_WORDS[output.preset][0]
    alone = [edits(output.edits)] if output.face is None else []
    people = [*output.others] if output.face is None else [(output.face, output.edits), *output.others]
    changed = "; ".join([*alone, *(f"{person(face)}: {edits(pairs)}" for face, pairs in sorted(people))])
    changed = changed[:1].upper() + changed[1:]
    return " · ".join(filter(None, (changed, output.method, where.lower(), preset.lower())))


def output_names(outputs: Sequence[Output]) -> dict[str, str]:
    """The names of a run's outputs, the newest first, by their ids; of several with one name the later are counted."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for output in reversed(outputs):
        name = output_name(output)
        counts[name] = counts.get(name, 0) + 1
        names[output.id] = name if counts[name] == 1 else f"{name} ({counts[name]})"
    return names


def preview_text(draft: bool, final: bool) -> str:
    """What an edit's preview is."""
    if final:
        return "This is the result: the video's own frames, pixel for pixel."
    if draft:
        return "A quick look: the fit gets better once the face is learned."
    return "A quick look: the seam gets its last touch in the video."


def output_text(output: Output) -> str:
    """What distinguishes one video from another, beside what was changed."""
    share = f"{output.frames} of {output.of} frames" if output.partial else f"{output.frames} frames"
    return f"{share}, made in {duration(output.seconds_taken)}"


def measures(known: Mapping[str, float], transfers: bool) -> list[tuple[str, str, str]]:
    """Identity, steadiness, seam and fit: what is measured, a word for it, and the figures; nothing for no figures."""
    if not known:
        return []
    fit = FIT_OF_TRANSFERS if transfers else fit_word(known["psnr"])
    steady = _grade(known["tl_id"], GOOD_STEADINESS, FAIR_STEADINESS, ("steady", "mostly steady", "unsteady"))
    return [
        ("Identity", identity_word(known["id_cosine"]), f"cosine {known['id_cosine']:.3f}; the same picture has 1"),
        ("Over time", steady, f"TL-ID {known['tl_id']:.3f}, TG-ID {known['tg_id']:.3f}; the source has 1"),
        ("Seam", seam_word(known["border_loss"]), f"border loss {known['border_loss']:.4f}"),
        ("Fit before the edit", fit, f"{known['psnr']:.1f} dB, LPIPS {known['lpips']:.3f}"),
    ]


def identity_word(cosine: float) -> str:
    """How much of the person is kept."""
    return _grade(cosine, GOOD_IDENTITY, FAIR_IDENTITY, IDENTITY_GRADES)


def seam_word(border_loss: float) -> str:
    """How much of the seam is seen."""
    return _grade(-border_loss, -GOOD_BORDER, -FAIR_BORDER, SEAM_GRADES)


def fit_word(psnr: float) -> str:
    """How well the generator fits."""
    return _grade(psnr, GOOD_PSNR, FAIR_PSNR, ("close", "fair", "rough"))


def _grade(value: float, good: float, fair: float, words: tuple[str, str, str]) -> str:
    return words[0] if value >= good else words[1] if value >= fair else words[2]
