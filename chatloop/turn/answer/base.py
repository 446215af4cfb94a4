"""The one seam to a language model: a prompt in, pieces of text out, or a BackendError.

Everything that speaks to a model (Ollama, the scripted fake of the tests) has this shape, so the
ladder never knows which one it holds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from chatloop.core.errors import BackendFault
from chatloop.core.types import Exchange, Usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked. `messages`: roles `system`, `user`, `assistant`, newest last."""

    messages: tuple[Exchange, ...]
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a generated answer. The last one carries `usage` and whether it was cut."""

    text: str = ""
    usage: Usage | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmStatus:
    """What is known about the language model now, for /health, the banner and the badge.

    `state` is a word: ready, loading, away, no_model, model_missing, breaker_open, off.
    `hint` says what to type next when there is something to do.
    """

    state: str
    model: str | None = None
    address: str | None = None
    loaded: bool = False
    detail: str = ""
    hint: str = ""
    models: tuple[str, ...] = ()
    breaker: str = "closed"
    in_flight: int = 0
    waiting: int = 0


class OutputGuard(Protocol):
    """Lets generated text through piece by piece, with what must not be shown taken out."""

    def feed(self, piece: str) -> str:
        """Take a piece in; return what may be shown now."""

    def finish(self) -> str:
        """Return what was still held, at the end."""

    @property
    def text(self) -> str:
        """All that was let through."""


class LanguageModel(Protocol):
    """A language model that can be asked."""

    @property
    def name(self) -> str:
        """Name as replies show it: `llm/<name>`."""

    def fault(self) -> BackendFault | None:
        """Why it cannot be asked now, from what is already known (no I/O); None = ask it."""

    def status(self) -> LlmStatus:
        """Everything known about it, for people."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Yield the answer piece by piece; the last piece carries usage.

        Raises BackendError before or between pieces. Closing the generator stops the model.
        """
