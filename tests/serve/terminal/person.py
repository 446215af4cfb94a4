"""A person at a terminal who types a script, and a bot that plays one."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from chatloop.core.errors import ApiError
from chatloop.serve.terminal.screen import Screen

INTENTS = ["get_invoice", "refund_request", "reset_password"]
ROUTE = {"arm": "local", "answered_by": "approved", "reason": "sure", "pscore": 1.0,
         "threshold": 0.7, "certified": True}  # fmt: skip


class Person:
    """Types `lines` in order (an exception is raised, as Ctrl-C is); then Ctrl-D. Sees `screen`."""

    def __init__(self, *lines: str | BaseException, colour: bool = False) -> None:
        self._lines = deque(lines)
        self._out = Tty() if colour else io.StringIO()
        self.screen = Screen(read=self._read, out=self._out)
        self.asked: list[str] = []

    def _read(self, prompt: str) -> str:
        self.asked.append(prompt)
        self._out.write(prompt)
        line = self._lines.popleft() if self._lines else EOFError()
        if isinstance(line, BaseException):
            raise line
        self._out.write(f"{line}\n")
        return line

    @property
    def sees(self) -> str:
        return self._out.getvalue()


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def reply(answer: str, **changes: Any) -> dict[str, Any]:
    """A body of /chat."""
    return {
        "answer": answer,
        "chosen_model": "local",
        "latency_ms": 1.5,
        "intent": "refund_request",
        "confidence": 0.98,
        "turn_id": "T1",
        "route": ROUTE,
        "sources": [],
        "suggestions": [],
        "guard": {"pii": [], "flags": []},
        "usage": None,
        "model_version": "v1",
        **changes,
    }


class ScriptedBot:
    """Plays `answers` in order, each a list of pieces, replies and faults to raise."""

    def __init__(self, *answers: list[Any], hint: dict[str, int] | None = None) -> None:
        self._answers = deque(answers)
        self._hint = hint
        self.bodies: list[dict[str, Any]] = []
        self.submitted: list[dict[str, Any]] = []
        self.closed = 0
        self.refusal: str | None = None

    def health(self) -> dict[str, Any]:
        llm = {"state": "ready", "model": "scripted"}
        learned = {"learned": {"hint": self._hint}} if self._hint else {}
        return {"model_version": "v1", "llm": llm, **learned}

    def intents(self) -> list[str]:
        return INTENTS

    def ask(self, body: Mapping[str, Any]) -> Iterator[Any]:
        self.bodies.append(dict(body))
        try:
            for piece in self._answers.popleft():
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.closed += 1

    def submit(self, fields: Mapping[str, Any]) -> str:
        if self.refusal:
            raise ApiError(self.refusal)
        self.submitted.append(dict(fields))
        return "thank you; stored"

    def link(self, source: Mapping[str, Any]) -> str:
        return f"http://bot{source['url']}"
