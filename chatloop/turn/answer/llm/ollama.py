"""A language model served by Ollama: a prompt in, pieces of text out, or a BackendError.

It chooses no words and no fallback; the ladder does. Every wait has its own limit, because a
local model fails by silence more often than by an error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import httpx

from chatloop.core.errors import BackendError, BackendFault
from chatloop.turn.answer.base import LlmStatus, Piece, Prompt
from chatloop.turn.answer.llm.breaker import Breaker, Outcome
from chatloop.turn.answer.llm.discover import AUTO, Model
from chatloop.turn.answer.llm.ollama_http import OllamaHttp, OllamaLimits, chunks
from chatloop.turn.answer.llm.ollama_wire import ChatLine, Lines, Visible, parse_line
from chatloop.turn.answer.llm.slots import Slots
from chatloop.turn.answer.llm.watch import Watch

__all__ = ["Ollama", "OllamaLimits"]

logger = logging.getLogger(__name__)
LEAST_CONTEXT_TOKENS = 4096
"""Ollama's window on a machine without a large graphics card (envconfig, OLLAMA_CONTEXT_LENGTH)."""

OUTCOMES = {
    BackendFault.UNREACHABLE: Outcome.UNREACHABLE,
    BackendFault.TIMEOUT: Outcome.SILENT,
    BackendFault.BAD_REPLY: Outcome.FAILED,
    BackendFault.INTERRUPTED: Outcome.FAILED,
}


class _Call:
    """Where one call stands: its deadlines (loop times) and what it has brought so far."""

    def __init__(self, limits: OllamaLimits) -> None:
        self._limits = limits
        self._began_at = asyncio.get_running_loop().time()
        self._total_by = self._began_at + limits.total_timeout_s
        self.next_by = min(self._began_at + limits.first_token_timeout_s, self._total_by)
        self.heard = False
        self.first_text_ms: float | None = None
        self.last: ChatLine | None = None

    def hear(self) -> None:
        """A line came: from now on the gap limit holds."""
        self.heard = True
        now = asyncio.get_running_loop().time()
        self.next_by = min(now + self._limits.gap_timeout_s, self._total_by)

    def tell(self) -> None:
        """A piece of text goes to the customer."""
        if self.first_text_ms is None:
            self.first_text_ms = 1e3 * (asyncio.get_running_loop().time() - self._began_at)

    @property
    def told(self) -> bool:
        """Whether the customer has seen text of this call."""
        return self.first_text_ms is not None


