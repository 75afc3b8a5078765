"""Who a visitor is, and how much one visitor may ask for.

The page has no accounts. A visitor is a browser, known by the random number in its cookie, or, where there is none (a
program, a browser that keeps no cookies in frames), a network address. What this cannot do: somebody who deletes the
cookie is another visitor; somebody with many addresses is many; and people behind one address (a school, a phone
company) cannot be told apart but by their cookies. So there are two measures: each browser has its allowance, and each
address has that of a few browsers, however many cookies it makes up. Both keep one visitor from crowding out the
others by accident or without effort; the limits in all, which hold whoever asks, keep the server standing.

The address is that of the connection, or what a proxy says that the page was told to believe (STIT_PROXY). Where a
proxy stands before the page and nothing says so, all visitors have the address of this machine, which is not counted.
Nothing of this is written down: it is in memory for an hour, and no file names a visitor.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

NETWORK_6 = 64  # bits of a version 6 address that one household has


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes
    ----------
    key: of the browser, from its cookie, or "".
    address: of the network, or "" where nobody knows it.
    """

    key: str = ""
    address: str = ""

    def allowances(self, each: int, address_visitors: int) -> Mapping[str, int]:
        """Under which names what the visitor asks for is counted, and how much of it each name may have.

        Parameters
        ----------
        each: what one visitor may have.
        address_visitors: how many visitors' allowance a network address has.
        """
        network = _network(self.address)
        if not self.key:
            return {f"program {network}": each}
        browser = {f"browser {self.key}": each}
        return browser | ({f"address {network}": each * address_visitors} if network else {})


# Of the request that is being carried out; None where the program itself asks.
CURRENT: ContextVar[Visitor | None] = ContextVar("visitor", default=None)


def _network(address: str) -> str:
    """What of an address is counted: all of version 4, the household's part of version 6, nothing of this machine's."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return _network(str(known.ipv4_mapped))
        if not known.is_loopback:
            return str(ipaddress.ip_network((known, NETWORK_6), strict=False))
    return "" if known.is_loopback else str(known)
