"""The player: a gr.HTML component of our own, and the two functions that its script calls.

The component's value is the id of a feed ("" for nothing yet) or {id, names}, with the names of what is on the left and
on the right, null for the usual one. To lay one result beside another, the id is those of two feeds with a space
between, the right one first. Everything that changes often is asked for by the player itself, through functions of the
component that Gradio calls outside its queue, so that frames never wait behind the running job and no prop grows:

    player_state({id, epoch, since})
        {known: false} for an id that nobody knows, else what is new since the player asked last:
        {known, id, epoch, start, since, more, phase, frame_rate, total, width, height, frames, seam, identity,
         scales, batch, finished}
        frames, seam, identity: equally long lists of news; a frame that comes again was made anew
        start, since: positions in the log of news; start 0 means that the player forgets what it knew
        more: ask again at once; phase: working, stopped or finished
        scales: {seam, identity}, each {good, fair, best, words}: the limits and the words that the page has for them
        batch: how many frames one call of player_frames gives at most
        finished: null or {edited, source, start, sound}, the first two with the url that Gradio serves them under
        of two feeds: what the one on the right has, with the other's video as its source
    player_frames({id, frames})
        {known, pictures: [[frame, before, after], ...]}, JPEG in base64, null for what is not there; as many of the
        frames as fit into one reply, in the order in which they were asked for

What comes from the browser is checked; without the id, which nobody can guess, there is nothing to be had.

What Gradio 6.31 does with such a component, and what follows from it:

- The template is filled again whenever a prop changes, and the page is touched only if the text differs. Ours has no
  placeholder, so the elements, and with them the divider and the play state, outlive every update.
- Template (with the texts of page/ui/words in it) and style are read as Handlebars and then as a JavaScript template
  literal: no backtick, backslash, `${` or `{{` may stand in them. The style is nested into a rule for the component,
  where @keyframes have no place.
- The script is the body of a function (element, trigger, props, server, upload, watch): it has no modules, so the files
  are joined in one order.
- A call of `server` that fails gives undefined, with a warning in the console, and never throws.
- An event with this component among its outputs dims it while it runs unless its show_progress is "hidden".
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from page.studio.feed import MAX_FRAMES, Feed, Feeds, Finished
from page.ui import html, words
from page.ui.components import join_scripts
from page.ui.words import labels
from page.ui.words.widgets import PLAYER

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "player"
# In the order in which they are joined; the last one starts the player.
SCRIPTS = (
    "feed.js",
    "pictures.js",
    "stage.js",
    "videos.js",
    "timeline.js",
    "controls.js",
    "player.js",
)
SCALES = {
    "seam": {
        "good": words.GOOD_BORDER,
        "fair": words.FAIR_BORDER,
        "best": words.BEST_BORDER,
        "words": words.SEAM_GRADES,
    },
    "identity": {
        "good": words.GOOD_IDENTITY,
        "fair": words.FAIR_IDENTITY,
        "best": words.BEST_IDENTITY,
        "words": words.IDENTITY_GRADES,
    },
}
UNKNOWN: dict[str, Any] = {"known": False}


def build_player(feeds: Feeds, value: str = "", elem_id: str = "player") -> gr.HTML:
    """The player of the feeds; an event shows one by giving its id as the component's new value."""
    return gr.HTML(
        value,
        label=labels.PLAYER,
        html_template=html.fill(ASSETS / "player.html", PLAYER),
        css_template=(ASSETS / "player.css").read_text(),
        js_on_load=join_scripts(PLAYER, *(ASSETS / name for name in SCRIPTS)),
        apply_default_css=False,
        elem_id=elem_id,
        server_functions=list(answer(feeds)),
    )


def answer(feeds: Feeds) -> tuple[Callable[[Any], dict[str, Any]], Callable[[Any], dict[str, Any]]]:
    """The functions that the player's script calls, for these feeds."""

    def player_state(asked: Any) -> dict[str, Any]:
        feed, other = _find(feeds, asked)
        if feed is None:
            return UNKNOWN
        since = asked.get("since")
        state = feed.state(str(asked.get("epoch")), since if _is_count(since) else 0)
        finished = feed.finished
        if finished is not None and other is not None and other.finished is not None:
            finished = dataclasses.replace(finished, source=other.finished.edited, start=0.0)
        return state | {"scales": SCALES, "batch": MAX_FRAMES, "finished": finished and _links(finished)}

    def player_frames(asked: Any) -> dict[str, Any]:
        feed, other = _find(feeds, asked)
        frames = asked.get("frames") if feed is not None else None
        if feed is None or not isinstance(frames, list):
            return UNKNOWN
        known = [frame for frame in frames[:MAX_FRAMES] if _is_count(frame) and frame < feed.facts.total]
        pictures = feed.pictures(known, other)
        encoded = [(frame, _text(before), _text(after)) for frame, before, after in pictures]
        return {"known": True, "pictures": encoded}

    return player_state, player_frames


def named(feed_id: str, name: str) -> dict[str, Any]:
    """The component's value that shows the result of a feed under its name, beside its source."""
    return {"id": feed_id, "names": [None, name]}


def beside(right: str, left: str, names: tuple[str, str]) -> dict[str, Any]:
    """The component's value that shows the result of one feed on the right of another's; `names`: left, right."""
    return {"id": f"{right} {left}", "names": list(names)}


def _find(feeds: Feeds, asked: Any) -> tuple[Feed | None, Feed | None]:
    """The feed that is asked for, and that which stands in its source's place; nothing where they do not match."""
    feed_id = asked.get("id") if isinstance(asked, dict) else None
    if not isinstance(feed_id, str):
        return None, None
    first, *more = (feeds.get(name) for name in feed_id.split(" ", 1))
    if first is None or any(other is None or other.facts != first.facts for other in more):
        return None, None
    return first, more[0] if more else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(picture: bytes | None) -> str | None:
    return None if picture is None else base64.b64encode(picture).decode("ascii")


def _links(finished: Finished) -> dict[str, Any]:
    return {
        "edited": _file(finished.edited),
        "source": finished.source and _file(finished.source),
        "start": finished.start,
        "sound": finished.sound,
    }


def _file(path: Path) -> dict[str, Any]:
    """A file as Gradio names it in its replies; its client signs the url where the page is private."""
    return {
        "path": str(path),
        "url": f"gradio_api/file={quote(str(path))}",
        "meta": {"_type": "gradio.FileData"},
    }
