"""The checks `ollama`, `model` and `first_token`: can the language model be asked right now.

Loads nothing: a model that is not loaded is not timed. A loaded one generates one token, because
a server that hangs still answers its short questions. With `[[models]]`, each has one line and
nothing is generated: it may cost money.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from chatloop.core.errors import BackendError, SettingsError
from chatloop.core.settings import Settings
from chatloop.serve.doctor.base import Finding, fail, ok, warn
from chatloop.serve.llms import READY, close_models, make_models, start_models
from chatloop.turn.answer.base import LlmStatus
from chatloop.turn.answer.llm.discover import Choice, choose, parse_models
from chatloop.turn.answer.llm.limits import LlmLimits
from chatloop.turn.answer.llm.llm_http import LlmHttp
from chatloop.turn.answer.llm.ollama_wire import refusal

OFF = "none"
RESTART = "ollama serve (start or restart it), or set OLLAMA_API_URL"


def check(settings: Settings) -> Iterator[Finding]:
    """Look at the server, the choice and the first token."""
    if settings.llm == OFF:
        yield ok("ollama", "off, CHATLOOP_LLM=none: help pages answer what the bot is not sure of")
        return
    if settings.models:
        yield from asyncio.run(_look_at_each(settings))
        return
    yield from asyncio.run(_collect(settings))


async def _look_at_each(settings: Settings) -> list[Finding]:
    """One line for each `[[models]]` that is asked."""
    models = make_models(settings.model_copy(update={"llm_preload": False}))
    try:
        await start_models(models)
        return [_line(model.status()) for model in models]
    finally:
        await close_models(models)


def _line(status: LlmStatus) -> Finding:
    name = f"model {status.name}"
    away = "; messages leave this machine" if status.remote else ""
    if status.state == READY:
        return ok(name, f"{status.provider} at {status.address} answers{away}")
    return warn(name, f"{status.state}: {status.detail}{away}", status.hint or "wait a little")


async def _collect(settings: Settings) -> list[Finding]:
    limits = LlmLimits(connect_timeout_s=settings.connect_limit_s)
    try:
        http = LlmHttp(settings.ollama_api_url, limits, refusal=refusal)
    except SettingsError:  # its message may hold a password
        hint = "set OLLAMA_API_URL=http://127.0.0.1:11434"
        return [fail("ollama", "OLLAMA_API_URL is no address of a server", hint)]
    try:
        return [finding async for finding in _look(http, limits, settings)]
    finally:
        await http.aclose()


async def _look(http: LlmHttp, limits: LlmLimits, settings: Settings) -> AsyncIterator[Finding]:
    try:
        installed = parse_models(await http.get("/api/tags", timeout_s=limits.probe_timeout_s))
        running = parse_models(await http.get("/api/ps", timeout_s=limits.probe_timeout_s))
    except BackendError as error:
        yield warn("ollama", str(error), RESTART)
        return
    yield ok("ollama", f"answers at {http.address}")
    choice = choose(installed, running, wanted=settings.llm, allow_cloud=settings.llm_allow_cloud)
    yield _chosen(choice)
    if choice.model is not None and choice.listed:
        yield await _first_token(http, choice.model.name, settings.first_token_timeout_s)


def _chosen(choice: Choice) -> Finding:
    if choice.model is None:
        return warn("model", choice.detail, choice.hint)
    loaded = "loaded" if choice.listed else "not loaded yet: the server loads it when it starts"
    away = "; it runs on somebody else's machine" if choice.model.is_cloud else ""
    return ok("model", f"{choice.model.name}, one of {len(choice.installed)}, {loaded}{away}")


async def _first_token(http: LlmHttp, model: str, timeout_s: float) -> Finding:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": False,
        "options": {"num_predict": 1},
    }
    begun = time.monotonic()
    try:
        await http.post("/api/chat", body, timeout_s=timeout_s)
    except BackendError as error:
        took_s = time.monotonic() - begun
        hint = "wait if it still loads; else restart ollama serve, or name a smaller CHATLOOP_LLM"
        return warn("first_token", f"none after {took_s:.1f} s ({error})", hint)
    return ok("first_token", f"after {time.monotonic() - begun:.1f} s")
