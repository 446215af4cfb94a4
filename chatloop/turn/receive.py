"""Step 1: normalise the text, limit its length, give the people in it pseudonyms.

It does not judge the text. Normalising happens once, here, so that every later step, the log and
the training data see the same characters.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from chatloop.core.ids import Pseudonyms
from chatloop.core.text import printable
from chatloop.core.types import Exchange, Incoming, Message


def normalise(text: str) -> str:
    """Return `text` in NFC without control characters and lone surrogates, ends trimmed.

    Line breaks become newlines; everything printable stays as typed, in any script.
    """
    return unicodedata.normalize("NFC", printable(text)).strip()


@dataclass(frozen=True, slots=True)
class Receive:
    """Turns what arrived into a Message. `limit_chars` applies after normalising."""

    pseudonyms: Pseudonyms
    default_ab_prob: float
    limit_chars: int

    def __call__(self, incoming: Incoming, turn_id: str) -> Message:
        """Return the message; text beyond the limit is cut.

        The API refuses longer texts with 413 before this; the cut is the floor for other doors.
        """
        return Message(
            turn_id=turn_id,
            text=normalise(incoming.prompt)[: self.limit_chars],
            mode=incoming.mode,
            ab_prob=self.default_ab_prob if incoming.ab_prob is None else incoming.ab_prob,
            llm_model=incoming.llm_model,
            user=self.pseudonyms.of("user", incoming.user_id),
            session=self.pseudonyms.of("session", incoming.session_id),
            history=tuple(self._exchange(e) for e in incoming.history),
            request_id=incoming.request_id,
            context=incoming.context,
            suggested_intent=incoming.suggested_intent,
            hint_rung=incoming.hint_rung,
            failures=incoming.failures,
        )

    def _exchange(self, exchange: Exchange) -> Exchange:
        return Exchange(exchange.role, normalise(exchange.content)[: self.limit_chars])
