"""Step 4: what to change and how much, shown at once on a few frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from page.studio.people import copy_to, turn_to
from page.studio.previews import FoundFace
from page.studio.runs import RunState
from page.studio.studio import Studio
from page.ui import html, words
from page.ui.advanced import describe_settings, keep_known
from page.ui.components import build_html, build_widget, data_url, read_changed_settings, read_factors, read_index
from page.ui.picture_rows import thumbnail
from page.ui.shell import LIGHT, PREVIEWS, WATCH, Shell, Update, shows_errors
from page.ui.signals import read_end
from page.ui.words import labels
from stit_core.directions.library import Card
from stit_core.errors import StitError

FACTOR_LIMIT = 3.0  # of a slider, where heads-256 looks right; what is typed may lie beyond
FURTHEST_FACTOR = 20.0  # that can be typed
FIRST_FACTOR = 1.5  # of a direction that was just chosen
KEY_FRAMES = 2


class EditStep:
    """The widgets of the step and their handlers."""

    def __init__(self, shell: Shell, step: gr.Step) -> None:
        self.shell, self.studio, self.step = shell, shell.studio, step
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=3, min_width=320, elem_id="preview-column"):
                build_html(html.heading(labels.EDIT_HEADING, labels.EDIT_INTRO))
                self.people = build_widget("picker", {}, "whose", legend=labels.FACES)
                self.to_all = gr.Button(labels.EVERYONE_TOO, visible=False, size="sm", elem_id="to-all")
                self.wipe = build_widget("wipe", {}, "wipe")
                self.regions = build_widget("picker", {}, "regions", legend=labels.REGIONS)
                self.notice = build_html(elem_id="edit-notice", elem_classes="notices")
                self.make = gr.Button(labels.MAKE_VIDEO, variant="primary", elem_id="make")
            with gr.Column(scale=2, min_width=300):
                self.dials = build_widget("dials", {}, "dials")
        with gr.Accordion(labels.ADVANCED, open=False, elem_id="advanced"):
            free = self.studio.settings.mark != "always"
            self.mark = gr.Checkbox(not free, label=labels.MARK, interactive=free, elem_id="mark")
            self.settings = build_widget("settings", {}, "settings")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, shell = self.shell.run_id, self.shell
        preview, who = [self.wipe, self.notice], [self.people, self.to_all]
        by_method = [self.regions, self.settings]
        newest: dict[str, Any] = {"trigger_mode": "always_last", **LIGHT}
        restored = arrival.success(self.restore, run_id, [self.dials, self.mark, *by_method], **LIGHT)
        shown = restored.success(self.preview, run_id, preview, **PREVIEWS)
        shown.success(self.show_cards, run_id, self.dials, **PREVIEWS).success(
            self.show_people, run_id, who, **PREVIEWS
        )
        turned = self.people.pick(self.turn, [run_id, self.dials], [*who, self.dials, *shell.job_outputs], **PREVIEWS)
        turned.failure(self.show_people, run_id, who, **PREVIEWS)
        self.to_all.click(self.copy_to_all, [run_id, self.dials], who, **PREVIEWS)
        shell.ended.change(self.preview, run_id, preview, **PREVIEWS).success(self.show_people, run_id, who, **PREVIEWS)
        shell.ended.change(self.learned, [run_id, shell.ended], self.dials, **PREVIEWS)
        shell.directions.change(self.offer_again, run_id, self.dials, **PREVIEWS).success(
            self.preview, run_id, preview, trigger_mode="always_last", **PREVIEWS
        )
        moved = self.dials.moved(self.move, [run_id, self.dials], None, **newest)
        moved.success(self.show_people, run_id, who, trigger_mode="always_last", **PREVIEWS)
        # A choice is kept at once, and shown when it is its turn. The preset and the method may have been changed at
        # another step.
        for kept in (
            self.step.select(self.show_method, run_id, by_method, **LIGHT),
            self.regions.pick(self.choose_region, run_id, self.regions, **newest),
            moved,
            self.mark.input(self.set_mark, [run_id, self.mark], None, **LIGHT),
            self.settings.set(self.set_advanced, [run_id, self.settings], self.notice, **newest),
        ):
            kept.success(self.preview, run_id, preview, trigger_mode="always_last", **PREVIEWS)
        self.make.click(self.start, [run_id, self.dials], [shell.steps, *shell.job_outputs], **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def restore(self, run_id: str) -> Update:
        """Show the choices of a run that came back."""
        state = self.studio.state(run_id)
        return {
            self.dials: {"factors": dict(state.edits), "offer": offer_directions(self.studio, run_id)},
            self.mark: self.studio.config(state).compositing.mark,
            **self._by_method(state),
        }

    @shows_errors
    def show_method(self, run_id: str) -> Update:
        """What the preset and the method leave to choose."""
        return self._by_method(self.studio.state(run_id)) if run_id else {self.regions: gr.skip()}

    @shows_errors
    def choose_region(self, run_id: str, event: gr.EventData) -> Update:
        """Change another part of the face."""
        if event.id in words.REGION_WORDS:
            self.studio.change(run_id, region=event.id)
        return {self.regions: self._regions(self.studio.state(run_id))}

    @shows_errors
    def show_cards(self, run_id: str) -> Update:
        """The cards with their pictures, which may have to be drawn: meanwhile the visitor may have chosen more."""
        factors = dict(self.studio.state(run_id).edits)  # dials that are off the screen know only the last value
        return {
            self.dials: {
                "factors": factors,
                "offer": offer_directions(self.studio, run_id, pictures=True),
                "yields": True,
            }
        }

    @shows_errors
    def offer_again(self, run_id: str) -> Update:
        """A direction was deleted: neither a card nor a dial of it stays."""
        factors = dict(self.studio.state(run_id).edits)
        return {self.dials: {"factors": factors, "offer": offer_directions(self.studio, run_id, pictures=True)}}

    @shows_errors
    def move(self, run_id: str, sent: Any) -> None:
        """A slider was moved: keep the choice."""
        self.studio.change(run_id, edits=read_factors(sent))

    @shows_errors
    def preview(self, run_id: str) -> Update:
        """Show the stored choice on a few frames."""
        return self._previewed(run_id) if run_id else {self.wipe: gr.skip()}

    @shows_errors
    def set_mark(self, run_id: str, mark: bool) -> None:
        """The visible mark, on or off."""
        self.studio.change(run_id, mark=bool(mark))

    @shows_errors
    def set_advanced(self, run_id: str, sent: Any) -> Update:
        """Keep changed settings."""
        self.studio.change(run_id, advanced=keep_known(read_changed_settings(sent)))
        return {self.notice: ""}

    @shows_errors
    def start(self, run_id: str, sent: Any) -> Update:
        """Make the video; while the fit is still being made, it follows that."""
        choices: dict[str, Any] = {}
        if isinstance(sent, dict) and "factors" in sent:  # the message of the last move may still be on its way
            choices["edits"] = read_factors(sent)
        return {**self.shell.begin(run_id, "edit", **choices), **self.shell.go(WATCH)}

    @shows_errors
    def show_people(self, run_id: str) -> Update:
        """Who is in the clip, and what is changed of whom; nothing where it is one person."""
        if not run_id:
            return {self.people: gr.skip()}
        return self._people(self.studio.state(run_id))

    @shows_errors
    def turn(self, run_id: str, sent: Any, event: gr.EventData) -> Update:
        """Turn to another person's edit; the generator is tuned to him or her, where it is not yet."""
        faces = self.studio.previews.faces(run_id)
        index = read_index(event.id, faces)
        if index is None or faces[index].chosen:
            return {self.people: gr.skip()}
        state = self._moved(run_id, sent)
        choices = turn_to(state, _current(faces), faces[index].face)
        started = self.shell.begin(run_id, "tune", **choices)
        return {**started, self.dials: {"factors": dict(choices["edits"])}, **self._people(self.studio.state(run_id))}

    @shows_errors
    def copy_to_all(self, run_id: str, sent: Any) -> Update:
        """Give everyone the edit that is shown."""
        faces = self.studio.previews.faces(run_id)
        choices = copy_to(self._moved(run_id, sent), _current(faces), [face.face for face in faces])
        return self._people(self.studio.change(run_id, **choices))

    @shows_errors
    def learned(self, run_id: str, ended: str) -> Update:
        """A job came to its end: offer a direction that was just learned."""
        event = read_end(run_id, ended)
        if event is None or event.kind != "train" or not event.done:
            return {self.dials: gr.skip()}
        return self.show_cards(run_id)

    # --- What is shown --------------------------------------------------------------------------------------------

    def _moved(self, run_id: str, sent: Any) -> RunState:
        """The run with what the dials show: the message of the last move may still be on its way."""
        if isinstance(sent, dict) and "factors" in sent:
            return self.studio.change(run_id, edits=read_factors(sent))
        return self.studio.state(run_id)

    def _people(self, state: RunState) -> Update:
        try:
            faces = self.studio.previews.faces(state.id)
        except StitError:  # before the faces are known
            faces = []
        known = dict(state.others)
        items = [
            {
                "id": at,
                "image": data_url(face.picture),
                "alt": "",
                "title": words.person(face.face),
                "text": words.edits(state.edits if face.chosen else known.get(face.face, ())),
            }
            for at, face in enumerate(faces)
        ]
        chosen = next((at for at, face in enumerate(faces) if face.chosen), None)
        several = len(items) > 1
        return {
            self.people: {"items": items if several else [], "chosen": chosen, "lead": labels.PEOPLE_LEAD},
            self.to_all: gr.Button(visible=several),
        }

    def _previewed(self, run_id: str) -> Update:
        state = self.studio.state(run_id)
        too_long = self.studio.planner.too_long(state, "edit")
        if not state.aligned:
            return {self.wipe: {}, self.notice: html.notice([too_long])}
        shown = self.studio.previews.edit(run_id, state.edits, KEY_FRAMES)
        if shown is None:
            return {self.wipe: gr.skip()}
        frames = [
            {"label": words.key_frame(key.frame), "before": data_url(key.before), "after": data_url(key.after)}
            for key in shown.pictures
        ]
        return {
            self.wipe: {"frames": frames, "text": words.preview_text(shown.draft, shown.final)},
            self.notice: html.notice([too_long, *self.studio.directions.overlaps(state.edits, run_id)]),
        }

    def _by_method(self, state: RunState) -> Update:
        stages = describe_settings(state.schedule(self.studio.networks.pack.schedules))
        return {self.regions: self._regions(state), self.settings: {"changes": state.advanced, "stages": stages}}

    def _regions(self, state: RunState) -> dict[str, Any]:
        """Where the face is changed; stitching has no choice of it."""
        transfers = self.studio.config(state).method == "transfer"
        items = [{"id": name, "title": title} for name, title in words.REGION_WORDS.items() if transfers]
        return {"items": items, "chosen": state.region, "lead": labels.REGIONS_LEAD}


def _current(faces: Sequence[FoundFace]) -> int:
    """The number of the person whose edit is shown."""
    return next(face.face for face in faces if face.chosen)


def offer_directions(studio: Studio, run_id: str | None = None, pictures: bool = False) -> dict[str, Any]:
    """What the widget "dials" offers: the pack's directions and a run's own, with their `pictures` or without."""
    cards = [_card(card) for card in studio.directions.cards(run_id=run_id)]
    if pictures:
        cards = [card | {"image": thumbnail(studio.directions.thumbnail(card["name"], run_id))} for card in cards]
    quick = [
        {"label": labels.SUGGESTIONS[name], "factors": dict(edits)} for name, edits in studio.directions.suggestions
    ]
    return {"cards": cards, "quick": quick, "furthest": FURTHEST_FACTOR}


def _card(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "title": words.card_title(card),
        "text": words.card_text(card),
        "about": card.description,
        "positive": card.positive,
        "negative": card.negative,
        "low": -FACTOR_LIMIT,
        "high": FACTOR_LIMIT,
        "start": FIRST_FACTOR,
    }
