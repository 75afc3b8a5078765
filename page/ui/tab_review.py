"""The tab "Review": what edits do to different groups of people, as a job that fills a sheet and ends in a report."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from page.studio.errors import for_visitors
from page.studio.review_requests import (
    LONGEST_QUESTION,
    USUAL_COUNT,
    USUAL_FACTORS,
    ReviewRequest,
    bring_people,
    find_people,
    keep_request,
    load_request,
    want_edit,
)
from page.studio.reviews import (
    FEWER,
    ROWS_AT_ONCE,
    cost_of,
    is_reviewing,
    last_review,
    read_rows,
    report_text,
    start_review,
)
from page.studio.studio import ConsentError, Studio
from page.ui import html, words
from page.ui.components import build_html, build_widget, read_chosen, read_number, read_pairs, read_uploads_by_name
from page.ui.shell import PREVIEWS, REVIEW_TAB, Shell, Update, shows_errors
from page.ui.signals import read_end
from page.ui.step_watch import WatchStep
from page.ui.words import labels
from page.ui.words import review as review_words
from stit_core.config import LARGEST_FACTOR
from stit_core.directions.labelled_pictures import SUFFIXES
from stit_core.errors import StitError
from stit_core.review.people import CLIPS, People
from stit_core.review.plan import choose_columns

PACK, YOURS = "pack", "yours"  # whose people are looked at
STEPS = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)  # factors that are offered
FILES = [".zip", ".csv", *sorted(SUFFIXES | CLIPS)]


class ReviewTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, shell: Shell, tab: gr.Tab, watch: WatchStep) -> None:
        self.shell, self.studio, self.tab, self.watch = shell, shell.studio, tab, watch
        build_html(html.heading(labels.REVIEW_TAB, review_words.ABOUT))
        if self.studio.networks.lent:
            build_html(html.quiet(review_words.ON_CARD))
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=1, min_width=320):
                self._build_people()
            with gr.Column(scale=1, min_width=320):
                self._build_edits()
        self.notice = build_html(elem_id="review-notice", elem_classes="notices")
        self.result = build_html(elem_id="reviewed")
        with gr.Row(elem_id="review-files"):
            self.page_file = gr.DownloadButton(
                review_words.DOWNLOAD_REPORT, variant="primary", visible=False, elem_id="get-html"
            )
            self.csv_file = gr.DownloadButton(review_words.DOWNLOAD_FIGURES, visible=False, elem_id="get-csv")
            self.json_file = gr.DownloadButton(review_words.DOWNLOAD_ALL, visible=False, elem_id="get-json")
        self.report = build_widget("report", {}, "report", server_functions=[answer_report(self.studio)])
        self.sheet = build_widget("sheet", {}, "sheet", server_functions=[answer_sheet(self.studio)])

    def _build_people(self) -> None:
        build_html(html.heading(review_words.WHOM))
        choices = [(review_words.PACK_PEOPLE, PACK), (review_words.OWN_PEOPLE, YOURS)]
        self.whose = gr.Radio(choices, value=PACK, show_label=False, container=False, elem_id="review-whose")
        with gr.Column(visible=False, elem_id="review-upload") as self.upload:
            gr.Markdown(review_words.UPLOAD)
            self.shell.build_consent("review")
            self.files = gr.File(
                label=review_words.YOUR_PEOPLE, file_count="multiple", file_types=FILES, height=140, elem_id="people"
            )
            self.labels_from = gr.Radio(
                [(text, name) for name, text in review_words.ANSWERS.items()],
                label=review_words.LABELS_FROM,
                info=review_words.LABELS_FROM_WHY,
                elem_id="labels-from",
            )
        self.people = build_html(elem_id="review-people")
        self.count = gr.Slider(
            1, 2 * USUAL_COUNT, USUAL_COUNT, step=1,
            label=review_words.PEOPLE, info=review_words.PEOPLE_WHY, elem_id="review-count",
        )  # fmt: skip
        self.columns = gr.CheckboxGroup([], label=review_words.COLUMNS, elem_id="review-columns")

    def _build_edits(self) -> None:
        build_html(html.heading(review_words.WHICH_EDITS, review_words.EDITS))
        self.factors = build_widget("factors", {}, "review-edits")
        self.tuning = gr.Checkbox(
            True, label=review_words.TUNING, info=review_words.TUNING_WHY, elem_id="review-tuning"
        )
        self.question = gr.Textbox(label=review_words.QUESTION, max_length=LONGEST_QUESTION, elem_id="review-question")
        self.cost = build_html(elem_id="review-cost")
        self.start_button = gr.Button(review_words.START, variant="primary", elem_id="review-start")

    def wire(self, arrival: Any) -> None:
        """Connect the widgets."""
        run_id, shell = self.shell.run_id, self.shell
        choices = [self.labels_from, self.count, self.columns, self.factors, self.tuning, self.question]
        whom = [self.whose, self.upload, self.people, self.labels_from, self.count, self.columns]
        form = [*whom, self.factors, self.tuning, self.question, self.cost]
        files = [self.page_file, self.csv_file, self.json_file]
        shown = [self.result, *files, self.report, self.sheet, self.notice]
        raw: dict[str, Any] = {"preprocess": False}  # what gradio checks is forgotten with the server
        shell.on_open(self.tab, "review-start", self.fill, [*form, *shown], arrival)
        self.whose.input(self.pick_people, [run_id, self.whose, *choices], form, **raw, **PREVIEWS)
        for event in (self.files.upload, self.files.delete, self.files.clear):
            event(self.bring, [run_id, self.files], [*form, self.files], trigger_mode="always_last", **raw, **PREVIEWS)
        for event in (
            self.labels_from.input,
            self.count.release,
            self.columns.input,
            self.factors.moved,
            self.tuning.input,
            self.question.blur,
        ):
            event(self.choose, [run_id, *choices], self.cost, trigger_mode="always_last", **raw, **PREVIEWS)
        started = [self.notice, self.sheet, self.result, *files, self.report, *shell.job_outputs]
        self.start_button.click(self.start, [run_id, *choices], started, **raw, **PREVIEWS)
        shell.ended.change(self.after, [run_id, shell.ended], shown, **PREVIEWS)
        shell.directions.change(self.show, run_id, [*form, *shown], **PREVIEWS)
        take = [run_id, self.watch.outputs]
        self.watch.review.click(self.take_edit, take, [shell.tabs, *form], **PREVIEWS)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def show(self, run_id: str) -> Update:
        """The form as it was left, and the review that was started last."""
        return {**self._form(run_id, load_request(self.studio, run_id)), **self._shown(run_id)}

    @shows_errors
    def fill(self, run_id: str, shown: str = "yes") -> Update:
        """The form as it was left, once there is a run and the tab is on the screen."""
        return self.show(run_id) if run_id and shown == "yes" else {self.notice: gr.skip()}

    @shows_errors
    def pick_people(self, run_id: str, whose: Any, *choices: Any) -> Update:
        """The pack's own people, or the visitor's."""
        request = dataclasses.replace(self._read(run_id, *choices), own=whose != YOURS, columns=None)
        found = self._find(run_id, request)
        if request.own or found is None:
            request = dataclasses.replace(request, count=USUAL_COUNT)
        else:
            request = dataclasses.replace(request, count=len(found.persons))
        keep_request(self.studio, run_id, request)
        return self._form(run_id, request)

    @shows_errors
    def bring(self, run_id: str, sent: Any) -> Update:
        """Pictures, clips, a zip or a table were uploaded, or one of them was taken away again."""
        try:
            return self._form(run_id, bring_people(self.studio, run_id, read_uploads_by_name(sent)))
        except ConsentError as error:  # what was refused is not there any more
            return {self.files: None, self.people: html.notice([str(error)], "failed")}

    @shows_errors
    def choose(self, run_id: str, *choices: Any) -> Update:
        """A choice: keep it, and say what the review would take."""
        request = self._read(run_id, *choices)
        keep_request(self.studio, run_id, request)
        return {self.cost: self._cost(run_id, request, self._find(run_id, request))}

    @shows_errors
    def start(self, run_id: str, *choices: Any) -> Update:
        """Begin the review, or go on with what is kept of it."""
        status = start_review(self.studio, run_id, self._read(run_id, *choices))
        return {**self._shown(run_id), **self.shell.watch(run_id, status)}

    @shows_errors
    def after(self, run_id: str, ended: str) -> Update:
        """A job came to its end: show the report, if it was a review."""
        event = read_end(run_id, ended)
        if event is None or event.kind != "review":
            return {self.notice: gr.skip()}
        return self._shown(run_id)

    @shows_errors
    def take_edit(self, run_id: str, outputs: Any) -> Update:
        """Ask for a review of the edit that the step "Watch" shows."""
        state, chosen = self.studio.runs.get(run_id), read_chosen(outputs)
        if not state.outputs:
            raise StitError(*review_words.NO_VIDEO)
        output = next((made for made in state.outputs if made.id == chosen), state.outputs[0])
        request = want_edit(self.studio, run_id, output.edits)
        return {self.shell.tabs: gr.Tabs(selected=REVIEW_TAB), **self._form(run_id, request)}

    # --- What is shown --------------------------------------------------------------------------------------------

    def _read(
        self, run_id: str, labels_from: Any, count: Any, columns: Any, edits: Any, tuning: Any, question: Any
    ) -> ReviewRequest:
        """What the form says, as the browser sent it, beside what it does not send."""
        number = read_number(count)
        return dataclasses.replace(
            load_request(self.studio, run_id),
            labels_from=labels_from if isinstance(labels_from, str) and labels_from in review_words.ANSWERS else "",
            count=USUAL_COUNT if number is None else int(number),
            columns=tuple(column for column in columns if isinstance(column, str))
            if isinstance(columns, list)
            else None,
            edits=read_pairs(edits),
            tuning=bool(tuning),
            question=question[:LONGEST_QUESTION] if isinstance(question, str) else "",
        )

    def _find(self, run_id: str, request: ReviewRequest) -> People | None:
        """Whom the request could look at; None where that is nobody yet."""
        try:
            return find_people(self.studio, run_id, request)
        except StitError:
            return None

    def _form(self, run_id: str, request: ReviewRequest) -> Update:
        found = self._find(run_id, request)
        columns = [] if found is None else [column for column in found.columns if column in choose_columns(found)]
        titled = [(review_words.column_title(name), name) for name in columns]
        compared = columns if request.columns is None else [name for name in request.columns if name in columns]
        most = max(2, len(found.persons)) if found is not None else 2
        return {
            self.whose: PACK if request.own else YOURS,
            self.upload: gr.Column(visible=not request.own),
            self.people: self._people(request, found),
            self.labels_from: request.labels_from or None,
            self.count: gr.Slider(maximum=most, value=min(request.count, most), visible=found is not None),
            self.columns: gr.CheckboxGroup(titled, value=compared, visible=bool(columns)),
            self.factors: self._offer(run_id, request),
            self.tuning: request.tuning,
            self.question: request.question,
            self.cost: self._cost(run_id, request, found),
        }

    def _people(self, request: ReviewRequest, found: People | None) -> str:
        if request.own:
            return html.quiet(review_words.OWN)
        if found is None:
            return ""
        return html.quiet(review_words.uploaded_people(found)) + html.notice(review_words.left_out(found), "info")

    def _offer(self, run_id: str, request: ReviewRequest) -> dict[str, Any]:
        """What the widget "factors" shows."""
        cards = self.studio.directions.cards(run_id=run_id)
        offer = [{"name": card.name, "title": words.card_title(card), "text": words.card_text(card)} for card in cards]
        chosen = [[name, list(factors)] for name, factors in request.edits]
        return {"offer": offer, "steps": STEPS, "start": USUAL_FACTORS, "most": LARGEST_FACTOR, "chosen": chosen}

    def _cost(self, run_id: str, request: ReviewRequest, found: People | None) -> str:
        """How long the review would take, or why it cannot be."""
        if found is None:
            return ""
        try:
            people = found.chosen(request.count)
            seconds = cost_of(self.studio, run_id, request, people)
        except StitError as error:
            text = words.without_folders(str(for_visitors(error)))
            return html.notice([text if request.edits else review_words.NO_EDIT])
        text = review_words.cost(len(people.persons), [len(factors) for _, factors in request.edits], seconds)
        try:
            self.studio.planner.check(seconds, FEWER)
        except StitError as error:
            return html.quiet(text) + html.notice([str(error)])
        return html.quiet(text)

    def _shown(self, run_id: str) -> Update:
        """The review that was started last: its sheet, and its report where there is one."""
        record = last_review(self.studio, run_id)
        files: tuple[Path | None, ...] = record.files if record is not None else ()
        page, csv, json = files or (None, None, None)
        told = ""
        if record is not None and files:
            told = html.reviewed(review_words.result(record), review_words.findings(record), review_words.REPLACED)
        return {
            self.result: told,
            self.page_file: _download(page),
            self.csv_file: _download(csv),
            self.json_file: _download(json),
            self.report: {"run": run_id, "report": record.id if record is not None and files else ""},
            self.sheet: {"run": run_id, "turn": time.monotonic()},
            self.notice: "",
        }


def _download(path: Path | None) -> gr.DownloadButton:
    return gr.DownloadButton(value=None if path is None else str(path), visible=path is not None)


def answer_sheet(studio: Studio) -> Callable[[Any], dict[str, Any]]:
    """What the widget "sheet" calls, outside gradio's queue: who has been looked at since it asked last."""

    def sheet_rows(asked: Any) -> dict[str, Any]:
        sent = asked if isinstance(asked, Mapping) else {}
        run_id = str(sent.get("run"))
        working = is_reviewing(studio.status(run_id))  # before the rows: whoever learns of the end shall find all
        record = last_review(studio, run_id)
        if record is None:
            return {"known": False}
        here = read_number(sent.get("first"))
        first = int(here) if here is not None and here >= 0 and sent.get("review") == record.id else 0
        rows = read_rows(studio, run_id, record.id, first)
        return {
            "known": True,
            "review": record.id,
            "title": record.title,
            "people": record.people,
            "edits": record.edits,
            "source": review_words.SOURCE,
            "filters": record.filters,
            "first": first,
            "rows": rows,
            "working": working,
            "more": len(rows) == ROWS_AT_ONCE,
        }

    return sheet_rows


def answer_report(studio: Studio) -> Callable[[Any], dict[str, Any]]:
    """What the widget "report" calls, outside gradio's queue: the whole report of a run's last review."""

    def report_page(asked: Any) -> dict[str, Any]:
        run_id = asked.get("run") if isinstance(asked, Mapping) else None
        try:
            text = report_text(studio, str(run_id))
        except StitError:  # deleted meanwhile
            text = ""
        return {"known": True, "text": text} if text else {"known": False}

    return report_page
