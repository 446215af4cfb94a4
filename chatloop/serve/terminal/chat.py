"""The conversation: a message, its streamed answer, what it came from, feedback; until the end.

It knows neither how an answer is made nor what is at the other end of `Bot`.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import Any

from chatloop.core.errors import ApiError
from chatloop.core.types import Mode
from chatloop.serve.terminal import words
from chatloop.serve.terminal.bots import Bot, Json
from chatloop.serve.terminal.feedback import Feedback
from chatloop.serve.terminal.screen import Screen

YOU = "you: "
_HISTORY_LINES = 20  # the API takes no more
_TOP_RUNG = 3  # of a bot that does not say how long its ladder of hints is


class Chat:
    """One person's session with a bot."""

    def __init__(
        self, bot: Bot, screen: Screen, *, mode: Mode = Mode.AUTO, user_id: str | None = None
    ) -> None:
        self._bot = bot
        self._screen = screen
        self._mode = mode
        self._ids = {"session_id": secrets.token_urlsafe(16)}
        self._ids |= {"user_id": user_id} if user_id else {}
        self._feedback = Feedback(bot, screen, user_id=user_id, on_no=self._raise_hint)
        self._history: list[dict[str, str]] = []
        self._done: Json = {}
        self._rung: int | None = None

    def run(self) -> None:
        """Chat until the person ends it; raises ApiError when there is no bot to begin with."""
        self._screen.dim(words.greeting(self._bot.health()))
        said = ""
        try:
            while True:
                said = said or self._screen.ask(YOU)
                if said == "/quit":
                    return
                if said.startswith("/"):
                    self._command(said)
                    said = ""
                elif said:
                    said = self._exchange(said)
        except (EOFError, KeyboardInterrupt):
            self._screen.line()

    def _exchange(self, prompt: str) -> str:
        """Answer one message and ask about the answer; return the next message if there is one."""
        done = self._answer(prompt)
        if done is None:
            return ""
        self._done = done
        self._screen.dim(words.summary(done))
        for line in (*words.sources(done, self._bot.link), *words.offers(done)):
            self._screen.dim(f"  {line}")
        return self._feedback.ask(str(done["turn_id"]))

    def _answer(self, prompt: str) -> Json | None:
        """Stream one answer; None when it was stopped or there is none."""
        done, told = None, ""
        try:
            with closing(self._bot.ask(self._body(prompt))) as pieces:
                for piece in pieces:
                    if isinstance(piece, str):
                        told += piece
                        self._screen.piece(piece)
                    else:
                        done = piece
        except KeyboardInterrupt:
            self._screen.line(" (stopped)")
        except ApiError as error:
            self._screen.line()
            self._screen.error(str(error))
        else:
            self._screen.line()
        if done and done["answer"] != told:  # the stream was a draft
            told = str(done["answer"])
            self._screen.line(told)
        self._remember(prompt, told)
        return done

    def _body(self, prompt: str) -> dict[str, Any]:
        body = {"prompt": prompt, "mode": self._mode.value, "history": self._history, **self._ids}
        return body | ({} if self._rung is None else {"hint_rung": self._rung})

    def _remember(self, prompt: str, answer: str) -> None:
        if answer:
            lines = ({"role": "user", "content": prompt}, {"role": "assistant", "content": answer})
            self._history = [*self._history, *lines][-_HISTORY_LINES:]

    def _raise_hint(self) -> None:
        """Go one rung up, for this session only and from its next message on."""
        hint = self._hint()
        top = int(hint.get("top", _TOP_RUNG))
        before = int(hint.get("rung", 0)) if self._rung is None else self._rung
        self._rung = min(before + 1, max(top, before))
        if self._rung == before:
            self._screen.dim(f"hint for the language model: {before}, the last one there is")
        else:
            self._screen.dim(f"hint for the language model: {before} -> {self._rung}")

    def _hint(self) -> Json:
        """Return what /health says of the hint in force and its ladder; empty when it does not."""
        try:
            return (self._bot.health().get("learned") or {}).get("hint") or {}
        except ApiError:
            return {}

    def _command(self, said: str) -> None:
        name, _, rest = said.partition(" ")
        if name == "/mode" and rest.strip() in set(Mode):
            self._mode = Mode(rest.strip())
            self._screen.dim(f"mode {self._mode}")
        elif name == "/why" and self._done:
            for line in words.receipt(self._done):
                self._screen.dim(line)
        elif name == "/why":
            self._screen.dim("There is no answer yet.")
        else:
            for line in words.HELP.splitlines():
                self._screen.dim(line)
