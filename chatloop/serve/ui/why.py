"""The "Why?" under a reply: which words of the question spoke for and against the top intents.

It asks POST /predict_intent to explain the last question; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Protocol

import gradio as gr

from chatloop.core.errors import ApiError
from chatloop.serve.ui import words
from chatloop.serve.ui.api import Gateway, Json

_MOST_WORDS = 80
_SPEAKS = 0.15
"""Below this part of the logit a word is shown without a number."""

_FULL_COLOUR = 3.0
_UNKNOWN = "No word of this question is known to the model, so it abstains."


class Said(Protocol):
    """A line of the conversation."""

    @property
    def role(self) -> str:
        """`user` or `assistant`."""

    @property
    def text(self) -> str:
        """The words as they were typed."""


class Why:
    """Builds the accordion inside the current Blocks; `form` is shown by whoever has a reply."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        with gr.Accordion("Why this intent?", open=False, visible=False, elem_id="why") as form:
            self._shown = gr.HTML(elem_id="why-words")
        self.form = form

    def follow(self, conversation: gr.State) -> None:
        """Explain the last question whenever the accordion is opened."""
        self.form.expand(
            self._explain,
            [conversation],
            [self._shown],
            api_visibility="private",
            show_progress="hidden",
        )

    def _explain(self, conversation: Sequence[Said], request: gr.Request) -> str:
        asked = next((line.text for line in reversed(conversation) if line.role == "user"), "")
        try:
            return explanation(self._gateway.client(request).explain(asked))
        except ApiError as error:
            return words.notice(str(error), "bad")


def explanation(found: Json) -> str:
    """Return the explained intents as HTML, each with its words in the order of the question."""
    explained = found.get("explanation") or []
    if not explained:
        return words.notice(_UNKNOWN)
    sure = {score["intent"]: score["confidence"] for score in found.get("top") or []}
    return (
        '<p class="cl-fine">What each word adds to an intent, against the mean of all intents: '
        "+ speaks for it, − against it.</p>" + "".join(_intent(row, sure) for row in explained)
    )


def _intent(row: Json, sure: dict[str, float]) -> str:
    name = "out of scope" if row["intent"] == "oos" else words.spaced(row["intent"])
    share = f" {words.percent(sure[row['intent']])}" if row["intent"] in sure else ""
    said = "".join(_word(word) for word in row["words"][:_MOST_WORDS])
    rest = " …" if len(row["words"]) > _MOST_WORDS else ""
    start = f"<small>start {_signed(row['bias'])}, all together {_signed(row['logit'])}</small>"
    return f'<div class="cl-why"><b>{escape(name)}</b>{share} {start}<div>{said}{rest}</div></div>'


def _word(word: Json) -> str:
    part = float(word["contribution"])
    strength = min(abs(part) / _FULL_COLOUR, 1.0)
    kind = "" if abs(part) < _SPEAKS else "for" if part > 0 else "against"
    number = f"<small>{_signed(part)}</small>" if kind else ""
    return (
        f'<span class="{kind}" style="--cl-strength:{strength:.2f}">'
        f"{escape(str(word['text']))}{number}</span> "
    )


def _signed(part: Any) -> str:
    return f"{float(part):+.1f}".replace("-", "−")
