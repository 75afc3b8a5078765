"""All that a visitor can read stands in page/ui/words: no template, script or module has texts of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import nodes

from page.ui.components import WEB
from page.ui.html import _ENVIRONMENT, TEMPLATES
from page.ui.player import ASSETS
from page.ui.words import measures, tuned_face, widgets

UI = TEMPLATES.parent
READ_ALOUD = ("aria-label", "aria-description", "aria-valuetext", "aria-roledescription", "title", "placeholder", "alt")
KEYS = {"Escape", "Enter", "Arrow"}  # of the keyboard
MARKUP = sorted([*TEMPLATES.glob("*.html"), *WEB.glob("*.html"), *ASSETS.glob("*.html")])
SCRIPTS = sorted([*WEB.glob("*.js"), *ASSETS.glob("*.js")])
PYTHON = [UI.parents[1] / "app.py", *sorted(UI.glob("*.py"))]
STYLES = sorted([*UI.rglob("*.css"), *ASSETS.glob("*.css")])


def has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)


def reads_like_text(text: str) -> bool:
    """Whether a string looks like a sentence or a label, and not like a name, a selector or a class."""
    if text.startswith((".", "#", "<", "@", "M ")) or text in KEYS:
        return False
    sentence = r"(?:^|[\s(“])[A-Z][a-z]*[,;:]? +[a-z]"
    phrase = r"(?:^|\s)[a-z]{2,}[,;:]? +[a-z]{2,}(?=[\s,;:.!?…)]|$)"
    label = r"^[A-Z][a-z]+(?: [A-Z][a-z]+)*[.:!?…]?$"
    return re.search(f"{sentence}|{phrase}|{label}", text) is not None


# --- HTML ---------------------------------------------------------------------------------------------------------


class Shown(HTMLParser):
    """What a visitor sees or a screen reader reads of a text in HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.texts += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def texts_of_template(source: str) -> list[str]:
    """The texts that a template has itself, in its HTML and in its expressions."""
    expressions = [
        constant.value
        for output in _ENVIRONMENT.parse(source).find_all((nodes.Output, nodes.Assign))
        for constant in output.find_all(nodes.Const)
        if isinstance(constant.value, str)
    ]
    plain = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", source, flags=re.DOTALL)
    formats = [re.sub(r"%[-+ #0]*[\d.]*[a-z]", "", text) for text in expressions]  # "%.1f" is no text
    return [text.strip() for text in [*Shown(plain).texts, *formats] if has_letters(text)]


@pytest.mark.parametrize("path", MARKUP, ids=lambda path: path.stem)
def test_a_template_has_no_texts_of_its_own(path: Path) -> None:
    assert texts_of_template(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Stop</p>",
        '<b title="{{ a }} of">{{ b }}</b>',
        '<img alt="x">',
        "{% if own %}yours{% endif %}",
        '{{ "Stop" if a else b }}',
        '<input placeholder="Search">',
        "<p>{{ a }}</p><p>…</p> and",
    ],
)
def test_a_text_in_a_template_is_found(source: str) -> None:
    assert texts_of_template(source)


# --- Styles -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.stem)
def test_a_style_writes_no_text(path: Path) -> None:
    assert not [text for text in re.findall(r"content:\s*[\"']([^\"']*)", path.read_text()) if has_letters(text)]


# --- Scripts ------------------------------------------------------------------------------------------------------

_TOKENS = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|(?P<double>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<single>'(?:[^'\\\n]|\\.)*')"
    r"|(?P<template>`(?:[^`\\]|\\.)*`)",
    re.DOTALL,
)
_EXPRESSION = re.compile(r"\$\{(.*?)\}")
# What follows these is read by people.
_SINK = re.compile(
    r"\.(?:textContent|innerText|title|placeholder|alt|ariaLabel)\s*\??=(?!=)"
    rf"|setAttribute\(\s*\"(?:{'|'.join(READ_ALOUD)})\","
    r"|\bmake\([^,()]+,[^,()]+,"
    r"|\bnew Option\("
    r"|\b(?<!function )(?:confirm|alert|fill)\("
)
# And a string that follows these at once.
_DIRECT = re.compile(
    r"(?:\b(?:textContent|title|placeholder|alt)\s*:\s*|\.(?:append|prepend|replaceChildren|before|after)\(|TextNode\()"
    r"(?=[\"'`])"
)


def literals(script: str) -> Iterator[tuple[int, str]]:
    """The strings of a script with their places; a template string gives its text, and what is in its expressions."""
    for token in _TOKENS.finditer(script):
        if token.lastgroup is None:  # a comment
            continue
        text = token.group()[1:-1]
        if token.lastgroup == "template":
            inner = [text for found in _EXPRESSION.findall(text) for _, text in literals(found)]
            yield from ((token.start(), text) for text in inner)
            text = _EXPRESSION.sub("", text)
        yield token.start(), text


def texts_of_script(script: str) -> list[str]:
    """The strings of a script that people would read."""
    script = re.sub(r"new Error\((?:`[^`]*`|\"[^\"]*\")\)", "", script)  # read by who looks into the console
    sinks = [(sink.end(), end_of(script, sink.end())) for sink in _SINK.finditer(script)]
    sinks += [(sink.end(), sink.end() + 1) for sink in _DIRECT.finditer(script)]
    return [
        text
        for place, text in literals(script)
        if reads_like_text(text)
        or (
            has_letters(text)
            and any(start <= place < end for start, end in sinks)
            and not re.search(r"[=!]==? ?$", script[:place])
        )
    ]


