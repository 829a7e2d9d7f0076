"""Whose request it is: addresses, and which of those that proxies report are believed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Optional, Union

Address = Union[IPv4Address, IPv6Address]
Network = Union[IPv4Network, IPv6Network]

# The peer without an IP address, in a list of trusted proxies.
UNIX = "unix"

_MAPPED = IPv6Network("::ffff:0:0/96")
_LONGEST_ADDRESS = 64  # characters; those of IPv6 in brackets, with a port, are fewer
_LONGEST_PORT = 5

_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class AddressRules:
    """Finds a client behind trusted proxies, and the name under which it is limited.

    Raises ``ValueError`` or ``TypeError`` for a proxy that is neither a network nor ``"unix"``, for a header that
    cannot be, and for a prefix outside of 1 to 128.
    """

    def __init__(self, trusted_proxies: Iterable[Union[str, Network]], header: str, ipv6_prefix: int) -> None:
        if isinstance(trusted_proxies, (str, bytes)) or not isinstance(trusted_proxies, Iterable):
            raise TypeError(f"trusted_proxies must be a list, such as ['10.0.0.0/8'], not {trusted_proxies!r}")
        proxies = list(trusted_proxies)
        self._trusts_unix = UNIX in proxies
        self._networks = [_network(proxy) for proxy in proxies if proxy != UNIX]
        self.trusts_any = bool(proxies)
        if not isinstance(header, str) or not _FIELD_NAME.fullmatch(header):
            raise ValueError(f"forwarded_header must name a header, such as 'X-Forwarded-For', not be {header!r}")
        self.header = header.lower()
        if not isinstance(ipv6_prefix, int) or isinstance(ipv6_prefix, bool):
            raise TypeError(f"ipv6_prefix must be a whole number, not {ipv6_prefix!r}")
        if not 1 <= ipv6_prefix <= 128:
            raise ValueError(f"ipv6_prefix must be 1 to 128, not {ipv6_prefix!r}")
        self._ipv6_prefix = ipv6_prefix

    def name_of(self, peer: Optional[str], forwarded: Optional[str]) -> Optional[str]:
        """The client's name. ``peer`` is whom the server sees; ``forwarded`` what the header holds, where it is there.

        The header is read from its right end, where the nearest proxy writes, for as long as the hop that wrote it is
        trusted; what cannot be read ends the way there. None if no address was found.
        """
        address = parsed(peer)
        if forwarded and self._trusts(address):
            for hop in _hops(forwarded, self.header):
                reported = parsed(hop)
                if reported is None:
                    break
                address = reported
                if not self._trusts(address):
                    break
        return (peer or None) if address is None else self._name(address)

    def _trusts(self, address: Optional[Address]) -> bool:
        if address is None:
            return self._trusts_unix
        return any(address in network for network in self._networks)

    def _name(self, address: Address) -> str:
        if isinstance(address, IPv4Address) or self._ipv6_prefix == 128:
            return str(address)
        return str(IPv6Network((address.packed, self._ipv6_prefix), strict=False))


def parsed(text: Optional[str]) -> Optional[Address]:
    """The address in ``text``, without port, brackets, quotes and zone, and an IPv4 one as such; None if it is none."""
    text = (text or "").strip(' \t"')
    if not 0 < len(text) <= _LONGEST_ADDRESS:
        return None
    try:
        address = ip_address(_without_port(text).partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _without_port(text: str) -> str:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        is_whole = bracket and ":" in host and (not rest or (rest[0] == ":" and _is_port(rest[1:])))
        return host if is_whole else ""
    host, colon, port = text.partition(":")
    return host if colon and "." in host and _is_port(port) else text


def _is_port(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_PORT and text.isascii() and text.isdigit()


def _hops(value: str, header: str) -> Iterator[str]:
    """What each hop reported, the nearest first.

    The value is cut at every comma, within quotes too: else a client could open a quotation that swallows what the
    proxies behind it wrote. No address has a comma.
    """
    end = len(value)
    while end >= 0:
        comma = value.rfind(",", 0, end)
        element, end = value[comma + 1 : end], comma
        if element.strip():
            yield _for_of(element) if header == "forwarded" else element


def _for_of(element: str) -> str:
    """The node that ``for=`` names in an element of ``Forwarded``, or nothing."""
    for pair in element.split(";"):
        name, _, node = pair.partition("=")
        if name.strip().lower() == "for":
            return node
    return ""


def _network(proxy: Union[str, Network]) -> Network:
    if not isinstance(proxy, (str, IPv4Network, IPv6Network)):
        raise TypeError(f"trusted_proxies has {proxy!r}; a trusted proxy must be a network, such as '10.0.0.0/8', or 'unix'")
    try:
        network = ip_network(proxy)
    except ValueError:
        raise ValueError(_no_network(proxy)) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network((str(mapped), network.prefixlen - 96))
    return network


def _no_network(proxy: Union[str, Network]) -> str:
    try:
        meant = ip_network(proxy, strict=False)
        return f"trusted_proxies has {proxy!r}, an address within a network: did you mean {meant}"
    except ValueError:
        return f"trusted_proxies has {proxy!r}; a trusted proxy must be a network, such as '10.0.0.0/8', or 'unix'"
