"""The tab "Directions": the library with its cards, and training one from labelled pictures."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from page import words
from page.parts import data_url
from page.shell import LIGHT, Shell, Update, told
from stit_core.directions import Card

HOW = """
A direction is learned from pictures of faces in two groups, such as *with glasses* and *without*. Put them into two folders,
one a group, and upload both as a zip, or the folder that holds them. Some hundred pictures a group, of many people,
work well; with fewer than 20 there is nothing to learn.
"""


class DirectionsTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, shell: Shell) -> None:
        self.shell, self.studio = shell, shell.studio
        gr.HTML(
            words.heading(
                "Directions", "What can be changed with this model pack, and how well each change was learned."
            )
        )
        self.library = gr.HTML(elem_id="library")
        gr.HTML(words.heading("Train one"))
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=3, min_width=320):
                gr.Markdown(HOW)
                self.archive = gr.File(label="Zip with two folders", file_types=[".zip"], height=150, elem_id="archive")
                self.folder = gr.File(
                    label="Or a folder that holds two", file_count="directory", height=150, elem_id="folder"
                )
            with gr.Column(scale=2, min_width=300):
                about = "Letters, digits, _ and -"
                self.name = gr.Textbox(
                    label="Name", info=about, placeholder="glasses", max_length=80, elem_id="new-name"
                )
                self.negative = gr.Textbox(label="Below 0 it is", placeholder="without glasses", max_length=80)
                self.positive = gr.Textbox(label="Above 0 it is", placeholder="with glasses", max_length=80)
                self.train_button = gr.Button("Train", variant="primary", elem_id="train")
                self.notice = gr.HTML(elem_id="train-notice", elem_classes="notices")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, shell = self.shell.run_id, self.shell
        arrival.success(self.show, run_id, self.library, **LIGHT)
        given = [run_id, self.archive, self.folder, self.name, self.negative, self.positive]
        self.train_button.click(self.train, given, [self.notice, *shell.job_outputs], **LIGHT)
        shell.ended.change(self.after, [run_id, shell.ended], [self.library, self.notice], **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @told
    def show(self, run_id: str) -> Update:
        """All directions of the pack, with those of the visitor's own."""
        cards = "".join(self._card(run_id, card) for card in self.studio.cards(run_id=run_id))
        return {self.library: f'<div class="library">{cards}</div>'}

    @told
    def train(
        self,
        run_id: str,
        archive: str | None,
        folder: list[str] | None,
        name: str,
        negative: str,
        positive: str,
    ) -> Update:
        """Learn a direction from the uploaded pictures."""
        uploads = [Path(archive)] if archive else [Path(path) for path in folder or ()]
        status = self.studio.train(run_id, uploads, name.strip(), positive=positive.strip(), negative=negative.strip())
        return {self.notice: "", **self.shell.watch(status)}

    @told
    def after(self, run_id: str, ended: str) -> Update:
        """A job came to its end: if it learned a direction, show it with what is to be known of it."""
        if not ended.startswith("train"):
            return {self.notice: gr.skip()}
        status = self.studio.status(run_id)
        warnings = status.warnings if status is not None else ()
        return {**self.show(run_id), self.notice: words.notice(warnings)}

    # --- What is shown --------------------------------------------------------------------------------------------

    def _card(self, run_id: str, card: Card) -> str:
        picture = data_url(self.studio.thumbnail(card.name, run_id=run_id))
        facts = [words.card_text(card), card.source]
        lines = "".join(f"<p>{escape(text)}</p>" for text in (card.description, *facts[1:]) if text)
        told_warnings = card.training.get("warnings", ()) if hasattr(card, "training") else ()
        return (
            f'<article class="direction"><img src="{picture}" alt="{escape(words.card_text(card))}">'
            f"<h3>{escape(words.card_title(card))}</h3>{lines}{words.notice(map(str, told_warnings))}</article>"
        )