def end_of(script: str, start: int) -> int:
    """Where the statement or the argument ends that begins at `start`."""
    depth = 0
    for place in range(start, len(script)):
        depth += (script[place] in "([{") - (script[place] in ")]}")
        if depth < 0 or (depth == 0 and script[place] == ";"):
            return place
    return len(script)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_has_no_texts_of_its_own(path: Path) -> None:
    assert texts_of_script(path.read_text()) == []


@pytest.mark.parametrize(
    "script",
    [
        'const words = "The server does not answer.";',
        "const made = `${count} frames are made`;",
        "node.textContent = `${count} frames`;",
        'node.setAttribute("aria-label", playing ? "pause" : "play");',
        'button.textContent = "Copied";',
        'const label = "Play";',
        'const text = "not made yet";',
        'const end = make("span", "dial-end", card.negative || "less");',
        'picture.alt = "x";',
        'Object.assign(field, { type: "text", placeholder: "name" });',
        'node.append("done");',
        'show(`${time}${made ? ", not made yet" : ""}`);',
        "const place = `Frame ${frame + 1} `;\nshow(`${place}is missing`);",
    ],
)
def test_a_text_in_a_script_is_found(script: str) -> None:
    assert texts_of_script(script)


# --- Python -------------------------------------------------------------------------------------------------------

KEYWORDS = {"label", "info", "placeholder", "legend", "lead", "title", "text", "alt", "value", "description"}
KEYS_OF_ITEMS = {"label", "title", "text", "alt"}  # of what is sent to the widgets
SPEAKERS = {  # whose first arguments are read
    *("Button", "DownloadButton", "UploadButton", "Tab", "Step", "Accordion", "Markdown", "Info", "Warning", "Error"),
    *("heading", "quiet", "notice", "_plot", "_folder"),
}
UNREAD = {"api.py"}  # what it says of a wrong call is read by programs


def texts_of_python(source: str) -> list[str]:
    """The strings of a module that people would read: by where they stand, or because they look like it."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and isinstance(node.body[0], ast.Expr)
    }
    logged = {id(part) for call in calls(tree, {"exception", "warning", "info", "debug"}) for part in ast.walk(call)}
    found = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and reads_like_text(node.value)
        and id(node) not in docstrings | logged
    ]
    return found + [text.value for place in read_places(tree) for text in strings(place) if has_letters(text.value)]


def read_places(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions of a module whose values are read by people."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (word.value for word in node.keywords if word.arg in KEYWORDS)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in KEYS_OF_ITEMS:
                    yield value
    for call in calls(tree, SPEAKERS):
        yield from call.args[:2] if name_of(call.func) == "heading" else call.args[:1]


def strings(node: ast.AST) -> Iterator[ast.Constant]:
    """The strings that an expression may give, without those by which something is looked up, compared or asked for."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    elif isinstance(node, (ast.Subscript, ast.FormattedValue)):
        yield from strings(node.value)
    elif isinstance(node, ast.Call):
        asked = node.args if name_of(node.func) in ("join", "format") else []
        for part in (node.func, *asked):
            yield from strings(part)
    elif not isinstance(node, ast.Compare):
        for child in ast.iter_child_nodes(node):
            yield from strings(child)


def calls(tree: ast.AST, names: set[str]) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node.func) in names)


def name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


@pytest.mark.parametrize("path", [path for path in PYTHON if path.name not in UNREAD], ids=lambda path: path.stem)
def test_a_module_has_no_texts_of_its_own(path: Path) -> None:
    assert texts_of_python(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        'gr.Button("train", variant="primary")',
        'gr.Textbox(label="Name", elem_id="name")',
        'gr.Textbox(label=labels.NAME, placeholder=f"{count} pictures")',
        'gr.Tab("About")',
        'label = "At work" if running else "go"',
        'FIT_NAMES = ("Source", "First guess", "Tuned")',
        'html.heading(labels.CLIP, "or a sample")',
        'item = {"id": name, "text": f"in {share} %"}',
        'raise gr.Error("broken")',
        'gr.Button(", ".join(["one", other]))',
        'HOW = """\nA direction is learned from pictures.\n"""',
    ],
)
def test_a_text_in_a_module_is_found(source: str) -> None:
    assert texts_of_python(source)


# --- The words themselves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*widgets.WIDGETS, "player"])
def test_every_text_of_a_widget_is_used_and_every_one_that_is_used_is_there(name: str) -> None:
    files = [*ASSETS.glob("*")] if name == "player" else [WEB / f"{name}.html", WEB / f"{name}.js"]
    sources = [path.read_text() for path in files if path.suffix in (".html", ".js") and path.exists()]
    used = {key for text in sources for key in re.findall(r"\btexts\.(\w+)|\{\{ (\w+) \}\}", text)}
    texts = widgets.PLAYER if name == "player" else widgets.WIDGETS[name]
    assert {key or other for key, other in used} == set(texts)


def test_every_widget_with_texts_exists() -> None:
    assert set(widgets.WIDGETS) <= {path.stem for path in WEB.glob("*.html")}


def test_plural_forms_hang_on_a_count() -> None:
    forms = [text for texts in (*widgets.WIDGETS.values(), widgets.PLAYER) for text in texts.values()]
    plural = [text for text in forms if not isinstance(text, str)]
    assert plural
    assert all("{count}" in text["other"] for text in plural)


def test_a_gentle_fit_is_not_called_rough_where_only_the_change_is_taken_from_it() -> None:
    known = {"tl_id": 1.0, "tg_id": 1.0, "id_cosine": 0.98, "border_loss": 0.001, "psnr": 21.0, "lpips": 1.5}
    (stitched, transferred) = (measures(known, transfers)[-1] for transfers in (False, True))
    assert stitched[1] == "rough"
    assert "gentle" in transferred[1]
    assert stitched[2] == transferred[2]
    assert "rough" in tuned_face(21.0, False)
    assert "rough" not in tuned_face(21.0, True)
