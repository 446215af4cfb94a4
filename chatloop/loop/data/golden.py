"""Draws golden phrases from an import, so that the gate has something to hold before a person
writes better ones.

Short, clear rows of the calibrate and test parts only: a phrase that the model learnt by heart
would prove nothing.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from chatloop.loop.data.rows import Part, Row

TINY = 10
"""An intent with fewer rows is called tiny: too few to say what is typical for it."""

_AN_INTENT = 2
_CHARS = range(5, 61)
_FIT_ROWS = 200
_NOTE = "drawn from the {part} part of your import; change it, or write your own"


def draw_golden(rows: Iterable[Row]) -> bytes:
    """Return `golden.csv` with up to 2 phrases an intent; empty bytes when none is fit.

    Columns text, intent, note. The same rows give the same bytes.
    """
    rows = [row for row in rows if row.in_scope]
    sizes = Counter(row.intent for row in rows)
    chosen: dict[str, list[Row]] = defaultdict(list)
    candidates = [row for row in rows if _is_short(row) and sizes[row.intent] >= TINY]
    for row in _clearest_first(candidates, rows):
        if len(chosen[row.intent]) < _AN_INTENT:
            chosen[row.intent].append(row)
    return _csv([row for intent in sorted(chosen) for row in chosen[intent]])


def _is_short(row: Row) -> bool:
    plain = "[" not in row.text and "\n" not in row.text
    return row.split != Part.FIT and plain and len(row.text) in _CHARS


def _clearest_first(candidates: list[Row], rows: list[Row]) -> list[Row]:
    """Order by how far a row's trigrams belong to its intent alone in the fit part."""
    everywhere: Counter[str] = Counter()
    own: dict[str, Counter[str]] = defaultdict(Counter)
    for row in _first_fit_rows(rows):
        everywhere.update(grams := _trigrams(row.text))
        own[row.intent].update(grams)

    def clarity(row: Row) -> float:
        grams, counts = _trigrams(row.text), own[row.intent]
        return sum(counts[g] / everywhere[g] for g in grams if g in everywhere) / len(grams)

    return sorted(candidates, key=lambda row: (-round(clarity(row), 6), len(row.text), row.text))


def _first_fit_rows(rows: list[Row]) -> Iterator[Row]:
    taken: Counter[str] = Counter()
    for row in rows:
        if row.split == Part.FIT and taken[row.intent] < _FIT_ROWS:
            taken[row.intent] += 1
            yield row


def _trigrams(text: str) -> set[str]:
    """Return the runs of three characters; they need no spaces between words."""
    padded = f" {text.casefold()} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


def _csv(rows: list[Row]) -> bytes:
    if not rows:
        return b""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("text", "intent", "note"))
    writer.writerows((r.text, r.intent, _NOTE.format(part=r.split)) for r in rows)
    return out.getvalue().encode("utf-8")
