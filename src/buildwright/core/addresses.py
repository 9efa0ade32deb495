"""Which network addresses are this machine's or lie inside its network, and how hosts are written. Must never look up a name."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_USUAL_PORTS = (80, 443)


class Destination(NamedTuple):
    """A host that may be reached, as a user names it: `example.org` (by http and https), `example.org:8443`, `[::1]:80`."""

    host: str
    ports: tuple[int, ...] = _USUAL_PORTS

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.ports == _USUAL_PORTS else f"{host}:{self.ports[0]}"


def read_place(text: str) -> Destination | None:
    """Return the place that a text names; None when it names none. Patterns and paths are none."""
    host, colon, port = text, "", ""
    if text.startswith("[") or text.count(":") == 1:
        host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    name = plain_host(host)
    if name is None or (colon and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536)):
        return None
    return Destination(name, (int(port),)) if colon else Destination(name)


def plain_host(text: str) -> str | None:
    """Return a host in the one way in which hosts are compared; None when it is neither a name nor an address."""
    text = text.lower().removesuffix(".")
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(inner))
    except ValueError:
        labels = text.split(".")
        # A last label of digits is an address in another spelling (127.1), which the system would read as one.
        if len(text) > 253 or not all(map(_LABEL.fullmatch, labels)) or re.fullmatch(r"0x[0-9a-f]*|[0-9]+", labels[-1]):
            return None
        return text


def is_inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address is reachable only from here, or belongs to no host."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if carried is None and address in ipaddress.ip_network("64:ff9b::/96"):
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            return is_inside(carried)
    return not address.is_global or address.is_multicast or address.is_reserved
