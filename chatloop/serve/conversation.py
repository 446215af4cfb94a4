"""Takes a turn in its conversation: the lines before it go in, what came of it is remembered.

Every door (/chat, /v1, the terminal) takes its turns here, and a hand-over gets its ticket here.

What counts as a failure is decided here: a reply in which the bot could offer no more than a
passage or the way to a person.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from chatloop.core.ids import Pseudonyms
from chatloop.core.telemetry import TurnRecord
from chatloop.core.types import AnsweredBy, Incoming
from chatloop.serve.memory import Memory, context_of
from chatloop.serve.tickets.desk import Desk
from chatloop.turn.turn import Outcome, Turn

_UNSURE = (AnsweredBy.PASSAGE, AnsweredBy.HAND_OVER)


class Conversations:
    """The conversations of this process. `memory` None = several workers, nothing is remembered."""

    def __init__(self, pseudonyms: Pseudonyms, memory: Memory | None, desk: Desk) -> None:
        self._pseudonyms = pseudonyms
        self._memory = memory
        self._desk = desk

    async def take(self, turn: Turn, incoming: Incoming) -> Outcome:
        """Answer a message whole."""
        return await self._finish(await turn.take(self.recall(incoming)))

    async def stream(
        self, turn: Turn, incoming: Incoming, *, turn_id: str | None = None
    ) -> AsyncGenerator[str | Outcome, None]:
        """Yield the pieces of the reply, then the Outcome. `turn_id`: as in `Turn.stream`."""
        async with aclosing(turn.stream(self.recall(incoming), turn_id=turn_id)) as pieces:
            async for piece in pieces:
                yield await self._finish(piece) if isinstance(piece, Outcome) else piece

    async def _finish(self, outcome: Outcome) -> Outcome:
        self.note(outcome.record)
        return replace(outcome, ticket=await self._desk.ticket_for(outcome))

    def recall(self, incoming: Incoming) -> Incoming:
        """Return the message with its history, where that came from, and the failures so far."""
        session = self._pseudonyms.of("session", incoming.session_id)
        history, context = context_of(self._memory, session, incoming.history)
        failures = self._memory.failures(session) if self._memory else 0
        return replace(incoming, history=history, context=context, failures=failures)

    def note(self, record: TurnRecord) -> None:
        """Remember a turn; one that went to a person ends the conversation with the bot."""
        if self._memory is None:
            return
        if record.hand_over:
            self._memory.forget(record.session)
            return
        unsure = record.answered_by in _UNSURE
        self._memory.keep(record.session, record.prompt, record.answer, unsure=unsure)

    def expire(self) -> None:
        """Drop what is too old, also when nobody speaks any more."""
        if self._memory is not None:
            self._memory.expire()
