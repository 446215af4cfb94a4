"""The held-back window: streams text on, but never half of something that must be taken out.

Text is released up to the last point where no e-mail address, phone or card number can still be
growing. What is held is at most 64 characters, or 320 of what may be an address or numbers side
by side; in a longer row of digits they are masked. It works by piece, never by timer.
"""

from __future__ import annotations

import re

from chatloop.core.text import printable
from chatloop.turn.guard.base import Guard

HELD_CHARS = 64
_HELD_ENTITY_CHARS = 320
_GAP = r" \u00a0\u2009\u202f./()\u2010-\u2013-"
# Both read backwards from the end: the unfinished word, and the digits before it that it goes on.
_WORD = re.compile(r"\S*")
_NUMBER = re.compile(rf"(?<![^\d{_GAP}])[{_GAP}]*\d[\d{_GAP}]*\+?")
_DIGIT = re.compile(r"\d")


class StreamGuard:
    """Feeds one generated answer through a guard, piece by piece. One object a message."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._raw = ""
        self._released = 0
        self._shown = ""
        self.kinds: tuple[str, ...] = ()

    def feed(self, piece: str) -> str:
        """Take a piece in and return what may be shown now (possibly nothing)."""
        self._raw += printable(piece)
        held = self._held_chars()
        end = max(self._released, len(self._raw) - held)
        if held == _HELD_ENTITY_CHARS:
            self._mask(end)
        return self._release(end)

    def finish(self) -> str:
        """Return what was still held; call it once, at the end."""
        return self._release(len(self._raw))

    def _held_chars(self) -> int:
        tail = self._raw[: -_HELD_ENTITY_CHARS - 1 : -1]
        word = _WORD.match(tail)
        length = word.end() if word else 0
        if "@" in tail[:length]:
            return length
        number = _NUMBER.match(tail, length)
        return number.end() if number else min(length, HELD_CHARS)

    def _mask(self, end: int) -> None:
        """Hide the digits that a row of them, too long to be held, pushes out before `end`."""
        row = _NUMBER.match(self._raw[self._released : end][::-1])
        start = end - row.end() if row else end
        self._raw = self._raw[:start] + _DIGIT.sub("*", self._raw[start:end]) + self._raw[end:]

    def _release(self, end: int) -> str:
        """Guard the text up to `end` and return the part that was not sent yet.

        What was shown stays: should the longer text read otherwise, the rest is guarded alone.
        """
        if end == self._released:
            return ""
        whole = self._guard(self._raw[:end])
        if not whole.text.startswith(self._shown):
            whole = self._guard(self._raw[self._released : end])
            ready = whole.text
        else:
            ready = whole.text[len(self._shown) :]
        self.kinds = tuple(dict.fromkeys((*self.kinds, *whole.kinds)))
        self._released = end
        self._shown += ready
        return ready

    @property
    def text(self) -> str:
        """The guarded answer so far: exactly what was released."""
        return self._shown
