"""A language model served by Ollama: what is known of it, and how a call to it is written.

It chooses no words and no fallback; the ladder does.
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
from chatloop.turn.answer.llm.ollama_wire import read_line, refusal
from chatloop.turn.answer.llm.watch import FAULTS, Watch

LEAST_CONTEXT_TOKENS = 4096
"""Ollama's window on a machine without a large graphics card (envconfig, OLLAMA_CONTEXT_LENGTH)."""

HELP_ABSENT = "start Ollama with `ollama serve`, or set OLLAMA_API_URL"


class Ollama:
    """A `LanguageModel`. The spec's model is a name of Ollama's or `auto`: the first that can chat.

    Raises SettingsError when the address is no address.
    """

    def __init__(self, spec: ModelSpec, clock: Callable[[], float] = time.monotonic) -> None:
        self._spec = spec
        self._http = LlmHttp(spec.address, spec.limits, refusal=refusal)
        wire = Wire("/api/chat", self._asked, self._body, read_line, self._learn)
        self._calls = Calls(self._http, spec, wire, clock)
        self._watch = Watch(self._http, self._calls.breaker, spec)

    async def start(self) -> None:
        """Begin to watch the server; return after a first look, at most the connect limit later."""
        await self._watch.start()

    async def aclose(self) -> None:
        """Stop watching and close every socket; calls that wait for a place are sent away."""
        await self._watch.aclose()
        await self._calls.aclose()

    @property
    def name(self) -> str:
        """The name of the settings, else the chosen model's as Ollama spells it."""
        chosen = self._watch.model.name if self._watch.model else self._spec.model
        return self._spec.name or chosen

    @property
    def remote(self) -> bool:
        """Whether asking it sends text to another machine."""
        return self._http.is_remote or bool(self._watch.model and self._watch.model.is_cloud)

    @property
    def context_tokens(self) -> int:
        """The chosen model's window as the server loaded it, else Ollama's least; never more
        than the settings allow.
        """
        window = self._watch.context_tokens or LEAST_CONTEXT_TOKENS
        return min(window, self._spec.context_tokens or window)

    def fault(self) -> BackendFault | None:
        """Why it cannot be asked now; None = ask it. Asking for an unloaded model begins its load.

        Needs no I/O: it answers from the last look.
        """
        found = self._asked()
        return found[0] if found else None

    def status(self) -> LlmStatus:
        """Everything known about it, for people."""
        choice, model = self._watch.choice, self._watch.model
        return self._calls.status(
            self._trouble(),
            name=self.name,
            model=model.name if model else None,
            loaded=self._watch.loaded,
            provider="ollama",
            remote=self.remote,
            installed=choice.installed if choice else (),
        )

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Yield the answer piece by piece; the last piece carries usage.

        Raises BackendError before or between pieces; between pieces its fault is INTERRUPTED.
        Closing the generator closes the socket, which stops the model.
        """
        return self._calls.stream(prompt)

    def _asked(self) -> Trouble | None:
        """What is the matter, as somebody who wants an answer finds it: then the load begins."""
        found = self._trouble()
        if found and found[0] is BackendFault.LOADING:
            self._watch.want_load()
        return found

    def _trouble(self) -> Trouble | None:
        """What is the matter and what to type next; None when it can be asked."""
        choice = self._watch.choice
        if choice is None:
            return BackendFault.UNREACHABLE, self._watch.absence, HELP_ABSENT
        if choice.model is None:
            return FAULTS[choice.state], choice.detail, choice.hint
        if blocked := self._calls.fault():
            return (*blocked, "")
        if not self._watch.loaded:
            limit = f"that takes {self._spec.limits.load_timeout_s:g} s at most"
            return BackendFault.LOADING, f"{choice.model.name} is being loaded; {limit}", ""
        return None

    async def _body(self, prompt: Prompt) -> dict[str, Any]:
        model = await self._watch.loaded_model()
        body: dict[str, Any] = {
            "model": model.name,
            "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
            "stream": True,
            "options": {"num_predict": prompt.max_tokens},
        }
        if self._watch.thinks(model):
            body["think"] = False
        return body

    def _learn(self, error: BackendError) -> None:
        if error.fault is BackendFault.MODEL_MISSING:
            self._watch.wake()
