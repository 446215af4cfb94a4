"""Reads the hand-written seeds: one YAML file an intent, phrasings by build, templates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from chatloop.core.types import OOS


@dataclass(frozen=True, slots=True)
class Seed:
    """What people wrote by hand for one intent.

    `phrasings` maps a build (short, angry, misspelt, ...) to texts; `question` is how the bot
    asks "did you mean this?".
    """

    intent: str
    about: str
    group: str
    question: str
    phrasings: dict[str, tuple[str, ...]]
    templates: tuple[str, ...]


@cache
def load_seeds() -> tuple[Seed, ...]:
    """Return all shipped seeds, by intent name; out-of-scope messages are one of them."""
    folder = resources.files("chatloop.loop.data") / "seeds"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return tuple(_seed(yaml.safe_load(f.read_text("utf-8"))) for f in files)


def _seed(raw: dict[str, object]) -> Seed:
    phrasings = raw["phrasings"]
    templates = raw.get("templates") or []
    if not isinstance(phrasings, dict) or not isinstance(templates, list):
        raise TypeError(f"seed {raw.get('intent')}: phrasings and templates have another form")
    return Seed(
        intent=str(raw["intent"]),
        about=str(raw.get("about", "")),
        group=str(raw.get("group", OOS)),
        question=str(raw.get("question", "")),
        phrasings={str(b): tuple(str(t) for t in texts) for b, texts in phrasings.items()},
        templates=tuple(str(t) for t in templates),
    )
