"""`python -m chatloop tickets`: list them, read one, close one. Works with the server down."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from chatloop.core.errors import StoreError
from chatloop.core.settings import Settings
from chatloop.loop.store import Store, Ticket, TicketState

Say = Callable[[str], None]
_NOT_CLOSED = (TicketState.OPEN, TicketState.SENT)


def run(settings: Settings, given: argparse.Namespace, say: Say) -> None:
    """List tickets, show one or close one; raises StoreError for an id that is not there."""
    store = Store(settings.store_url)
    try:
        if given.close:
            _close(store, given.close.upper(), say)
        elif given.ticket:
            _show(store, given.ticket.upper(), say)
        else:
            _list(store, say, only_open=given.open)
    finally:
        store.close()


def _list(store: Store, say: Say, *, only_open: bool) -> None:
    tickets = store.tickets.newest(_NOT_CLOSED if only_open else tuple(TicketState))
    for ticket in tickets:
        say(_line(ticket))
    if not tickets:
        say("there is no open ticket" if only_open else "there is no ticket yet")


def _line(ticket: Ticket) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(ticket.created_at))
    trouble = f"  not taken: {ticket.problem} ({ticket.attempts} tries)" if ticket.problem else ""
    return f"{ticket.ticket_id}  {ticket.state:6}  {at}  {ticket.reason}{trouble}"


def _show(store: Store, ticket_id: str, say: Say) -> None:
    ticket = store.tickets.find(ticket_id)
    if ticket is None:
        raise _unknown()
    say(_line(ticket))
    say(f"turn {ticket.turn_id}")
    for line in ticket.transcript:
        say(f"{line.role}: {line.content}")


def _close(store: Store, ticket_id: str, say: Say) -> None:
    if not store.tickets.close(ticket_id):
        raise _unknown()
    say(f"{ticket_id} is closed")


def _unknown() -> StoreError:
    return StoreError("there is no such ticket: `python -m chatloop tickets` lists them")
