"""The tab "Directions": the library with its cards, and training one from labelled pictures."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from page.studio.studio import ConsentError
from page.studio.training import TrainingRequest, start_training
from page.ui import html, words
from page.ui.components import build_html, read_uploads
from page.ui.picture_rows import thumbnail
from page.ui.shell import LIGHT, PREVIEWS, Shell, Update, shows_errors
from page.ui.signals import read_end
from page.ui.words import labels
from page.ui.words.about import TRAINING, TRAINING_HERE
from stit_core.directions.library import Card

SHOWN = (-3.0, 0.0, 3.0)  # factors of the heads on a card


class DirectionsTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, shell: Shell, tab: gr.Tab) -> None:
        self.shell, self.studio, self.tab = shell, shell.studio, tab
        build_html(html.heading(labels.DIRECTIONS_HEADING, labels.DIRECTIONS_INTRO))
        form = gr.Accordion(labels.TRAIN_HEADING, open=False, elem_id="lesson")
        with form, gr.Row(elem_classes="columns"):
            with gr.Column(scale=3, min_width=320):
                gr.Markdown(TRAINING)
                if self.studio.networks.lent:
                    build_html(html.quiet(TRAINING_HERE))
                shell.build_consent("directions")
                with gr.Row():
                    self.below = _folder(labels.PICTURES_BELOW, "below")
                    self.above = _folder(labels.PICTURES_ABOVE, "above")
                self.archive = gr.File(label=labels.PICTURES_ZIP, file_types=[".zip"], height=120, elem_id="zip")
            with gr.Column(scale=2, min_width=300):
                self.name = gr.Textbox(
                    label=labels.DIRECTION_NAME,
                    info=labels.DIRECTION_NAME_RULE,
                    placeholder=labels.DIRECTION_NAME_EXAMPLE,
                    max_length=80,
                    elem_id="new-name",
                )
                self.negative = gr.Textbox(
                    label=labels.DIRECTION_NEGATIVE, placeholder=labels.DIRECTION_NEGATIVE_EXAMPLE, max_length=80
                )
                self.positive = gr.Textbox(
                    label=labels.DIRECTION_POSITIVE, placeholder=labels.DIRECTION_POSITIVE_EXAMPLE, max_length=80
                )
                self.train_button = gr.Button(labels.TRAIN, variant="primary", elem_id="train")
        self.notice = build_html(elem_id="train-notice", elem_classes="notices")
        self.library = build_html(elem_id="library", script="library")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, shell = self.shell.run_id, self.shell
        shell.on_open(self.tab, "lesson", self.fill, [self.library], arrival)
        brought = [self.archive, self.below, self.above]
        for files in brought:
            files.upload(self.bring, [run_id, *brought], [*brought, self.notice], preprocess=False, **LIGHT)
        given = [run_id, self.name, self.negative, self.positive, *brought]
        self.train_button.click(self.train, given, [self.notice, *shell.job_outputs], preprocess=False, **LIGHT)
        self.library.remove(self.remove, run_id, [self.library, self.notice, shell.directions], **PREVIEWS)
        shell.ended.change(self.after, [run_id, shell.ended], [self.library, self.notice], **PREVIEWS)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def show(self, run_id: str) -> Update:
        """All directions of the pack, and those of the visitor's own."""
        cards = [self._card(run_id, card) for card in self.studio.directions.cards(run_id=run_id)]
        return {self.library: html.library(cards)}

    @shows_errors
    def fill(self, run_id: str, shown: str = "yes") -> Update:
        """The library, once there is a run and the tab is on the screen."""
        return self.show(run_id) if run_id and shown == "yes" else {self.library: gr.skip()}

    @shows_errors
    def bring(self, run_id: str, archive: Any, below: Any, above: Any) -> Update:
        """Pictures were uploaded, which the run has to delete even if nothing is ever learned from them."""
        try:
            self.studio.bring(run_id, [path for sent in (archive, below, above) for path in read_uploads(sent)])
        except ConsentError as error:  # what was refused is not there any more
            notice = html.notice([str(error)], "failed")
            return {self.archive: None, self.below: None, self.above: None, self.notice: notice}
        return {self.notice: ""}

    @shows_errors
    def train(
        self, run_id: str, name: Any, negative: Any, positive: Any, archive: Any, below: Any, above: Any
    ) -> Update:
        """Learn a direction from the uploaded pictures."""
        texts = [str(text or "").strip() for text in (name, negative, positive)]
        zipped = next(iter(read_uploads(archive)), None)
        request = TrainingRequest(texts[0], texts[1], texts[2], zipped, read_uploads(below), read_uploads(above))
        return {self.notice: "", **self.shell.watch(run_id, start_training(self.studio, run_id, request))}

    @shows_errors
    def after(self, run_id: str, ended: str) -> Update:
        """A job came to its end: if it learned a direction, show it with what is to be known of it."""
        event = read_end(run_id, ended)
        if event is None or event.kind != "train":
            return {self.notice: gr.skip()}
        status = self.studio.status(run_id)
        warnings = status.warnings if status is not None else ()
        return {**self.show(run_id), self.notice: html.notice(warnings)}

    @shows_errors
    def remove(self, run_id: str, event: gr.EventData) -> Update:
        """Delete a direction of the visitor's own."""
        self.studio.delete_direction(run_id, str(event.name))
        return {**self.show(run_id), self.notice: "", self.shell.directions: str(time.time())}

    # --- What is shown --------------------------------------------------------------------------------------------

    def _card(self, run_id: str, card: Card) -> dict[str, Any]:
        directions = self.studio.directions
        learned = [text for text in (card.source, *map(str, card.training.get("warnings", ()))) if text]
        return {
            "picture": thumbnail(directions.thumbnail(card.name, run_id), SHOWN),
            "name": card.name,
            "title": words.card_title(card),
            "text": words.card_text(card),
            "negative": card.negative,
            "positive": card.positive,
            "about": card.description,
            "learned": learned,
            "own": directions.is_own(run_id, card.name),
            "delete": words.delete_direction(card),
            "sure": words.delete_direction_sure(card),
        }


def _folder(label: str, elem_id: str) -> gr.File:
    return gr.File(label=label, file_count="directory", height=140, elem_id=elem_id)
