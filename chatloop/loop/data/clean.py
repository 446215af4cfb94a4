"""Cleans imported rows: normalise, redact, drop empties and duplicates, set conflicts aside.

Imports pass through the same cleaning and redaction as live messages. Nothing is dropped
silently: the Report counts every loss and names rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from chatloop.loop.data.parts import near_duplicate_key, part_of
from chatloop.loop.data.rows import Part, Row
from chatloop.turn.guard.pii import redact
from chatloop.turn.receive import normalise


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it stood in a file: `number` is its line, `split` a known part or None."""

    number: int
    text: str
    intent: str
    split: Part | None


@dataclass(slots=True)
class Report:
    """What happened to an import. `conflicts`: text -> {label: row numbers}."""

    read: int = 0
    kept: int = 0
    empty: list[int] = field(default_factory=list)
    duplicates: int = 0
    thinned: int = 0
    redacted: Counter[str] = field(default_factory=Counter)
    conflicts: dict[str, dict[str, list[int]]] = field(default_factory=dict)


def clean(raw_rows: Iterable[RawRow], seed: int) -> tuple[list[Row], Report]:
    """Return the rows to keep and the report.

    A split that came with the file is kept. Without one, whole families are assigned, and
    calibrate and test keep one row a family: figures count independent cases.
    """
    report = Report()
    texts = _texts(raw_rows, report)
    labels: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for text, raw in texts:
        labels[text.casefold()][raw.intent].append(raw.number)
    report.conflicts = {t: dict(found) for t, found in labels.items() if len(found) > 1}
    rows = _rows(texts, report, seed)
    report.kept = len(rows)
    return rows, report


def _texts(raw_rows: Iterable[RawRow], report: Report) -> list[tuple[str, RawRow]]:
    texts = []
    for raw in raw_rows:
        report.read += 1
        verdict = redact(normalise(raw.text))
        report.redacted.update(verdict.kinds)
        if verdict.text:
            texts.append((verdict.text, raw))
        else:
            report.empty.append(raw.number)
    return texts


def _rows(texts: list[tuple[str, RawRow]], report: Report, seed: int) -> list[Row]:
    rows: list[Row] = []
    seen: set[str] = set()
    families: set[str] = set()
    for text, raw in texts:
        key = text.casefold()
        if key in report.conflicts:
            continue
        if key in seen:
            report.duplicates += 1
            continue
        seen.add(key)
        family = near_duplicate_key(text)
        part = raw.split or part_of(family, seed)
        if raw.split is None and part is not Part.FIT and family in families:
            report.thinned += 1
            continue
        families.add(family)
        rows.append(Row(text, raw.intent, "import", family, part))
    return rows
