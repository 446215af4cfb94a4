"""Reads the ladder of hints in data/hints.yaml, and names file and line of what is wrong.

No file means no hints: a data folder from before there were any stays usable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chatloop.core.errors import DataError
from chatloop.loop.data.knowledge import parse_yaml
from chatloop.loop.data.tables import decode
from chatloop.turn.answer.hints import HintLadder

MOST_RUNGS = 10
LONGEST_HINT_CHARS = 500
_FORM = "expected `start: 0` and under `rungs:` a list of hints, the mildest first"


def read_hints(file: Path) -> HintLadder:
    """Return the ladder; empty when there is no file. Raises DataError with file and line."""
    if not file.exists():
        return HintLadder()
    text = decode(file)
    raw = parse_yaml(file, text)
    rungs = raw.get("rungs") if isinstance(raw, dict) else None
    if not isinstance(rungs, list) or not rungs:
        raise DataError(f"{file}, line 1: {_FORM}")
    lines, start = _lines(text), raw.get("start", 0)
    for number, rung in enumerate(rungs):
        if problem := _problem(number, rung):
            raise DataError(f"{file}, line {lines['rungs', number]}: {problem}")
    if type(start) is not int or not 0 <= start < len(rungs):
        problem = f"`start` is the number of a rung, from 0 to {len(rungs) - 1}"
        raise DataError(f"{file}, line {lines['start', None]}: {problem}")
    return HintLadder(tuple(rung.strip() for rung in rungs), start)


def _problem(number: int, rung: Any) -> str | None:
    if number >= MOST_RUNGS:
        return f"a ladder has at most {MOST_RUNGS} rungs"
    if not isinstance(rung, str) or not 0 < len(rung.strip()) <= LONGEST_HINT_CHARS:
        return f"a hint is a text of at most {LONGEST_HINT_CHARS} characters, in quotes"
    return None


def _lines(text: str) -> dict[tuple[str, Any], int]:
    """Return the line of each key, and of each rung by number."""
    found: dict[tuple[str, Any], int] = {}
    root: Any = yaml.compose(text, yaml.SafeLoader)
    for key, value in root.value:
        found[key.value, None] = key.start_mark.line + 1
        if isinstance(value, yaml.SequenceNode):
            for number, node in enumerate(value.value):
                found[key.value, number] = node.start_mark.line + 1
    return found
