"""Who is in the clip and when, as rows, and what sets it right where somebody was taken for somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from page.studio.people import after_correction
from page.studio.previews import Track
from page.ui import html, words
from page.ui.components import build_html, data_url
from page.ui.shell import LIGHT, PREVIEWS, Shell, Update, shows_errors
from page.ui.signals import read_end
from page.ui.words import labels
from stit_core.errors import StitError


class Tracks:
    """The rows, and the widgets that join two people or split one; shown where there are several, or were."""

    def __init__(self, shell: Shell) -> None:
        self.shell, self.studio = shell, shell.studio
        self.rows = build_html(elem_id="tracks")
        with gr.Accordion(labels.WHO_IS_WHO, open=False, visible=False, elem_id="who-is-who") as self.box:
            with gr.Row(elem_classes="correction"):
                self.one = gr.Radio([], label=labels.TRACK_ONE, elem_id="track-one")
                self.other = gr.Radio([], label=labels.TRACK_OTHER, elem_id="track-other")
                self.join = gr.Button(labels.TRACKS_JOIN, elem_id="tracks-join")
            with gr.Row(elem_classes="correction"):
                self.whole = gr.Radio([], label=labels.TRACK_SPLIT, elem_id="track-split")
                self.moment = gr.Number(None, label=labels.TRACK_FROM, minimum=0, step=0.1, elem_id="track-from")
                self.split = gr.Button(labels.TRACKS_SPLIT, elem_id="tracks-split")
            self.undo = gr.Button(labels.TRACKS_UNDO, size="sm", elem_id="tracks-undo")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, shell = self.shell.run_id, self.shell
        shown = [self.rows, self.box, self.one, self.other, self.whole, self.moment, self.undo]
        arrival.success(self.show, run_id, shown, **PREVIEWS)
        shell.ended.change(self.after, [run_id, shell.ended, self.rows], shown, **PREVIEWS)
        self.join.click(self.join_two, [run_id, self.one, self.other], shell.job_outputs, **LIGHT)
        self.split.click(self.split_one, [run_id, self.whole, self.moment], shell.job_outputs, **LIGHT)
        self.undo.click(self.take_back, run_id, shell.job_outputs, **LIGHT)

    @shows_errors
    def show(self, run_id: str) -> Update:
        """Who is there and when."""
        try:
            tracks = self.studio.previews.tracks(run_id)
        except StitError:  # before the faces are known
            return {self.rows: "", self.box: gr.Accordion(visible=False)}
        corrected = bool(self.studio.state(run_id).corrections)
        choices = [(words.person(track.number), track.number) for track in tracks]
        several = len(tracks) > 1 or corrected
        return {
            self.rows: _drawn(tracks) if several else "",
            self.box: gr.Accordion(visible=several),
            self.one: gr.Radio(choices, value=None),
            self.other: gr.Radio(choices, value=None),
            self.whole: gr.Radio(choices, value=None),
            self.moment: None,
            self.undo: gr.Button(interactive=corrected),
        }

    @shows_errors
    def after(self, run_id: str, ended: str, rows: Any) -> Update:
        """A job came to its end: if it looked for the faces, show whom it found; else what was picked stays picked.

        So it does where the same people are shown already: gradio may call this several times for one end.
        """
        event = read_end(run_id, ended)
        if event is None or event.kind != "align":
            return {self.rows: gr.skip()}
        if event.done and rows and rows == _drawn(self.studio.previews.tracks(run_id)):
            return {self.undo: gr.Button(interactive=bool(self.studio.state(run_id).corrections))}
        return self.show(run_id)

    @shows_errors
    def join_two(self, run_id: str, one: Any, other: Any) -> Update:
        """Two are one person."""
        return self.shell.begin(run_id, "align", **self._corrected(run_id, "join", _number(one), _number(other)))

    @shows_errors
    def split_one(self, run_id: str, whole: Any, seconds: Any) -> Update:
        """One is another person from a moment on."""
        frame = self.studio.previews.frame_after(run_id, float(seconds or 0))
        return self.shell.begin(run_id, "align", **self._corrected(run_id, "split", _number(whole), frame))

    @shows_errors
    def take_back(self, run_id: str) -> Update:
        """All as it was found."""
        return self.shell.begin(run_id, "align", corrections=(), others=(), face=None)

    def _corrected(self, run_id: str, kind: str, number: int, other: int) -> dict[str, Any]:
        """The choices after a correction, if it can be made."""
        corrections = (*self.studio.state(run_id).corrections, (kind, number, other))
        self.studio.previews.check_corrections(run_id, corrections)
        return after_correction(self.studio.state(run_id), corrections)


def _drawn(tracks: Sequence[Track]) -> str:
    return html.tracks(tracks, [data_url(track.picture) for track in tracks])


def _number(value: Any) -> int:
    """A person's number that was picked."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise StitError(labels.WHOM_FIRST)
    return value
