"""The question after each answer: right, wrong, the right intent, or on with the conversation."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from chatloop.core.errors import ApiError
from chatloop.serve.terminal.bots import Bot
from chatloop.serve.terminal.labels import Match, Sure, match
from chatloop.serve.terminal.screen import Screen

RIGHT = "y / n / the right intent / Enter = skip: "
WHICH = "What was it about (name or number, ? lists them, Enter = skip): "
_WIDTH = 96
_YES, _NO = {"y", "yes"}, {"n", "no"}


class Feedback:
    """Asks about one answer after the other. `on_no` is called when one was wrong."""

    def __init__(
        self, bot: Bot, screen: Screen, *, user_id: str | None, on_no: Callable[[], None]
    ) -> None:
        self._bot = bot
        self._screen = screen
        self._user = {"user_id": user_id} if user_id else {}
        self._on_no = on_no
        self._listed = False

    def ask(self, turn_id: str) -> str:
        """Ask about a turn; return the line that was no feedback but the next message, or ``."""
        said = self._screen.ask(RIGHT)
        if said.lower() in _YES:
            self._send(turn_id=turn_id, rating="up")
        elif said.lower() in _NO:
            self._send(turn_id=turn_id, rating="down")
            self._on_no()
            return self._which(turn_id)
        elif said and not said.startswith("/"):
            found = match(said, self._intents())
            if found and self._agreed(found, "Enter = no, it is my next message"):
                self._send(turn_id=turn_id, label=found.label)
                return ""
            return said
        return said if said.startswith("/") else ""

    def _which(self, turn_id: str) -> str:
        """Ask for the right intent until one is named or skipped; a command ends the question."""
        if not self._listed:
            self._list()
        while (said := self._screen.ask(WHICH)) and not said.startswith("/"):
            found = match(said, self._intents())
            if said == "?":
                self._list()
            elif found is None:
                self._screen.dim("That is no name of an intent; a new one looks like gift_cards.")
            elif self._agreed(found, "Enter = no"):
                self._send(turn_id=turn_id, label=found.label)
                return ""
        return said

    def _agreed(self, found: Match, otherwise: str) -> bool:
        if found.sure is Sure.YES:
            return True
        what = "a new intent" if found.sure is Sure.NEW else "right"
        return self._screen.ask(f"{found.label}: {what}? y / {otherwise}: ").lower() in _YES

    def _intents(self) -> list[str]:
        try:
            return sorted(self._bot.intents())
        except ApiError as error:
            self._screen.error(str(error))
            return []

    def _list(self) -> None:
        self._listed = True
        named = "  ".join(f"{i}\xa0{name}" for i, name in enumerate(self._intents(), 1))
        for line in textwrap.wrap(named, _WIDTH, break_long_words=False, break_on_hyphens=False):
            self._screen.dim(line.replace("\xa0", " "))

    def _send(self, **fields: Any) -> None:
        try:
            self._screen.dim(self._bot.submit({**fields, **self._user}))
        except ApiError as error:
            self._screen.error(str(error))
