"""The page's own widgets: gr.HTML components whose elements and scripts lie in page/ui/widgets.

What gradio gets as the template of a widget has no placeholder, so that its elements, and with them focus and what was
typed, outlive every update; the script draws what the value says, as text and never as markup. The widget's own texts
are those of page/ui/words: they are put into the template once, here, and the script has them as `texts`. Only the
value of a widget is changed: other props are lost on a widget whose step is not on the screen. What comes back from the
browser is checked here. Gradio reads a template as Handlebars and as a JavaScript template literal: no backtick,
backslash, `${` or `{{` may stand in it once the texts do.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from page.ui import html
from page.ui.words.widgets import LANGUAGE, WIDGETS, Texts
from stit_core.config import LARGEST_FACTOR

WEB = Path(__file__).resolve().parent / "widgets"
QUALITY = 85  # JPEG
MOST_CHOSEN = 40  # directions at once


def build_widget(name: str, value: Any, elem_id: str, **props: Any) -> gr.HTML:
    """A widget of page/ui/widgets: `name`.html with `name`.js; `props`: see the script's first lines."""
    texts = WIDGETS.get(name, {})
    return gr.HTML(
        value,
        html_template=html.fill(WEB / f"{name}.html", texts),
        js_on_load=join_scripts(texts, WEB / f"{name}.js"),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="part",
        **props,
    )


def build_html(value: str = "", elem_id: str | None = None, script: str = "", **kwargs: Any) -> gr.HTML:
    """A place for HTML that the page writes itself, without gradio's style for running text.

    Parameters
    ----------
    script: name of one in page/ui/widgets, for what can be pressed in it.
    """
    return gr.HTML(
        value,
        elem_id=elem_id,
        apply_default_css=False,
        js_on_load=join_scripts({}, WEB / f"{script}.js") if script else None,
        **kwargs,
    )


def build_brand() -> gr.HTML:
    """The head of the page: its sign, its name and what it is for."""
    return build_html(html.fill(WEB / "brand.html", WIDGETS["brand"]), elem_id="brand")


def join_scripts(texts: Texts, *files: Path) -> str:
    """The script of a component: the files in this order, after the texts that they show and what fills those in."""
    data = "".join(
        f"const {name} = {json.dumps(value)};\n" for name, value in (("language", LANGUAGE), ("texts", texts))
    )
    return f'"use strict";\n{data}' + "\n".join(path.read_text() for path in (WEB / "fill.js", *files))


def data_url(picture: np.ndarray, quality: int = QUALITY) -> str:
    """A picture (H, W, 3) uint8 as the address of an image that needs no file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=quality)
    return jpeg_url(buffer.getvalue())


def jpeg_url(data: bytes) -> str:
    """A JPEG file as the address of an image that needs no file."""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"


def read_factors(value: Any) -> tuple[tuple[str, float], ...]:
    """What the dials sent, as (name, factor) pairs; whatever is no name with a finite number is left out."""
    factors = value.get("factors") if isinstance(value, Mapping) else None
    if not isinstance(factors, Mapping):
        return ()
    pairs = [
        (name, read_number(factor)) for name, factor in list(factors.items())[:MOST_CHOSEN] if isinstance(name, str)
    ]
    return tuple((name, factor) for name, factor in pairs if factor is not None and abs(factor) <= LARGEST_FACTOR)


def read_chosen(picker: Any) -> str:
    """What a widget "picker" shows as chosen, as the browser sends it."""
    chosen = picker.get("chosen") if isinstance(picker, dict) else None
    return chosen if isinstance(chosen, str) else ""


def read_picked(picker: Any) -> str:
    """What was just picked in a widget "picker", whose message may still be on its way; "" where all was answered."""
    return read_chosen(picker) if isinstance(picker, dict) and picker.get("picked") is True else ""


def read_pairs(value: Any) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """What the widget "factors" sent, as (name, factors) pairs; whatever is no name with finite numbers is left out."""
    chosen = value.get("chosen") if isinstance(value, Mapping) else None
    pairs: list[tuple[str, tuple[float, ...]]] = []
    for pair in chosen[:MOST_CHOSEN] if isinstance(chosen, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], list):
            numbers = [read_number(factor) for factor in pair[1][:MOST_CHOSEN]]
            pairs.append((pair[0], tuple(number for number in numbers if number is not None)))
    return tuple(pairs)


def read_trim(value: Any, seconds: float) -> tuple[float | None, float | None]:
    """What the trim's handles sent: start and end in seconds, None where they stand at the ends of the clip."""
    sent = value if isinstance(value, Mapping) else {}
    start, end = read_number(sent.get("start")), read_number(sent.get("end"))
    start = None if start is None or start <= 0 else min(start, seconds)
    end = None if end is None or end >= seconds else max(end, 0.0)
    return (start, end) if end is None or end > (start or 0.0) else (None, None)


def read_changed_settings(value: Any) -> dict[str, dict[str, Any]]:
    """What the settings sent: {stage: {setting: value}}, lists as tuples; RunConfig checks the rest."""
    changes = value.get("changes") if isinstance(value, Mapping) else None
    if not isinstance(changes, Mapping):
        return {}
    return {
        str(stage): {str(name): _frozen(setting) for name, setting in part.items()}
        for stage, part in changes.items()
        if isinstance(part, Mapping) and part
    }


def read_number(value: Any) -> float | None:
    """A finite number from outside, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def read_uploads(value: Any) -> tuple[Path, ...]:
    """The files that an upload's widget names, as gradio sends them; whether they were uploaded here is not checked.

    Without gradio's own preprocessing, which leaves an empty file on the disk for each.
    """
    sent = value if isinstance(value, list) else [value]
    paths = [file.get("path") for file in sent if isinstance(file, Mapping)]
    return tuple(Path(path) for path in paths if isinstance(path, str) and path)


def read_uploads_by_name(value: Any) -> tuple[tuple[Path, str], ...]:
    """As `read_uploads`, each with the name that the visitor's file had, which is no path."""
    sent = value if isinstance(value, list) else [value]
    found = []
    for file in sent:
        for path in read_uploads(file):
            name = file.get("orig_name")
            found.append((path, name if isinstance(name, str) and name else path.name))
    return tuple(found)


def read_index(value: Any, options: Sequence[Any]) -> int | None:
    """A position in `options` that the browser named, or None where there is none of the kind."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(options):
        return value
    return None


def _frozen(value: Any) -> Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, list) else value
