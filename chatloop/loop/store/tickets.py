"""Reads and writes of tickets: conversations that a person takes over.

It opens, joins, claims and closes them; it sends nothing. What is still to be sent stands in the
rows, so that a restart forgets none and two workers never send the same one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa

from chatloop.core.errors import StoreError
from chatloop.core.types import Exchange
from chatloop.loop.store.database import METADATA, Database, TakenError
from chatloop.loop.store.values import Ticket, TicketState

JOIN_S = 3600.0
"""A session's next hand-over within this time joins the ticket that it has."""
MAX_LINES = 60
MAX_AN_HOUR = 1000
"""New tickets an hour: whoever asks without a session must not fill the disk and the help desk."""

TICKETS = sa.Table(
    "tickets",
    METADATA,
    sa.Column("ticket_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False, index=True),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Column("turn_id", sa.Text, nullable=False),
    sa.Column("user", sa.Text, index=True),
    sa.Column("session", sa.Text),
    sa.Column("transcript", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_try_at", sa.Double),
    sa.Column("problem", sa.Text),
    sa.Column("holder", sa.Text, unique=True),
)
"""`holder`: the session, else user, whose next hand-over joins this ticket; one ticket each."""

_C = TICKETS.c
_IS_OPEN = _C.state == TicketState.OPEN


class Tickets:
    """All reads and writes of tickets. Thread-safe, blocking."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, ticket: Ticket) -> Ticket:
        """Store a ticket, or add what it says to the one that its session has; return that one.

        Raises StoreError when too many were opened within an hour.
        """
        try:
            return self._open(ticket)
        except TakenError:  # another worker opened one for this session a moment ago
            return self._open(ticket)

    def _open(self, ticket: Ticket) -> Ticket:
        holder = ticket.session or ticket.user
        since = ticket.created_at - JOIN_S
        with self._database.transaction() as connection:
            if holder and (known := _held(connection, holder, since)):
                return _join(connection, known, ticket)
            recent = sa.select(sa.func.count()).where(_C.created_at > since)
            if connection.execute(recent).scalar_one() >= MAX_AN_HOUR:
                raise StoreError(f"no more than {MAX_AN_HOUR} tickets are opened within an hour")
            connection.execute(TICKETS.insert().values(_row(ticket) | {"holder": holder}))
            return ticket

    def find(self, ticket_id: str) -> Ticket | None:
        """Return one ticket, or None."""
        found = self._tickets(sa.select(TICKETS).where(_C.ticket_id == ticket_id))
        return found[0] if found else None

    def newest(
        self, states: Sequence[TicketState] = tuple(TicketState), limit: int = 100
    ) -> list[Ticket]:
        """Return the tickets in one of `states`, newest first."""
        query = sa.select(TICKETS).where(_C.state.in_(states))
        query = query.order_by(_C.created_at.desc(), _C.ticket_id.desc())
        return self._tickets(query.limit(limit))

    def close(self, ticket_id: str) -> bool:
        """Close a ticket; return whether there is one. Nobody sends it any more."""
        closed = {"state": TicketState.CLOSED, "holder": None, "next_try_at": None}
        return self._update([_C.ticket_id == ticket_id], closed)

    def claim(self, now: float, lease_s: float) -> Ticket | None:
        """Return a ticket that is due to be sent, one try more on it; None when none is.

        Nobody else gets it within `lease_s`; it is due again then, unless `settle` said more.
        """
        due = [_IS_OPEN, _C.next_try_at <= now]
        query = sa.select(TICKETS).where(*due).order_by(_C.next_try_at, _C.ticket_id).limit(1)
        for ticket in self._tickets(query):
            taken = replace(ticket, attempts=ticket.attempts + 1, next_try_at=now + lease_s)
            news = {"attempts": taken.attempts, "next_try_at": taken.next_try_at}
            if self._update([_C.ticket_id == ticket.ticket_id, *due], news):
                return taken
        return None

    def settle(self, ticket_id: str, problem: str | None, next_try_at: float | None) -> None:
        """Note how a try ended: sent (no problem), or what failed and when to try again."""
        state = TicketState.OPEN if problem else TicketState.SENT
        news = {"state": state, "problem": problem, "next_try_at": next_try_at}
        self._update([_C.ticket_id == ticket_id, _IS_OPEN], news)

    def waiting(self) -> int:
        """Count the tickets that are still to be sent."""
        query = sa.select(sa.func.count()).where(_IS_OPEN, _C.next_try_at.is_not(None))
        with self._database.transaction() as connection:
            return int(connection.execute(query).scalar_one())

    def _update(self, conditions: Sequence[sa.ColumnElement[bool]], news: dict[str, Any]) -> bool:
        with self._database.transaction() as connection:
            update = TICKETS.update().where(*conditions).values(news)
            return bool(connection.execute(update).rowcount)

    def _tickets(self, query: sa.Select[Any]) -> list[Ticket]:
        with self._database.transaction() as connection:
            return [_ticket(row) for row in connection.execute(query)]


def _held(connection: sa.Connection, holder: str, since: float) -> Ticket | None:
    """Return the ticket that `holder` has; one from before `since` is let go of."""
    # The write comes first: in SQLite it keeps other writers out until the end.
    old = TICKETS.update().where(_C.holder == holder, _C.created_at <= since)
    connection.execute(old.values(holder=None))
    held = sa.select(TICKETS).where(_C.holder == holder).with_for_update()
    row = connection.execute(held).one_or_none()
    return _ticket(row) if row else None


def _join(connection: sa.Connection, known: Ticket, news: Ticket) -> Ticket:
    ticket = replace(
        known,
        transcript=joined(known.transcript, news.transcript),
        updated_at=news.updated_at,
    )
    both = {name: _row(ticket)[name] for name in ("transcript", "updated_at")}
    connection.execute(TICKETS.update().where(_C.ticket_id == known.ticket_id).values(both))
    return ticket


def joined(before: tuple[Exchange, ...], news: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    """Return both in order, the lines that both hold where they meet once; the newest MAX_LINES."""
    most = min(len(before), len(news))
    shared = next(n for n in range(most, -1, -1) if before[len(before) - n :] == news[:n])
    return (before + news[shared:])[-MAX_LINES:]


def _row(ticket: Ticket) -> dict[str, Any]:
    lines = [asdict(line) for line in ticket.transcript]
    return asdict(ticket) | {"transcript": json.dumps(lines, ensure_ascii=False)}


def _ticket(row: sa.Row[Any]) -> Ticket:
    values = dict(row._mapping)
    del values["holder"]
    lines = tuple(Exchange(**line) for line in json.loads(values["transcript"]))
    return Ticket(**values | {"state": TicketState(values["state"]), "transcript": lines})
