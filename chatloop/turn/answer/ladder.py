"""Step 5: words for a plan. The language model first where it was asked for, then down the rungs.

language model -> approved answer, when the intent model is sure -> best help passage, quoted, or
the way to a person. The last rung cannot fail. Only BackendError is swallowed here, and its
reason is kept. The ladder moves only before the first character is sent; a later failure keeps
the text and marks it interrupted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from chatloop.core.errors import BackendError, BackendFault
from chatloop.core.types import (
    Answer,
    AnsweredBy,
    Intent,
    Message,
    Plan,
    Reason,
    Source,
    Step,
    Usage,
)
from chatloop.turn.answer import local
from chatloop.turn.answer.base import LanguageModel, OutputGuard
from chatloop.turn.answer.content import Content, HelpPassage
from chatloop.turn.answer.prompt import build_prompt
from chatloop.turn.answer.retrieve import Retriever

log = logging.getLogger(__name__)
Found = list[tuple[HelpPassage, Source]]


@dataclass(frozen=True, slots=True)
class Ladder:
    """Everything that words can come from, for one release. `model` None = none is asked."""

    content: Content
    retriever: Retriever
    model: LanguageModel | None
    max_tokens: int = 400

    async def stream(
        self, plan: Plan, message: Message, intent: Intent, window: OutputGuard
    ) -> AsyncGenerator[str | Answer, None]:
        """Yield pieces of text, then the Answer that they add up to (the truth)."""
        if plan.step is Step.GENERATE:
            async with aclosing(self._generate(plan, message, intent, window)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        answer = self._local(plan, message, intent)
        yield answer.text
        yield answer

    def _local(self, plan: Plan, message: Message, intent: Intent) -> Answer:
        if plan.step is Step.REFUSE:
            return local.refusal(self.content, empty=plan.reason is Reason.EMPTY)
        if plan.step is Step.APPROVED:
            return local.approved(self.content, intent)
        found = self.retriever.search(message.text)
        return local.passage_or_hand_over(self.content, found, intent)

    async def _generate(
        self, plan: Plan, message: Message, intent: Intent, window: OutputGuard
    ) -> AsyncGenerator[str | Answer, None]:
        found = self.retriever.search(message.text)
        async with aclosing(self._ask(message, found, window)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, BackendFault):
                    yield piece
                    continue
                fallen = self._stand_in(plan, intent, found, piece)
                yield fallen.text
                yield fallen

    async def _ask(
        self, message: Message, found: Found, window: OutputGuard
    ) -> AsyncGenerator[str | Answer | BackendFault, None]:
        """Ask the model: pieces, then the Answer; or, before the first piece, the fault alone."""
        fault = self.model.fault() if self.model else BackendFault.NO_MODEL
        if self.model is None or fault:
            yield fault or BackendFault.NO_MODEL
            return
        prompt = build_prompt(
            self.content.prompt,
            [p for p, _ in found],
            message.history,
            message.text,
            max_tokens=self.max_tokens,
        )
        usage, first_ms, begun = Usage(), 0.0, time.perf_counter()
        try:
            async with aclosing(self.model.stream(prompt)) as pieces:
                async for piece in pieces:
                    usage = piece.usage or usage
                    text = window.feed(piece.text)
                    if text:
                        first_ms = first_ms or (time.perf_counter() - begun) * 1000
                        yield text
        except BackendError as error:
            log.warning("turn %s: %s (%s)", message.turn_id, error.fault, error)
            if not first_ms:
                yield error.fault
                return
            yield self._answer(window, found, replace(usage, first_token_ms=first_ms), error.fault)
            return
        if rest := window.finish():
            yield rest
        yield self._answer(window, found, replace(usage, first_token_ms=first_ms), None)

    def _answer(
        self, window: OutputGuard, found: Found, usage: Usage, fault: BackendFault | None
    ) -> Answer:
        assert self.model is not None
        return Answer(
            text=window.text,
            answered_by=AnsweredBy.LLM,
            chosen_model=f"llm/{self.model.name}",
            degraded=fault is not None,
            degraded_reason=fault.value if fault else None,
            interrupted=fault is not None,
            sources=tuple(source for _, source in found),
            usage=usage,
        )

    def _stand_in(self, plan: Plan, intent: Intent, found: Found, fault: BackendFault) -> Answer:
        sure = intent.in_scope and intent.confidence >= plan.threshold
        if sure and self.content.has_answer(intent.label):
            return local.approved(self.content, intent, fault)
        return local.passage_or_hand_over(self.content, found, intent, fault)
