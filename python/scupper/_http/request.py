"""A request as the functions that users pass are shown it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from typing import Any, Optional

from .address import AddressRules


class Request(ABC):
    """What ``key``, ``weight``, ``skip`` and ``response`` are asked about."""

    __slots__ = ("_rules", "raw")

    raw: MutableMapping[str, Any]
    """The ASGI scope, or the WSGI environment."""

    def __init__(self, raw: MutableMapping[str, Any], rules: AddressRules) -> None:
        self.raw = raw
        self._rules = rules

    @property
    def client(self) -> Optional[str]:
        """The client's name by its address: ``"203.0.113.7"``, or a network, ``"2001:db8:1:2::/64"``, for IPv6.

        It is the peer of the connection; where that is a trusted proxy, whom the proxies report. A peer that is no IP
        address is known by what the server calls it. None if the server knows none, as with a Unix socket.
        """
        rules = self._rules
        return rules.name_of(self._peer(), self.header(rules.header) if rules.trusts_any else None)

    @property
    @abstractmethod
    def kind(self) -> str:
        """``"http"`` or ``"websocket"``."""

    @property
    @abstractmethod
    def method(self) -> str:
        """The method, such as ``"GET"``, which is also that of a WebSocket's handshake."""

    @property
    @abstractmethod
    def path(self) -> str:
        """The path from the root of the server, decoded, without the query."""

    @abstractmethod
    def header(self, name: str) -> Optional[str]:
        """The value of a request header, of all its lines joined as one; None if it is not there."""

    @abstractmethod
    def _peer(self) -> Optional[str]:
        """Whom the server sees at the other end."""


def client_address(request: Request) -> Optional[str]:
    """The default ``key``: :attr:`Request.client`."""
    return request.client
