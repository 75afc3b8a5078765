"""What every answer says to the browser."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import gradio
import pytest

from page.server.headers import SafeHeaders, inline_scripts, mend_page
from page.server.sessions import KEY_SCRIPT
from page.settings import read_settings
from stit_core.errors import ConfigError

PAGE = b'<script data-mode>one()</script><SCRIPT>two()</SCRIPT><script src="x.js">no</script><script>\n</script>'


def policy(headers: SafeHeaders, html: bytes = b"") -> dict[str, list[str]]:
    text = dict(headers.of(html))[b"content-security-policy"].decode()
    return {directive.split()[0]: directive.split()[1:] for directive in text.split("; ")}


def sha(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def test_scripts_run_that_stand_in_the_page_and_no_others() -> None:
    allowed = policy(SafeHeaders((), ["three()"]), PAGE)["script-src"]
    assert {sha("one()"), sha("two()"), sha("three()"), sha("\n"), "'self'"} <= set(allowed)
    assert sha("no") not in allowed
    assert "'unsafe-inline'" not in allowed
    assert len(inline_scripts(KEY_SCRIPT)) == 1


def test_nothing_comes_from_other_hosts() -> None:
    for directive, sources in policy(SafeHeaders((), ())).items():
        assert set(sources) <= {"'self'", "'none'", "'unsafe-eval'", "'unsafe-inline'", "blob:", "data:"}, directive


def test_who_may_frame_the_page_is_a_setting() -> None:
    default = read_settings({}).frame_ancestors
    assert policy(SafeHeaders(default, ()))["frame-ancestors"] == ["'self'", "https://huggingface.co"]
    named = read_settings({"STIT_FRAME_ANCESTORS": "https://*.example.org, http://lab:8080"}).frame_ancestors
    assert policy(SafeHeaders(named, ()))["frame-ancestors"][1:] == ["https://*.example.org", "http://lab:8080"]
    assert read_settings({"STIT_FRAME_ANCESTORS": "none"}).frame_ancestors == ()


@pytest.mark.parametrize(
    "text", ["example.org", "https://a.example;script-src *", "*", "https://a.example/path", "'self'"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="STIT_FRAME_ANCESTORS"):
        read_settings({"STIT_FRAME_ANCESTORS": text})


def test_gradios_page_asks_for_nothing_at_the_top_of_the_host_and_has_a_title() -> None:
    page = (Path(gradio.__file__).parent / "templates/frontend/index.html").read_bytes()
    assert b'href="/' in page
    mended = mend_page(page, "A & B")
    assert b'href="/' not in mended
    assert b"<title>A &amp; B</title>" in mended
