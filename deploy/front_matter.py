"""The README.md of a Space: its settings at the top, as the Hub reads them, and what the page is."""

from __future__ import annotations

import re

from stit_core.errors import StitError

HUB = "https://huggingface.co"
PORT = 7860
OF_GRADIO = ("sdk_version", "python_version", "app_file")  # which a Space of another kind does not have
SECTIONS = ("What it is for, and what it is not for", "Licence")  # of the README that a Space keeps
_FRONT = re.compile(r"---\n(?P<settings>.*?)\n---\n(?P<text>.*)", re.DOTALL)
_KEY = re.compile(r"[A-Za-z_]+(?=:)")


def space_readme(readme: str, name: str, thumbnail: str, docker: bool = False) -> str:
    """The README.md of the Space `name`, made of the repository's.

    Parameters
    ----------
    thumbnail: path of a picture that is uploaded too; the Hub wants its address.
    docker: for a Space that is built from the Dockerfile.

    Raises
    ------
    StitError: the README does not begin with settings.
    """
    found = _FRONT.fullmatch(readme)
    if found is None:
        raise StitError("README.md does not begin with the settings of a Space.", "Take it from the repository again.")
    kept = [entry for entry in _entries(found["settings"]) if not (docker and _key(entry) in OF_GRADIO)]
    settings = [f"sdk: docker\napp_port: {PORT}" if docker and _key(entry) == "sdk" else entry for entry in kept]
    settings.append(f"thumbnail: {HUB}/spaces/{name}/resolve/main/{thumbnail}")
    return "---\n" + "\n".join(settings) + "\n---\n" + _short_text(found["text"])


def _entries(settings: str) -> list[str]:
    """Each setting with the lines of its list, if it has one."""
    entries: list[str] = []
    for line in settings.splitlines():
        if _KEY.match(line):
            entries.append(line)
        else:
            entries[-1] += f"\n{line}"
    return entries


def _key(entry: str) -> str:
    found = _KEY.match(entry)
    return found[0] if found else ""


def _short_text(text: str) -> str:
    """What comes before the first section, and the sections that a visitor of the Hub needs."""
    opening, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    kept = [section for section in sections if section.splitlines()[0].removeprefix("## ") in SECTIONS]
    return opening + "".join(kept)
