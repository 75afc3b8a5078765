"""From where the page may be used, wherever it runs."""

from __future__ import annotations

import socket

import pytest

from page.server.origins import Origins, accepted_origins
from page.settings import read_settings
from stit_core.errors import ConfigError

LOCAL = accepted_origins({})
SPACE = accepted_origins({"SPACE_ID": "someone/studio", "SPACE_HOST": "someone-studio.hf.space"})


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://127.0.0.1:7860", "127.0.0.1:7860", True),
        ("http://LOCALHOST:7860", "localhost:7860", True),
        ("http://localhost:7860", "127.0.0.1:7860", True),
        ("http://[::1]:7860", "[::1]:7860", True),
        ("https://localhost", "localhost:443", True),
        ("http://localhost:3000", "localhost:7860", False),
        ("http://127.0.0.1.evil.example:7860", "127.0.0.1:7860", False),
        ("https://evil.example", "127.0.0.1:7860", False),
        ("null", "127.0.0.1:7860", False),
        ("", "127.0.0.1:7860", False),
        ("file://", "127.0.0.1:7860", False),
        ("http://[broken", "127.0.0.1:7860", False),
    ],
)
def test_a_page_on_ones_own_machine(origin: str, host: str, allowed: bool) -> None:
    assert LOCAL.allows(origin, host) == allowed


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:7860", True),
        ("127.0.0.1", True),
        ("[::1]:80", True),
        ("studio.example.org", False),
        ("10.0.0.2", False),
    ],
)
def test_its_hosts(host: str, known: bool) -> None:
    assert LOCAL.knows(host) == known


def test_on_a_network_it_answers_under_addresses_and_its_own_name() -> None:
    origins = accepted_origins({"GRADIO_SERVER_NAME": "0.0.0.0"})
    for host in ("192.168.1.5:7860", "[fe80::1]:7860", socket.gethostname(), "localhost"):
        assert origins.knows(host)
    assert not origins.knows("evil.example")
    assert origins.allows("http://192.168.1.5:7860", "192.168.1.5:7860")
    assert not origins.allows("http://192.168.1.6:7860", "192.168.1.5:7860")


def test_further_origins_are_hosts_too() -> None:
    settings = read_settings({"STIT_ORIGINS": "https://Studio.example.org, http://lab:8080"})
    origins = accepted_origins({"GRADIO_ROOT_PATH": "https://proxy.example.org/studio"}, settings.origins)
    for host in ("studio.example.org", "lab:8080", "proxy.example.org"):
        assert origins.knows(host)
    for origin in ("https://studio.example.org", "http://lab:8080", "https://proxy.example.org"):
        assert origins.allows(origin, "127.0.0.1:7860"), "behind a proxy that asks under another name"
    assert not origins.allows("http://studio.example.org", "127.0.0.1:7860")


@pytest.mark.parametrize("text", ["studio.example.org", "https://a/b", "ftp://x", "https://", "*", "https://user@host"])
def test_what_is_no_origin_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="STIT_ORIGINS") as refused:
        read_settings({"STIT_ORIGINS": text})
    assert "https://studio.example.org" in refused.value.hint


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (SPACE, "https://huggingface.co", True),
        (SPACE, "https://someone-studio.hf.space", True),
        (SPACE, "https://other.hf.space", False),
        (SPACE, "https://evil.example", False),
        (accepted_origins({"SPACE_ID": "someone/studio"}), "https://someone-studio.hf.space", True),
        (accepted_origins({"SPACE_ID": "someone/studio"}), "https://hf.space.evil.example", False),
        (LOCAL, "https://huggingface.co", False),
    ],
)
def test_a_space_is_used_from_its_frame(origins: Origins, origin: str, allowed: bool) -> None:
    assert origins.allows(origin, "10.1.2.3:7860") == allowed


def test_a_space_answers_under_the_names_of_its_proxy() -> None:
    assert SPACE.knows("10.1.2.3:7860")
    assert SPACE.knows("someone-studio.hf.space")
