"""Opens the ticket of a hand-over, after the turn ended and before the reply goes out.

A chat never waits longer than a second for it and never fails with it: without a ticket the words
of the reply are still true, because they say how to reach a person.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chatloop.core.ids import ticket_id
from chatloop.core.types import Exchange
from chatloop.loop.store import Ticket
from chatloop.serve.tickets.deliveries import Deliveries, Door
from chatloop.turn.turn import Outcome

if TYPE_CHECKING:
    from chatloop.loop.store.tickets import Tickets

log = logging.getLogger(__name__)
STORE_LIMIT_S = 1.0
MAX_LINE_CHARS = 4000


class Desk:
    """The tickets of this worker. `deliveries` None = no help desk is configured."""

    def __init__(self, tickets: Tickets, door: Door, deliveries: Deliveries | None = None) -> None:
        self._tickets = tickets
        self._door = door
        self._deliveries = deliveries
        self._missed = 0

    async def ticket_for(self, outcome: Outcome) -> str | None:
        """Open or join the ticket of a hand-over; None for another turn, or when it failed."""
        record = outcome.record
        if not record.hand_over:
            return None
        try:
            async with asyncio.timeout(STORE_LIMIT_S):
                ticket: Ticket = await self._door(self._tickets.open, self._ticket(outcome))
        except Exception as error:  # whatever it is, the customer gets the reply
            self._missed += 1
            log.warning("turn %s has no ticket (%s)", record.turn_id, type(error).__name__)
            return None
        if self._deliveries:
            self._deliveries.wake()
        return ticket.ticket_id

    def _ticket(self, outcome: Outcome) -> Ticket:
        record, now = outcome.record, time.time()
        return Ticket(
            ticket_id=ticket_id(),
            reason=record.hand_over or "",
            created_at=now,
            updated_at=now,
            turn_id=record.turn_id,
            user=record.user,
            session=record.session,
            transcript=_transcript(outcome),
            next_try_at=now if self._deliveries else None,
        )

    async def run(self) -> None:
        """Send tickets until cancelled; return at once when there is nowhere to send them."""
        if self._deliveries:
            await self._deliveries.run()

    async def aclose(self) -> None:
        """Close the connection to the help desk, and the door to the store."""
        if self._deliveries:
            await self._deliveries.aclose()
        self._door.close()

    @property
    def failing(self) -> bool:
        """Whether the help desk did not take the last ticket that it was sent."""
        return bool(self._deliveries and self._deliveries.counts.problem)

    def status(self) -> dict[str, Any]:
        """Return the state for /health, without asking the store."""
        if self._deliveries is None:
            return {"webhook": "off", "missed": self._missed}
        state = "failing" if self.failing else "on"
        return {"webhook": state, "missed": self._missed, **asdict(self._deliveries.counts)}


def _transcript(outcome: Outcome) -> tuple[Exchange, ...]:
    """Return the guarded lines of a turn and before it, the only ones that the record holds too."""
    asked = Exchange("user", outcome.record.prompt or "")
    answered = Exchange("assistant", outcome.record.answer or "")
    lines = (*outcome.history, asked, answered)
    return tuple(Exchange(line.role, line.content[:MAX_LINE_CHARS]) for line in lines)
