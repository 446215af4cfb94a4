"""Posts one ticket to the help desk's address, signed, and says how that went.

It keeps nothing and tries once; `deliveries` decides whether and when to try again. Only guarded
text and pseudonyms leave, only for the address of the settings: redirects are not followed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from dataclasses import asdict

import httpx

from chatloop import __version__
from chatloop.core.llm_settings import is_near
from chatloop.loop.store import Ticket

TIMEOUT_S = 5.0
SIGNATURE_HEADER = "X-Chatloop-Signature"
IDEMPOTENCY_HEADER = "Idempotency-Key"
BODY_VERSION = 1
_SENT = ("reason", "created_at", "turn_id", "user", "session")


class Webhook:
    """One address and the secret that signs what is sent there."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._key = secret.encode()
        # A proxy of the environment may be the way out, but never the way to this machine.
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=not is_near(url))

    async def send(self, ticket: Ticket, now: float) -> str | None:
        """Post `ticket`; return None when it was taken (2xx), else why not, in a few words."""
        body = body_of(ticket)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"chatloop/{__version__}",
            IDEMPOTENCY_HEADER: ticket.ticket_id,
            SIGNATURE_HEADER: sign(self._key, body, int(now)),
        }
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return _problem(await self._status(body, headers))
        except (TimeoutError, httpx.TimeoutException):
            return f"no answer within {TIMEOUT_S:g} s"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"no connection ({type(error).__name__})"

    async def _status(self, body: bytes, headers: dict[str, str]) -> int:
        post = self._client.stream("POST", self._url, content=body, headers=headers)
        async with post as response:  # its body is not read: it may be endless
            return response.status_code

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def body_of(ticket: Ticket) -> bytes:
    """Return a ticket as the help desk gets it."""
    fields = {"version": BODY_VERSION, "ticket": ticket.ticket_id}
    fields |= {name: getattr(ticket, name) for name in _SENT}
    fields["transcript"] = [asdict(line) for line in ticket.transcript]
    return json.dumps(fields, ensure_ascii=False).encode("utf-8")


def sign(key: bytes, body: bytes, now: int) -> str:
    """Return `t=<now>,v1=<HMAC-SHA256 of "<now>.<body>">`: who sent this, and when."""
    digest = hmac.new(key, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"


def _problem(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    redirected = " (redirects are not followed)" if 300 <= status < 400 else ""
    return f"status {status}{redirected}"
