"""Reads what people bring: a table, a JSON or a JSON-lines file of labelled texts.

Table: columns for text and intent by their usual names, optional split. JSON: `{"train": [[text,
intent], ...], "oos_train": ...}`. JSON lines: `{"text": ..., "intent": ...}` a line. Only
reading: cleaning is `clean.py`. Each problem is one line with file and row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.data.clean import RawRow
from chatloop.loop.data.labels import Labels
from chatloop.loop.data.rows import Part
from chatloop.loop.data.tables import NO_COLUMN, Role, Say, decode, find_columns, read_table

_TEXT = ("text", "utterance", "message", "question", "query", "sentence")
INTENT = ("intent", "label", "category", "tag", "class")
_SPLIT = ("split", "set", "part")
_PARTS = {
    "train": Part.FIT,
    "training": Part.FIT,
    "fit": Part.FIT,
    "val": Part.CALIBRATE,
    "valid": Part.CALIBRATE,
    "validation": Part.CALIBRATE,
    "dev": Part.CALIBRATE,
    "calibrate": Part.CALIBRATE,
    "test": Part.TEST,
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The column names that a person chose; None: the usual names. Split `-`: none is read."""

    text: str | None = None
    intent: str | None = None
    split: str | None = None

    @property
    def roles(self) -> tuple[Role, Role, Role]:
        """The columns to look for: text, intent, split."""
        return (
            Role("text", _TEXT, self.text),
            Role("intent (or label)", INTENT, self.intent),
            Role("split", _SPLIT, self.split, needed=False),
        )


USUAL = Columns()


def read_source(path: Path, columns: Columns = USUAL, *, say: Say | None = None) -> list[RawRow]:
    """Return the rows of a file; raises DataError with file and row.

    `say` hears of guesses (encoding, columns); without it a file that is not UTF-8 is an error.
    """
    if not path.is_file():
        raise DataError(f"{path}: this file does not exist")
    text = decode(path, say)
    if not text.strip():
        raise DataError(f"{path}: the file is empty")
    rows = list(_rows(path, text, columns, say))
    if not rows:
        raise DataError(f"{path}: no rows below the header")
    intents = {row.intent for row in rows} - {OOS}
    if len(intents) < 2:
        raise DataError(f"{path}: needs at least two intents, found {len(intents)}")
    return rows


def _rows(path: Path, text: str, columns: Columns, say: Say | None) -> Iterator[RawRow]:
    match path.suffix.lower():
        case ".json":
            return _json_rows(path, text)
        case ".jsonl" | ".ndjson":
            found = _json_lines(path, text, columns)
        case _:
            found = read_table(path, text, columns.roles, say)
    return _labelled(path, found)


def _labelled(path: Path, found: Iterator[tuple[int, list[str | None]]]) -> Iterator[RawRow]:
    labels = Labels(path)
    for number, (text, raw, split) in found:
        label, name = labels.of(raw or "", number)
        yield RawRow(number, text or "", label, _part(path, number, split), name)


def _json_rows(path: Path, text: str) -> Iterator[RawRow]:
    parts = _json(str(path), text, hint='; one `{"text": ...}` a line? Name the file .jsonl')
    if not isinstance(parts, dict):
        raise DataError(f'{path}: expected {{"train": [[text, intent], ...], ...}}')
    labels = Labels(path)
    number = 0
    for name, pairs in parts.items():
        part = _part(path, number, name)
        for pair in pairs if isinstance(pairs, list) else [pairs]:
            number += 1
            if not _is_pair(pair):
                raise DataError(f"{path}, row {number}: expected [text, intent]")
            yield RawRow(number, pair[0], *_between(labels.of(pair[1], number), part))


def _between(found: tuple[str, str], part: Part | None) -> tuple[str, Part | None, str]:
    return found[0], part, found[1]


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, str) for x in pair)


def _json_lines(path: Path, text: str, columns: Columns) -> Iterator[tuple[int, list[str | None]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, row {number}"
        entry = _json(where, line)
        if not isinstance(entry, dict):
            raise DataError(f'{where}: expected {{"text": ..., "intent": ...}}')
        names = list(entry)
        places = find_columns(where, names, columns.roles)
        values = [None if place is None else entry[names[place]] for place in places]
        if not isinstance(values[0], str):
            raise DataError(f"{where}: `{names[places[0] or 0]}` must be a text")
        yield number, [v if v is None or isinstance(v, str) else str(v) for v in values]


def _json(where: str, text: str, hint: str = "") -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not valid JSON ({error}){hint}") from error


def _part(path: Path, number: int, name: str | None) -> Part | None:
    key = (name or "").strip().lower().removeprefix("oos_")
    if not key:
        return None
    if key not in _PARTS:
        known = ", ".join(_PARTS)
        raise DataError(
            f"{path}, row {number}: unknown split `{key}`; known: {known} "
            f"(no split at all: --split-column={NO_COLUMN})"
        )
    return _PARTS[key]
