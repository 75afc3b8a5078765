"""The examples of docs/api.md and of the README, run as they stand there against a page, but for its address."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.page_server import ROOT, Server, serve
from stit_core.config import VideoConfig
from stit_core.media import probing
from tests.support.drawn_face import write_clip
from tests.support.tiny_page import tiny_settings

ADDRESS = "http://127.0.0.1:7860"
DOCUMENT, README = ROOT / "docs" / "api.md", ROOT / "README.md"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("page"), tiny_settings(tmp_path_factory.mktemp("pack"))) as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the clips that the examples name."""
    write_clip(tmp_path / "clip.mp4", frames=4, sound=True)
    write_clip(tmp_path / "other.mp4", frames=3)
    return tmp_path


def examples(document: Path, heading: str, language: str) -> list[str]:
    """The blocks of a language below a heading, up to the next of its rank."""
    rank = heading.split(" ")[0]
    part = document.read_text().partition(f"\n{heading}\n")[2]
    part = re.split(rf"^{rank} ", part, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```", part, re.MULTILINE | re.DOTALL)


def run(example: str, server: Server, folder: Path) -> str:
    """What an example prints; fails where the example does."""
    assert ADDRESS in example
    code = example.replace(ADDRESS, server.address.rstrip("/"))
    command = (
        [sys.executable, "-c", code] if "import " in code.split("\n")[0] else ["bash", "-euo", "pipefail", "-c", code]
    )
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr + server.log.read_text()[-2000:]
    return done.stdout


def nothing_is_left(server: Server) -> bool:
    return not [path for path in server.runs.rglob("*.mp4") if "samples" not in path.parts]


def frames(path: Path) -> int | None:
    return probing.probe(path, VideoConfig()).frames


IN_README = "### The page as an API"
EDIT, BATCH = "## One clip: `/edit`", "## Several clips: `/batch`"


def test_an_edit_by_python(server: Server, folder: Path) -> None:
    (example,) = examples(DOCUMENT, EDIT, "python")
    own, everybody = run(example, server, folder).strip().splitlines()[-2:]
    assert own.endswith(".mp4 3")
    assert everybody.endswith(".mp4 [0]")
    assert nothing_is_left(server)


def test_an_edit_by_curl(server: Server, folder: Path) -> None:
    (example,) = examples(DOCUMENT, EDIT, "sh")
    run(example, server, folder)
    assert frames(folder / "edited.mp4") == 3


def test_a_batch_by_python(server: Server, folder: Path) -> None:
    (folder / "other.mp4").write_text("no video")
    (example,) = examples(DOCUMENT, BATCH, "python")
    first, second, archive = run(example, server, folder).strip().splitlines()[-3:]
    assert re.fullmatch(r"clip\.mp4 \S+\.mp4", first)
    assert second.startswith("other.mp4 ")
    assert "is not a video" in second
    with zipfile.ZipFile(archive) as packed:
        assert sorted(packed.namelist()) == ["clip.edit.json", "clip.mp4", "clips.csv"]


def test_a_batch_by_curl(server: Server, folder: Path) -> None:
    (example,) = examples(DOCUMENT, BATCH, "sh")
    run(example, server, folder)
    with zipfile.ZipFile(folder / "edited-clips.zip") as packed:
        packed.extractall(folder / "packed")
    assert (frames(folder / "packed" / "clip.mp4"), frames(folder / "packed" / "other.mp4")) == (4, 3)


def test_the_example_of_the_readme(server: Server, folder: Path) -> None:
    (example,) = examples(README, IN_README, "python")
    shown = "\nprint(found['run'] != run, sorted(cards[0])[:1], len(rows), archive)"
    assert run(example + shown, server, folder).splitlines()[-1].startswith("True ['")
