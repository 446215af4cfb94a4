"""Several guards as one: each sees what the one before let through; the first veto ends it."""

from __future__ import annotations

from dataclasses import dataclass

from chatloop.core.types import Verdict
from chatloop.turn.guard.base import Guard


@dataclass(frozen=True, slots=True)
class Chain:
    """A guard made of guards, run in order."""

    guards: tuple[Guard, ...]

    def __call__(self, text: str) -> Verdict:
        """Return the last text with all kinds found, blocked when any guard blocked."""
        kinds: tuple[str, ...] = ()
        for guard in self.guards:
            verdict = guard(text)
            text, kinds = verdict.text, kinds + verdict.kinds
            if verdict.blocked:
                return Verdict(text, kinds, blocked=True)
        return Verdict(text, kinds)
