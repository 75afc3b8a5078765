"""What a tab hears of its run's job: signals, hidden text fields whose changes gradio reports whatever changed them.

They are texts, because they go through the browser; what one of them says is written and read here and nowhere else.
"""

from __future__ import annotations

from typing import Any, get_args

import gradio as gr

from page.studio.job import JobEnded, Kind, State, Status


def build_signal(name: str) -> gr.Textbox:
    """A field that nobody sees."""
    return gr.Textbox("", label=name, visible="hidden", elem_id=f"signal-{name}")


def news(status: Status | None, ready: bool) -> dict[str, Any]:
    """What the page compares to see whether anything happened: the texts of the signals.

    Returns
    -------
    ended: how the last job ended, for `read_end`; fit: which picture of the tuning is the newest; feed: id of the
    player's feed while frames come; timed: whether the machine has been timed; asks: grows when the job asks for an
    event of its visitor, which the report of the news is. "" for nothing yet.
    """
    texts = {"ended": "", "fit": "", "feed": "", "timed": "yes" if ready else "", "asks": ""}
    if status is None:
        return texts
    texts["asks"] = str(status.asks or "")
    if status.kind == "tune":
        texts["fit"] = f"{status.pictures} {len(status.history)}"
    if status.finished:
        texts["ended"] = f"{status.kind} {status.state} {status.version}"
    else:
        texts["feed"] = status.feed_id or ""  # a finished one is shown with its video
    return texts


def read_end(run_id: str, text: str) -> JobEnded | None:
    """The event that the signal `ended` carries; None for an empty signal and for a text that is none of ours."""
    kind, state, version, *more = [*text.split(" "), "", ""]
    if any(more) or kind not in get_args(Kind) or state not in get_args(State) or not version.isdecimal():
        return None
    return JobEnded(run_id, Status(kind, state, version=int(version)))  # type: ignore[arg-type]
