"""A language model that plays a script, for tests: texts, faults, and what it was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from chatloop.core.errors import BackendError, BackendFault
from chatloop.core.types import Usage
from chatloop.turn.answer.base import LlmStatus, Piece, Prompt

_USAGE = Usage(prompt_tokens=10, completion_tokens=5)


@dataclass(frozen=True)
class Reply:
    """One scripted reply: its pieces, then the fault that ends it, or a clean end."""

    pieces: tuple[str, ...] = ()
    fault: BaseException | BackendFault | None = None
    usage: Usage | None = _USAGE


class ScriptedModel:
    """A language model that plays its replies in order and keeps every prompt it was asked.

    A reply is a text (cut into words), a BackendFault, or a Reply. `down` is what `fault()` says.
    """

    def __init__(self, *replies: str | BackendFault | Reply, name: str = "scripted") -> None:
        self.name = name
        self.remote = False
        self.context_tokens = 4096
        self.down: BackendFault | None = None
        self.prompts: list[Prompt] = []
        self.ended: list[str] = []
        self._replies = deque(map(_reply, replies))

    def fault(self) -> BackendFault | None:
        return self.down

    def status(self) -> LlmStatus:
        return LlmStatus(state="away" if self.down else "ready", model=self.name)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        self.prompts.append(prompt)
        reply = self._replies.popleft()
        how = "closed"
        try:
            for text in reply.pieces:
                yield Piece(text)
            if isinstance(reply.fault, BackendFault):
                raise BackendError(reply.fault, "scripted")
            if reply.fault is not None:
                raise reply.fault
            yield Piece(usage=reply.usage)
            how = "finished"
        except Exception:
            how = "failed"
            raise
        finally:
            self.ended.append(how)

    @property
    def asked(self) -> str:
        """Everything that the model was ever told."""
        return "\n".join(e.content for prompt in self.prompts for e in prompt.messages)


def _reply(given: str | BackendFault | Reply) -> Reply:
    if isinstance(given, Reply):
        return given
    if isinstance(given, BackendFault):
        return Reply(fault=given)
    words = given.split(" ")
    return Reply((*(f"{w} " for w in words[:-1]), words[-1]))
