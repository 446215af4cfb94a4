"""Step 5: words for a plan. The language models first where they were asked for, then down.

language models -> approved answer, when the intent model is sure -> best help passage, quoted, or
the way to a person. The last rung cannot fail. The ladder moves only before the first character
is sent; a later failure keeps the text and marks it interrupted.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from chatloop.core.types import Answer, Intent, Message, Plan, Reason, Step
from chatloop.turn.answer import local
from chatloop.turn.answer.base import Hint, LanguageModel, Prompt
from chatloop.turn.answer.budget import ContextWindow
from chatloop.turn.answer.content import Content
from chatloop.turn.answer.generate import Failed, Models, Window
from chatloop.turn.answer.prompt import build_prompt
from chatloop.turn.answer.retrieve import Found, Retriever


@dataclass(frozen=True, slots=True)
class Ladder:
    """Everything that words can come from, for one release."""

    content: Content
    retriever: Retriever
    models: Models = field(default_factory=Models)
    max_tokens: int = 400

    async def stream(
        self, plan: Plan, message: Message, intent: Intent, window: Window
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
            return local.approved(self.content, _tapped(message, intent))
        if plan.step is Step.HAND_OVER:
            label = _tapped(message, intent)
            return local.hand_over(self.content, intent, plan.reason, label)
        found = self._search(plan, message, intent)
        return local.passage_or_hand_over(self.content, found, intent)

    async def _generate(
        self, plan: Plan, message: Message, intent: Intent, window: Window
    ) -> AsyncGenerator[str | Answer, None]:
        found = self._search(plan, message, intent)

        def write(model: LanguageModel, hint: Hint) -> Prompt:
            return self._prompt(message, found, model, hint)

        async with aclosing(self.models.stream(message, intent, write, window)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    yield self._grounded(piece, found)
                elif isinstance(piece, Failed):
                    fallen = self._stand_in(plan, intent, found, piece)
                    yield fallen.text
                    yield fallen
                else:
                    yield piece

    def _search(self, plan: Plan, message: Message, intent: Intent) -> Found:
        """Search for the message; a follow-up is searched together with what it follows."""
        asked = [e.content for e in message.history if e.role == "user"][-1:]
        if plan.reason is Reason.FOLLOW_UP and asked:
            return self.retriever.search(f"{asked[0]} {message.text}")
        return self.retriever.search(message.text, intent)

    def _grounded(self, answer: Answer, found: Found) -> Answer:
        """Return the answer with what it rests on, or with the way to a person."""
        ways_out = () if found.supported else local.to_a_person(self.content)
        return replace(
            answer, sources=found.sources, supported=found.supported, suggestions=ways_out
        )

    def _prompt(self, message: Message, found: Found, model: LanguageModel, hint: Hint) -> Prompt:
        return build_prompt(
            self.content.prompt,
            hint=hint.text,
            passages=found.passages,
            history=message.history,
            question=message.text,
            window=ContextWindow(model.context_tokens, self.max_tokens),
        )

    def _stand_in(self, plan: Plan, intent: Intent, found: Found, failed: Failed) -> Answer:
        sure = intent.in_scope and intent.confidence >= plan.threshold
        if sure and plan.reason is not Reason.FOLLOW_UP and self.content.has_answer(intent.label):
            answer = local.approved(self.content, intent.label, failed.fault)
        else:
            answer = local.passage_or_hand_over(self.content, found, intent, failed.fault)
        return replace(answer, llm=failed.llm, hint_rung=failed.hint_rung, remote=failed.remote)


def _tapped(message: Message, intent: Intent) -> str | None:
    return message.suggested_intent or intent.label
