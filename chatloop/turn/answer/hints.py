"""The ladder of hints of a release, and which hint a message gets.

A hint is one line of the prompt. It learns nothing here: the learned rung comes from outside.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from chatloop.core.errors import ReleaseError
from chatloop.core.release import Release
from chatloop.core.types import Message
from chatloop.turn.answer.base import Hint

HINTS = "hints.json"


@dataclass(frozen=True, slots=True)
class HintLadder:
    """Hints from the mildest to the strongest; a release begins on rung `start`."""

    rungs: tuple[str, ...] = ()
    start: int = 0

    @property
    def top(self) -> int:
        """The strongest rung; 0 when there are no hints."""
        return max(len(self.rungs) - 1, 0)

    def at(self, rung: int) -> Hint:
        """Return the hint of the rung nearest to `rung`; rung 0 without text when there is none."""
        rung = min(max(rung, 0), self.top)
        return Hint(rung, self.rungs[rung]) if self.rungs else Hint()


@dataclass(frozen=True, slots=True)
class LearnedHints:
    """Gives a message its caller's rung, else the learned one, else the start of the release."""

    ladder: HintLadder
    learned: Callable[[], int | None]

    def __call__(self, message: Message) -> Hint:
        """Return the hint for this message."""
        for rung in (message.hint_rung, self.learned()):
            if rung is not None:
                return self.ladder.at(rung)
        return self.ladder.at(self.ladder.start)


def load_hints(release: Release) -> HintLadder:
    """Read the ladder of a verified release; empty for one that was made without.

    Raises ReleaseError when the part is malformed.
    """
    if HINTS not in release.digests:
        return HintLadder()
    try:
        raw = json.loads(release.read(HINTS))
        return HintLadder(tuple(map(str, raw["rungs"])), int(raw["start"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"release {release.version}: its hints cannot be read ({type(error).__name__})"
        ) from error
