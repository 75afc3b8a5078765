"""The documented API: pre-flight, edit, batch, directions, deletion, as functions that app.py registers with gr.api.

They take and give the same as the command line. A clip is a file that the client uploads (`handle_file("clip.mp4")`) or
the name of a sample. What is made from it lies in a run, whose id the caller gets, to delete it.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr

from page.studio.batch_files import pack_videos
from page.studio.batches import Card, bring_clips, cards, go_on, is_working, start_clips
from page.studio.errors import for_visitors
from page.studio.job import Status
from page.studio.runs import EVERYONE, Output
from page.studio.studio import ConsentError, Studio
from page.ui.words import labels, without_folders
from stit_core import config
from stit_core.cli.commands import parse_edits
from stit_core.cli.people import parse_people_text
from stit_core.errors import StitError
from stit_core.several_people import EVERYBODY

POLL_SECONDS = 0.5  # until gradio is asked again whether the caller is still there
CONSENT_HINT = "This page is public: set consent=True if you may edit the face of everybody in this upload."
FILE_META = {"_type": "gradio.FileData"}


def endpoints(studio: Studio) -> tuple[Callable[..., Any], ...]:
    """The API's functions, for one studio; each says in its documentation string what the page of the API shows."""

    def preflight(clip: Any, consent: bool = False) -> dict[str, Any]:
        """What a clip holds, in seconds: size, rate, sound, faces along the time, scene cuts, best part, estimates.

        "run" is what /delete_run takes, to delete the uploaded clip. A public page asks for consent=True with every
        upload: you may edit the face of everybody whose video you upload, because it is yours or they have agreed.
        """
        with _errors_in_words(), _run_of_its_own(studio) as run_id:
            path = _path(studio, clip)
            _agree(studio, run_id, consent)
            studio.bring(run_id, [path])
            found = studio.clips.look_into(path)
            facts = dataclasses.asdict(studio.clips.facts_of(found))
            best = found.best(studio.settings.max_seconds)
            return found.as_dict() | {"trim": facts, "best": best and list(best), "run": run_id}

    def edit(
        clip: Any,
        directions: str,
        preset: str = "balanced",
        start: float | None = None,
        end: float | None = None,
        method: str = "",
        mark: bool | None = None,
        consent: bool = False,
    ) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any] | None, str]]:
        """Edit the face in a clip along directions ("smile=2, age=-1"); gives video, edit manifest and run.

        Several people: "0: smile=2; 1: age=-2, smile=1" by their numbers, 0 the largest in the first frame with a
        face, or "all: smile=2".

        The method is "transfer", "stitch", or "" for what the preset and the pack say. Until it is finished, video and
        manifest are null. /delete_run deletes the run; whoever hangs up before the end leaves nothing. The mark is
        "AI-edited", visible in every frame; null is what this page does by itself. For consent see /preflight.
        """
        with _errors_in_words(), _run_of_its_own(studio) as run_id:
            config.preset(preset, studio.networks.pack.schedules, method or None)  # both as they are, or not at all
            chosen = _people(directions)
            path = _path(studio, clip)
            _agree(studio, run_id, consent)
            if path in studio.clips.samples.values():
                studio.set_sample(run_id, next(name for name, copy in studio.clips.samples.items() if copy == path))
            else:
                studio.set_clip(run_id, path)
            studio.change(run_id, **chosen, preset=preset, method=method or None, start=start, end=end)
            if mark is not None:
                studio.change(run_id, mark=bool(mark))
            studio.start(run_id, "edit")
            job = studio.jobs.get(run_id)
            assert job is not None
            while not job.wait(POLL_SECONDS):
                yield None, None, run_id  # here it ends if the caller has hung up
                studio.status(run_id)  # the caller waits, so it is watched
                studio.lend_event(run_id)
            output = _output(job.status())
            manifest = json.loads(Path(str(output.manifest)).read_text())
        yield _file(Path(output.video)), manifest, run_id  # from here on the run is the caller's

    def batch(
        clips: list[Any],
        directions: str,
        preset: str = "balanced",
        method: str = "",
        mark: bool | None = None,
        consent: bool = False,
    ) -> Iterator[tuple[list[dict[str, Any]] | None, dict[str, Any] | None, str]]:
        """Edit several uploaded clips alike; gives a row a clip, a zip of all that was made, and the run.

        Clips: a list of files. Directions, preset, method, mark and consent: see /edit. A row has "clip", its name;
        "video" and "manifest", null where there is none; "reason", why, else "". A clip that fails stops no other; one
        that is given twice is edited once. Until all are finished, rows and zip are null; the zip is null too where
        nothing was made. /delete_run deletes the run with all of it; whoever hangs up before the end leaves nothing.
        """
        with _errors_in_words(), _run_of_its_own(studio) as run_id:
            paths = [_upload(studio, clip) for clip in clips or ()]
            _agree(studio, run_id, consent)
            studio.bring(run_id, paths)  # so that they go with the run, whatever is wrong with the rest
            config.preset(preset, studio.networks.pack.schedules, method or None)
            chosen = {**_people(directions), "preset": preset, "method": method or None}
            chosen |= {} if mark is None else {"mark": bool(mark)}
            bring_clips(studio, run_id, [(path, path.name) for path in paths])
            if any(clip.run for clip in studio.lists.load(run_id).clips):
                start_clips(studio, run_id, **chosen)
            while is_working(studio, run_id):
                yield None, None, run_id  # here it ends if the caller has hung up
                time.sleep(POLL_SECONDS)
                go_on(studio, run_id)
            found = cards(studio, run_id)
            rows = [_row(card, found) for card in found]
            made = _file(pack_videos(studio, run_id)) if any(row["video"] for row in rows) else None
        yield rows, made, run_id  # from here on the run is the caller's

    def directions(pack: str = "") -> list[dict[str, Any]]:
        """The cards of the directions of the pack that is served: name, title, what a factor above and below 0 does."""
        with _errors_in_words():
            served = studio.networks.pack.name
            if pack not in ("", served):
                raise StitError(f"This server has the pack '{served}', not '{pack}'.", "Leave the pack out.")
            return [dataclasses.asdict(card) for card in studio.directions.cards()]

    def delete_run(run: str) -> bool:
        """Delete everything of a run: the uploaded clip, the video, all that was made on the way."""
        with _errors_in_words():
            studio.runs.get(run)
            studio.delete(run)
            return True

    return preflight, edit, batch, directions, delete_run


