"""Step 5: frames while they are made, then the finished video, its manifest and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from page import words
from page.parts import build_html, build_part, read_index
from page.player import build_player
from page.runs import Output
from page.shell import EDIT, LIGHT, TUNE, Shell, Update, told

SHOWN_OUTPUTS = 12


class WatchStep:
    """The widgets of the step and their handlers."""

    def __init__(self, shell: Shell, step: gr.Step) -> None:
        self.shell, self.studio, self.step = shell, shell.studio, step
        self.player = build_player(self.studio.feeds)
        self.notice = build_html(elem_id="watch-notice", elem_classes="notices")
        self.result = build_html(elem_id="measures")
        with gr.Row(elem_id="downloads"):
            self.video = gr.DownloadButton("Download the video", variant="primary", visible=False, elem_id="get-video")
            self.manifest = gr.DownloadButton("Edit manifest (JSON)", visible=False, elem_id="get-manifest")
            self.another = gr.Button("Another change", elem_id="another")
            self.better = gr.Button("A better fit", elem_id="better")
        with gr.Column(elem_id="earlier"):  # page.css hides it as long as there is nothing to pick
            build_html(words.heading("Made so far"))
            self.outputs = build_part("picker", {}, "outputs", legend="Videos made so far")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, shell = self.shell.run_id, self.shell
        result = [self.result, self.video, self.manifest, self.outputs, self.notice]
        for event in (
            arrival.success,
            self.step.select,
        ):  # gradio forgets what changes off the screen
            event(self.restore, run_id, [*result, self.player], **LIGHT)
        shell.feed.change(self.follow, shell.feed, [*result, self.player], **LIGHT)
        shell.ended.change(self.after, [run_id, shell.ended], [*result, self.player], **LIGHT)
        self.outputs.pick(self.show_earlier, run_id, [*result, self.player], **LIGHT)
        self.another.click(lambda: shell.go(EDIT), None, [shell.steps], **LIGHT)
        self.better.click(lambda: shell.go(TUNE), None, [shell.steps], **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @told
    def restore(self, run_id: str) -> Update:
        """Show the video, or the work on it, of a run that came back."""
        state = self.studio.state(run_id)
        if state.last is not None and state.last.kind == "edit" and not state.last.finished:
            return {self.player: state.last.feed_id or ""}
        return self._shown(state.outputs, 0)

    @told
    def follow(self, feed_id: str) -> Update:
        """Frames of a new video begin to come."""
        if not feed_id:
            return {self.player: gr.skip()}
        return {
            self.player: feed_id,
            self.result: "",
            self.notice: "",
            self.video: gr.DownloadButton(visible=False),
            self.manifest: gr.DownloadButton(visible=False),
        }

    @told
    def after(self, run_id: str, ended: str) -> Update:
        """A job came to its end: show the video that it made, whole or in part."""
        if not ended.startswith("edit"):
            return {self.player: gr.skip()}
        state = self.studio.state(run_id)
        if state.last is None or state.last.output is None:
            return {self.notice: words.notice([words.STOPPED] if "stopped" in ended else [], "info")}
        return self._shown(state.outputs, 0)

    @told
    def show_earlier(self, run_id: str, event: gr.EventData) -> Update:
        """Another of the videos made so far."""
        outputs = self.studio.state(run_id).outputs
        index = read_index(event.id, outputs)
        return {self.player: gr.skip()} if index is None else self._shown(outputs, index)

    # --- What is shown --------------------------------------------------------------------------------------------

    def _shown(self, outputs: Sequence[Output], index: int) -> Update:
        if not outputs:
            return {self.notice: ""}
        output = outputs[index]
        items = [
            {"id": at, "title": words.edits(made.edits).capitalize(), "text": words.output_text(made)}
            for at, made in enumerate(outputs[:SHOWN_OUTPUTS])
        ]
        label = "Download the part" if output.partial else "Download the video"
        return {
            self.player: output.feed_id or "",
            self.result: words.finished(output),
            self.video: gr.DownloadButton(label, value=output.video, visible=True),
            self.manifest: gr.DownloadButton(value=output.manifest, visible=output.manifest is not None),
            self.outputs: {"items": items if len(items) > 1 else [], "chosen": index},
            self.notice: "",
        }
