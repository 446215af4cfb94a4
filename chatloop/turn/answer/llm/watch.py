"""The background look at an Ollama server: is it there, whom to ask, is that model loaded.

Makes at most one load or trial at a time and generates nothing else. A trial is one token: after
silence, an answer of /api/version proves nothing.
"""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import suppress

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
from chatloop.turn.answer.llm.limits import ModelSpec
from chatloop.turn.answer.llm.llm_http import LlmHttp
from chatloop.turn.answer.llm.ollama_wire import parse_line
from chatloop.turn.answer.llm.rounds import Rounds, Work

logger = logging.getLogger(__name__)

FAULTS = {
    Choosing.NO_MODEL: BackendFault.NO_MODEL,
    Choosing.MODEL_MISSING: BackendFault.MODEL_MISSING,
}

LISTED_FOR_S = 1.0
"""How long a model that was listed as loaded counts as loaded: asking before each of many calls
would cost a round trip each, and each call puts off the unloading by minutes."""


class _Shown(msgspec.Struct):
    capabilities: list[str] | None = None


class Watch:
    """What is known of one server now. `choice` is None while it is away (`absence` says why)."""

    def __init__(self, http: LlmHttp, breaker: Breaker, spec: ModelSpec) -> None:
        self._http = http
        self._breaker = breaker
        self._spec = spec
        self._limits = spec.limits
        self.choice: Choice | None = None
        self.absence = "not looked at yet"
        self._was_late = False
        self._warm = ""  # canonical name of the model that has proved to be loaded
        self._load_wanted = False
        self._thinking: dict[str, bool] = {}
        self._windows: dict[str, int] = {}
        self._listed_at = -math.inf  # loop time at which the server last listed it as loaded
        self._rounds = Rounds(self._look, self._next_work, self._pause_s)
        self.wake = self._rounds.wake

    async def start(self) -> None:
        """Begin to look; return when the first look is done, at the latest at the connect limit."""
        await self._rounds.start(self._limits.connect_timeout_s)

    async def aclose(self) -> None:
        """Stop looking, and any load or trial of ours."""
        await self._rounds.aclose()
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

    def want_load(self) -> None:
        """Have the chosen model loaded, unless that is under way."""
        if not self._rounds.is_working:
            self._load_wanted = True
            self._rounds.wake()

    async def loaded_model(self) -> Model:
        """Return the model after asking whether it is still loaded.

        Ollama unloads idle models; asking one then would load it under a customer's short limit,
        and giving up would abort that load. Raises BackendError.
        """
        model = self.model
        if model is None or not (model.is_cloud or await self._is_listed(model)):
            self._warm = ""
            self.want_load()
            raise BackendError(BackendFault.LOADING, "the model was unloaded; it is being loaded")
        return model

    async def _is_listed(self, model: Model) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._listed_at < LISTED_FOR_S and self.loaded:
            return True
        running = self._noted(parse_models(await self._get("/api/ps")))
        listed = canonical(model.name) in {canonical(m.name) for m in running}
        self._listed_at = now if listed else -math.inf
        return listed

    def _noted(self, running: tuple[Model, ...]) -> tuple[Model, ...]:
        self._windows = {canonical(m.name): m.context_length for m in running}
        return running

    def _pause_s(self) -> float:
        return min(self._limits.probe_interval_s, self._breaker.pause_left_s or 3600.0)

    async def _get(self, path: str) -> bytes:
        return await self._http.get(path, timeout_s=self._limits.probe_timeout_s)

    async def _look(self) -> None:
        try:
            await self._get("/api/version")
            installed = parse_models(await self._get("/api/tags"))
            running = self._noted(parse_models(await self._get("/api/ps")))
            wanted, allow_cloud = self._spec.model, self._spec.allow_cloud
            choice = choose(installed, running, wanted=wanted, allow_cloud=allow_cloud)
            if choice.model is not None and choice.model.name not in self._thinking:
                self._thinking[choice.model.name] = await self._learn_thinking(choice.model)
        except BackendError as error:
            self._note_absence(error)
            return
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
            # The first customer should not be the one who finds it cold. What is listed may
            # still be loading; a load proves that it is not.
            self._load_wanted = self._spec.preload or choice.listed
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

    def _next_work(self) -> Work | None:
        model = self.model
        if model is None:
            return None
        if self._breaker.begin_trial():
            return self._try(model)
        if self._load_wanted and self._breaker.allows() and not self.loaded:
            return self._load(model)
        return None

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
        """Generate one token."""
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
