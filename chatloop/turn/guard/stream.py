"""The held-back window: streams text on, but never half of something that must be taken out.

Text is released up to the last point where no e-mail address, phone or card number can still be
growing; what is held is at most 64 characters, then it is masked by the guard as it stands. It
works by piece, never by timer.
"""

from __future__ import annotations

import re

from chatloop.turn.guard.base import Guard

HELD_CHARS = 64
_GROWING = re.compile(r"(?:[+(]?[\d ()./+-]*\d[ ()./-]{0,3}|\S{1,64})\Z")


class StreamGuard:
    """Feeds one generated answer through a guard, piece by piece. One object a message."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._raw = ""
        self._sent = 0
        self.kinds: tuple[str, ...] = ()

    def feed(self, piece: str) -> str:
        """Take a piece in and return what may be shown now (possibly nothing)."""
        self._raw += piece
        growing = _GROWING.search(self._raw, max(0, len(self._raw) - 2 * HELD_CHARS))
        start = growing.start() if growing else len(self._raw)
        return self._release(max(start, len(self._raw) - HELD_CHARS))

    def finish(self) -> str:
        """Return what was still held; call it once, at the end."""
        return self._release(len(self._raw))

    def _release(self, end: int) -> str:
        """Guard the text up to `end` and return the part that was not sent yet."""
        verdict = self._guard(self._raw[:end])
        ready = verdict.text[self._sent :]
        self._sent = max(self._sent, len(verdict.text))
        self.kinds = verdict.kinds
        return ready

    @property
    def text(self) -> str:
        """The guarded answer so far: exactly what was released."""
        return self._guard(self._raw).text[: self._sent]
