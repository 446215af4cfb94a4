"""The rungs below a language model: approved answer, quoted help passage, hand-over, refusal.

None of them can fail: they only put together texts that the release brought along.
"""

from __future__ import annotations

from chatloop.core.errors import BackendFault
from chatloop.core.types import PERSON, Answer, AnsweredBy, Intent, Reason, Source, Suggestion
from chatloop.turn.answer.content import Content, HelpPassage
from chatloop.turn.answer.retrieve import Found

LOCAL, FALLBACK = "local", "fallback"

_MAX_SUGGESTIONS = 3
_MIN_SUGGESTED = 0.02
_INTROS = {
    BackendFault.LOADING: "passage_intro_llm_loading",
    BackendFault.TIMEOUT: "passage_intro_llm_failed",
    BackendFault.BUSY: "passage_intro_llm_failed",
    BackendFault.BAD_REPLY: "passage_intro_llm_failed",
    BackendFault.INTERRUPTED: "passage_intro_llm_failed",
    BackendFault.REJECTED: "passage_intro_llm_failed",
}
_HAND_OVERS = {
    Reason.ASKED_FOR_PERSON: "hand_over_asked",
    Reason.POLICY: "hand_over_policy",
    Reason.REPEATED_FAILURE: "hand_over_repeated",
}


def approved(content: Content, label: str | None, fault: BackendFault | None = None) -> Answer:
    """Return the approved answer of an intent; `fault` = it stands in for a model."""
    assert label is not None
    text = content.approved[label].answer
    if fault:
        text = f"{content.messages['approved_degraded_intro']}\n\n{text}"
    return Answer(
        text=text,
        answered_by=AnsweredBy.APPROVED,
        chosen_model=FALLBACK if fault else LOCAL,
        degraded=fault is not None,
        degraded_reason=fault.value if fault else None,
        sources=_page_of(content, label),
    )


def _page_of(content: Content, intent: str) -> tuple[Source, ...]:
    page = content.approved[intent].page
    title = content.titles.get(page) if page else None
    return (Source(page, title, "", "", 0.0),) if page and title else ()


def hand_over(content: Content, intent: Intent, reason: Reason, label: str | None) -> Answer:
    """Return how to reach a person; after repeated failure with guesses, as any unsure reply.

    `label`: the intent that was tapped, else the best. When its own entry says that it goes to a
    person, its approved words are given, else the sentence for the reason.
    """
    unsure = reason is Reason.REPEATED_FAILURE
    text = content.messages.get(_HAND_OVERS[reason]) or content.messages["hand_over"]
    if label is not None and content.has_answer(label) and content.person(label) is reason:
        text = content.approved[label].answer
    return Answer(
        text=text,
        answered_by=AnsweredBy.HAND_OVER,
        chosen_model=LOCAL,
        hand_over=reason,
        suggestions=_suggestions(content, intent) if unsure else (),
    )


def passage_or_hand_over(
    content: Content,
    found: Found,
    intent: Intent,
    fault: BackendFault | None = None,
) -> Answer:
    """Quote the best passage under one plain sentence; say so when none supports an answer."""
    quoted = _quote(content, found.passages[0], fault) if found.supported else None
    return Answer(
        text=quoted or content.messages["not_covered"],
        answered_by=AnsweredBy.PASSAGE if quoted else AnsweredBy.HAND_OVER,
        chosen_model=FALLBACK if fault else LOCAL,
        degraded=fault is not None,
        degraded_reason=fault.value if fault else None,
        sources=found.sources[:1],
        supported=found.supported,
        suggestions=_suggestions(content, intent),
    )


def _quote(content: Content, passage: HelpPassage, fault: BackendFault | None) -> str:
    key = _INTROS.get(fault, "passage_intro_llm_away") if fault else "passage_intro_local"
    return f"{content.messages[key]}\n\n**{passage.title}: {passage.heading}**\n\n{passage.text}"


def _suggestions(content: Content, intent: Intent) -> tuple[Suggestion, ...]:
    """Up to three likely intents as questions, and always a person."""
    likely = [s for s in intent.top[:_MAX_SUGGESTIONS] if s.confidence >= _MIN_SUGGESTED]
    asked = [Suggestion(content.question(s.intent), s.intent) for s in likely]
    return (*asked, *to_a_person(content))


def to_a_person(content: Content) -> tuple[Suggestion, ...]:
    """Return the way out that is always there."""
    return (Suggestion(content.messages["talk_to_person_question"], PERSON),)


def refusal(content: Content, *, empty: bool) -> Answer:
    """Return the fixed reply to a message that is not processed; a person is still a way out."""
    return Answer(
        text=content.messages["empty_message" if empty else "refusal"],
        answered_by=AnsweredBy.REFUSAL,
        chosen_model=LOCAL,
        suggestions=to_a_person(content),
    )
