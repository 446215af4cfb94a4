"""What a release lets the bot say: approved answers, questions, help passages, own sentences.

Read from the verified parts of a release; nothing here chooses among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatloop.core.errors import ReleaseError
from chatloop.core.release import Release
from chatloop.core.types import Reason
from chatloop.turn.answer.hints import HintLadder, load_hints

ANSWERS, PASSAGES, MESSAGES, PROMPT = "answers.json", "passages.json", "messages.json", "prompt.txt"

HANDS_OVER = {"asked": Reason.ASKED_FOR_PERSON, "policy": Reason.POLICY}
"""What an answer's `hand_over` may say: who has this intent wants a person, or must get one."""


@dataclass(frozen=True, slots=True)
class Approved:
    """The company's words for one intent, its help page, and how to ask "did you mean ...?".

    `group`: kindred intents share one, for choosing a language model; empty = none.
    `hand_over`: a key of HANDS_OVER, None where the words are enough.
    """

    answer: str
    page: str | None
    question: str
    group: str = ""
    hand_over: str | None = None


@dataclass(frozen=True, slots=True)
class HelpPassage:
    """A section of a help page, or a part of a long one, understandable when quoted alone.

    `start` and `end` are character offsets in the page's Markdown text.
    """

    page: str
    title: str
    heading: str
    anchor: str
    text: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """All texts of one release. `messages` are the sentences that the bot says by itself."""

    approved: Mapping[str, Approved]
    passages: tuple[HelpPassage, ...]
    messages: Mapping[str, str]
    prompt: str
    hints: HintLadder = field(default_factory=HintLadder)
    titles: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Note the title of each page: every approved answer names one."""
        object.__setattr__(self, "titles", {p.page: p.title for p in self.passages})

    def has_answer(self, intent: str | None) -> bool:
        """Whether there are approved words for `intent`."""
        return intent is not None and intent in self.approved and bool(self.approved[intent].answer)

    def person(self, intent: str | None) -> Reason | None:
        """Return why `intent` belongs to a person; None where words are enough."""
        entry = self.approved.get(intent or "")
        return HANDS_OVER.get(entry.hand_over or "") if entry else None

    @property
    def groups(self) -> dict[str, str]:
        """The group of each intent."""
        return {intent: entry.group for intent, entry in self.approved.items()}

    def question(self, intent: str) -> str:
        """Return the question that offers `intent`; its name in plain words when none is set."""
        entry = self.approved.get(intent)
        plain = intent.replace("_", " ")
        return entry.question if entry and entry.question else f"Is it about: {plain}?"


def load_content(release: Release) -> Content:
    """Read the texts of a verified release; raises ReleaseError when they are malformed."""
    try:
        answers: dict[str, Any] = json.loads(release.read(ANSWERS))
        passages: list[Any] = json.loads(release.read(PASSAGES))
        return Content(
            approved={intent: Approved(**entry) for intent, entry in answers.items()},
            passages=tuple(HelpPassage(**entry) for entry in passages),
            messages=json.loads(release.read(MESSAGES)),
            prompt=release.read(PROMPT).decode("utf-8"),
            hints=load_hints(release),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise ReleaseError(
            f"release {release.version}: its texts cannot be read ({type(error).__name__})"
        ) from error
