"""The background look at an Ollama server: is it there, whom to ask, is that model loaded.

Runs apart from customers' calls, so that nobody waits to learn of an absence, a load is never
aborted because a customer left, and a trial after silence is nobody's question. It makes at most
one load or trial at a time and generates nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from chatloop.core.errors import BackendError, BackendFault
from chatloop.turn.answer.llm.breaker import Breaker, Outcome
from chatloop.turn.answer.llm.discover import (
    Choice,
    Choosing,
    Model,
    canonical,
    choose,
    parse_models,
)
from chatloop.turn.answer.llm.ollama_http import OllamaHttp, OllamaLimits
from chatloop.turn.answer.llm.ollama_wire import parse_line

logger = logging.getLogger(__name__)

FAULTS = {
    Choosing.NO_MODEL: BackendFault.NO_MODEL,
    Choosing.MODEL_MISSING: BackendFault.MODEL_MISSING,
}


class _Shown(msgspec.Struct):
    capabilities: list[str] | None = None


class Watch:
    """What is known of one server now. `choice` is None while it is away (`absence` says why)."""

    def __init__(
        self,
        http: OllamaHttp,
        breaker: Breaker,
        limits: OllamaLimits,
        *,
        wanted: str,
        allow_cloud: bool,
    ) -> None:
        self._http = http
        self._breaker = breaker
        self._limits = limits
        self._wanted = wanted
        self._allow_cloud = allow_cloud
        self.choice: Choice | None = None
        self.absence = "not looked at yet"
        self._was_late = False
        self._warm = ""  # canonical name of the model that has proved to be loaded
        self._load_wanted = False
        self._thinking: dict[str, bool] = {}
        self._windows: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look; return when the first look is done, at the latest at the connect limit."""
        self._looking = asyncio.create_task(self._look_for_ever())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.connect_timeout_s):
                await self._settled.wait()

    async def aclose(self) -> None:
        """Stop looking, and any load or trial of ours."""
        tasks = [task for task in (self._looking, self._work) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.choice, self.absence = None, "closed"

    @property
    def model(self) -> Model | None:
        """The chosen model."""
        return self.choice.model if self.choice else None

    @property
    def loaded(self) -> bool:
        """Whether the chosen model has proved to be loaded."""
        return self.model is not None and self._warm == canonical(self.model.name)

    @property
    def context_tokens(self) -> int:
        """The window that the chosen model was loaded with; 0 while that is not known."""
        return self._windows.get(canonical(self.model.name), 0) if self.model else 0

    def thinks(self, model: Model) -> bool:
        """Whether the model can think aloud, and so must be told not to."""
        return self._thinking.get(model.name, False)

    def wake(self) -> None:
        """Look again now."""
        self._wake.set()

    def fault(self) -> BackendFault | None:
        """Why it cannot be asked now. Asking for a model that is not loaded begins its load."""
        if self.choice is None:
            return BackendFault.UNREACHABLE
        if self.choice.model is None:
            return FAULTS[self.choice.state]
        if not self._breaker.allows():
            return BackendFault.BREAKER_OPEN
        if not self.loaded:
            self._want_load()
            return BackendFault.LOADING
        return None

    async def loaded_model(self) -> Model:
        """Return the model after asking whether it is still loaded.

        Ollama unloads idle models; asking one then would load it under a customer's short limit,
        and giving up would abort that load. Raises BackendError.
        """
        model = self.model
        if model is None or not (model.is_cloud or await self._is_listed(model)):
            self._warm = ""
            self._want_load()
            raise BackendError(BackendFault.LOADING, "the model was unloaded; it is being loaded")
        return model

    async def _is_listed(self, model: Model) -> bool:
        running = self._noted(parse_models(await self._get("/api/ps")))
        return canonical(model.name) in {canonical(m.name) for m in running}

    def _noted(self, running: tuple[Model, ...]) -> tuple[Model, ...]:
        self._windows = {canonical(m.name): m.context_length for m in running}
        return running

    def _want_load(self) -> None:
        if self._work is None:
            self._load_wanted = True
            self._wake.set()

    async def _look_for_ever(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._look()
            except BackendError as error:
                self._note_absence(error)
            except Exception:  # a watch that dies would leave the model off for ever
                logger.exception("looking at Ollama failed in an unexpected way")
            self._begin_work()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.probe_interval_s):
                    await self._wake.wait()

    async def _get(self, path: str) -> bytes:
        return await self._http.get(path, timeout_s=self._limits.probe_timeout_s)

    async def _look(self) -> None:
        await self._get("/api/version")
        installed = parse_models(await self._get("/api/tags"))
        running = self._noted(parse_models(await self._get("/api/ps")))
        choice = choose(installed, running, wanted=self._wanted, allow_cloud=self._allow_cloud)
        if choice.model is not None and choice.model.name not in self._thinking:
            self._thinking[choice.model.name] = await self._learn_thinking(choice.model)
        self._note(choice)
        self._breaker.server_answered()

    async def _learn_thinking(self, model: Model) -> bool:
        capabilities = model.capabilities
        if capabilities is None:
            body = await self._http.post(
                "/api/show", {"model": model.name}, timeout_s=self._limits.probe_timeout_s
            )
            with suppress(ValueError, RecursionError):
                capabilities = msgspec.json.decode(body, type=_Shown).capabilities
        return "thinking" in (capabilities or ())

    def _note(self, choice: Choice) -> None:
        before = self.model.name if self.model else None
        after = choice.model.name if choice.model else None
        if after != before or self.choice is None:
            logger.info("Ollama: %s, model %s", choice.state, after)
            self._load_wanted = True  # the first customer should not be the one who finds it cold
        if not choice.listed:
            self._warm = ""
        elif choice.model is not None and choice.model.is_cloud:
            self._warm = canonical(choice.model.name)
        self.choice, self._was_late = choice, False

    def _note_absence(self, error: BackendError) -> None:
        late = error.fault is BackendFault.TIMEOUT
        if late and self.choice is not None and not self._was_late:
            self._was_late = True  # a machine that generates may answer late once
            return
        if self.choice is not None or self.absence != str(error):
            logger.warning("Ollama is away: %s", error)
        self.choice, self.absence, self._warm = None, str(error), ""

    def _begin_work(self) -> None:
        model = self.model
        if self._work is None and model is not None:
            if self._breaker.begin_trial():
                self._work = asyncio.create_task(self._working(self._try(model)))
            elif self._load_wanted and self._breaker.allows() and not self.loaded:
                self._work = asyncio.create_task(self._working(self._load(model)))
        if self._work is None:
            self._settled.set()

    async def _working(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self._work = None
            self._settled.set()

    async def _load(self, model: Model) -> None:
        """Load the model, or learn that it is loaded: /api/ps lists also what still loads."""
        self._load_wanted = False
        try:
            await self._http.post(
                "/api/chat", {"model": model.name}, timeout_s=self._limits.load_timeout_s
            )
            self._warm = canonical(model.name)
            logger.info("Ollama: model %s is loaded", model.name)
        except BackendError as error:
            logger.warning("Ollama: loading %s failed: %s", model.name, error)
            if error.fault is BackendFault.UNREACHABLE:
                self._breaker.record(Outcome.UNREACHABLE)
            elif error.fault is not BackendFault.MODEL_MISSING:
                self._breaker.load_failed()

    async def _try(self, model: Model) -> None:
        """Generate one token: after silence, an answer of /api/version proves nothing."""
        limits = self._limits
        body = {
            "model": model.name,
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": False,
            "options": {"num_predict": 1},
        } | ({"think": False} if self.thinks(model) else {})
        timeout_s = limits.first_token_timeout_s if self.loaded else limits.load_timeout_s
        succeeded = False
        try:
            reply = await self._http.post("/api/chat", body, timeout_s=timeout_s)
            succeeded = parse_line(reply).done
        except BackendError as error:
            logger.info("Ollama: trial of %s failed: %s", model.name, error)
        finally:
            self._breaker.end_trial(succeeded)
        if succeeded:
            self._warm = canonical(model.name)
