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
_VIEW_CHARS, _OVERLAP_CHARS = 1200, 400
# How much clean text is read again with each piece: without a bound a long answer takes time that
# grows with its square. The overlap is longer than anything held and any context of a rule.
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
        self._base = 0  # the text before it is clean and need not be read again
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
        view = self._guard(self._raw[self._base : end])
        before = self._shown[self._base :]
        if view.text.startswith(before):
            ready = view.text[len(before) :]
        else:
            view = self._guard(self._raw[self._released : end])
            ready = view.text
        self.kinds = tuple(dict.fromkeys((*self.kinds, *view.kinds)))
        self._released = end
        self._shown += ready
        self._settle()
        return ready

    def _settle(self) -> None:
        """Move the base on while all that was shown is what was written, letter for letter."""
        end = self._released
        if (
            end - self._base > _VIEW_CHARS
            and self._shown[self._base :] == self._raw[self._base : end]
        ):
            self._base = end - _OVERLAP_CHARS

    @property
    def text(self) -> str:
        """The guarded answer so far: exactly what was released."""
        return self._shown
