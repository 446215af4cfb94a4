"""What goes into the store and comes out of it, besides core.types.Feedback: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chatloop.core.types import Exchange


class FeedbackStatus(StrEnum):
    """What became of a piece of feedback. DUPLICATE is an answer only, never stored."""

    ACCEPTED = "accepted"
    QUEUED = "queued_for_review"
    DUPLICATE = "duplicate"


class JobState(StrEnum):
    """Where a job stands; QUEUED and RUNNING are unfinished."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of long work. `progress` in [0, 1]; `result` is JSON text."""

    job_id: str
    state: JobState
    created_at: float
    stage: str = ""
    progress: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    pid: int | None = None
    actor: str = ""
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What `add_feedback` did. Of a repeat, `feedback_id` is that of the earlier piece."""

    feedback_id: str
    status: FeedbackStatus


@dataclass(frozen=True, slots=True)
class Ratings:
    """Votes: one a user and turn, the newest."""

    up: int
    down: int

    @property
    def satisfaction(self) -> float | None:
        """Share of the votes that are up; None before the first vote."""
        votes = self.up + self.down
        return self.up / votes if votes else None


@dataclass(frozen=True, slots=True)
class ProposedIntent:
    """A label that a trusted person made up; `answer` is empty until somebody writes one."""

    label: str
    answer: str
    created_at: float
    source: str


class TicketState(StrEnum):
    """Where a ticket stands. SENT: the help desk has it. CLOSED: a person is done with it."""

    OPEN = "open"
    SENT = "sent"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A conversation that a person takes over: why, whose (pseudonyms), and what was said.

    `transcript` is guarded text, newest last. `attempts` counts tries to send it; `next_try_at`
    is None when nobody is to send it any more, or ever was. `problem`: why the last try failed.
    """

    ticket_id: str
    reason: str
    created_at: float
    updated_at: float
    turn_id: str
    user: str | None
    session: str | None
    transcript: tuple[Exchange, ...]
    state: TicketState = TicketState.OPEN
    attempts: int = 0
    next_try_at: float | None = None
    problem: str | None = None
