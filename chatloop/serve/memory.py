"""The server's memory of conversations, by session pseudonym: in this process, for a while.

It holds only guarded text (what the record of a turn holds too), never a file, and knows raw ids
as little as the log does. Bounded in sessions, lines and characters, so that a million visitors
cost no more than `max_sessions` of them. A process with several workers has none: a customer's
next message may reach another worker, and half a memory misleads more than none.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from chatloop.core.types import Context, Exchange

MAX_LINES = 20
MAX_CHARS = 4_000
"""A session's text in all; 10,000 full sessions of plain letters are about 60 MB."""
MAX_LINE_CHARS = 1_000
"""Of a longer line the beginning is kept: the rest would push out what was asked before."""


@dataclass(frozen=True, slots=True)
class _Session:
    """What is known of one session. `failures`: unsure turns in a row, up to now."""

    lines: tuple[Exchange, ...]
    failures: int
    kept_at: float


class Memory:
    """Recent lines and failures of at most `max_sessions` sessions, each for `idle_s` seconds.

    Calls are short and never wait, so they are safe from one event loop. `clock` counts seconds.
    """

    def __init__(
        self,
        *,
        max_sessions: int = 10_000,
        idle_s: float = 1800.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_sessions = max_sessions
        self._idle_s = idle_s
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()  # least recently kept first

    def __len__(self) -> int:
        """Sessions remembered now."""
        self.expire()
        return len(self._sessions)

    def history(self, session: str | None) -> tuple[Exchange, ...]:
        """Return the session's lines, newest last; none for a session that is not known."""
        known = self._known(session)
        return known.lines if known else ()

    def failures(self, session: str | None) -> int:
        """Return how many turns in a row, up to the last one, were unsure."""
        known = self._known(session)
        return known.failures if known else 0

    def keep(
        self, session: str | None, prompt: str | None, answer: str | None, *, unsure: bool
    ) -> None:
        """Add a turn: GUARDED text only, as in its record; None = there is no text to keep.

        The least recently kept session makes room for a new one.
        """
        if session is None:
            return
        before = self._known(session)
        lines = before.lines if before else ()
        if prompt and answer:
            lines = _newest((*lines, Exchange("user", prompt), Exchange("assistant", answer)))
        failures = (before.failures if before else 0) + 1 if unsure else 0
        self._sessions[session] = _Session(lines, failures, self._clock())
        self._sessions.move_to_end(session)
        while len(self._sessions) > self._max_sessions:
            self._sessions.popitem(last=False)

    def forget(self, session: str | None) -> None:
        """Drop a session: its conversation went to a person, or somebody asked for it."""
        if session is not None:
            self._sessions.pop(session, None)

    def expire(self) -> None:
        """Drop every session that nobody spoke in for `idle_s`; each call here does it."""
        limit = self._clock() - self._idle_s
        while self._sessions and next(iter(self._sessions.values())).kept_at <= limit:
            self._sessions.popitem(last=False)

    def _known(self, session: str | None) -> _Session | None:
        self.expire()
        return self._sessions.get(session) if session is not None else None


def _newest(lines: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    """Keep the newest lines within the bounds, each no longer than its own."""
    kept: list[Exchange] = []
    left = MAX_CHARS
    for line in reversed(lines[-MAX_LINES:]):
        content = line.content[:MAX_LINE_CHARS]
        left -= len(content)
        if left < 0:
            break
        kept.append(Exchange(line.role, content))
    return tuple(reversed(kept))


def context_of(
    memory: Memory | None, session: str | None, sent: tuple[Exchange, ...]
) -> tuple[tuple[Exchange, ...], Context]:
    """Return the lines before a message and where they came from.

    What the client sent wins: it shows what the customer sees. `memory` None = there is none in
    this process.
    """
    if sent:
        return sent, Context.CLIENT
    remembered = memory.history(session) if memory is not None else ()
    return remembered, Context.SESSION if remembered else Context.NONE
