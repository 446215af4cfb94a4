"""The one door to SQLAlchemy: feedback, intents, jobs and tickets, in SQLite or PostgreSQL.

It keeps what it is given (texts come redacted) and judges nothing. One code path serves one
machine and many, so that moving to PostgreSQL is a change of DATABASE_URL and nothing else.
"""

from chatloop.loop.store.store import Store
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
