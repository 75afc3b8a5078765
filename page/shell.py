"""What all steps share: the visitor's run, the line that tells how its job goes, Stop, and the way between the steps.

Work goes on in the studio, whether a tab is open or not. The page asks how it goes twice a second and hands on what is
new as signals that the steps listen to: `ended` (a job came to its end), `fit` (a new picture of the tuning), `feed`
(frames for the player), `timed` (the machine has been timed). Signals are hidden text fields, for gradio tells of a
changed gr.State only after an event of its queue.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, ParamSpec

import gradio as gr

from page import words
from page.jobs import Status
from page.parts import build_html, build_part
from page.runs import RunState
from page.studio import Studio
from stit_core.errors import Cancelled, StitError

LOG = logging.getLogger(__name__)
REFRESH_SECONDS = 0.5
CLIP, ALIGN, TUNE, EDIT, WATCH = 1, 2, 3, 4, 5  # steps
AT_WORK = {"align": CLIP, "tune": TUNE, "edit": WATCH}  # the step that shows a job
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
LIGHT = PRIVATE | {"concurrency_limit": None}  # through gradio's queue, where alone errors reach the page as messages
JUST_BEGUN: dict[str, Any] = {"version": None}  # seen: nothing of the new job, which may end before the page asks
SURE = "Delete your clip, everything that was made from it and your own directions from this server?"

Update = dict[Any, Any]
P = ParamSpec("P")


def told(handler: Callable[P, Any]) -> Callable[P, Any]:
    """Make a handler end in words whatever happens; what a newer call has overtaken changes nothing."""

    @functools.wraps(handler)
    def safe(*values: P.args, **named: P.kwargs) -> Any:
        try:
            return handler(*values, **named)
        except Cancelled:
            return gr.skip()
        except StitError as error:
            raise gr.Error(words.error_text(error), duration=None, print_exception=False) from None
        except Exception:  # the last boundary before the browser: logged here, told in plain words there
            LOG.exception("%s failed", handler.__qualname__)
            message = "Something went wrong on the server. Nothing finished is lost: do the same once more."
            raise gr.Error(message, duration=None, print_exception=False) from None

    return safe


class Shell:
    """The widgets around the steps, and what every step needs of them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.run_id, self.seen = gr.State(""), gr.State({})
        self.ended, self.fit, self.feed, self.timed = (_signal(name) for name in ("ended", "fit", "feed", "timed"))
        self.timer = gr.Timer(REFRESH_SECONDS)
        self.sure = gr.Textbox(visible=False)
        with gr.Row(elem_id="job"):
            self.status = build_html(elem_id="status")
            self.stop_button = gr.Button("Stop", visible=False, scale=0, elem_id="stop")
        self.steps = gr.Walkthrough(selected=CLIP, elem_id="steps")

    def build_visit(self) -> None:
        """The run's address and the button that deletes the visitor's data."""
        with gr.Row(elem_id="visit"):
            self.address = build_part("address", "", "address")
            self.delete_button = gr.Button("Delete my data now", size="sm", scale=0, elem_id="delete")

    def wire(self, page: gr.Blocks) -> Any:
        """Connect what belongs to no step; returns the arrival, after which the steps restore themselves."""
        outputs = [self.seen, self.status, self.stop_button, self.timer, self.ended, self.fit, self.feed, self.timed]
        self.timer.tick(self.poll, [self.run_id, self.seen], outputs, queue=False, **PRIVATE)
        self.stop_button.click(self.stop, self.run_id, [self.status, self.stop_button], **LIGHT)
        asked = f"(run, sure) => [run, window.confirm({SURE!r}) ? 'yes' : '']"
        self.delete_button.click(self.delete, [self.run_id, self.sure], [self.run_id, self.address], js=asked, **LIGHT)
        return page.load(self.arrive, None, [self.run_id, self.address, self.steps, self.timer], **LIGHT)

    # --- Handlers -------------------------------------------------------------------------------------------------

    @told
    def arrive(self, request: gr.Request) -> Update:
        """Begin a run, or bring back the one that the address names."""
        state = self.studio.arrive(request.query_params.get("run"))
        return {
            self.run_id: state.id,
            self.address: state.id,
            self.steps: gr.Walkthrough(selected=first_step(state)),
            self.timer: gr.Timer(active=True),
        }

    def poll(self, run_id: str, seen: dict[str, Any]) -> Update:
        """What is new since the page asked last."""
        if not run_id:
            return {self.seen: seen}
        try:
            status, ready = self.studio.status(run_id), self.studio.ready
        except StitError:  # the run was deleted meanwhile
            return {self.timer: gr.Timer(active=False)}
        now = news(status, ready)
        if now == seen:
            return {self.seen: gr.skip()}
        fresh: Update = {self.seen: now, self.status: words.job(status, ready)}
        at_work = status is not None and not status.finished
        fresh[self.stop_button] = gr.Button(visible=at_work, interactive=at_work)
        fresh[self.timer] = gr.Timer(active=at_work or not ready)
        for name in ("fit", "feed", "timed"):
            if now[name] != seen.get(name):
                fresh[getattr(self, name)] = now[name]
        if now["ended"] != seen.get("ended") and seen:  # the first answer tells of what was before the page was opened
            fresh[self.ended] = now["ended"]
        return fresh

    @told
    def stop(self, run_id: str) -> Update:
        """Stop the visitor's own job."""
        if not self.studio.stop(run_id):
            gr.Info("Nothing is at work.", duration=3)
            return {self.stop_button: gr.Button(visible=False)}
        return {self.stop_button: gr.Button(interactive=False)}

    @told
    def delete(self, run_id: str, sure: str) -> Update:
        """Delete the run with all its files; the page then begins anew."""
        if sure != "yes":
            return {self.run_id: run_id}
        self.studio.delete(run_id)
        return {self.run_id: "", self.address: ""}

    def begin(self, run_id: str, kind: Any) -> Update:
        """Start a job of the run; the outputs are those of `job_outputs`."""
        return self.watch(self.studio.start(run_id, kind))

    def watch(self, status: Status) -> Update:
        """Tell of a job that was just started, and ask how it goes from now on."""
        return {
            self.status: words.job(status),
            self.stop_button: gr.Button(visible=True, interactive=True),
            self.timer: gr.Timer(active=True),
            self.seen: JUST_BEGUN,
            self.ended: "",
        }

    @property
    def job_outputs(self) -> list[Any]:
        """What `begin` changes."""
        return [self.status, self.stop_button, self.timer, self.seen, self.ended]

    def go(self, step: int) -> Update:
        """Show a step."""
        return {self.steps: gr.Walkthrough(selected=step)}


def _signal(name: str) -> gr.Textbox:
    return gr.Textbox("", label=name, visible="hidden", elem_id=f"signal-{name}")


def news(status: Status | None, ready: bool) -> dict[str, Any]:
    """What the page compares to see whether anything happened."""
    if status is None:
        return {"version": -1, "ended": "", "fit": "", "feed": "", "timed": "yes" if ready else ""}
    return {
        "version": status.version,
        "ended": f"{status.kind} {status.state} {status.version}" if status.finished else "",
        "fit": f"{status.pictures} {len(status.history)}" if status.kind == "tune" else "",
        "feed": status.feed_id or "",
        "timed": "yes" if ready else "",
    }


def first_step(state: RunState) -> int:
    """The step that a visitor who comes back wants to see."""
    if state.last is not None and not state.last.finished:
        return AT_WORK.get(state.last.kind, CLIP)
    if state.outputs:
        return WATCH
    return EDIT if state.tuned else ALIGN if state.aligned else CLIP
