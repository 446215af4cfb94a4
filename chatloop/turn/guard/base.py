"""The shape of a guard: a text in, a Verdict out. A chain of guards is a guard."""

from __future__ import annotations

from typing import Protocol

from chatloop.core.types import Verdict


class Guard(Protocol):
    """Looks at one text. Never raises on any text; linear in its length."""

    def __call__(self, text: str) -> Verdict:
        """Return the text that may be used and stored, what was taken out, and a veto."""
