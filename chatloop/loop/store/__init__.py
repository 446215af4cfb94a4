"""The one door to SQLAlchemy: feedback, intents, jobs and tickets, in SQLite or PostgreSQL.

It keeps what it is given (texts come redacted) and judges nothing. One code path serves one
machine and many, so that moving to PostgreSQL is a change of DATABASE_URL and nothing else.
SQLAlchemy is loaded when `Store` is first asked for: it is a fifth of the time of `import main`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatloop.loop.store.values import (
    Added,
    FeedbackStatus,
    Job,
    JobState,
    ProposedIntent,
    Ratings,
    Ticket,
    TicketState,
)

if TYPE_CHECKING:
    from chatloop.loop.store.store import Store

__all__ = [
    "Added",
    "FeedbackStatus",
    "Job",
    "JobState",
    "ProposedIntent",
    "Ratings",
    "Store",
    "Ticket",
    "TicketState",
]


def __getattr__(name: str) -> Any:
    if name == "Store":
        from chatloop.loop.store.store import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
