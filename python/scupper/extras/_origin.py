"""The host that a request goes to."""

from __future__ import annotations

from ipaddress import IPv6Address
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def origin_of(url: str) -> str:
    """Scheme, host and port of ``url``, written in one way only: ``https://example.com`` or ``http://[::1]:8080``.

    Case, user, a dot at the end of the name and the default port make no difference. International names are to be in
    the form that goes over the wire, as clients give them; such as are not are encoded by IDNA.
    """
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), _host(parts.hostname or "")
    try:
        port = parts.port
    except ValueError:  # no client sends there
        return f"{scheme}://{parts.netloc.rpartition('@')[2].lower()}"
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def _host(name: str) -> str:
    if ":" in name:
        return f"[{_address(name)}]"
    name = name.removesuffix(".")
    if name.isascii():
        return name.lower()
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return name.lower()


def _address(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        return text.lower()
