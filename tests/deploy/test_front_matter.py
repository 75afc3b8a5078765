"""The settings at the top of a Space's README.md: what the Hub documents, and what ZeroGPU takes of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from PIL import Image

from deploy.contents import ROOT, THUMBNAIL
from deploy.front_matter import HUB, PORT, space_readme
from stit_core.errors import StitError

NAME = "me/stit"
README = (ROOT / "README.md").read_text()
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
DURATION = re.compile(r"\d+[smh]")


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def one_of(*values: str) -> Callable[[Any], bool]:
    return lambda value: value in values


# The keys of the Hub's "Spaces Configuration Reference" that a Space of ours may have, with what it says of their
# values; "license" is from its "Model Cards", the limit of 60 characters from what its upload answers.
DOCUMENTED: dict[str, Callable[[Any], bool]] = {
    "title": is_text,
    "emoji": lambda value: is_text(value) and not re.search(r"[\w\s]", value),
    "colorFrom": one_of(*COLOURS),
    "colorTo": one_of(*COLOURS),
    "sdk": one_of("gradio", "docker", "static"),
    "sdk_version": lambda value: is_text(value) and re.fullmatch(r"\d+\.\d+\.\d+", value) is not None,
    "python_version": lambda value: is_text(value) and re.fullmatch(r"3\.\d+(\.\d+)?", value) is not None,
    "app_file": lambda value: is_text(value) and (ROOT / value).is_file(),
    "app_port": lambda value: isinstance(value, int),
    "header": one_of("mini", "default"),
    "short_description": lambda value: is_text(value) and len(value) <= 60,
    "tags": is_list,
    "thumbnail": lambda value: is_text(value) and value.startswith("https://"),
    "pinned": lambda value: isinstance(value, bool),
    "startup_duration_timeout": lambda value: is_text(value) and DURATION.fullmatch(value) is not None,
    "license": is_text,
}
# Of "Spaces ZeroGPU", under "Supported Versions"; of torch newer builds take more, which nobody could try.
ZEROGPU_PYTHONS = ("3.12.12", "3.10.13")
ZEROGPU_TORCH = ((2, 8), (2, 13))


def settings_of(readme: str) -> dict[str, Any]:
    found = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    assert found is not None, "README.md does not begin with the settings of a Space"
    settings = yaml.safe_load(found[1])
    assert isinstance(settings, dict)
    return settings


def pin_of(package: str) -> str:
    found = re.search(rf"^{package}==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    "readme",
    [README, space_readme(README, NAME, THUMBNAIL), space_readme(README, NAME, THUMBNAIL, docker=True)],
    ids=["repository", "gradio", "docker"],
)
def test_every_setting_is_documented_and_has_a_value_that_is_allowed(readme: str) -> None:
    settings = settings_of(readme)
    assert set(settings) <= set(DOCUMENTED), "not a setting of Spaces"
    wrong = {key: value for key, value in settings.items() if not DOCUMENTED[key](value)}
    assert not wrong


def test_zerogpu_takes_the_versions() -> None:
    settings = settings_of(space_readme(README, NAME, THUMBNAIL))
    assert settings["sdk"] == "gradio"  # the only kind that gets a ZeroGPU
    assert settings["sdk_version"] == pin_of("gradio")
    assert settings["python_version"] in ZEROGPU_PYTHONS
    lowest, highest = ZEROGPU_TORCH
    assert lowest <= tuple(map(int, pin_of("torch").split(".")[:2])) <= highest
    assert "pydantic" not in (ROOT / "requirements.txt").read_text(), "gradio[mcp] has a range of its own"


def test_the_python_is_one_that_the_code_runs_on() -> None:
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    usable = [one for one in ZEROGPU_PYTHONS if tuple(map(int, one.split("."))) >= tuple(map(int, lowest.split(".")))]
    assert usable == [settings_of(README)["python_version"]]  # numpy and the code itself need more than 3.10


def test_a_space_shows_what_it_is() -> None:
    settings = settings_of(space_readme(README, NAME, THUMBNAIL))
    assert settings["header"] == "mini"
    assert settings["license"] == "mit"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert {"tags", "short_description", "startup_duration_timeout"} <= set(settings)
    assert settings["thumbnail"] == f"{HUB}/spaces/{NAME}/resolve/main/{THUMBNAIL}"
    with Image.open(ROOT / THUMBNAIL) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1200, 630))


def test_a_docker_space_has_settings_of_its_own() -> None:
    settings = settings_of(space_readme(README, NAME, THUMBNAIL, docker=True))
    assert (settings["sdk"], settings["app_port"]) == ("docker", PORT)
    assert not {"sdk_version", "python_version", "app_file"} & set(settings)
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"GRADIO_SERVER_PORT={PORT}" in dockerfile
    assert "GRADIO_SERVER_NAME=0.0.0.0" in dockerfile
    assert "--uid 1000" in dockerfile, "the user that Spaces run a container as"
    kept = {key: value for key, value in settings.items() if key not in ("sdk", "app_port")}
    assert kept.items() <= settings_of(space_readme(README, NAME, THUMBNAIL)).items()


def test_a_readme_without_settings_is_an_error() -> None:
    with pytest.raises(StitError, match="settings of a Space"):
        space_readme("# STIT Studio\n", NAME, THUMBNAIL)


def test_the_text_of_a_space_leads_nowhere_that_is_not_uploaded() -> None:
    readme = space_readme(README, NAME, THUMBNAIL)
    text = readme.split("\n---\n", 1)[1]
    assert "# STIT Studio" in text
    assert "## Licence" in text
    assert "consent" in text, "what it is for, and what not"
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert target in ("LICENSE", THUMBNAIL), f"{target} is not uploaded"
