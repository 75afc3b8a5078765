"""Step 2: look at the crops, pick the face, steady the crop."""

from __future__ import annotations

from typing import Any

import gradio as gr

from page.studio.people import follow
from page.ui import html, words
from page.ui.components import build_html, build_widget, data_url, read_index
from page.ui.picture_rows import pictures
from page.ui.plots import jitter_plot
from page.ui.shell import ALIGN, LIGHT, PREVIEWS, TUNE, Shell, Update, shows_errors
from page.ui.signals import read_end
from page.ui.tracks import Tracks
from page.ui.words import labels
from stit_core.config import AlignmentConfig

CROPS = 12
TRIAL_CROPS = 6  # that show what the sliders do


class AlignStep:
    """The widgets of the step and their handlers."""

    def __init__(self, shell: Shell) -> None:
        self.shell, self.studio = shell, shell.studio
        defaults = AlignmentConfig()
        build_html(html.heading(labels.ALIGN_HEADING, labels.ALIGN_INTRO))
        self.notice = build_html(elem_id="align-notice", elem_classes="notices")
        self.crops = build_html(elem_id="crops")
        with gr.Column(elem_id="several"):  # page.css hides it as long as there is nothing to pick
            build_html(html.heading(labels.PEOPLE_HEADING, labels.PEOPLE_INTRO))
            self.faces = build_widget("picker", {}, "faces", legend=labels.FACES)
        self.tracks = Tracks(shell)
        with gr.Accordion(labels.SMOOTHING, open=False, elem_id="smoothing"), gr.Row(elem_classes="columns"):
            with gr.Column(scale=2, min_width=280):
                self.sliders = [
                    gr.Slider(0, 10, defaults.center_sigma, step=0.5, label=labels.CENTER_SIGMA),
                    gr.Slider(0, 10, defaults.xy_sigma, step=0.5, label=labels.XY_SIGMA),
                    gr.Slider(0.8, 1.5, defaults.scale, step=0.05, label=labels.SCALE),
                ]
                self.again = gr.Button(labels.USE_SMOOTHING, interactive=False, elem_id="again")
            with gr.Column(scale=3, min_width=300):
                self.jitter = build_html(elem_id="jitter")
                self.trial = build_html(elem_id="trial")
        self.onward = gr.Button(labels.TO_TUNE, variant="primary", elem_id="to-tune")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, steps = self.shell.run_id, self.shell.steps
        self.tracks.wire(arrival)
        shown = [self.crops, self.faces, *self.sliders, self.notice, self.again]
        tried = [self.jitter, self.trial, self.again]
        arrival.success(self.restore, run_id, shown, **PREVIEWS).success(self.measure, run_id, tried, **PREVIEWS)
        self.shell.ended.change(self.after, [run_id, self.shell.ended], [*shown, steps], **PREVIEWS).success(
            self.measure, run_id, tried, **PREVIEWS
        )
        picked = self.faces.pick(self.pick, run_id, self.shell.job_outputs, **PREVIEWS)
        picked.failure(self.restore, run_id, shown, **PREVIEWS)  # the picker shows what was not taken
        for slider in self.sliders:
            slider.input(self.attempt, [run_id, *self.sliders], tried, trigger_mode="always_last", **PREVIEWS)
        self.again.click(self.apply, [run_id, *self.sliders], self.shell.job_outputs, **LIGHT)
        self.onward.click(lambda: self.shell.go(TUNE), None, [steps], **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def restore(self, run_id: str) -> Update:
        """Show the crops of a run that came back."""
        return self._shown(run_id) if self.studio.state(run_id).aligned else {self.notice: ""}

    @shows_errors
    def after(self, run_id: str, ended: str) -> Update:
        """A job came to its end: if it found the face, show it."""
        event = read_end(run_id, ended)
        if event is None or event.kind != "align" or not event.done:
            return {self.notice: gr.skip()}
        return {**self._shown(run_id), **self.shell.go(ALIGN)}

    @shows_errors
    def measure(self, run_id: str) -> Update:
        """How steady the crops of the stored settings are."""
        state = self.studio.state(run_id)
        if not state.aligned:
            return {self.jitter: gr.skip()}
        return self._tried(run_id, state.center_sigma, state.xy_sigma, state.scale, changed=False)

    @shows_errors
    def attempt(self, run_id: str, center_sigma: float, xy_sigma: float, scale: float) -> Update:
        """Show at once what the sliders would do."""
        state = self.studio.state(run_id)
        changed = (center_sigma, xy_sigma, scale) != (state.center_sigma, state.xy_sigma, state.scale)
        return self._tried(run_id, center_sigma, xy_sigma, scale, changed)

    @shows_errors
    def apply(self, run_id: str, center_sigma: float, xy_sigma: float, scale: float) -> Update:
        """Cut the crops anew."""
        return self.shell.begin(run_id, "align", center_sigma=center_sigma, xy_sigma=xy_sigma, scale=scale)

    @shows_errors
    def pick(self, run_id: str, event: gr.EventData) -> Update:
        """Follow another face."""
        faces = self.studio.previews.faces(run_id)
        index = read_index(event.id, faces)
        if index is None:
            return {self.shell.ended: gr.skip()}
        cast = self.studio.previews.cast(run_id)
        return self.shell.begin(run_id, "align", lambda now: follow(now, cast, faces[index].face))

    # --- What is shown --------------------------------------------------------------------------------------------

    def _shown(self, run_id: str) -> Update:
        state, faces = self.studio.state(run_id), self.studio.previews.faces(run_id)
        items = [
            {
                "id": at,
                "image": data_url(face.picture),
                "alt": "",
                "title": words.person(face.face),
                "text": words.face_share(face.share),
            }
            for at, face in enumerate(faces)
        ]
        chosen = next((at for at, face in enumerate(faces) if face.chosen), None)
        warnings = state.last.warnings if state.last is not None and state.last.kind == "align" else ()
        center, axes, scale = self.sliders
        return {
            self.crops: pictures(self.studio.previews.crops(run_id, CROPS)),
            self.faces: {"items": items if len(items) > 1 else [], "chosen": chosen},
            center: state.center_sigma,
            axes: state.xy_sigma,
            scale: state.scale,
            self.notice: html.notice(warnings),
            self.again: gr.Button(interactive=False),
        }

    def _tried(self, run_id: str, center_sigma: float, xy_sigma: float, scale: float, changed: bool) -> Update:
        smoothing = self.studio.previews.smoothing(run_id, center_sigma, xy_sigma, scale, TRIAL_CROPS)
        sentence = words.steadiness(smoothing.mean_before, smoothing.mean_after)
        return {
            self.jitter: jitter_plot(smoothing.before, smoothing.after) + html.quiet(sentence),
            self.trial: pictures(smoothing.crops),
            self.again: gr.Button(interactive=changed),
        }
