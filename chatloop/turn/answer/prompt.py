"""Builds what the language model is asked: instructions, help passages, recent lines, question.

Stays within a budget of characters (about 4 a token), so that the default prompt is under 1,000
tokens. Passages are data between marks, never instructions.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatloop.core.types import Exchange
from chatloop.turn.answer.base import Prompt
from chatloop.turn.answer.content import HelpPassage

PASSAGES_CHARS = 1900
HISTORY_CHARS = 800


def build_prompt(
    instructions: str,
    passages: Sequence[HelpPassage],
    history: Sequence[Exchange],
    question: str,
    *,
    max_tokens: int,
) -> Prompt:
    """Return the messages for one question; `{passages}` in the instructions is filled in."""
    system = instructions.replace("{passages}", _quote(passages) or "(no help text was found)")
    messages = (
        Exchange("system", system),
        *_recent(history),
        Exchange("user", question),
    )
    return Prompt(messages, max_tokens)


def _quote(passages: Sequence[HelpPassage]) -> str:
    """Quote whole passages, best first, while they fit; the first is cut rather than left out."""
    quoted: list[str] = []
    left = PASSAGES_CHARS
    for number, passage in enumerate(passages, start=1):
        text = f"[{number}] {passage.title} - {passage.heading}\n{passage.text}"
        if len(text) > left and quoted:
            break
        quoted.append(text[:left])
        left -= len(quoted[-1])
    return "\n\n".join(quoted)


def _recent(history: Sequence[Exchange]) -> list[Exchange]:
    kept: list[Exchange] = []
    left = HISTORY_CHARS
    for exchange in reversed(history):
        left -= len(exchange.content)
        if left < 0:
            break
        kept.append(exchange)
    return kept[::-1]
