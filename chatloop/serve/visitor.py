"""Tell the API, signed, for whom the UI calls: the visitor's address and whether a proxy was seen.

The UI calls the API from this machine, so by its socket every visitor would look local. It knows
nothing of HTTP frameworks; the API decides what an address may do.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

VISITOR_HEADER = "X-Chatloop-Visitor"
SIGNATURE_HEADER = "X-Chatloop-Visitor-Signature"
PROXY_HEADERS = frozenset({"x-forwarded-for", "forwarded", "via", "x-real-ip"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sits at the browser: the address of their socket, and whether a proxy lay between."""

    address: str
    proxied: bool


def through_proxy(header_names: Iterable[str]) -> bool:
    """Tell whether one of the headers that proxies add is among `header_names`."""
    return any(name.lower() in PROXY_HEADERS for name in header_names)


def sign(secret: bytes, address: str, proxied: bool, now: float) -> dict[str, str]:
    """Return the two headers that carry the visitor. `now`: seconds since the epoch."""
    value = f"{address}|{int(proxied)}|{int(now)}"
    return {VISITOR_HEADER: value, SIGNATURE_HEADER: _signature(secret, value)}


def read(
    secret: bytes, headers: Mapping[str, str], now: float, max_age_s: float = 60
) -> Visitor | None:
    """Return the visitor that the headers name.

    None when they are absent, forged, malformed, or more than `max_age_s` away from `now`:
    the caller then judges by the socket.
    """
    given = {name.lower(): text for name, text in headers.items()}
    value = given.get(VISITOR_HEADER.lower(), "")
    signature = given.get(SIGNATURE_HEADER.lower(), "")
    expected = _signature(secret, value)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        return None
    address, _, rest = value.partition("|")
    proxied, _, moment = rest.partition("|")
    if not address or proxied not in {"0", "1"} or not moment.isdecimal():
        return None
    if abs(now - int(moment)) > max_age_s:
        return None
    return Visitor(address=address, proxied=proxied == "1")


def _signature(secret: bytes, value: str) -> str:
    key = hmac.new(secret, b"visitor", hashlib.sha256).digest()
    return hmac.new(key, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
