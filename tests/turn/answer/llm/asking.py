"""Shared by the tests of the Ollama side: short limits, a started client, one question."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from chatloop.core.errors import BackendError
from chatloop.core.types import Exchange
from chatloop.turn.answer.base import Prompt
from chatloop.turn.answer.llm.breaker import BreakerLimits
from chatloop.turn.answer.llm.limits import LlmLimits, ModelSpec
from chatloop.turn.answer.llm.ollama import Ollama
from chatloop.turn.answer.llm.openai_compatible import OpenAiCompatible

SHORT = LlmLimits(
    connect_timeout_s=2.0,
    first_token_timeout_s=3.0,
    load_timeout_s=5.0,
    gap_timeout_s=3.0,
    total_timeout_s=6.0,
    probe_interval_s=0.1,
    probe_timeout_s=1.0,
    wait_timeout_s=0.3,
    breaker=BreakerLimits(open_s=0.2, open_max_s=0.8),
)
"""Limits that a busy machine keeps, for tests in which no answer limit should be met."""

HASTY = replace(SHORT, first_token_timeout_s=0.3, gap_timeout_s=0.3, connect_timeout_s=0.2)
"""For tests of silence and slowness."""

STILL = replace(SHORT, probe_interval_s=60.0)
"""As SHORT, but the watch looks once and then only when woken."""

QUESTION = "How do I reset my password?"


def prompt(text=QUESTION, max_tokens=50):
    return Prompt((Exchange("system", "Be brief."), Exchange("user", text)), max_tokens)


def client(address, model="auto", **more):
    """A started Ollama; `more` as in ModelSpec."""
    return started(Ollama, address=address, model=model, **more)


def compatible(address, model="plain", **more):
    """A started model of a compatible server; `more` as in ModelSpec."""
    return started(OpenAiCompatible, address=address, model=model, **more)


@asynccontextmanager
async def started(kind, *, limits=SHORT, **more):
    llm = kind(ModelSpec(limits=limits, **more))
    await llm.start()
    try:
        yield llm
    finally:
        await llm.aclose()


async def ask(llm, text=QUESTION):
    """Return the text, the last piece and the error (None when there was none)."""
    said, last = "", None
    try:
        async with aclosing(llm.stream(prompt(text))) as pieces:
            async for piece in pieces:
                said, last = said + piece.text, piece
    except BackendError as error:
        return said, None, error
    return said, last, None


async def until(condition, timeout_s=5.0):
    """Wait until `condition()` holds; fail the test when it never does."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "this never came true"
        await asyncio.sleep(0.005)
