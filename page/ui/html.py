"""The page's HTML: templates that escape whatever is put into them, filled with what `words` says.

A template lies in page/ui/templates under the name of the function here that fills it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from page.ui import words
from page.ui.words import labels
from page.ui.words.widgets import Texts

if TYPE_CHECKING:
    from page.studio.previews import Track
    from page.studio.runs import Output
    from page.studio.studio import Limits
    from stit_core.media.preflight import Preflight

TEMPLATES = Path(__file__).resolve().parent / "templates"
LOGIN_STYLE = TEMPLATES.parent / "styles" / "login.css"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,  # a name that is misspelt fails instead of showing nothing
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, /, **values: Any) -> str:
    """Fill a template of page/ui/templates.

    Parameters
    ----------
    template: its name, without its suffix.
    values: by the names that the template uses; texts are escaped.

    Raises
    ------
    UndefinedError: the template uses a name that has no value.
    """
    return _ENVIRONMENT.get_template(f"{template}.html").render(**values).strip()


def fill(path: Path, texts: Texts) -> str:
    """Fill the HTML of a widget or of the player with its texts, once and for all visitors."""
    return _ENVIRONMENT.from_string(path.read_text()).render(**texts).strip()


def notice(texts: Iterable[str], kind: str = "warning") -> str:
    """Remarks beside the step that they belong to; kind: warning, info or failed."""
    return render("notice", texts=[text for text in texts if text], kind=kind)


def login() -> str:
    """What stands above the field for the page's password, with the style of the whole form, which is gradio's."""
    return render("login", title=labels.PAGE_TITLE, text=labels.LOGIN, style=Markup(LOGIN_STYLE.read_text()))


def heading(title: str, text: str = "") -> str:
    """The head of a step or of a part of it."""
    return render("heading", title=title, text=text)


def quiet(text: str) -> str:
    """A line in small grey letters; nothing without a text."""
    return render("quiet", text=text)


def limits(known: Limits) -> str:
    """What may be uploaded, to stand beside the upload."""
    return render("limits", facts=words.upload_limits(known), kept=words.upload_kept(known))


def clip_facts(found: Preflight) -> str:
    """Size, rate, length and sound of a clip."""
    return render("facts", facts=words.clip_facts(found))


def tracks(found: Sequence[Track], images: Sequence[str]) -> str:
    """Who is in the clip and when, a row a person, with the addresses of their pictures."""
    rows = []
    for track, image in zip(found, images, strict=True):
        length = max(track.seconds, 1e-6)
        spans = [(round(100 * a / length, 2), round(100 * (b - a) / length, 2)) for a, b in track.spans]
        name, text = words.person(track.number), words.seen_when(track.spans)
        rows.append({"name": name, "image": image, "text": text, "spans": spans})
    return render("tracks", rows=rows)


def estimates(seconds: Mapping[str, float] | None, limit: float = math.inf) -> str:
    """How long each preset takes here; what is over the limit, in seconds, is not done."""
    if seconds is None:
        return quiet(words.UNTIMED)
    rows = words.preset_times(seconds, limit)
    return render("estimates", caption=labels.ESTIMATES_CAPTION, rows=rows)


def finished(output: Output, name: str) -> str:
    """The result in plain words and in figures, of each person whom it changes, under its name."""
    warnings = [*([words.part_made(output)] if output.partial else []), *output.warnings]
    made = "" if output.partial else words.output_text(output)
    transfers = output.method == "transfer"
    people = [(words.person(number), words.measures(known, transfers)) for number, known in output.people_measures]
    groups = [] if output.partial else people or [("", words.measures(output.measures or {}, transfers))]
    return render("finished", name=name, made=made, groups=groups, texts=warnings, kind="warning")


def pictures(shown: Sequence[tuple[str, str]]) -> str:
    """Pictures, as the addresses of images, with their captions, side by side."""
    return render("pictures", shown=shown)


def triple(shown: Sequence[tuple[str, str | None]]) -> str:
    """Named pictures in a row; one that is not there yet leaves its place empty."""
    return render("triple", shown=shown)


def library(cards: Sequence[Mapping[str, Any]]) -> str:
    """The cards of the tab "Directions"; see the template for what each holds."""
    texts = {"own": labels.OWN_DIRECTION, "learned": labels.HOW_LEARNED, "delete": labels.DELETE_DIRECTION}
    return render("library", cards=cards, **texts)


def reviewed(title: str, findings: Sequence[str], replaced: str) -> str:
    """What came of a review, in sentences."""
    return render("reviewed", title=title, findings=findings, replaced=replaced)
