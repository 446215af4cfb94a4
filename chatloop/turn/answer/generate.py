"""Asks the language models: the chosen one, then the others, until one has said a first word.

It chooses no fallback words; the ladder does. Another model is tried only before the first
character was sent: a reply never mixes two voices.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from chatloop.core.errors import BackendError, BackendFault
from chatloop.core.types import Answer, AnsweredBy, Intent, LlmChoice, Message, Usage
from chatloop.turn.answer.base import (
    Chooser,
    Hint,
    Hints,
    LanguageModel,
    OutputGuard,
    Prompt,
    first_of,
    no_hint,
)
from chatloop.turn.answer.budget import estimate_prompt_tokens, was_truncated

log = logging.getLogger(__name__)
_EXPECTED = (BackendFault.BUSY, BackendFault.BREAKER_OPEN)
Write = Callable[[LanguageModel, Hint], Prompt]
"""Writes the prompt for one model and hint."""
Window = Callable[[], OutputGuard]
"""Opens a fresh window: what one model said and nobody saw must not show in another's answer."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody said a word: why the first asked did not, and what was tried.

    `llm`: whom the choice fell on, None when nobody could be asked. `remote`: the question left
    this machine all the same.
    """

    fault: BackendFault
    llm: LlmChoice | None = None
    hint_rung: int | None = None
    remote: bool = False


@dataclass(frozen=True, slots=True)
class Models:
    """The language models of a house, in the order of the settings; none = none is asked."""

    models: tuple[LanguageModel, ...] = ()
    choose: Chooser = first_of
    hint: Hints = no_hint

    def fault(self) -> BackendFault | None:
        """Why none can be asked now; None when one can."""
        faults = [model.fault() for model in self.models]
        if None in faults:
            return None
        # A model that loads is nearer to an answer than one that is away.
        order = (BackendFault.LOADING, BackendFault.BREAKER_OPEN)
        return next((f for f in order if f in faults), (*faults, BackendFault.NO_MODEL)[0])

    def named(self, name: str) -> LanguageModel | None:
        """Return the model that people call `name`: `llama3.2` is `llm/llama3.2:latest`."""
        return next((m for m in self.models if _plain(m.name) == _plain(name)), None)

    async def stream(
        self, message: Message, intent: Intent, write: Write, window: Window
    ) -> AsyncGenerator[str | Answer | Failed, None]:
        """Yield pieces, then the Answer that they add up to; or Failed alone."""
        able = [model for model in self.models if model.fault() is None]
        if not able:
            yield Failed(self.fault() or BackendFault.NO_MODEL)
            return
        choice, hint = self.choose(message, intent, able), self.hint(message)
        first_fault, remote = self._fault_of(message.llm_model), False
        for model in _in_turn(able, choice):
            remote |= model.remote
            async with aclosing(_ask(model, write(model, hint), window())) as pieces:
                async for piece in pieces:
                    if isinstance(piece, BackendFault):
                        first_fault = first_fault or piece
                    elif isinstance(piece, Answer):
                        yield _finished(piece, choice, hint.rung, remote, first_fault)
                        return
                    else:
                        yield piece
        yield Failed(first_fault or BackendFault.NO_MODEL, choice, hint.rung, remote)

    def _fault_of(self, name: str | None) -> BackendFault | None:
        """Why the model that the caller asked for cannot be asked."""
        return next((model.fault() for model in self.models if model.name == name), None)


def _plain(name: str) -> str:
    return name.casefold().removeprefix("llm/").removesuffix(":latest")


def _in_turn(models: list[LanguageModel], choice: LlmChoice) -> list[LanguageModel]:
    """Return the chosen model, then the others, the likelier first."""

    def rank(model: LanguageModel) -> tuple[bool, float]:
        return (model.name != choice.model, -choice.odds.get(model.name, 0.0))

    return sorted(models, key=rank)


def _finished(
    answer: Answer, llm: LlmChoice, hint_rung: int, remote: bool, fault: BackendFault | None
) -> Answer:
    """Say how the answer came about. `fault`: why the model asked before gave none."""
    if fault and not answer.degraded:
        answer = replace(answer, degraded=True, degraded_reason=fault.value)
    return replace(answer, llm=llm, hint_rung=hint_rung, remote=remote)


async def _ask(
    model: LanguageModel, prompt: Prompt, window: OutputGuard
) -> AsyncGenerator[str | Answer | BackendFault, None]:
    """Ask one model: pieces, then the Answer; or, before the first piece, the fault alone."""
    usage, first_ms, begun = Usage(), 0.0, time.perf_counter()
    fault = None
    try:
        async with aclosing(model.stream(prompt)) as pieces:
            async for piece in pieces:
                usage = piece.usage or usage
                if text := window.feed(piece.text):
                    first_ms = first_ms or (time.perf_counter() - begun) * 1000
                    yield text
    except BackendError as error:
        # A full house or an open breaker would write a line for each customer.
        level = logging.DEBUG if error.fault in _EXPECTED else logging.WARNING
        # Its text: a log record that is kept must not keep the call's buffers alive.
        log.log(level, "model %s: %s (%s)", model.name, error.fault, str(error))
        fault = error.fault
        if not first_ms:
            yield fault
            return
    if not fault and (rest := window.finish()):
        yield rest
    yield Answer(
        text=window.text,
        answered_by=AnsweredBy.LLM,
        chosen_model=f"llm/{model.name}",
        degraded=fault is not None,
        degraded_reason=fault.value if fault else None,
        interrupted=fault is not None,
        prompt_cut=prompt.cut or _was_cut_there(prompt, usage, model),
        usage=replace(usage, first_token_ms=first_ms),
    )


def _was_cut_there(prompt: Prompt, usage: Usage, model: LanguageModel) -> bool:
    """Tell whether the server left a part of the prompt away: it does so in silence."""
    sent = estimate_prompt_tokens(prompt.messages)
    return was_truncated(sent, usage.prompt_tokens, model.context_tokens)
