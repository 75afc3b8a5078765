"""What the page says: progress, measures and errors in plain words, as HTML that is safe to show."""

from __future__ import annotations

from html import escape

from page.jobs import Watch
from page.settings import PageSettings
from stit_core.artefacts import Alignment, Clip, Landmarks
from stit_core.directions import Card
from stit_core.errors import StitError
from stit_core.report import Measures, Report

STAGE_WORDS = {
    "clip": "Reading the clip",
    "frames": "Reading the clip",
    "landmarks": "Looking for the face",
    "align": "Cutting out the face",
    "invert": "Finding the face in the generator",
    "tune": "Fitting the generator to the face",
    "edit": "Editing",
    "masks": "Finding the outline of the face",
    "stitch": "Stitching the face back",
    "measure": "Measuring",
    "video": "Writing the video",
}
STOPPED = "Stopped. Nothing that was finished is lost: press the same button and it goes on from there."
WAITING = "Waiting for a free place; one clip is worked on at a time."
GOOD_PSNR, FAIR_PSNR = 28.0, 24.0  # dB
GOOD_IDENTITY, FAIR_IDENTITY = 0.8, 0.6  # cosine
GOOD_STEADINESS, FAIR_STEADINESS = 0.98, 0.94  # of the source's own
GOOD_BORDER, FAIR_BORDER = 0.005, 0.01  # STIT's units


def limits(settings: PageSettings) -> str:
    """What may be uploaded, to stand beside the upload."""
    return (
        f"Up to {settings.max_mb:g} MB; up to {settings.max_seconds:g} seconds are edited, so name a start and an end "
        f"for a longer clip. Your files stay on this server and are deleted after {settings.keep_hours:g} hours."
    )


def status(text: str, kind: str = "idle") -> str:
    """The line above the steps; kind: idle, busy, done, stopped or failed."""
    return f'<div class="status {kind}" role="status">{escape(text)}</div>'


def progress(watch: Watch) -> str:
    """The line above the steps while work goes on."""
    if not watch.stage:
        return status(WAITING, "busy")
    words = STAGE_WORDS.get(watch.stage, watch.stage.capitalize())
    left = watch.seconds_left
    if left is not None and left >= 1:
        words += f", about {_duration(left)} left"
    total, done = max(1, watch.total), min(watch.done, max(1, watch.total))
    return (
        f'<div class="status busy" role="status">{escape(words)}'
        f'<progress max="{total}" value="{done}" aria-label="{escape(words)}"></progress></div>'
    )


def error_text(error: StitError) -> str:
    """Message and hint; names in them come from users, and gradio shows errors as HTML."""
    return escape(str(error))


def found_face(clip: Clip, landmarks: Landmarks, crops: Alignment) -> str:
    """What was found in a clip, as Markdown."""
    lines = [
        f"**{len(clip.frames)} frames** of {clip.width} × {clip.height}, {float(clip.frame_rate):.4g} a second, "
        f"{clip.seconds:.1f} s, {'with sound' if clip.audio else 'no sound'}.",
        f"The face is in **{len(crops.frame_indices)}** of them.",
    ]
    bridged = int((~landmarks.detected).sum())
    if bridged:
        lines.append(f"In {bridged} it was not seen and is carried over from the frames around.")
    if landmarks.gaps:
        stretches = ", ".join(f"{first} to {last}" for first, last in landmarks.gaps)
        lines.append(f"Frames without a face, left as they are: {stretches}.")
    most = int(landmarks.faces.max(initial=0))
    if most > 1:
        lines.append(f"There are up to {most} faces; the number under *Face* chooses another one.")
    return "\n\n".join(lines)


def tuned_face(psnr: float) -> str:
    """How well the generator fits, as Markdown."""
    word = _grade(psnr, GOOD_PSNR, FAIR_PSNR, ("close", "fair", "rough"))
    return f"The fit is **{word}** ({psnr:.1f} dB PSNR). Continue with what to change."


def factor_label(card: Card) -> str:
    """What a slider does: `Smile (- serious, + smiling)`."""
    title = card.title or card.name.replace("_", " ")
    ends = [f"{sign} {end}" for sign, end in (("−", card.negative), ("+", card.positive)) if end]
    return f"{title} ({', '.join(ends)})" if ends else title


def finished(report: Report) -> str:
    """The result in plain words and in figures, as Markdown."""
    figures: Measures = report.measures
    identity = _grade(figures.id_cosine, GOOD_IDENTITY, FAIR_IDENTITY, ("kept", "changed a little", "changed"))
    steady = _grade(figures.tl_id, GOOD_STEADINESS, FAIR_STEADINESS, ("steady", "mostly steady", "unsteady"))
    seam = _grade(-figures.border_loss, -GOOD_BORDER, -FAIR_BORDER, ("fine", "faint", "may show"))
    rows = [
        ("Identity", identity, f"cosine {figures.id_cosine:.3f}; the same picture has 1"),
        ("Over time", steady, f"TL-ID {figures.tl_id:.3f}, TG-ID {figures.tg_id:.3f}; the source has 1"),
        ("Seam", seam, f"border loss {figures.border_loss:.4f}"),
        ("Fit before the edit", f"{figures.psnr:.1f} dB", f"LPIPS {figures.lpips:.3f}"),
        ("Time", _duration(sum(report.seconds.values())), f"{report.frames} frames, {report.faces} with the face"),
    ]
    table = "\n".join(f"| {name} | {word} | {figure} |" for name, word, figure in rows)
    return f"| What | In words | In figures |\n| --- | --- | --- |\n{table}"


def _grade(value: float, good: float, fair: float, words: tuple[str, str, str]) -> str:
    return words[0] if value >= good else words[1] if value >= fair else words[2]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
