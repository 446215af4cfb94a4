"""Sends what is due, in the background, and tries again later what failed.

What is due stands in the store, so a restart forgets nothing and a worker takes a ticket that no
other one has. A worker that dies while it sends leaves the ticket to be sent once more: the help
desk tells a repeat by its Idempotency-Key.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from chatloop.loop.store.tickets import Tickets
    from chatloop.serve.tickets.webhook import Webhook

log = logging.getLogger(__name__)
DELAYS_S = (1.0, 5.0, 30.0, 300.0, 3600.0, 4 * 3600.0, 18 * 3600.0)
"""After each failed try but the last: eight tries within a day."""
LEASE_S = 30.0
"""How long a worker has a ticket to itself: well over one try's limit."""
LOOK_INTERVAL_S = 1.0


class Door(Protocol):
    """Runs blocking work in a thread of its own."""

    def __call__(self, work: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        """Return what `work` gives; raises what it raises."""

    def close(self) -> None:
        """Stop the thread; waiting work is dropped."""


@dataclass
class Counts:
    """What this worker sent since its start. `problem`: why its last try failed."""

    sent: int = 0
    failed: int = 0
    given_up: int = 0
    waiting: int = 0
    problem: str | None = None


class Deliveries:
    """The tickets on their way to the help desk. `clock`: seconds since the epoch."""

    def __init__(
        self,
        tickets: Tickets,
        webhook: Webhook,
        door: Door,
        *,
        delays_s: Sequence[float] = DELAYS_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tickets = tickets
        self._webhook = webhook
        self._door = door
        self._delays_s = delays_s
        self._clock = clock
        self._woken = asyncio.Event()
        self.counts = Counts()

    def wake(self) -> None:
        """Look at once: a ticket was opened."""
        self._woken.set()

    async def run(self) -> None:
        """Send what is due until cancelled; nothing that fails ends it."""
        while True:
            self._woken.clear()
            try:
                while await self.send_one():
                    pass
                self.counts.waiting = await self._door(self._tickets.waiting)
            except Exception as error:
                log.warning("tickets cannot be sent now (%s)", type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_INTERVAL_S):
                    await self._woken.wait()

    async def send_one(self) -> bool:
        """Send one ticket that is due; return whether there was one."""
        now = self._clock()
        ticket = await self._door(self._tickets.claim, now, LEASE_S)
        if ticket is None:
            return False
        problem = await self._webhook.send(ticket, now)
        delays_s = self._delays_s[ticket.attempts - 1 : ticket.attempts]
        again = self._clock() + delays_s[0] if problem and delays_s else None
        self._count(ticket.ticket_id, problem, last=again is None)
        await self._door(self._tickets.settle, ticket.ticket_id, problem, again)
        return True

    def _count(self, ticket_id: str, problem: str | None, *, last: bool) -> None:
        self.counts.problem = problem
        if problem is None:
            self.counts.sent += 1
            return
        self.counts.failed += 1
        self.counts.given_up += last
        ending = ", the last try" if last else ""
        log.warning("ticket %s was not taken: %s%s", ticket_id, problem, ending)

    async def aclose(self) -> None:
        """Close the connection to the help desk."""
        await self._webhook.aclose()
