"""The outermost layer: a request id in, the same id and the model's version out on every reply.

Also judges where a caller sits: `is_local` is true for this machine only, never for a visitor of
the UI from elsewhere and never through a proxy.
"""

from __future__ import annotations

import ipaddress
import random
import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatloop.serve import visitor

_ID_HEADER, _VERSION_HEADER = b"x-request-id", b"x-chatloop-model-version"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Edge:
    """ASGI middleware. `version` says which release answers now; `count` hears each status."""

    def __init__(
        self, app: ASGIApp, version: Callable[[], str | None], count: Callable[[int], None]
    ) -> None:
        self._app = app
        self._version = version
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its reply."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or f"{random.getrandbits(64):016x}"
        scope["chatloop.request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (_ID_HEADER, request_id.encode()),
                ]
                if all(name != _VERSION_HEADER for name, _ in message["headers"]):
                    version = self._version() or "none"
                    message["headers"].append((_VERSION_HEADER, version.encode()))
                self._count(int(message["status"]))
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if _REQUEST_ID.fullmatch(text) else None
    return None


def is_local(request: Request, secret: bytes) -> bool:
    """Tell whether the caller sits at this machine: a loopback socket and no proxy between.

    A call by our UI carries its visitor's address, signed; then that address counts. A browser
    that acts for another site's page is not its user: told by Host, Origin and Sec-Fetch-Site.
    """
    if _is_cross_site(request):
        return False
    signed = visitor.read(secret, request.headers, time.time())
    if signed:
        return _is_loopback(signed.address) and not signed.proxied
    if visitor.through_proxy(request.headers.keys()):
        return False
    return request.client is not None and _is_loopback(request.client.host)


def _is_cross_site(request: Request) -> bool:
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "none")
    here = _is_this_machine(request.headers.get("host", ""))
    return not here or site not in {"none", "same-origin"} or not _is_own(origin, request)


def _is_own(origin: str | None, request: Request) -> bool:
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _is_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
