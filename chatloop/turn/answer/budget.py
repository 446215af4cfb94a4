"""Fits help passages and earlier lines beside instructions and question into a model's window.

It counts tokens by a rule of thumb, because each model counts them its own way and none tells
before it is asked. Cutting happens here, where it is seen and reported; a server that gets too
much drops lines without a word.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chatloop.core.types import Exchange

PLAIN_PER_TOKEN = 4
"""Letters a-z and blanks a token. Any other character counts as one, beyond U+FFFF as three.

Against the counts that OpenAI published for one sentence in 17 languages (openai.com,
hello-gpt-4o): 0.7 to 1.7 times the tokens of its older tokenizer, 0.96 to 2.9 times those of the
newer one. So it rather counts too many, most of all outside the Latin script.
"""

PASSAGES_TOKENS = 600
HISTORY_TOKENS = 600
"""Ceilings also in a large window: a machine without a graphics card reads some hundred tokens a
second, and the customer waits meanwhile."""

_MESSAGE_TOKENS = 5  # what a chat template writes around a message
_MARKS_TOKENS = 25  # the lines before and after a passage
_LEAST_CUT_TOKENS = 40  # a shorter piece of a text says nothing
_SEEN_SHARE = 0.8
_PLAIN = re.compile(r"[A-Za-z ]+")


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a model makes of `text`."""
    others = _PLAIN.sub("", text)
    beyond = sum(character > "\uffff" for character in others)
    return math.ceil((len(text) - len(others)) / PLAIN_PER_TOKEN) + len(others) + 2 * beyond


def estimate_prompt_tokens(messages: Iterable[Exchange]) -> int:
    """Return about how many tokens the messages are together."""
    return sum(estimate_tokens(m.content) + _MESSAGE_TOKENS for m in messages)


@dataclass(frozen=True, slots=True)
class ContextWindow:
    """What a model can hold, in tokens, and how much of it the answer may take."""

    context_tokens: int
    max_tokens: int

    @property
    def prompt_tokens(self) -> int:
        """Tokens that are left for the prompt."""
        return self.context_tokens - self.max_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What fits. `passages_cut`: left out or shortened; `lines_cut`: the same of history lines.

    `overfull`: instructions and question alone are more than the window holds.
    """

    passages: tuple[str, ...]
    history: tuple[Exchange, ...]
    passages_cut: int
    lines_cut: int
    overfull: bool

    @property
    def cut(self) -> bool:
        """Whether anything had to be left out."""
        return bool(self.passages_cut or self.lines_cut or self.overfull)


def fit(
    instructions: str,
    question: str,
    *,
    passages: Sequence[str],
    history: Sequence[Exchange],
    window: ContextWindow,
) -> Fitted:
    """Return what fits beside instructions and question, which are always kept.

    Passages come first, best first, then lines of the history, newest first: both whole, but the
    best passage and the newest line are shortened rather than left out.
    """
    kept = (Exchange("system", instructions), Exchange("user", question))
    left = window.prompt_tokens - estimate_prompt_tokens(kept)
    quoted, passages_cut, used = _fit(
        passages, min(left, PASSAGES_TOKENS), overhead_tokens=_MARKS_TOKENS
    )
    lines = [line.content for line in reversed(history)]
    said, lines_cut, _ = _fit(
        lines, min(left - used, HISTORY_TOKENS), overhead_tokens=_MESSAGE_TOKENS
    )
    kept_lines = zip(reversed(history), said, strict=False)
    return Fitted(
        passages=quoted,
        history=tuple(Exchange(line.role, text) for line, text in kept_lines)[::-1],
        passages_cut=passages_cut,
        lines_cut=lines_cut,
        overfull=left < 0,
    )


def _fit(
    texts: Sequence[str], limit_tokens: int, *, overhead_tokens: int
) -> tuple[tuple[str, ...], int, int]:
    """Return the first texts that fit, how many were left out or shortened, the tokens used."""
    kept: list[str] = []
    used = 0
    for text in texts:
        tokens = estimate_tokens(text) + overhead_tokens
        if used + tokens > limit_tokens:
            break
        kept.append(text)
        used += tokens
    cut = len(texts) - len(kept)
    room = limit_tokens - overhead_tokens
    if texts and not kept and room >= _LEAST_CUT_TOKENS:
        return (_beginning(texts[0], room),), cut, limit_tokens
    return tuple(kept), cut, used


def _beginning(text: str, tokens: int) -> str:
    """Return the longest beginning of `text` that is not over `tokens`."""
    lengths = range(len(text) + 1)
    fitting = bisect_right(lengths, tokens, key=lambda n: estimate_tokens(text[:n]))
    return text[: fitting - 1]


def was_truncated(prompt_estimate_tokens: int, prompt_eval_count: int, context_tokens: int) -> bool:
    """Tell whether the server probably dropped a part of the prompt, which it does in silence.

    `prompt_eval_count`: tokens that it says it read, 0 when it did not say. `context_tokens`: the
    loaded model's window, 0 when unknown. Either the window was full, or the prompt was too long
    for it by our count and clearly fewer tokens were read than were sent. Whole lines dropped from
    a prompt that our count held to fit are not seen.
    """
    if prompt_eval_count <= 0 or context_tokens <= 0:
        return False
    if prompt_eval_count >= context_tokens:
        return True
    too_long = prompt_estimate_tokens > context_tokens
    return too_long and prompt_eval_count < _SEEN_SHARE * prompt_estimate_tokens
