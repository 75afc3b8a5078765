"""What a proxy says of a request: for whom it asks, under which name, and whether over TLS.

X-Forwarded-For, -Host and -Proto are words of whoever sends them. They are believed of the proxies that the deployer
names (STIT_PROXY), and taken out of every other request before gradio, which asks nobody, makes addresses of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, MutableMapping
from typing import Any

from page.settings import Network

FORWARDED = (b"forwarded", b"x-gradio-server", b"x-original-host", b"x-real-ip")  # which nobody needs, and with them
_PREFIX = b"x-forwarded-"
_BELIEVED = (b"x-forwarded-host", b"x-forwarded-proto")  # by gradio, which takes the first of several
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7")
)


def trusted_proxies(environ: Mapping[str, str], named: tuple[Network, ...]) -> tuple[Network, ...]:
    """The proxies that are believed: those that the deployer names, on a Space also the Hub's, which alone reach it."""
    return (*named, *PRIVATE) if environ.get("SPACE_ID") else named


def believe_proxy(scope: MutableMapping[str, Any], proxies: tuple[Network, ...]) -> None:
    """Let a request's `client` and `scheme` be those of the visitor where a trusted proxy sends it.

    The visitor's address is the last that is no trusted proxy's: what stands before it anybody may have written. Of the
    headers, host and scheme stay for gradio where they are believed.
    """
    headers = [(name.lower(), value) for name, value in scope["headers"]]
    client = scope.get("client")
    known = client is not None and _is_among(str(client[0]), proxies)
    if known:
        chain = _parts(headers, b"x-forwarded-for")
        visitor = next((part for part in reversed(chain) if not _is_among(part, proxies)), "")
        if _address(visitor) is not None:
            scope["client"] = (visitor, 0)
        scheme = "".join(_parts(headers, b"x-forwarded-proto")[:1]).lower()
        if scheme in ("http", "https"):
            scope["scheme"] = scheme
    kept = _BELIEVED if known else ()
    scope["headers"][:] = [  # in place, for what stands before reads them again with the answer
        (name, value) for name, value in headers if name in kept or not (name in FORWARDED or name.startswith(_PREFIX))
    ]


def _parts(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """What a header lists, in order, also where it is there several times."""
    values = (value.decode("latin-1") for name, value in headers if name == wanted)
    return [part.strip() for value in values for part in value.split(",")]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_among(text: str, networks: tuple[Network, ...]) -> bool:
    known = _address(text)
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    return known is not None and any(known in network for network in networks)
