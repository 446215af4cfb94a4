"""The background look at an OpenAI-compatible server: does it answer, is the key accepted.

`GET /models` costs nothing and generates nothing; servers without it answer 404 or 405, which is
an answer too. A model that is not listed is still asked: gateways list what they like. A server
elsewhere that is well is looked at more rarely than one of this machine.
"""

from __future__ import annotations

import logging

from chatloop.core.errors import BackendError, BackendFault
from chatloop.turn.answer.llm.calls import Calls
from chatloop.turn.answer.llm.limits import ModelSpec
from chatloop.turn.answer.llm.llm_http import LlmHttp
from chatloop.turn.answer.llm.openai_wire import is_answer, limit_key
from chatloop.turn.answer.llm.rounds import Rounds, Work
from chatloop.turn.answer.llm.wire import HttpError

logger = logging.getLogger(__name__)

CHAT = "/chat/completions"


class OpenAiWatch:
    """What is known of one server now. `absence` says why it is away, None while it is there."""

    def __init__(self, http: LlmHttp, calls: Calls, spec: ModelSpec) -> None:
        self._http = http
        self._calls = calls
        self._spec = spec
        self._limits = spec.limits
        self.absence: str | None = "not looked at yet"
        self._was_late = False
        self._rounds = Rounds(self._look, self._next_work, self._pause_s)

    async def start(self) -> None:
        """Begin to look; return when the first look is done, at the latest at the connect limit."""
        await self._rounds.start(self._limits.connect_timeout_s)

    async def aclose(self) -> None:
        """Stop looking, and any trial of ours."""
        await self._rounds.aclose()
        self.absence = "closed"

    def _pause_s(self) -> float:
        limits, breaker = self._limits, self._calls.breaker
        well = self.absence is None and breaker.allows()
        if well and self._http.is_remote:
            return limits.remote_probe_interval_s
        return min(limits.probe_interval_s, breaker.pause_left_s or 3600.0)

    async def _look(self) -> None:
        try:
            await self._http.touch("/models", timeout_s=self._limits.probe_timeout_s)
        except BackendError as error:
            if not _is_answer(error):
                self._note_absence(error)
                return
            if isinstance(error, HttpError) and error.status == 401:
                self._calls.refuse(error)
        if self.absence is not None:
            logger.info("model %s: its server answers", self._spec.name)
        self.absence, self._was_late = None, False
        self._calls.breaker.server_answered()

    def _note_absence(self, error: BackendError) -> None:
        late = error.fault is BackendFault.TIMEOUT
        if late and self.absence is None and not self._was_late:
            self._was_late = True  # a machine that generates may answer late once
            return
        if self.absence != str(error):
            logger.warning("model %s: its server is away: %s", self._spec.name, error)
        self.absence = str(error)

    def _next_work(self) -> Work | None:
        if self.absence is None and self._calls.breaker.begin_trial():
            return self._try()
        return None

    async def _try(self) -> None:
        """Generate one token: after silence, an answer of /models proves nothing."""
        messages = [{"role": "user", "content": "Hi"}]
        limit = limit_key(self._spec.address)
        body = {"model": self._spec.model, "messages": messages, limit: 1}
        succeeded = False
        try:
            timeout_s = self._limits.first_token_timeout_s
            succeeded = is_answer(await self._http.post(CHAT, body, timeout_s=timeout_s))
        except BackendError as error:
            # A refusal at once is no silence; models that must think refuse to say one token.
            succeeded = error.fault is BackendFault.REJECTED
            logger.info("model %s: its trial failed: %s", self._spec.name, error)
        finally:
            self._calls.breaker.end_trial(succeeded)


def _is_answer(error: BackendError) -> bool:
    """Whether an error is the word of a server that is there and well enough."""
    return isinstance(error, HttpError) and 400 <= error.status < 500
