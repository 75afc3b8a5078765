"""What all steps share: the visitor's run, the line that says how its job goes, Stop, and the way between the steps.

Jobs run in the studio, whether a tab is open or not. The widget "job" asks how it goes every second and reports when
there is news, which is handed on as signals that the steps listen to: `ended` (a job came to its end), `fit` (a new
picture of the tuning), `feed` (frames for the player), `timed` (the machine has been timed); the tab "Directions" gives
`directions` (one of the visitor's own was deleted). Signals are hidden text
fields, whose changes gradio reports whatever changed them.
"""

from __future__ import annotations

import functools
import json
import logging
import time
from collections.abc import Callable
from typing import Any, ParamSpec

import gradio as gr

from page.studio import batches
from page.studio.job import Status
from page.studio.runs import RunState
from page.studio.studio import Choose, Studio
from page.ui import words
from page.ui.components import build_widget
from page.ui.signals import build_signal, news
from page.ui.words import labels
from stit_core.errors import Cancelled, StitError

LOG = logging.getLogger(__name__)
CLIP, ALIGN, TUNE, EDIT, WATCH = 1, 2, 3, 4, 5  # steps
STUDIO_TAB, REVIEW_TAB = "studio", "review"
AT_WORK = {"align": CLIP, "tune": TUNE, "edit": WATCH}  # the step that shows a job
# Through gradio's queue, where alone errors reach the page as messages.
LIGHT: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
# What takes a while is done for a few visitors at once: gradio has forty threads for all, and Stop needs one too.
PREVIEWS: dict[str, Any] = {**LIGHT, "concurrency_limit": 6, "concurrency_id": "previews"}
LOOKS: dict[str, Any] = {**LIGHT, "concurrency_limit": 4, "concurrency_id": "looks"}  # into clips, also the API's

Update = dict[Any, Any]
P = ParamSpec("P")


def shows_errors(handler: Callable[P, Any]) -> Callable[P, Any]:
    """Make a handler end in words whatever happens; what a newer call has overtaken changes nothing."""

    @functools.wraps(handler)
    def safe(*values: P.args, **named: P.kwargs) -> Any:
        try:
            return handler(*values, **named)
        except Cancelled:
            return gr.skip()
        except gr.Error:  # of a handler that this one calls
            raise
        except StitError as error:
            raise gr.Error(words.error_text(error), duration=None, print_exception=False) from None
        except Exception:  # the last boundary before the browser: logged here, in plain words there
            LOG.exception("%s failed", handler.__qualname__)
            raise gr.Error(labels.SERVER_FAILED, duration=None, print_exception=False) from None

    return safe


