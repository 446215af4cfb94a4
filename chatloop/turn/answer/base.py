"""The seams of an answer: a language model (a prompt in, pieces out), who picks it, its hint.

Everything that speaks to a model (Ollama, a compatible server, the scripted fake of the tests)
has this shape, so the ladder never knows which one it holds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from chatloop.core.errors import BackendFault
from chatloop.core.types import Exchange, Intent, LlmChoice, LlmReason, Message, Usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked. `messages`: roles `system`, `user`, `assistant`, newest last.

    `cut`: not all of the conversation and help passages fitted.
    """

    messages: tuple[Exchange, ...]
    max_tokens: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a generated answer. The last one carries `usage` and whether it was cut."""

    text: str = ""
    usage: Usage | None = None
    truncated: bool = False


STATES: dict[BackendFault | None, str] = {
    None: "ready",
    BackendFault.LOADING: "loading",
    BackendFault.UNREACHABLE: "away",
    BackendFault.NO_MODEL: "no_model",
    BackendFault.MODEL_MISSING: "model_missing",
    BackendFault.BREAKER_OPEN: "breaker_open",
    BackendFault.BUSY: "busy",
    BackendFault.NO_KEY: "no_key",
    BackendFault.BAD_KEY: "bad_key",
}
"""The state of a model by why it cannot be asked now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmStatus:
    """What is known about the language model now, for /health, the banner and the badge.

    `state` is a word of STATES. `name` is what replies show, `model` the server's own name for it,
    None while there is none. `hint` says what to type next when there is something to do.
    `installed`: the models that the server says it has.
    """

    state: str
    name: str = ""
    model: str | None = None
    address: str | None = None
    loaded: bool = False
    detail: str = ""
    hint: str = ""
    provider: str = "ollama"
    remote: bool = False
    installed: tuple[str, ...] = ()
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
    """A language model that can be asked, between its `start` and its `aclose`."""

    async def start(self) -> None:
        """Begin to look after it; return after a first look, a few seconds later at most."""

    async def aclose(self) -> None:
        """Let go of everything; calls under way end with an error."""

    @property
    def name(self) -> str:
        """Name as replies show it: `llm/<name>`."""

    @property
    def remote(self) -> bool:
        """Whether asking it sends text to another machine."""

    @property
    def context_tokens(self) -> int:
        """Size of its window: prompt and answer together."""

    def fault(self) -> BackendFault | None:
        """Why it cannot be asked now, from what is already known (no I/O); None = ask it."""

    def status(self) -> LlmStatus:
        """Everything known about it, for people."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Yield the answer piece by piece; the last piece carries usage.

        Raises BackendError before or between pieces. Closing the generator stops the model.
        """


@dataclass(frozen=True, slots=True)
class Hint:
    """A line of the prompt that says how to answer, and its rung on the release's ladder."""

    rung: int = 0
    text: str = ""


class Hints(Protocol):
    """Says which hint a message gets: the caller's rung, else the learned one."""

    def __call__(self, message: Message) -> Hint:
        """Return the hint for this message."""


class Chooser(Protocol):
    """Picks one of the models that could answer now, with the exact chance of each."""

    def __call__(
        self, message: Message, intent: Intent, models: Sequence[LanguageModel]
    ) -> LlmChoice:
        """Return the choice among `models` (at least one)."""


def first_of(message: Message, intent: Intent, models: Sequence[LanguageModel]) -> LlmChoice:  # noqa: ARG001 - a Chooser
    """Pick the first: the choice where there is nothing to choose."""
    name = models[0].name
    return LlmChoice(name, LlmReason.ONLY, 1.0, {name: 1.0})


def no_hint(message: Message) -> Hint:  # noqa: ARG001 - a Hints
    """Give no hint: for a release that has none."""
    return Hint()
