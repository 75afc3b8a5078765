"""The tab "Clips": several clips with the same edit, as cards, and their videos in one archive."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from page.studio.batch_costs import cost_of_list
from page.studio.batch_files import card_pictures, pack_videos
from page.studio.batches import bring_clips, cards, choose, is_working, remove_clip, start_clips, stop_all, stop_clip
from page.studio.studio import ConsentError, Studio
from page.ui import html, words
from page.ui.components import build_html, build_widget, jpeg_url, read_factors, read_uploads_by_name
from page.ui.shell import LIGHT, LOOKS, PREVIEWS, Shell, Update, shows_errors
from page.ui.step_edit import offer_directions
from page.ui.words import clips as clip_words
from page.ui.words import labels
from stit_core.errors import StitError

KINDS = ["video"]  # of files, as the browser chooses them
# The button that fetches the archive has its address as soon as this has been drawn.
FETCH = "() => setTimeout(() => document.querySelector('#get-clips')?.click(), 300)"


class ClipsTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, shell: Shell, tab: gr.Tab) -> None:
        self.shell, self.studio, self.tab = shell, shell.studio, tab
        build_html(html.heading(labels.CLIPS_TAB, clip_words.ABOUT))
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=3, min_width=320):
                shell.build_consent("clips")
                self.files = gr.File(
                    label=clip_words.YOUR_CLIPS, file_count="multiple", file_types=KINDS, height=160, elem_id="clips"
                )
                build_html(html.quiet(clip_words.together(self.studio.limits)))
                build_html(html.heading(clip_words.PRESETS))
                self.presets = build_widget("picker", {}, "clip-presets", legend=clip_words.PRESETS)
                build_html(html.quiet(clip_words.WHICH_FACE))
            with gr.Column(scale=2, min_width=300):
                build_html(html.heading(clip_words.WHICH_EDIT))
                self.dials = build_widget("dials", {}, "clip-dials")
                self.start_button = gr.Button(clip_words.START, variant="primary", elem_id="clips-start")
                self.cost = build_html(elem_id="clips-cost")
        self.notice = build_html(elem_id="clips-notice", elem_classes="notices")
        answers = [answer_cards(self.studio), answer_pictures(self.studio)]
        self.list = build_widget("clips", {}, "clip-list", server_functions=answers)
        self.pack_button = gr.Button(clip_words.DOWNLOAD, visible=False, elem_id="pack-clips")
        self.archive = gr.DownloadButton(clip_words.GET_ARCHIVE, visible="hidden", elem_id="get-clips")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, shell = self.shell.run_id, self.shell
        form, shown = [self.dials, self.presets], [self.list, self.notice, self.pack_button, self.cost]
        newest: dict[str, Any] = {"trigger_mode": "always_last", **LIGHT}
        shell.on_open(self.tab, "clips-start", self.fill, [*form, *shown], arrival)
        brought = [self.files, *shown]
        self.files.upload(self.bring, [run_id, self.files], brought, preprocess=False, **LOOKS)
        for kept in (
            self.dials.moved(self.move, [run_id, self.dials], None, **newest),
            self.presets.pick(self.pick, run_id, self.presets, **newest),
        ):
            kept.success(self.weigh, run_id, self.cost, trigger_mode="always_last", **PREVIEWS)
        started = [*shown, shell.job]
        self.start_button.click(self.start, [run_id, self.dials], started, **PREVIEWS)
        self.list.stop(self.stop, run_id, shown, **LIGHT)
        self.list.stop_all(self.stop_all, run_id, shown, **LIGHT)
        self.list.remove(self.remove, run_id, shown, **PREVIEWS)
        self.list.settled(self.settle, run_id, [self.pack_button, self.notice, self.cost], **PREVIEWS)
        self.pack_button.click(self.pack, run_id, self.archive, **LOOKS).success(None, None, None, js=FETCH, **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def show(self, run_id: str) -> Update:
        """The form as it was left, and the clips."""
        choices = self.studio.lists.load(run_id).choices
        dials = {"factors": dict(choices["edits"]), "offer": offer_directions(self.studio, run_id, pictures=True)}
        return {self.dials: dials, self.presets: self._presets(choices["preset"]), **self._shown(run_id)}

    @shows_errors
    def fill(self, run_id: str, shown: str = "yes") -> Update:
        """The tab, once there is a run and it is on the screen."""
        return self.show(run_id) if run_id and shown == "yes" else {self.notice: gr.skip()}

    @shows_errors
    def bring(self, run_id: str, sent: Any) -> Update:
        """Clips were uploaded: each is looked at, and has a card from now on."""
        try:
            bring_clips(self.studio, run_id, read_uploads_by_name(sent))
        except ConsentError as error:  # said beside the line
            return {self.files: None, self.notice: html.notice([str(error)], "failed")}
        return {self.files: None, **self._shown(run_id)}

    @shows_errors
    def move(self, run_id: str, sent: Any) -> None:
        """A slider was moved: keep the choice."""
        choose(self.studio, run_id, edits=read_factors(sent))

    @shows_errors
    def pick(self, run_id: str, event: gr.EventData) -> Update:
        """Another preset."""
        if event.id in words.PRESET_WORDS:
            choose(self.studio, run_id, preset=event.id)
        return {self.presets: self._presets(self.studio.lists.load(run_id).choices["preset"])}

    @shows_errors
    def weigh(self, run_id: str) -> Update:
        """Say what the next start takes."""
        return {self.cost: self._cost(run_id)}

    @shows_errors
    def start(self, run_id: str, sent: Any) -> Update:
        """Edit all clips that have not got this edit yet."""
        choices: dict[str, Any] = {}
        if isinstance(sent, dict) and "factors" in sent:  # the message of the last move may still be on its way
            choices["edits"] = read_factors(sent)
        count = start_clips(self.studio, run_id, **choices)
        told = clip_words.begun(count) if count else clip_words.ALL_DONE
        asked = {"run": run_id, "turn": time.monotonic()}  # it may have nothing to ask, and sleep
        return {**self._shown(run_id), self.notice: html.notice([told], "info"), self.shell.job: asked}

    @shows_errors
    def stop(self, run_id: str, event: gr.EventData) -> Update:
        """Stop one clip."""
        stop_clip(self.studio, run_id, event.id)
        return self._shown(run_id)

    @shows_errors
    def stop_all(self, run_id: str) -> Update:
        """Stop all clips."""
        stop_all(self.studio, run_id)
        return self._shown(run_id)

    @shows_errors
    def remove(self, run_id: str, event: gr.EventData) -> Update:
        """Take a clip away."""
        remove_clip(self.studio, run_id, event.id)
        return self._shown(run_id)

    @shows_errors
    def settle(self, run_id: str) -> Update:
        """Another clip was finished."""
        said = gr.skip() if is_working(self.studio, run_id) else ""
        return {self.pack_button: self._pack_button(run_id), self.notice: said, self.cost: self._cost(run_id)}

    @shows_errors
    def pack(self, run_id: str) -> Update:
        """Put the finished videos into an archive, which the browser then fetches."""
        return {self.archive: str(pack_videos(self.studio, run_id))}

    # --- What is shown --------------------------------------------------------------------------------------------

    def _presets(self, chosen: str) -> dict[str, Any]:
        items = [
            {"id": name, "title": title, "text": words.preset_text(name, None)}
            for name, (title, _) in words.PRESET_WORDS.items()
        ]
        return {"items": items, "chosen": chosen}

    def _shown(self, run_id: str) -> Update:
        return {
            self.list: {"run": run_id, "turn": time.monotonic()},
            self.notice: "",
            self.pack_button: self._pack_button(run_id),
            self.cost: self._cost(run_id),
        }

    def _cost(self, run_id: str) -> str:
        return html.quiet(clip_words.cost(cost_of_list(self.studio, run_id), self.studio.limits))

    def _pack_button(self, run_id: str) -> gr.Button:
        return gr.Button(visible=any(card.output for card in cards(self.studio, run_id)))


def answer_cards(studio: Studio) -> Callable[[Any], dict[str, Any]]:
    """What the widget "clips" calls, outside gradio's queue: how the clips of a run's list are."""

    def clip_cards(asked: Any) -> dict[str, Any]:
        run_id = str(asked.get("run")) if isinstance(asked, Mapping) else ""
        if studio.runs.load(run_id) is None:  # it was deleted meanwhile
            return {"known": False}
        working = is_working(studio, run_id)  # before the cards: whoever learns of the end shall find all
        found = cards(studio, run_id)
        shown = [clip_words.card(card) for card in found]
        return {"title": clip_words.counted(found), "working": working, "clips": shown}

    return clip_cards


def answer_pictures(studio: Studio) -> Callable[[Any], dict[str, Any]]:
    """What the widget "clips" calls, outside gradio's queue: what a card shows of a clip's newest video."""

    def clip_pictures(asked: Any) -> dict[str, Any]:
        sent = asked if isinstance(asked, Mapping) else {}
        try:
            found = card_pictures(studio, str(sent.get("run")), sent.get("clip"), sent.get("output"))
        except (StitError, OSError):  # deleted meanwhile, or the disk is full
            found = None
        if found is None:
            return {"known": False}
        before, after = map(jpeg_url, found)
        return {"before": before, "after": after}

    return clip_pictures
