"""The documented API: pre-flight, edit, list of directions, as plain functions that app.py registers with gr.api.

They take and give the same as the command line. A clip is a file that the client uploads (`handle_file("clip.mp4")`) or
the name of a sample.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr

from page.runs import Output
from page.studio import Studio
from page.words import without_folders
from stit_core import config
from stit_core.commands import parse_edits
from stit_core.errors import StitError

POLL_SECONDS = 0.5
FILE_META = {"_type": "gradio.FileData"}


def endpoints(studio: Studio) -> tuple[Callable[..., Any], ...]:
    """The API's functions, for one studio; each says in its documentation string what the page of the API shows."""

    def preflight(clip: Any) -> dict[str, Any]:
        """What a clip holds, in seconds: size, rate, sound, faces along the time, scene cuts, best part, estimates."""
        with _told():
            found = studio.look_into(_path(studio, clip))
            facts = dataclasses.asdict(studio.facts_of(found))
            best = found.best(studio.settings.max_seconds)
            return found.as_dict() | {"trim": facts, "best": best and list(best)}

    def edit(
        clip: Any,
        directions: str,
        preset: str = "balanced",
        start: float | None = None,
        end: float | None = None,
        method: str = "",
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Edit the face in a clip along directions ("smile=2, age=-1"); gives the video and its edit manifest.

        The method is "transfer", "stitch", or "" for what the preset and the pack say.
        """
        with _told():
            config.preset(preset, studio.models.pack.schedules, method or None)  # both as they are, or not at all
            edits, _ = parse_edits([part for part in directions.split(",") if part.strip()], ranged=False)
            run = studio.arrive()
            path = _path(studio, clip)
            if path in studio.samples.values():
                studio.set_sample(run.id, next(name for name, copy in studio.samples.items() if copy == path))
            else:
                studio.set_clip(run.id, path)
            studio.change(run.id, edits=edits, preset=preset, method=method or None, start=start, end=end)
            output = _finished(studio, run.id)
            manifest = json.loads(Path(str(output.manifest)).read_text())
            return _file(Path(output.video)), manifest

    def directions(pack: str = "") -> list[dict[str, Any]]:
        """The cards of the directions of the pack that is served: name, title, what a factor above and below 0 does."""
        with _told():
            served = studio.models.pack.name
            if pack not in ("", served):
                raise StitError(f"This server has the pack '{served}', not '{pack}'.", "Leave the pack out.")
            return [dataclasses.asdict(card) for card in studio.cards()]

    return preflight, edit, directions


@contextmanager
def _told() -> Iterator[None]:
    """Errors that a caller can mend reach the caller in words."""
    try:
        yield
    except StitError as error:
        raise gr.Error(without_folders(str(error)), print_exception=False) from None  # read by programs, not shown


def _path(studio: Studio, clip: Any) -> Path:
    """The file that a caller means. Raises: StitError."""
    if isinstance(clip, str) and clip in studio.samples:
        return studio.samples[clip]
    path = clip.get("path") if isinstance(clip, dict) else None
    if not isinstance(path, str):
        names = ", ".join(f"'{name}'" for name in studio.samples) or "none"
        raise StitError("This is no clip.", f'Give handle_file("clip.mp4"), or the name of a sample: {names}.')
    return studio.visits.check_served(Path(path))


def _finished(studio: Studio, run_id: str) -> Output:
    """Carry out a run's edit and wait for its end. Raises: StitError."""
    studio.start(run_id, "edit")
    job = studio.jobs.get(run_id)
    assert job is not None
    while not job.wait(POLL_SECONDS):
        studio.status(run_id)  # the caller waits, so it is watched
    status = job.status()
    if status.state == "failed":
        raise StitError(status.message, status.hint)
    if status.state != "done" or not isinstance(status.output, Output):
        raise StitError("The edit was stopped.", "Call again: it goes on from there only on the page.")
    return status.output


def _file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "orig_name": path.name, "meta": FILE_META}
