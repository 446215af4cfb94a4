"""Which intent a person means by what they typed: a number, a name, nearly a name, or a new one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_LABEL = re.compile(r"[a-z][a-z0-9_]{1,40}")
_NEAR = 0.75
"""Lets `invocie` find `invoice`, not a question of several words find an intent."""


class Sure(StrEnum):
    """How sure it is that this intent is meant."""

    YES = "yes"
    NEAR = "near"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Match:
    """The intent that is meant."""

    label: str
    sure: Sure


def match(said: str, intents: Sequence[str]) -> Match | None:
    """Return what `said` names; None when it looks like no name at all. Numbers count from 1."""
    if said.isdecimal():
        number = int(said) if len(said) < 5 else 0
        return Match(intents[number - 1], Sure.YES) if 0 < number <= len(intents) else None
    name = re.sub(r"[\s-]+", "_", said.strip().lower())
    if name in intents:
        return Match(name, Sure.YES)
    near = _with_words(name, intents) or difflib.get_close_matches(name, intents, 1, _NEAR)
    if near:
        return Match(near[0], Sure.NEAR)
    return Match(said, Sure.NEW) if _LABEL.fullmatch(said) else None


def _with_words(name: str, intents: Sequence[str]) -> list[str]:
    """Return the intent that has all words of `name`, if there is just one."""
    words = set(name.split("_"))
    found = [intent for intent in intents if words <= set(intent.split("_"))]
    return found if len(found) == 1 else []
