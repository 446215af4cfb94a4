"""Follows what was learned under the release in service, and holds it in memory.

Every worker reads the store by itself, so a rating that any of them took is in force everywhere
within two seconds. A request never waits for it: while the store is away the last known stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from chatloop.loop.feedback.hint_rung import HintState
from chatloop.loop.feedback.learned import Learned
from chatloop.loop.feedback.llm_votes import votes_by_model
from chatloop.turn.answer.choose import ModelVotes
from chatloop.turn.answer.hints import HintLadder

log = logging.getLogger(__name__)
FOLLOW_INTERVAL_S = 1.5
"""Within two seconds, the reading included."""

Read = Callable[[str], Awaitable[Learned]]
"""Reads what was learned under a release, off the event loop."""


class LearnedState:
    """What this worker knows of one release; of any other release it knows nothing."""

    def __init__(self) -> None:
        self._release: str | None = None
        self._learned = Learned()
        self._votes: Mapping[str, ModelVotes] = {}
        self.problem: str | None = None

    def known(self, release: str) -> Learned:
        """Return all that is known of `release`."""
        return self._learned if release == self._release else Learned()

    def rung(self, release: str) -> int | None:
        """Return the learned rung of the hint ladder; None = where the release starts."""
        hint = self.known(release).hint
        return hint.rung if hint else None

    def votes(self, release: str) -> Mapping[str, ModelVotes]:
        """Return the votes on each language model."""
        return self._votes if release == self._release else {}

    async def follow(self, release: Callable[[], str | None], read: Read) -> None:
        """Read what was learned under the present release, again and again, until cancelled."""
        while True:
            if current := release():
                await self.look(current, read)
            await asyncio.sleep(FOLLOW_INTERVAL_S)

    async def look(self, release: str, read: Read) -> None:
        """Read once. Never raises: what fails is noted, what is known stays."""
        try:
            learned = await read(release)
        except Exception as error:
            self._note(str(error) or type(error).__name__)
            return
        self._note(learned.problem)
        if learned != self._learned or release != self._release:
            self._votes = votes_by_model(learned.llm) if learned.llm else {}
            self._learned, self._release = learned, release

    def _note(self, problem: str | None) -> None:
        """Log a problem once, not at every look."""
        if problem and problem != self.problem:
            log.warning("learned state: %s", problem)
        self.problem = problem


def describe(learned: Learned, ladder: HintLadder) -> dict[str, Any]:
    """Return for people what is in force, and what moved it."""
    hint = learned.hint or HintState(ladder.start)
    in_force = ladder.at(hint.rung)
    models = votes_by_model(learned.llm) if learned.llm else {}
    return {
        "hint": {
            "rung": in_force.rung,
            "start": ladder.start,
            "top": ladder.top,
            "text": in_force.text,
            "version": hint.version,
            "votes": {"up": hint.up, "down": hint.down},
            "moved_by": asdict(hint.moves[-1]) if hint.moves else None,
        },
        "models": {
            name: {"up": votes.total.up, "down": votes.total.down, "mean": votes.total.mean}
            for name, votes in models.items()
        },
    }
