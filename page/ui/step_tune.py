"""Step 3: fit the generator to the face, and watch it come closer."""

from __future__ import annotations

from typing import Any

import gradio as gr

from page.ui import html, words
from page.ui.components import build_html, build_widget, read_chosen, read_picked
from page.ui.picture_rows import triple
from page.ui.plots import loss_plot
from page.ui.shell import EDIT, LIGHT, PREVIEWS, Shell, Update, shows_errors
from page.ui.words import labels


class TuneStep:
    """The widgets of the step and their handlers."""

    def __init__(self, shell: Shell, step: gr.Step) -> None:
        self.shell, self.studio, self.step = shell, shell.studio, step
        build_html(html.heading(labels.TUNE_HEADING, labels.TUNE_INTRO))
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=2, min_width=280):
                self.presets = build_widget("picker", self._presets("balanced", None), "presets", legend=labels.PRESETS)
                build_html(html.heading(labels.METHODS_HEADING))
                self.methods = build_widget("picker", {}, "methods", legend=labels.METHODS)
                self.begin = gr.Button(labels.TUNE_START, variant="primary", elem_id="tune")
                self.onward = gr.Button(labels.TO_EDIT, elem_id="to-edit")
                build_html(html.quiet(labels.NO_NEED_TO_WAIT))
            with gr.Column(scale=3, min_width=300):
                self.fit = build_html(triple([(name, None) for name in labels.FIT_PICTURES]), elem_id="fitted")
                self.loss = build_html(elem_id="loss")
                self.words = build_html(elem_id="tuned")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, shell = self.shell.run_id, self.shell
        shown = [self.fit, self.loss, self.words, self.begin, self.onward]
        # Gradio forgets the look of buttons that changes while their step is off the screen.
        whole = [*shown, self.presets, self.methods]
        for event in (arrival.success, shell.ended.change, self.step.select):
            event(self.restore, run_id, whole, **PREVIEWS)
        shell.timed.change(self.show_presets, run_id, [self.presets, self.methods], **LIGHT)
        shell.fit.change(self.show_fit, run_id, shown, trigger_mode="always_last", **PREVIEWS)
        for picker, choose in ((self.presets, self.choose), (self.methods, self.choose_method)):
            picked = picker.pick(choose, [run_id, picker], whole, trigger_mode="always_last", **PREVIEWS)
            picked.failure(self.take_back, run_id, whole, **PREVIEWS)  # the picker shows what was not taken
        picks = [run_id, self.presets, self.methods]
        self.begin.click(self.start, picks, [*shell.job_outputs, self.begin, self.onward], **LIGHT)
        self.onward.click(lambda: shell.go(EDIT), None, [shell.steps], **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def restore(self, run_id: str) -> Update:
        """Show how far the tuning of the stored choices is."""
        return {**self._shown(run_id), **self._preset_update(run_id)}

    @shows_errors
    def show_presets(self, run_id: str) -> Update:
        """Show how long the presets take, once the machine has been timed."""
        return self._preset_update(run_id) if run_id else {self.presets: gr.skip()}

    @shows_errors
    def choose(self, run_id: str, presets: Any) -> Update:
        """Another preset."""
        preset = read_chosen(presets)
        if preset in words.PRESET_WORDS:
            self.studio.change(run_id, preset=preset)
        return {**self._shown(run_id), **self._preset_update(run_id, preset=preset)}

    @shows_errors
    def choose_method(self, run_id: str, methods: Any) -> Update:
        """The other method, whose tuning is another."""
        method = read_chosen(methods)
        if method in words.METHOD_WORDS:
            self.studio.change(run_id, method=method)
        return {**self._shown(run_id), **self._preset_update(run_id, method=method)}

    @shows_errors
    def take_back(self, run_id: str) -> Update:
        """Show what is stored where a pick was refused."""
        return {**self._shown(run_id), **self._preset_update(run_id, preset=True, method=True)}

    @shows_errors
    def start(self, run_id: str, presets: Any, methods: Any) -> Update:
        """Tune as the screen shows it, or go on where it was stopped.

        The message of the last pick may still be on its way.
        """
        choices: dict[str, Any] = {}
        if read_picked(presets) in words.PRESET_WORDS:
            choices["preset"] = read_picked(presets)
        if read_picked(methods) in words.METHOD_WORDS:
            choices["method"] = read_picked(methods)
        return {
            **self.shell.begin(run_id, "tune", **choices),
            self.begin: gr.Button(labels.TUNE_RUNNING, interactive=False),
            self.onward: gr.Button(variant="primary"),
        }

    @shows_errors
    def show_fit(self, run_id: str) -> Update:
        """The newest picture and the loss so far."""
        return self._shown(run_id)

    # --- What is shown --------------------------------------------------------------------------------------------

    def _shown(self, run_id: str) -> Update:
        state = self.studio.state(run_id)
        fit = self.studio.previews.fit(run_id) if state.aligned else None
        status = self.studio.tuning(run_id)
        so_far = status.history if status is not None else ()
        history = [tuple(row) for row in fit.history.tolist()] if fit is not None and len(fit.history) else so_far
        named = (None, None, None) if fit is None else (fit.source, fit.pivot, fit.tuned)
        resumed = status is not None and status.state in ("stopped", "interrupted") and not state.tuned
        at_work = state.last is not None and state.last.kind == "tune" and not state.last.finished
        begun = state.tuned or at_work
        transfers = self.studio.config(state).method == "transfer"
        fitted = html.quiet(words.tuned_face(history[-1][3], transfers) if history else "")
        offered = labels.TUNE_STOPPED if resumed else labels.TUNE_START
        label = labels.TUNE_DONE if state.tuned else labels.TUNE_RUNNING if at_work else offered
        return {
            self.fit: triple(list(zip(labels.FIT_PICTURES, named, strict=True))),
            self.loss: loss_plot(history) if len(history) > 1 else "",
            self.words: fitted + html.notice([] if begun else [self.studio.planner.too_long(state, "tune")]),
            self.begin: gr.Button(label, interactive=not begun, variant="secondary" if begun else "primary"),
            self.onward: gr.Button(variant="primary" if begun else "secondary"),
        }

    def _preset_update(self, run_id: str, preset: Any = None, method: Any = None) -> Update:
        """What can be picked; `preset` and `method` are the picks that this answers, True for all: see the widget."""
        state = self.studio.state(run_id)
        presets = self._presets(state.preset, self.studio.clips.estimates(run_id))
        methods = {"items": words.method_items(state.preset), "chosen": self.studio.config(state).method}
        return {self.presets: presets | {"answers": preset}, self.methods: methods | {"answers": method}}

    def _presets(self, chosen: str, times: Any) -> dict[str, Any]:
        limit = self.studio.limits.job_seconds
        items = [
            {"id": name, "title": title, "text": words.preset_text(name, (times or {}).get(name), limit)}
            for name, (title, _) in words.PRESET_WORDS.items()
        ]
        return {"items": items, "chosen": chosen}
