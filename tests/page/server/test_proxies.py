"""What is believed of what a request says of those before it."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from page.server.proxies import believe_proxy, trusted_proxies
from page.settings import read_settings
from stit_core.errors import ConfigError

PROXIES = (ipaddress.ip_network("127.0.0.1/32"), ipaddress.ip_network("10.0.0.0/8"))
SAID = [
    (b"host", b"127.0.0.1:7860"),
    (b"X-Forwarded-For", b"192.0.2.1, 198.51.100.7"),
    (b"x-forwarded-for", b"10.0.0.3"),
    (b"x-forwarded-host", b"studio.example.org"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-prefix", b"/elsewhere"),
    (b"forwarded", b"for=192.0.2.1"),
    (b"x-gradio-server", b"http://evil.example"),
]


def request(client: str, headers: list[tuple[bytes, bytes]] = SAID) -> dict[str, Any]:
    return {"type": "http", "client": (client, 5), "scheme": "http", "headers": list(headers)}


def test_a_named_proxy_is_believed_and_nobody_before_it() -> None:
    scope = request("127.0.0.1")
    believe_proxy(scope, PROXIES)
    assert scope["client"][0] == "198.51.100.7", "the last that is no proxy: 192.0.2.1 is only its word"
    assert scope["scheme"] == "https"
    assert [name for name, _ in scope["headers"]] == [b"host", b"x-forwarded-host", b"x-forwarded-proto"]


@pytest.mark.parametrize("client", ["198.51.100.7", "::1", "not an address"])
def test_nobody_else_is(client: str) -> None:
    scope = request(client)
    believe_proxy(scope, PROXIES)
    assert (scope["client"][0], scope["scheme"]) == (client, "http")
    assert [name for name, _ in scope["headers"]] == [b"host"]


@pytest.mark.parametrize("chain", [b"", b"unknown", b"10.0.0.1", b"a, b"])
def test_a_proxy_that_names_nobody_is_the_visitor_itself(chain: bytes) -> None:
    scope = request("127.0.0.1", [(b"x-forwarded-for", chain), (b"x-forwarded-proto", b"gopher")])
    believe_proxy(scope, PROXIES)
    assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "http")


def test_who_is_believed_is_a_setting() -> None:
    assert read_settings({}).proxies == ()
    named = read_settings({"STIT_PROXY": "127.0.0.1, 172.16.0.0/12 ::1"}).proxies
    assert [str(network) for network in named] == ["127.0.0.1/32", "172.16.0.0/12", "::1/128"]
    assert trusted_proxies({}, named) == named
    assert len(trusted_proxies({"SPACE_ID": "someone/studio"}, ())) > 1
    with pytest.raises(ConfigError, match="STIT_PROXY"):
        read_settings({"STIT_PROXY": "nginx"})
