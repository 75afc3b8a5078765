"""Step 5: frames while they are made, then the finished video, its manifest and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from page.studio.runs import Output
from page.ui import html, words
from page.ui.components import build_html, build_widget, read_chosen
from page.ui.player import beside, build_player, named
from page.ui.shell import EDIT, LIGHT, TUNE, Shell, Update, shows_errors
from page.ui.signals import read_end
from page.ui.words import labels

SOURCE = {"id": "", "title": labels.SOURCE, "text": labels.SOURCE_ABOUT}


class WatchStep:
    """The widgets of the step and their handlers."""

    def __init__(self, shell: Shell, step: gr.Step) -> None:
        self.shell, self.studio, self.step = shell, shell.studio, step
        self.player = build_player(self.studio.feeds)
        self.notice = build_html(elem_id="watch-notice", elem_classes="notices")
        self.result = build_html(elem_id="measures")
        with gr.Row(elem_id="downloads"):
            self.video = gr.DownloadButton(labels.DOWNLOAD_VIDEO, variant="primary", visible=False, elem_id="get-video")
            self.manifest = gr.DownloadButton(labels.DOWNLOAD_MANIFEST, visible=False, elem_id="get-manifest")
            self.another = gr.Button(labels.ANOTHER_CHANGE, elem_id="another")
            self.better = gr.Button(labels.BETTER_FIT, elem_id="better")
            self.review = gr.Button(labels.REVIEW_THIS, visible=False, elem_id="review-this")
        with gr.Row(elem_classes="columns"):  # page.css hides what has nothing to pick
            with gr.Column(elem_id="earlier", min_width=280):
                build_html(html.heading(labels.OUTPUTS_HEADING))
                self.outputs = build_widget("picker", {}, "outputs", legend=labels.OUTPUTS)
            with gr.Column(elem_id="beside", min_width=280):
                build_html(html.heading(labels.COMPARE_HEADING))
                self.against = build_widget("picker", {}, "against", legend=labels.COMPARE)

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, shell = self.shell.run_id, self.shell
        result = [self.player, self.result, self.video, self.manifest, self.outputs, self.against, self.notice]
        result.append(self.review)
        looked_at = [run_id, self.outputs, self.against]
        for event in (arrival.success, self.step.select):  # gradio forgets what changes off the screen
            event(self.restore, looked_at, result, **LIGHT)
        shell.feed.change(self.follow, shell.feed, result, **LIGHT)
        shell.ended.change(self.after, [run_id, shell.ended], result, **LIGHT)
        self.outputs.pick(self.show_earlier, [run_id, self.against], result, **LIGHT)
        self.against.pick(self.compare, [run_id, self.outputs], result, **LIGHT)
        self.another.click(lambda: shell.go(EDIT), None, [shell.steps], **LIGHT)
        self.better.click(lambda: shell.go(TUNE), None, [shell.steps], **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def restore(self, run_id: str, outputs: Any, against: Any) -> Update:
        """Show the video that was looked at, or the newest, or the work on it, of a run that came back.

        What this tab shows counts more than what was looked at last, which may have been in another one.
        """
        state = self.studio.state(run_id)
        if state.last is not None and state.last.kind == "edit" and not state.last.finished:
            return {self.player: state.last.feed_id or ""}
        if read_chosen(outputs):
            return self._shown(state.outputs, read_chosen(outputs), read_chosen(against))
        return self._shown(state.outputs, state.shown, state.against)

    @shows_errors
    def follow(self, feed_id: str) -> Update:
        """Frames of a new video begin to come."""
        if not feed_id:
            return {self.player: gr.skip()}
        return self._nothing(feed_id)

    @shows_errors
    def after(self, run_id: str, ended: str) -> Update:
        """A job came to its end: show the video that it made, whole or in part."""
        event = read_end(run_id, ended)
        if event is None or event.kind != "edit":
            return {self.player: gr.skip()}
        state = self.studio.state(run_id)
        if state.last is None or state.last.output is None:  # the frames that were shown went with the job
            notice = html.notice([words.STOPPED] if event.status.state == "stopped" else [], "info")
            return {**self._shown(state.outputs), self.notice: notice}
        return self._shown(state.outputs)

    @shows_errors
    def show_earlier(self, run_id: str, against: Any, event: gr.EventData) -> Update:
        """Another of the videos made so far."""
        return self._look_at(run_id, str(event.id), read_chosen(against))

    @shows_errors
    def compare(self, run_id: str, outputs: Any, event: gr.EventData) -> Update:
        """The source, or another of the videos, beside the one that is shown."""
        return self._look_at(run_id, read_chosen(outputs), str(event.id))

    # --- What is shown --------------------------------------------------------------------------------------------

    def _look_at(self, run_id: str, wanted: str, against: str) -> Update:
        """Show an output, beside another or the source, and remember that for a reload."""
        known = {made.id for made in self.studio.runs.get(run_id).outputs}
        shown, beside_it = (name if name in known else "" for name in (wanted, against))
        state = self.studio.change(run_id, shown=shown, against=beside_it)
        return self._shown(state.outputs, shown, beside_it)

    def _shown(self, outputs: Sequence[Output], wanted: str = "", against: str = "") -> Update:
        if not outputs:
            return self._nothing("")
        names = words.output_names(outputs)
        output = next((made for made in outputs if made.id == wanted), outputs[0])
        others = [made for made in outputs if self._stands_beside(made, output)]
        left = next((made for made in others if made.id == against), None)
        items = [_item(made, names) for made in outputs]
        beside_it = [SOURCE, *(_item(made, names) for made in others)]
        label = labels.DOWNLOAD_PART if output.partial else labels.DOWNLOAD_VIDEO
        return {
            self.player: _played(output, left, names),
            self.result: html.finished(output, names[output.id]),
            self.video: gr.DownloadButton(label, value=output.video, visible=True),
            self.manifest: gr.DownloadButton(value=output.manifest, visible=output.manifest is not None),
            self.outputs: {"items": items if len(items) > 1 else [], "chosen": output.id},
            self.against: {"items": beside_it if others else [], "chosen": left.id if left is not None else ""},
            self.notice: "",
            self.review: gr.Button(visible=True),
        }

    def _nothing(self, feed_id: str) -> Update:
        """No result, and in the player the frames of a feed, if there is one."""
        return {
            self.player: feed_id,
            self.result: "",
            self.notice: "",
            self.video: gr.DownloadButton(visible=False),
            self.manifest: gr.DownloadButton(visible=False),
            self.review: gr.Button(visible=False),
        }

    def _stands_beside(self, one: Output, other: Output) -> bool:
        """Whether two outputs show the same frames, so that they can be laid over each other."""
        feeds = [self.studio.feeds.get(output.feed_id or "") for output in (one, other)]
        first, second = (
            feed and feed.finished and (feed.facts, feed.finished.source, feed.finished.start) for feed in feeds
        )
        return one.id != other.id and first is not None and first == second


def _item(output: Output, names: Mapping[str, str]) -> dict[str, Any]:
    return {"id": output.id, "title": names[output.id], "text": words.output_text(output)}


def _played(output: Output, left: Output | None, names: Mapping[str, str]) -> Any:
    """The player's value for an output beside its source, or beside another output."""
    if output.feed_id is None:
        return ""
    if left is not None and left.feed_id is not None:
        return beside(output.feed_id, left.feed_id, (names[left.id], names[output.id]))
    return named(output.feed_id, names[output.id]) if len(names) > 1 else output.feed_id