class Ollama:
    """A `LanguageModel`. `model` is a name of Ollama's or `auto`: the first that can chat.

    Raises SettingsError when `address` is no address.
    """

    def __init__(
        self,
        address: str,
        model: str = AUTO,
        *,
        allow_cloud: bool = False,
        limits: OllamaLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or OllamaLimits()
        self._wanted = model
        self._http = OllamaHttp(address, self._limits)
        self._breaker = Breaker(self._limits.breaker, clock)
        self._slots = Slots(
            self._limits.in_flight, self._limits.waiting, self._limits.wait_timeout_s
        )
        self._watch = Watch(
            self._http, self._breaker, self._limits, wanted=model, allow_cloud=allow_cloud
        )

    async def start(self) -> None:
        """Begin to watch the server; return after a first look, at most the connect limit later."""
        await self._watch.start()

    async def aclose(self) -> None:
        """Stop watching and close every socket; calls that wait for a place are sent away."""
        await self._watch.aclose()
        self._slots.abandon()
        await self._http.aclose()

    @property
    def name(self) -> str:
        """Name of the chosen model as Ollama spells it, else the configured one."""
        return self._watch.model.name if self._watch.model else self._wanted

    @property
    def remote(self) -> bool:
        """Whether asking it sends text to another machine."""
        return self._http.is_remote or bool(self._watch.model and self._watch.model.is_cloud)

    @property
    def context_tokens(self) -> int:
        """Size of the chosen model's window as the server loaded it, else Ollama's least."""
        return self._watch.context_tokens or LEAST_CONTEXT_TOKENS

    def fault(self) -> BackendFault | None:
        """Why it cannot be asked now; None = ask it. Asking for an unloaded model begins its load.

        Needs no I/O: it answers from the last look.
        """
        return self._watch.fault()

    def status(self) -> LlmStatus:
        """Everything known about it, for people."""
        state, detail, hint = self._explain()
        choice, model = self._watch.choice, self._watch.model
        return LlmStatus(
            state=state,
            model=model.name if model else None,
            address=self._http.address,
            loaded=self._watch.loaded,
            detail=detail,
            hint=hint,
            models=choice.installed if choice else (),
            breaker=self._breaker.state,
            in_flight=self._slots.in_flight,
            waiting=self._slots.waiting,
        )

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Yield the answer piece by piece; the last piece carries usage.

        Raises BackendError before or between pieces; between pieces its fault is INTERRUPTED.
        Closing the generator closes the socket, which stops the model.
        """
        self._check()
        async with self._slots.take():
            self._check()  # things may have changed while it waited
            call = _Call(self._limits)
            try:
                async with aclosing(self._answer(prompt, call)) as pieces:
                    async for piece in pieces:
                        yield piece
            except BackendError as error:
                raise self._failed(error, call) from error

    def _check(self) -> None:
        fault = self._watch.fault()
        if fault is not None:
            _, detail, hint = self._explain()
            raise BackendError(fault, f"{detail}; {hint}" if hint else detail)

    def _explain(self) -> tuple[str, str, str]:
        """State, what is the matter, and what to type next."""
        choice = self._watch.choice
        if choice is None:
            hint = "start Ollama with `ollama serve`, or set OLLAMA_API_URL"
            return "away", self._watch.absence, hint
        if choice.model is None:
            return choice.state, choice.detail, choice.hint
        if not self._breaker.allows():
            return "breaker_open", f"paused after failures: {self._breaker.reason}", ""
        if not self._watch.loaded:
            return "loading", f"{choice.model.name} is being loaded", ""
        return "ready", "", ""

    async def _answer(self, prompt: Prompt, call: _Call) -> AsyncGenerator[Piece, None]:
        model = await self._watch.loaded_model()
        body = self._body(model, prompt)
        response = await self._http.open("/api/chat", body, until=call.next_by)
        try:
            async with aclosing(self._texts(response, call)) as texts:
                async for text in texts:
                    call.tell()
                    yield Piece(text=text)
        finally:
            await response.aclose()
        if call.last is None or not call.told:
            raise BackendError(BackendFault.BAD_REPLY, f"{model.name} gave an empty or cut answer")
        self._breaker.record(Outcome.SUCCESS)
        yield Piece(
            usage=call.last.usage(call.first_text_ms or 0.0),
            truncated=call.last.done_reason == "length",
        )

    def _body(self, model: Model, prompt: Prompt) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model.name,
            "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
            "stream": True,
            "options": {"num_predict": prompt.max_tokens},
        }
        if self._watch.thinks(model):
            body["think"] = False
        return body

    async def _texts(self, response: httpx.Response, call: _Call) -> AsyncGenerator[str, None]:
        """Yield the visible, non-empty pieces of text; `call.last` is set at the last line."""
        visible = Visible()
        async with aclosing(self._lines(response, call)) as lines:
            async for line in lines:
                if text := visible.feed(line.text):
                    yield text
                if line.done:
                    if rest := visible.end():
                        yield rest
                    call.last = line
                    return

    async def _lines(self, response: httpx.Response, call: _Call) -> AsyncGenerator[ChatLine, None]:
        lines = Lines(self._limits.line_limit_bytes, self._limits.body_limit_bytes)
        async with aclosing(chunks(response)) as body:
            while chunk := await _next(body, call):
                for line in lines.feed(chunk):
                    yield parse_line(line)
                    call.hear()
        for line in lines.feed(b""):
            yield parse_line(line)

    def _failed(self, error: BackendError, call: _Call) -> BackendError:
        """Count a failure and return it as the ladder should see it."""
        if call.told:
            error = BackendError(BackendFault.INTERRUPTED, str(error))
        outcome = OUTCOMES.get(error.fault)
        if outcome is Outcome.SILENT and call.heard:
            outcome = Outcome.FAILED
        if outcome is not None:
            self._breaker.record(outcome)
        if not self._breaker.allows():
            self._slots.abandon()
        if error.fault is BackendFault.MODEL_MISSING:
            self._watch.wake()
        logger.info("Ollama: %s (%s)", error.fault, error)
        return error


async def _next(body: AsyncGenerator[bytes, None], call: _Call) -> bytes:
    """Return the next bytes of the body, b"" at its end, within the limit that holds now."""
    try:
        async with asyncio.timeout_at(call.next_by):
            return await anext(body, b"")
    except TimeoutError as error:
        raise BackendError(
            BackendFault.TIMEOUT, "the model fell silent or took too long"
        ) from error