class Shell:
    """The widgets around the steps, and what every step needs of them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.run_id = build_signal("run")  # in the browser: what the server keeps of a tab is lost with its connection
        self.ended, self.fit, self.feed, self.timed = (build_signal(name) for name in ("ended", "fit", "feed", "timed"))
        self.directions = build_signal("directions")
        self.sure, self.shown = gr.Textbox(visible=False), gr.Textbox(visible=False)  # answers that scripts give
        self.consents: dict[str, gr.Checkbox] = {}  # by the place of the uploads that they stand above
        self.job = build_widget("job", {}, "status", server_functions=[answer_job(studio)])

    def build_tabs(self) -> gr.Tabs:
        """The page's tabs, for what they show to be put into."""
        self.tabs = gr.Tabs(elem_id="tabs")
        return self.tabs

    def build_steps(self) -> gr.Walkthrough:
        """The way between the steps, for the steps to be put into."""
        self.steps = gr.Walkthrough(selected=CLIP, elem_id="steps")
        return self.steps

    def build_consent(self, place: str) -> None:
        """The line that a stranger ticks before the first upload, above each place for uploads; all of them are one."""
        self.consents[place] = gr.Checkbox(
            False,
            label=labels.CONSENT,
            info=labels.CONSENT_ABOUT,
            visible=self.studio.settings.public,
            elem_classes="consent",
        )

    def build_visit(self) -> None:
        """The run's address and the button that deletes the visitor's data."""
        with gr.Row(elem_id="visit"):
            self.address = build_widget("address", "", "address")
            self.delete_button = gr.Button(labels.DELETE_DATA, size="sm", scale=0, elem_id="delete")

    def wire(self, page: gr.Blocks) -> Any:
        """Connect what belongs to no step; returns the arrival, after which the steps restore themselves."""
        signals = [self.ended, self.fit, self.feed, self.timed]
        self.job.news(self.hand_on, self.run_id, signals, trigger_mode="always_last", **LIGHT)
        self.job.stop(self.stop, self.run_id, None, **LIGHT)
        self.job.see(lambda: self.go(WATCH), None, [self.steps], **LIGHT)
        sure = json.dumps(labels.DELETE_DATA_SURE)
        asked = f"(run, sure) => [run, window.confirm({sure}) ? 'yes' : '']"
        self.delete_button.click(self.delete, [self.run_id, self.sure], [self.run_id, self.address], js=asked, **LIGHT)
        boxes = list(self.consents.values())
        for box in boxes:
            box.input(self.agree, [self.run_id, box], boxes, **LIGHT)
        arrived = [self.run_id, self.address, self.steps, self.job, *boxes]
        return page.load(self.arrive, None, arrived, **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @shows_errors
    def arrive(self, request: gr.Request) -> Update:
        """Begin a run, or bring back the one that the address names; say so where that one is gone."""
        asked = request.query_params.get("run")
        state = self.studio.arrive(asked)
        if asked and state.id != asked:
            gr.Warning(words.run_gone(self.studio.limits), duration=None)
        return {
            self.run_id: state.id,
            self.address: state.id,
            self.steps: gr.Walkthrough(selected=first_step(state)),
            self.job: {"run": state.id},
            **self._ticked(state),
        }

    @shows_errors
    def agree(self, run_id: str, ticked: bool) -> Update:
        """The visitor says that what is uploaded may be edited, or takes it back."""
        state = self.studio.agree(run_id, labels.CONSENT if ticked else "")
        return self._ticked(state)

    def _ticked(self, state: RunState) -> Update:
        given = state.consent is not None
        return dict.fromkeys(self.consents.values(), given)

    @shows_errors
    def hand_on(self, run_id: str, event: gr.EventData) -> Update:
        """Signal what is new; the end of a job that had ended before the tab was opened is not.

        This goes through gradio's queue, so that a ZeroGPU Space knows whose event it is: the job may act in its name,
        and so may those of a list of clips, the next of which are begun here.
        """
        self.studio.lend_event(run_id)
        batches.go_on(self.studio, run_id)
        now = news(last_status(self.studio, run_id), self.studio.networks.ready)
        old = now["ended"] == getattr(event, "before", None)
        return {
            self.fit: now["fit"],
            self.feed: now["feed"],
            self.timed: now["timed"],
            self.ended: gr.skip() if old else now["ended"],
        }

    @shows_errors
    def stop(self, run_id: str) -> None:
        """Stop the visitor's own job."""
        if not self.studio.stop(run_id):
            gr.Info(labels.NOTHING_AT_WORK, duration=3)

    @shows_errors
    def delete(self, run_id: str, sure: str) -> Update:
        """Delete the run with all its files; the page then begins anew."""
        if sure != "yes":
            return {self.run_id: run_id}
        self.studio.delete(run_id)
        return {self.run_id: "", self.address: ""}

    def on_open(self, tab: gr.Tab, mark: str, fill: Callable[..., Update], outputs: list[Any], arrival: Any) -> None:
        """Fill a tab whenever it is opened; `mark` is an element of it.

        Whoever is quicker than the arrival has no run yet, and sees the tab filled upon the arrival; to others an
        answer that late would undo what they have chosen by then.
        """
        shown = f"(run) => [run, document.querySelector('#{mark}')?.offsetParent ? 'yes' : '']"
        tab.select(fill, self.run_id, outputs, **PREVIEWS)
        arrival.success(fill, [self.run_id, self.shown], outputs, js=shown, **PREVIEWS)

    def begin(self, run_id: str, kind: Any, choose: Choose | None = None, **choices: Any) -> Update:
        """Start a job of the run with these choices, see `Studio.start`; the outputs are those of `job_outputs`."""
        return self.watch(run_id, self.studio.start(run_id, kind, choose, **choices))

    def watch(self, run_id: str, status: Status) -> Update:
        """Show a job that was just started, and ask how it goes from now on."""
        turn = time.monotonic()  # so that the widget takes it for another job than the one before
        return {
            self.job: {"run": run_id, "line": words.job(status), "working": True, "turn": turn},
            self.ended: "",
        }

    @property
    def job_outputs(self) -> list[Any]:
        """What `begin` changes."""
        return [self.job, self.ended]

    def go(self, step: int) -> Update:
        """Show a step."""
        return {self.steps: gr.Walkthrough(selected=step)}


def last_status(studio: Studio, run_id: object) -> Status | None:
    """How the run's job is; also of one that the server's end interrupted, which a tab that stayed open waits for."""
    status = studio.status(str(run_id))
    if status is not None:
        return status
    state = studio.runs.load(run_id)
    last = None if state is None else state.last
    return last if last is not None and last.state == "interrupted" else None


def first_step(state: RunState) -> int:
    """The step that a visitor who comes back wants to see."""
    if state.last is not None and not state.last.finished:
        return AT_WORK.get(state.last.kind, CLIP)
    if state.outputs:
        return WATCH
    return EDIT if state.tuned else ALIGN if state.aligned else CLIP


def answer_job(studio: Studio) -> Callable[[Any], dict[str, Any]]:
    """What the widget "job" calls, outside gradio's queue: how the job of a run goes."""

    def job_state(asked: Any) -> dict[str, Any]:
        run_id = asked.get("run") if isinstance(asked, dict) else None
        status, ready = last_status(studio, run_id), studio.networks.ready
        state = studio.runs.load(run_id)  # after the status: who learns of the end shall find what came of it
        if state is None:  # it was deleted meanwhile, or lay on a disk that did not last
            return {"known": False, "line": words.run_gone_here()}
        studio.look_at(state.id)
        working = status is not None and not status.finished
        turn = batches.turn(studio, state.id)
        return {
            "known": True,
            "line": words.job(status, ready),
            "working": working,
            "again": working or bool(turn) or not ready,
            "made": len(state.outputs),
            "news": {**news(status, ready), "clips": turn},
        }

    return job_state
