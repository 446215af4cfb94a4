"""Customers' calls to one model: places, deadlines, breaker, rest, and what an answer adds up to.

The same for every kind of server; what differs (body, lines, what to learn from a failure) comes
as a `Wire`. Every wait has its own limit, because a model fails by silence more often than by an
error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx

from chatloop.core.errors import BackendError, BackendFault
from chatloop.core.types import Usage
from chatloop.turn.answer.base import STATES, LlmStatus, Piece, Prompt
from chatloop.turn.answer.llm.breaker import Breaker, OpenedOn, Outcome
from chatloop.turn.answer.llm.limits import LlmLimits, ModelSpec
from chatloop.turn.answer.llm.llm_http import LlmHttp, chunks
from chatloop.turn.answer.llm.rest import Rest
from chatloop.turn.answer.llm.slots import Slots
from chatloop.turn.answer.llm.wire import HttpError, Lines, Said, Visible

logger = logging.getLogger(__name__)

DRAIN_S = 0.05
OUTCOMES = {
    BackendFault.UNREACHABLE: Outcome.UNREACHABLE,
    BackendFault.TIMEOUT: Outcome.SILENT,
    BackendFault.BAD_REPLY: Outcome.FAILED,
}
"""What counts for the breaker. Refusals, full houses and absent models do not."""

WORDS = {
    OpenedOn.UNREACHABLE: "several calls in a row did not reach the server",
    OpenedOn.SILENT: "several calls in a row got no first word in time",
    OpenedOn.LOAD_FAILED: "the model could not be loaded in time",
    OpenedOn.FAILURE_RATE: "too many calls failed",
}


Trouble = tuple[BackendFault, str, str]
"""What is the matter: the fault, a detail for people, and what to type next (or nothing)."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One kind of server's side of a call.

    `trouble` says why the model cannot be asked now and what to type next, None = ask it; `body`
    raises BackendError for reasons that take a look at the server. `read` gives what a line
    says, None for a line that says nothing. `learn` hears of every failure.
    """

    path: str
    trouble: Callable[[], Trouble | None]
    body: Callable[[Prompt], Awaitable[dict[str, Any]]]
    read: Callable[[bytes], Said | None]
    learn: Callable[[BackendError], None]


class _Call:
    """Where one call stands: its deadlines (loop times) and what it has brought so far."""

    def __init__(self, limits: LlmLimits) -> None:
        self._limits = limits
        self._began_at = asyncio.get_running_loop().time()
        self._total_by = self._began_at + limits.total_timeout_s
        self.next_by = min(self._began_at + limits.first_token_timeout_s, self._total_by)
        self.heard = self.finished = self.truncated = False
        self.usage = Usage()
        self.first_text_ms: float | None = None

    def hear(self, said: Said) -> None:
        """A line came: from now on the gap limit holds, and little more once the text is whole."""
        self.heard = True
        self.finished |= said.finished
        self.truncated |= said.truncated
        self.usage = said.usage or self.usage
        limits = self._limits
        wait_s = limits.probe_timeout_s if self.finished else limits.gap_timeout_s
        self.next_by = min(asyncio.get_running_loop().time() + wait_s, self._total_by)

    def tell(self) -> None:
        """A piece of text goes to the customer."""
        if self.first_text_ms is None:
            self.first_text_ms = 1e3 * (asyncio.get_running_loop().time() - self._began_at)

    @property
    def told(self) -> bool:
        """Whether the customer has seen text of this call."""
        return self.first_text_ms is not None


class Calls:
    """All calls to one model."""

    def __init__(
        self,
        http: LlmHttp,
        spec: ModelSpec,
        wire: Wire,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._spec = spec
        self._wire = wire
        limits = spec.limits
        self.slots = Slots(limits.in_flight, limits.waiting, limits.wait_timeout_s)
        self.breaker = Breaker(limits.breaker, clock, on_open=self.slots.abandon)
        self.rest = Rest(clock)

    def fault(self) -> tuple[BackendFault, str] | None:
        """Why no call is let through now, with a detail for people; None = it is."""
        reason = self.breaker.reason
        if reason is not None:
            return BackendFault.BREAKER_OPEN, f"paused: {WORDS[reason]}"
        if (fault := self.rest.fault) is not None:
            return fault, self.rest.detail
        return None

    def refuse(self, error: BackendError) -> None:
        """Let no call through for a while: the next would only hear the same again."""
        rest_s = self._spec.limits.breaker.open_max_s
        self.rest.begin(error.fault, self._http.scrub(str(error)), rest_s)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Yield the answer piece by piece; the last piece carries usage.

        Raises BackendError before or between pieces; between pieces its fault is INTERRUPTED.
        Closing the generator closes the socket, which stops the model.
        """
        self._check()
        async with self.slots.take():
            self._check()  # things may have changed while it waited
            call = _Call(self._spec.limits)
            try:
                async with aclosing(self._answer(prompt, call)) as pieces:
                    async for piece in pieces:
                        yield piece
            except BackendError as error:
                raise self._failed(error, call) from error

    def status(self, trouble: Trouble | None, **known: Any) -> LlmStatus:
        """Return everything known about the model; `known`: what only its own kind can tell."""
        fault, detail, hint = trouble or (None, "", "")
        return LlmStatus(
            state=STATES[fault],
            detail=detail,
            hint=hint,
            address=self._http.address,
            breaker=self.breaker.state,
            in_flight=self.slots.in_flight,
            waiting=self.slots.waiting,
            **known,
        )

    async def aclose(self) -> None:
        """Close every socket; calls that wait for a place are sent away."""
        self.slots.abandon()
        await self._http.aclose()

    def _check(self) -> None:
        if found := self._wire.trouble():
            fault, detail, hint = found
            raise BackendError(fault, f"{detail}; {hint}" if hint else detail)

    async def _answer(self, prompt: Prompt, call: _Call) -> AsyncGenerator[Piece, None]:
        body = await self._wire.body(prompt)
        response = await self._http.open(self._wire.path, body, until=call.next_by)
        try:
            async with aclosing(self._texts(response, call)) as texts:
                async for text in texts:
                    call.tell()
                    yield Piece(text=text)
        finally:
            await response.aclose()
        if not (call.finished and call.told):
            raise BackendError(BackendFault.BAD_REPLY, "the model gave an empty or cut answer")
        self.breaker.record(Outcome.SUCCESS)
        usage = replace(
            call.usage, first_token_ms=call.first_text_ms or 0.0, cost=self._spec.cost(call.usage)
        )
        yield Piece(usage=usage, truncated=call.truncated)

    async def _texts(self, response: httpx.Response, call: _Call) -> AsyncGenerator[str, None]:
        """Yield the visible, non-empty pieces of text."""
        visible = Visible()
        async with aclosing(self._lines(response, call)) as lines:
            async for said in lines:
                if text := visible.feed(said.text):
                    yield text
        if call.finished and (rest := visible.end()):
            yield rest

    async def _lines(self, response: httpx.Response, call: _Call) -> AsyncGenerator[Said, None]:
        limits = self._spec.limits
        lines = Lines(limits.line_limit_bytes, limits.body_limit_bytes)
        async with aclosing(chunks(response)) as body:
            more = True
            while more:
                try:
                    chunk = await _next(body, call)
                except BackendError:
                    if call.finished:  # the text is whole; what was to follow is only the bill
                        return
                    raise
                more = bool(chunk)
                for line in lines.feed(chunk):
                    if (said := self._wire.read(line)) is None:
                        continue
                    yield said
                    call.hear(said)  # afterwards: a slow customer is not a silent model
                    if said.last:
                        await _drain(body, call)
                        return

    def _failed(self, error: BackendError, call: _Call) -> BackendError:
        """Count a failure and return it as the ladder should see it."""
        outcome = OUTCOMES.get(error.fault)
        if outcome is not None:
            began = call.told or (outcome is Outcome.SILENT and call.heard)
            self.breaker.record(Outcome.FAILED if began else outcome)
        if isinstance(error, HttpError) and error.fault is BackendFault.BUSY:
            rest_s = min(error.retry_after_s, self._spec.limits.breaker.open_max_s)
            self.rest.begin(error.fault, f"{error}; it asked for {rest_s:.0f} s of rest", rest_s)
        self._wire.learn(error)
        message = self._http.scrub(str(error))
        fault = BackendFault.INTERRUPTED if call.told else error.fault
        logger.info("%s: %s (%s)", self._spec.name or self._spec.model, fault, message)
        return BackendError(fault, message)


async def _drain(body: AsyncGenerator[bytes, None], call: _Call) -> None:
    """Read the end of a body whose last line has come: a connection left earlier is not re-used."""
    call.next_by = asyncio.get_running_loop().time() + DRAIN_S
    with suppress(BackendError):
        await _next(body, call)


async def _next(body: AsyncGenerator[bytes, None], call: _Call) -> bytes:
    """Return the next bytes of the body, b"" at its end, within the limit that holds now."""
    try:
        async with asyncio.timeout_at(call.next_by):
            return await anext(body, b"")
    except TimeoutError as error:
        raise BackendError(
            BackendFault.TIMEOUT, "the model fell silent or took too long"
        ) from error
