"""Step 4: what to change and how much, shown at once on a few frames."""

from __future__ import annotations

from typing import Any

import gradio as gr

from page.studio.people import copy_to_all, keep, label, turn_to
from page.studio.runs import EVERYONE, RunState
from page.studio.studio import Studio
from page.ui import html, words
from page.ui.advanced import describe_settings, keep_known
from page.ui.components import build_html, build_widget, data_url, read_changed_settings, read_chosen, read_factors
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
# Nothing can be moved while another person's edit is fetched: it would be changed of the one before.
HELD = "#dials"
LET_GO = f"() => document.querySelector('{HELD}').toggleAttribute('inert', false)"


class EditStep:
    """The widgets of the step and their handlers."""

    def __init__(self, shell: Shell, step: gr.Step) -> None:
        self.shell, self.studio, self.step = shell, shell.studio, step
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=3, min_width=320, elem_id="preview-column"):
                build_html(html.heading(labels.EDIT_HEADING, labels.EDIT_INTRO))
                self.people = build_widget("picker", {}, "whose", legend=labels.FACES, holds=HELD)
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
        preview, who = [self.wipe, self.notice], [self.people, self.to_all, self.dials]
        shown_here = [run_id, self.dials]
        by_method = [self.regions, self.settings]
        newest: dict[str, Any] = {"trigger_mode": "always_last", **LIGHT}
        restored = arrival.success(self.restore, run_id, [self.dials, self.mark, *by_method], **LIGHT)
        shown = restored.success(self.preview, run_id, preview, **PREVIEWS)
        shown.success(self.show_cards, shown_here, self.dials, **PREVIEWS).success(
            self.show_people, shown_here, who, **PREVIEWS
        )
        picked = [*shown_here, self.people]
        turned = self.people.pick(self.turn, picked, [self.dials, *shell.job_outputs], **newest)
        for ended in (turned.success, turned.failure):  # gradio's `then` is not reached from an error
            ended(None, None, None, js=LET_GO, **LIGHT)
            ended(self.show_people, shown_here, who, **PREVIEWS)
        self.to_all.click(self.copy_to_all, shown_here, None, **LIGHT).success(
            self.show_people, shown_here, who, **PREVIEWS
        )
        shell.ended.change(self.preview, run_id, preview, **PREVIEWS).success(
            self.show_people, shown_here, who, **PREVIEWS
        )
        shell.ended.change(self.learned, [*shown_here, shell.ended], self.dials, **PREVIEWS)
        shell.directions.change(self.offer_again, run_id, self.dials, **PREVIEWS).success(
            self.preview, run_id, preview, trigger_mode="always_last", **PREVIEWS
        )
        moved = self.dials.moved(self.move, shown_here, None, **newest)
        moved.success(self.show_people, shown_here, who, trigger_mode="always_last", **PREVIEWS)
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
        chosen = [*shown_here, self.regions, self.mark, self.settings]
        self.make.click(self.start, chosen, [shell.steps, *shell.job_outputs], **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def restore(self, run_id: str) -> Update:
        """Show the choices of a run that came back."""
        state = self.studio.state(run_id)
        return {
            self.dials: {**self._edit(state), "offer": offer_directions(self.studio, run_id)},
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
    def show_cards(self, run_id: str, sent: Any) -> Update:
        """The cards with their pictures, which may have to be drawn: meanwhile the visitor may have chosen more."""
        return {self.dials: self._cards(run_id, read_whose(sent))}

    @shows_errors
    def offer_again(self, run_id: str) -> Update:
        """A direction was deleted: neither a card nor a dial of it stays."""
        offer = offer_directions(self.studio, run_id, pictures=True)
        return {self.dials: {**self._edit(self.studio.state(run_id)), "offer": offer}}

    @shows_errors
    def move(self, run_id: str, sent: Any) -> None:
        """A slider was moved: keep the choice."""
        self._keep(run_id, sent)

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
    def start(self, run_id: str, sent: Any, regions: Any, mark: bool, settings: Any) -> Update:
        """Make the video as the screen shows it; while the fit is still being made, it follows that.

        The message of the last change may still be on its way, so that all is kept again.
        """
        choices: dict[str, Any] = {"mark": bool(mark)}
        if read_chosen(regions) in words.REGION_WORDS:
            choices["region"] = read_chosen(regions)
        if isinstance(settings, dict) and "changes" in settings:
            choices["advanced"] = keep_known(read_changed_settings(settings))
        self._keep(run_id, sent, **choices)
        return {**self.shell.begin(run_id, "edit"), **self.shell.go(WATCH)}

    @shows_errors
    def show_people(self, run_id: str, sent: Any) -> Update:
        """Who is in the clip, and what is changed of whom; nothing where it is one person.

        The dials follow where they show another than the run: after a search for faces, or a turn in another tab.
        """
        if not run_id:
            return {self.people: gr.skip()}
        return {**self._people(run_id), self.dials: self._following(run_id, read_whose(sent))}

    @shows_errors
    def turn(self, run_id: str, sent: Any, people: Any) -> Update:
        """Turn to another person's edit; the generator is tuned to him or her, where it is not yet."""
        cast = self.studio.previews.cast(run_id)
        chosen = people.get("chosen") if isinstance(people, dict) else None
        wanted = next((number for number in cast.numbers if number == chosen), None)
        if wanted is None:
            return {self.dials: gr.skip()}
        self._keep(run_id, sent)
        started: Update = {}
        if wanted != cast.shown:  # else another tab has turned already
            started = self.shell.begin(run_id, "tune", lambda now: turn_to(now, cast, wanted))
        return {**started, self.dials: self._edit(self.studio.state(run_id))}

    @shows_errors
    def copy_to_all(self, run_id: str, sent: Any) -> None:
        """Give everyone the edit that is shown."""
        self._keep(run_id, sent)
        cast = self.studio.previews.cast(run_id)
        self.studio.change(run_id, lambda now: copy_to_all(now, cast, read_whose(sent)))

    @shows_errors
    def learned(self, run_id: str, sent: Any, ended: str) -> Update:
        """A job came to its end: offer a direction that was just learned."""
        event = read_end(run_id, ended)
        if event is None or event.kind != "train" or not event.done:
            return {self.dials: gr.skip()}
        return self.show_cards(run_id, sent)

    # --- What is shown --------------------------------------------------------------------------------------------

    def _keep(self, run_id: str, sent: Any, **choices: Any) -> None:
        """Store what the dials show, of the person of whom they show it, and other choices."""
        if not isinstance(sent, dict) or "factors" not in sent:
            self.studio.change(run_id, **choices)
            return
        cast, edits = self.studio.previews.cast(run_id), read_factors(sent)
        self.studio.change(run_id, lambda now: keep(now, cast, edits, read_whose(sent)), **choices)

    def _edit(self, state: RunState) -> dict[str, Any]:
        """What the dials show of a run: the edit of the person who is shown, and whose it is."""
        shown = state.face if state.face is not None else self.studio.previews.cast(state.id).shown
        return {"factors": dict(state.edits), "whose": label(state, shown)}

    def _following(self, run_id: str, over: str) -> Any:
        """The edit of the one who is shown, for dials that show another's; nothing new for others."""
        edit = self._edit(self.studio.state(run_id))
        return gr.skip() if edit["whose"] == over else self._cards(run_id, over)

    def _cards(self, run_id: str, over: str) -> dict[str, Any]:
        """All that the dials show, unless they have been overtaken: dials off the screen know only the last value."""
        offer = offer_directions(self.studio, run_id, pictures=True)
        return {**self._edit(self.studio.state(run_id)), "offer": offer, "over": over}

    def _people(self, run_id: str) -> Update:
        try:
            faces = self.studio.previews.faces(run_id)
        except StitError:  # before the faces are known
            faces = []
        state = self.studio.state(run_id)  # after the pictures, which may take a while
        known = dict(state.others)
        everyone = known.get(EVERYONE, ())
        shown = state.face if state.face is not None else next((face.face for face in faces if face.chosen), None)
        items = [
            {
                "id": face.face,
                "image": data_url(face.picture),
                "alt": "",
                "title": words.person(face.face),
                "text": words.edits(state.edits if face.face == shown else known.get(face.face, everyone)),
            }
            for face in faces
        ]
        several = len(items) > 1
        return {
            self.people: {"items": items if several else [], "chosen": shown, "lead": labels.PEOPLE_LEAD},
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


def read_whose(sent: Any) -> str:
    """The label of the person whose edit the dials show, as the browser sends it."""
    whose = sent.get("whose") if isinstance(sent, dict) else None
    return whose if isinstance(whose, str) else ""


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
