"""From where the page may be used: the hosts that it answers under, and the origins whose requests it carries out.

A page of somebody else, open in the visitor's browser, can send requests to this server, also to one that listens on
the visitor's own machine; and a name of somebody else's can be made to lead here (DNS rebinding). The browser says in
Origin and Host whose request it is.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HUB = "https://huggingface.co"  # shows a Space in a frame
SPACES = ".hf.space"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Origins:
    """What is accepted.

    Attributes
    ----------
    hosts: names that the page answers under; None for all, where a proxy alone can reach it and checks them itself.
    addresses: whether it also answers under any numeric address, as one that listens on the network has to.
    further: origins beside the page's own.
    domain: end of the hosts of further origins, or "".
    """

    hosts: frozenset[str] | None = LOOPBACK
    addresses: bool = False
    further: frozenset[str] = frozenset()
    domain: str = ""

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server."""
        if self.hosts is None:
            return True
        name = _name(host)
        return name in self.hosts or (self.addresses and _is_address(name))

    def allows(self, origin: str, host: str) -> bool:
        """Whether a request with this Origin, sent to this Host, may be carried out."""
        scheme, _, netloc = origin.lower().partition("://")
        if origin.lower() in self.further:
            return True
        if scheme not in ("http", "https") or not netloc:  # "null": a file, a frame without rights
            return False
        if self.domain and scheme == "https" and _name(netloc).endswith(self.domain):
            return True
        own, asking = _place(host), _place(netloc)
        return own == asking or (own[1] == asking[1] and {own[0], asking[0]} <= LOOPBACK)


def accepted_origins(environ: Mapping[str, str], further: tuple[str, ...] = ()) -> Origins:
    """What is accepted where the page runs: on the visitor's own machine, on a network, or as a Space.

    Parameters
    ----------
    environ: gradio's GRADIO_SERVER_NAME and GRADIO_ROOT_PATH, and SPACE_ID and SPACE_HOST of Spaces.
    further: origins that the deployer names; the page answers under their hosts too.
    """
    named = frozenset(further)
    if environ.get("SPACE_ID"):  # the Hub's proxy stands before it, and asks under addresses of its own
        spaces = {
            f"https://{host.strip().lower()}" for host in environ.get("SPACE_HOST", "").split(",") if host.strip()
        }
        return Origins(None, True, named | {HUB} | spaces, "" if spaces else SPACES)
    root = urlsplit(environ.get("GRADIO_ROOT_PATH", "").lower())
    if root.netloc:
        named |= {f"{root.scheme}://{root.netloc}"}
    listens = environ.get("GRADIO_SERVER_NAME", "").lower().strip("[]")
    hosts = LOOPBACK | {_name(urlsplit(origin).netloc) for origin in named}
    if listens in ("", *LOOPBACK):
        return Origins(hosts, False, named)
    own = socket.gethostname().lower()
    return Origins(hosts | {listens, own, f"{own}.local"}, True, named)


def _place(netloc: str) -> tuple[str, str]:
    """Name and port; no port where it is the usual one."""
    name = _name(netloc)
    port = netloc.rpartition("]")[2].partition(":")[2]
    return name, "" if port in ("80", "443") else port


def _name(netloc: str) -> str:
    """Host without its port and the brackets of a version 6 address."""
    text = netloc.strip().lower()
    return text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
