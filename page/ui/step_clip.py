"""Step 1: choose a clip and the part of it that is edited; see what is in it before any job."""

from __future__ import annotations

from typing import Any

import gradio as gr

from page.studio.errors import for_visitors
from page.studio.runs import RunState
from page.studio.studio import ConsentError
from page.ui import html, words
from page.ui.components import build_html, build_widget, data_url, read_number, read_trim
from page.ui.shell import LIGHT, LOOKS, Shell, Update, shows_errors
from page.ui.words import labels
from stit_core.errors import StitError
from stit_core.media.preflight import Preflight

FRAME_HEIGHT = 360  # pixels of a frame that the browser cannot show itself
NO_CLIP = {"clip": None}  # of the trim, which then hides itself


class ClipStep:
    """The widgets of the step and their handlers."""

    def __init__(self, shell: Shell) -> None:
        self.shell, self.studio = shell, shell.studio
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=3, min_width=320):
                shell.build_consent("clip")
                self.clip = gr.Video(label=labels.CLIP, sources=["upload", "webcam"], buttons=[], elem_id="clip")
                self.trim = build_widget("trim", NO_CLIP, "trim")
                self.facts = build_html(elem_id="facts")
            with gr.Column(scale=2, min_width=300):
                build_html(html.heading(labels.CLIP_HEADING, labels.CLIP_INTRO))
                build_html(html.limits(self.studio.limits), elem_id="limits")
                self.samples = build_widget("picker", self._samples(None), "samples", legend=labels.SAMPLES)
                self.notice = build_html(elem_id="clip-notice", elem_classes="notices")
                self.best = gr.Button(labels.BEST_PART, visible=False, elem_id="best")
                self.estimates = build_html(elem_id="estimates")
                self.onward = gr.Button(labels.FIND_FACE, variant="primary", interactive=False, elem_id="find")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id = self.shell.run_id
        chosen = [self.clip, self.trim, self.samples, self.notice, self.onward, self.facts, self.estimates, self.best]
        found = [self.trim, self.facts, self.notice, self.best, self.estimates]
        looked = [*found, self.onward]
        arrival.success(self.restore, run_id, [self.clip, self.samples, self.onward], **LIGHT).success(
            self.look, run_id, looked, **LOOKS
        )
        gr.on([self.clip.upload, self.clip.stop_recording], self.take, [run_id, self.clip], chosen, **LOOKS).success(
            self.look, run_id, looked, **LOOKS
        )
        self.samples.pick(self.take_sample, run_id, chosen, **LOOKS).success(self.look, run_id, looked, **LOOKS)
        self.clip.clear(self.forget, None, [self.trim, self.facts, self.notice, self.onward], **LIGHT)
        self.trim.moved(self.move, [run_id, self.trim], found[2:], trigger_mode="always_last", **LOOKS)
        self.trim.peek(self.peek, run_id, self.trim, trigger_mode="always_last", **LOOKS)
        self.best.click(self.use_best, run_id, found, **LOOKS)
        self.shell.timed.change(self.show_trim, run_id, found[2:], **LOOKS)
        self.onward.click(self.find_face, [run_id, self.trim], self.shell.job_outputs, **LOOKS)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def restore(self, run_id: str) -> Update:
        """Show the clip of a run that came back."""
        state = self.studio.state(run_id)
        if state.clip is None:  # a clip that is taken meanwhile stays taken, whichever answer comes first
            return {self.onward: gr.skip()}
        return {
            self.clip: state.clip,
            self.samples: self._samples(state.sample),
            self.onward: gr.Button(interactive=True),
        }

    @shows_errors
    def take(self, run_id: str, upload: str | None) -> Update:
        """Take an upload or a recording into the run."""
        if not upload:
            return {self.notice: ""}
        try:
            return self._taken(self.studio.set_clip(run_id, upload))
        except ConsentError as error:  # said beside the line; the clip is shown no longer
            notice = html.notice([str(error)], "failed")
            return {self.clip: None, self.notice: notice, self.onward: gr.Button(interactive=False)}

    @shows_errors
    def take_sample(self, run_id: str, event: gr.EventData) -> Update:
        """Take a sample into the run."""
        return self._taken(self.studio.set_sample(run_id, str(event.id)))

    @shows_errors
    def forget(self) -> Update:
        """The clip was taken out of the widget."""
        return {
            self.trim: NO_CLIP,
            self.facts: "",
            self.notice: "",
            self.onward: gr.Button(interactive=False),
        }

    @shows_errors
    def look(self, run_id: str) -> Update:
        """Look through the clip for faces, and show what was found."""
        state = self.studio.state(run_id)
        if state.clip is None:
            return {self.notice: gr.skip()}
        try:
            found = self.studio.clips.preflight(run_id)
        except StitError as error:
            return {self.notice: failed(error), self.onward: gr.Button(interactive=False)}
        return {
            self.trim: {**self._ends(state, found), "clip": strip(found)},
            self.facts: html.clip_facts(found),
            **self._facts(run_id, state.start, state.end),
        }

    @shows_errors
    def move(self, run_id: str, sent: Any) -> Update:
        """A handle of the trim was let go."""
        start, end = read_trim(sent, self.studio.clips.preflight(run_id).seconds)
        self.studio.change(run_id, start=start, end=end)
        return self._facts(run_id, start, end)

    @shows_errors
    def peek(self, run_id: str, event: gr.EventData) -> Update:
        """A frame of a clip that the browser cannot show itself."""
        seconds = read_number(event.seconds) or 0.0
        still = data_url(self.studio.clips.frame_at(run_id, seconds, FRAME_HEIGHT))
        state, found = self.studio.state(run_id), self.studio.clips.preflight(run_id)
        return {self.trim: {**self._ends(state, found), "still": still}}

    @shows_errors
    def use_best(self, run_id: str) -> Update:
        """Move the handles to the best part of the clip."""
        state, found = self.studio.state(run_id), self.studio.clips.preflight(run_id)
        best = self.studio.clips.trim_facts(run_id, state.start, state.end).best
        if best is None:
            return {self.best: gr.Button(visible=False)}
        start, end = read_trim({"start": best[0], "end": best[1]}, found.seconds)
        state = self.studio.change(run_id, start=start, end=end)
        return {self.trim: self._ends(state, found), **self._facts(run_id, start, end)}

    @shows_errors
    def show_trim(self, run_id: str) -> Update:
        """Show again what the trim holds, once the machine has been timed."""
        try:
            state = self.studio.state(run_id)
            return {self.notice: gr.skip()} if state.clip is None else self._facts(run_id, state.start, state.end)
        except StitError as error:  # nobody asked for this; where the clip was deleted in another tab, it is told here
            return {self.notice: failed(error)}

    @shows_errors
    def find_face(self, run_id: str, sent: Any) -> Update:
        """Go on to the alignment."""
        choices: dict[str, Any] = {}
        if isinstance(sent, dict) and "start" in sent:  # the message of the last move may still be on its way
            choices["start"], choices["end"] = read_trim(sent, self.studio.clips.preflight(run_id).seconds)
        return self.shell.begin(run_id, "align", **choices)

    # --- What is shown --------------------------------------------------------------------------------------------

    def _samples(self, chosen: str | None) -> dict[str, Any]:
        items = [
            {
                "id": name,
                "title": words.sample_title(name),
                "image": data_url(self.studio.clips.poster(name)),
                "alt": "",
            }
            for name in self.studio.clips.samples
        ]
        return {"items": items, "chosen": chosen}

    def _taken(self, state: RunState) -> Update:
        return {
            self.clip: state.clip,
            self.trim: NO_CLIP,
            self.samples: self._samples(state.sample),
            self.notice: html.notice([labels.LOOKING_THROUGH], "info"),
            self.onward: gr.Button(interactive=True),
            self.facts: "",
            self.estimates: "",
            self.best: gr.Button(visible=False),
        }

    def _ends(self, state: RunState, found: Preflight) -> dict[str, float]:
        return {"start": state.start or 0.0, "end": state.end or found.seconds}

    def _facts(self, run_id: str, start: float | None, end: float | None) -> Update:
        facts = self.studio.clips.trim_facts(run_id, start, end)
        return {
            self.notice: html.notice(facts.warnings),
            self.best: gr.Button(words.best_label(facts), visible=facts.best is not None),
            self.estimates: html.estimates(facts.estimates, self.studio.limits.job_seconds),
        }


def failed(error: StitError) -> str:
    """What stands below the clip where it cannot be looked into."""
    return html.notice([words.without_folders(str(for_visitors(error)))], "failed")


def strip(found: Preflight) -> dict[str, Any]:
    """What the trim shows of a clip."""
    return {
        "seconds": found.seconds,
        "step": 1.0 / found.frame_rate,
        "stretches": [{"start": part.start, "end": part.end, "state": part.state} for part in found.stretches],
        "names": words.STATE_WORDS,
        "video": "#clip video",
        "thumbnails": [{"seconds": at, "image": data_url(picture, 75)} for at, picture in found.thumbnails],
    }
