"""A language model behind an OpenAI-compatible address: OpenAI, vLLM, any gateway.

Only `POST /chat/completions` with streaming is relied on. It chooses no words and no fallback;
the ladder does.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from chatloop.core.errors import BackendError, BackendFault
from chatloop.turn.answer.base import LlmStatus, Piece, Prompt
from chatloop.turn.answer.llm.calls import Calls, Trouble, Wire
from chatloop.turn.answer.llm.limits import ModelSpec
from chatloop.turn.answer.llm.llm_http import LlmHttp
from chatloop.turn.answer.llm.openai_watch import CHAT, OpenAiWatch
from chatloop.turn.answer.llm.openai_wire import limit_key, read_line, refusal

DEFAULT_CONTEXT_TOKENS = 8192
"""The window when the settings do not tell: nothing in this API does."""


class OpenAiCompatible:
    """A `LanguageModel`. Raises SettingsError when the address is no address."""

    def __init__(self, spec: ModelSpec, clock: Callable[[], float] = time.monotonic) -> None:
        self._spec = spec
        self._http = LlmHttp(spec.address, spec.limits, refusal=refusal, key=spec.key)
        wire = Wire(CHAT, self._trouble, self._body, read_line, self._learn)
        self._calls = Calls(self._http, spec, wire, clock)
        self._watch = OpenAiWatch(self._http, self._calls, spec)

    async def start(self) -> None:
        """Begin to watch the server; return after a first look, at most the connect limit later.

        Without the key that it needs, nothing is ever sent.
        """
        if not self._lacks_key:
            await self._watch.start()

    async def aclose(self) -> None:
        """Stop watching and close every socket; calls that wait for a place are sent away."""
        await self._watch.aclose()
        await self._calls.aclose()

    @property
    def name(self) -> str:
        """The name of the settings."""
        return self._spec.name or self._spec.model

    @property
    def remote(self) -> bool:
        """Whether asking it sends text to another machine."""
        return self._http.is_remote

    @property
    def context_tokens(self) -> int:
        """Size of its window, as the settings say."""
        return self._spec.context_tokens or DEFAULT_CONTEXT_TOKENS

    @property
    def _lacks_key(self) -> bool:
        return bool(self._spec.key_env and not self._spec.key)

    def fault(self) -> BackendFault | None:
        """Why it cannot be asked now, from what is already known; None = ask it."""
        found = self._trouble()
        return found[0] if found else None

    def status(self) -> LlmStatus:
        """Everything known about it, for people."""
        trouble = self._trouble()
        return self._calls.status(
            trouble,
            name=self.name,
            model=self._spec.model,
            loaded=trouble is None,
            provider="openai",
            remote=self.remote,
        )

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Yield the answer piece by piece; the last piece carries usage and its cost.

        Raises BackendError before or between pieces; between pieces its fault is INTERRUPTED.
        Closing the generator closes the socket, which stops the model.
        """
        return self._calls.stream(prompt)

    def _trouble(self) -> Trouble | None:
        """What is the matter and what to type next; None when it can be asked."""
        variable = self._spec.key_env
        if self._lacks_key:
            hint = f"put the key into {variable} and start again"
            return BackendFault.NO_KEY, f"the variable {variable} holds no key", hint
        if self._watch.absence is not None:
            hint = f"is the server running, and is its address right? (`address` of {self.name})"
            return BackendFault.UNREACHABLE, self._watch.absence, hint
        if blocked := self._calls.fault():
            fault, detail = blocked
            return fault, detail, self._hint(fault)
        return None

    def _hint(self, fault: BackendFault) -> str:
        if fault is BackendFault.MODEL_MISSING:
            return f"set `model` of {self.name} to a name that the server knows"
        if fault is BackendFault.BAD_KEY:
            variable = self._spec.key_env
            where = f"the key in {variable}" if variable else f"`key_env` of {self.name}"
            return f"check {where} and start again"
        return ""

    async def _body(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "model": self._spec.model,
            "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            limit_key(self._spec.address): prompt.max_tokens,
        }

    def _learn(self, error: BackendError) -> None:
        if error.fault in (BackendFault.BAD_KEY, BackendFault.MODEL_MISSING):
            self._calls.refuse(error)