def _people(text: str) -> dict[str, Any]:
    """What is changed of whom, as choices of a run.

    Raises
    ------
    ConfigError: what cannot be read, or a person who is named twice.
    """
    if ":" not in text:
        return {"edits": _edits(text)}
    found = [(face, parse_edits(edits, ranged=False)[0]) for face, edits in parse_people_text(text)]
    (first, own), *others = found
    if first == EVERYBODY:
        return {"edits": own, "others": [(EVERYONE, own)]}
    return {"face": first, "edits": own, "others": others}


def _edits(text: str) -> list[tuple[str, float]]:
    return parse_edits([part for part in text.split(",") if part.strip()], ranged=False)[0]


@contextmanager
def _errors_in_words() -> Iterator[None]:
    """Errors that a caller can mend reach the caller in words."""
    try:
        yield
    except ConsentError as error:
        raise gr.Error(f"{error.message} {CONSENT_HINT}", print_exception=False) from None
    except StitError as error:
        text = without_folders(str(for_visitors(error)))  # read by programs, not shown
        raise gr.Error(text, print_exception=False) from None


def _agree(studio: Studio, run_id: str, consent: Any) -> None:
    """Note the consent that a caller gives, in the words of the page."""
    if consent is True:
        studio.agree(run_id, labels.CONSENT)


def _path(studio: Studio, clip: Any) -> Path:
    """The file that a caller means.

    Raises
    ------
    StitError: it is neither an uploaded file nor the name of a sample.
    """
    if isinstance(clip, str) and clip in studio.clips.samples:
        return studio.clips.samples[clip]
    if not isinstance(clip, dict):
        names = ", ".join(f"'{name}'" for name in studio.clips.samples) or "none"
        raise StitError("This is no clip.", f'Give handle_file("clip.mp4"), or the name of a sample: {names}.')
    return _upload(studio, clip)


def _upload(studio: Studio, clip: Any) -> Path:
    """The uploaded file that a caller means.

    Raises
    ------
    StitError: it is none.
    """
    path = clip.get("path") if isinstance(clip, dict) else None
    if not isinstance(path, str):
        raise StitError("This is no clip.", 'Give handle_file("clip.mp4").')
    return studio.folders.check_served(Path(path))


def _row(card: Card, found: Sequence[Card]) -> dict[str, Any]:
    """What became of a clip of a batch; of one that was given twice, what became of the first."""
    first = next((other for other in found if other.clip.id == card.clip.same), card)
    row: dict[str, Any] = {"clip": card.clip.name, "video": None, "manifest": None, "reason": ""}
    output = first.output
    if output is None or first.state != "done":
        return row | {"reason": without_folders(first.reason) or "The edit was stopped."}
    return row | {"video": _file(Path(output.video)), "manifest": json.loads(Path(str(output.manifest)).read_text())}


@contextmanager
def _run_of_its_own(studio: Studio) -> Iterator[str]:
    """A run for one call, by its id; where nothing comes of the call, or nobody waits for it, nothing stays."""
    run_id = studio.arrive().id
    try:
        yield run_id
    except GeneratorExit:  # raised in gradio's event loop, which must not wait for the job's end
        threading.Thread(target=studio.delete, args=(run_id,), name="hung-up", daemon=True).start()
        raise
    except BaseException:
        studio.delete(run_id)
        raise


def _output(status: Status) -> Output:
    """What came of an edit.

    Raises
    ------
    StitError: the edit failed, or was stopped.
    """
    if status.state == "failed":
        raise StitError(status.message, status.hint)
    if status.state != "done" or not isinstance(status.output, Output):
        raise StitError("The edit was stopped.", "Call again: it goes on from there only on the page.")
    return status.output


def _file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "orig_name": path.name, "meta": FILE_META}
