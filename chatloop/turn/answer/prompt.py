"""Builds what a language model is asked: instructions, help passages, recent lines, question.

The words come from one file, `prompt.txt` of the release; only the marks around the passages are
made here, because what is quoted between them must not be able to write them itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatloop.core.types import Exchange
from chatloop.turn.answer.base import Prompt
from chatloop.turn.answer.budget import ContextWindow, fit
from chatloop.turn.answer.content import HelpPassage

NO_PASSAGES = "(no help text was found)"
_PLACES = re.compile(r"\{(hint|passages)\}")
_HINT_LINE = re.compile(r"^[^\n{]*\{hint\}[^\n]*\n?", re.MULTILINE)
_MARKS = re.compile(r"[<>|]{2,}|={3,}")


def build_prompt(
    instructions: str,
    *,
    hint: str,
    passages: Sequence[HelpPassage],
    history: Sequence[Exchange],
    question: str,
    window: ContextWindow,
) -> Prompt:
    """Return the messages for one question, within the window.

    `{passages}` and `{hint}` in the instructions are filled in; a line with `{hint}` goes when
    there is no hint.
    """
    if not hint:
        instructions = _HINT_LINE.sub("", instructions)
    quotable = [_harmless(f"{p.title} - {p.heading}\n{p.text}") for p in passages]
    fitted = fit(
        _fill(instructions, hint, ""), question, passages=quotable, history=history, window=window
    )
    system = _fill(instructions, hint, _quote(fitted.passages) or NO_PASSAGES)
    messages = (Exchange("system", system), *fitted.history, Exchange("user", question))
    return Prompt(messages, window.max_tokens, cut=fitted.cut)


def _fill(instructions: str, hint: str, passages: str) -> str:
    """Fill both places in one go, so that nothing filled in is searched for places."""
    values = {"hint": hint, "passages": passages}
    return _PLACES.sub(lambda place: values[place[1]], instructions)


def _quote(passages: Sequence[str]) -> str:
    return "\n".join(
        f"<<<help text {number}>>>\n{text}\n<<<end of help text {number}>>>"
        for number, text in enumerate(passages, start=1)
    )


def _harmless(text: str) -> str:
    """Return `text` unable to write our marks, `=== ... ===`, or a chat template's `<|...|>`."""
    return _MARKS.sub(lambda run: "==" if run[0][0] == "=" else run[0][0], text)
