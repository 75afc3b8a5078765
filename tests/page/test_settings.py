"""What the environment decides about a page that strangers may use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from page.settings import PageSettings, read_settings, variables
from stit_core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("environ", "public"),
    [
        ({}, False),
        ({"GRADIO_SERVER_NAME": "127.0.0.1"}, False),
        ({"GRADIO_SERVER_NAME": "[::1]"}, False),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, True),
        ({"SPACE_ID": "me/stit"}, True),
        ({"GRADIO_ROOT_PATH": "/stit"}, True),
        ({"STIT_ORIGINS": "https://studio.example.org"}, True),
        ({"GRADIO_SERVER_NAME": "0.0.0.0", "STIT_PUBLIC": "off"}, False),
        ({"STIT_PUBLIC": "ON"}, True),
    ],
)
def test_a_page_that_others_can_reach_is_public_and_marks(environ: dict[str, str], public: bool) -> None:
    settings = read_settings(environ)
    assert settings.public is public
    assert settings.mark == ("on" if public else "off")


def test_the_mark_can_be_set_apart() -> None:
    assert read_settings({"STIT_PUBLIC": "on", "STIT_MARK": "always"}).mark == "always"
    assert read_settings({"STIT_PUBLIC": "on", "STIT_MARK": "off"}).mark == "off"
    assert read_settings({"STIT_MARK": "on"}).mark == "on"


def test_a_password_is_long_enough_and_is_never_shown() -> None:
    settings = read_settings({"STIT_PASSWORD": "correct horse"})
    assert settings.password == "correct horse"
    assert "horse" not in repr(settings)
    assert read_settings({"STIT_PASSWORD": ""}).password == ""
    with pytest.raises(ConfigError, match="too short") as error:
        read_settings({"STIT_PASSWORD": "horse"})
    assert "horse" not in str(error.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"STIT_PUBLIC": "maybe"},
        {"STIT_MARK": "sometimes"},
        {"STIT_STUCK_MINUTES": "0"},
        {"STIT_C2PA_CERT": "/nowhere.pem"},
    ],
)
def test_what_makes_no_sense_is_told_by_its_name(environ: dict[str, str]) -> None:
    (name,) = environ
    with pytest.raises(ConfigError, match=name):
        read_settings(environ)


def test_a_certificate_is_tried_at_the_start(tmp_path: Path) -> None:
    pytest.importorskip("c2pa", reason="the package c2pa-python is not installed")
    missing = {"STIT_C2PA_CERT": str(tmp_path / "no.pem"), "STIT_C2PA_KEY": str(tmp_path / "no.key")}
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings(missing)


def test_the_readme_lists_every_setting_once_and_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text()
    listed: dict[str, str] = {}
    for names, defaults in re.findall(r"^\| (`(?:STIT|GRADIO)_[^|]*) \| ([^|]*) \|", readme, re.MULTILINE):
        found = re.findall(r"`(\w+)`", names)
        parts = defaults.split(", ") if len(found) > 1 else [defaults]
        for name, default in zip(found, parts * (len(found) if len(parts) == 1 else 1), strict=True):
            assert name not in listed, f"{name} is there twice"
            listed[name] = default
    sources = [ROOT / "app.py", *(ROOT / "page").rglob("*.py"), *(ROOT / "stit_core").rglob("*.py")]
    read = {name for path in sources for name in re.findall(r"[\"'](STIT_[A-Z0-9_]+)[\"']", path.read_text())}
    assert {name for name in listed if name.startswith("STIT_")} == read
    for name, variable in variables().items():
        assert float(listed[variable]) == getattr(PageSettings, name), variable
