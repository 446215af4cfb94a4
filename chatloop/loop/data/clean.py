"""Cleans imported rows: normalise, redact, drop empties and duplicates, set conflicts aside.

Imports pass through the same cleaning and redaction as live messages. Nothing is dropped
silently: the Report counts every loss and names rows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from chatloop.core.types import Verdict
from chatloop.loop.data.parts import near_duplicate_key, part_of
from chatloop.loop.data.rows import Part, Row
from chatloop.turn.guard.pii import redact
from chatloop.turn.receive import normalise

_MAYBE_PERSONAL = re.compile(r"[@\d]")
"""Without one of these the guard finds nothing; looking for them costs a hundredth."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it stood in a file: `number` is its line, `split` a known part or None.

    `name` is the label as the file has it; it takes no part in comparisons.
    """

    number: int
    text: str
    intent: str
    split: Part | None
    name: str = field(default="", compare=False)


class _Clean(NamedTuple):
    key: str
    text: str
    raw: RawRow


@dataclass(slots=True)
class Report:
    """What happened to an import, by row number; texts in it are redacted.

    `conflicts`: text -> {label: row numbers}; `set_aside`: (row, text, label) of those;
    `crossing`: (row, row) that are near-duplicates in two parts of a split that came along;
    `names`: label -> its name in the file.
    """

    read: int = 0
    kept: int = 0
    empty: list[int] = field(default_factory=list)
    duplicate_rows: list[int] = field(default_factory=list)
    thinned_rows: list[int] = field(default_factory=list)
    redacted_rows: dict[str, list[int]] = field(default_factory=dict)
    conflicts: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    set_aside: list[tuple[int, str, str]] = field(default_factory=list)
    crossing: list[tuple[int, int]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def duplicates(self) -> int:
        """How many rows repeated an earlier one exactly."""
        return len(self.duplicate_rows)

    @property
    def thinned(self) -> int:
        """How many near-duplicates in calibrate or test were dropped."""
        return len(self.thinned_rows)

    @property
    def redacted(self) -> dict[str, int]:
        """How many rows held each kind of personal data."""
        return {kind: len(rows) for kind, rows in self.redacted_rows.items()}


def clean(raw_rows: Iterable[RawRow], seed: int) -> tuple[list[Row], Report]:
    """Return the rows to keep and the report.

    A split that came with the file is kept. Without one, whole families are assigned, and
    calibrate and test keep one row a family: figures count independent cases.
    """
    report = Report()
    texts = _texts(raw_rows, report)
    _find_conflicts(texts, report)
    rows = _rows(texts, report, seed)
    report.kept = len(rows)
    return rows, report


def _texts(raw_rows: Iterable[RawRow], report: Report) -> list[_Clean]:
    texts = []
    for raw in raw_rows:
        report.read += 1
        report.names.setdefault(raw.intent, raw.name or raw.intent)
        verdict = _redacted(normalise(raw.text))
        for kind in verdict.kinds:
            report.redacted_rows.setdefault(kind, []).append(raw.number)
        if verdict.text:
            texts.append(_Clean(verdict.text.casefold(), verdict.text, raw))
        else:
            report.empty.append(raw.number)
    return texts


def _redacted(text: str) -> Verdict:
    return redact(text) if _MAYBE_PERSONAL.search(text) else Verdict(text)


def _find_conflicts(texts: list[_Clean], report: Report) -> None:
    first: dict[str, str] = {}
    torn = {key for key, _, raw in texts if first.setdefault(key, raw.intent) != raw.intent}
    labels: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for key, text, raw in texts:
        if key in torn:
            labels[key][raw.intent].append(raw.number)
            report.set_aside.append((raw.number, text, raw.intent))
    report.conflicts = {text: dict(found) for text, found in labels.items()}


def _rows(texts: list[_Clean], report: Report, seed: int) -> list[Row]:
    rows: list[Row] = []
    seen: set[str] = set()
    families: dict[str, tuple[Part, int]] = {}
    for key, text, raw in texts:
        if key in report.conflicts:
            continue
        if key in seen:
            report.duplicate_rows.append(raw.number)
            continue
        seen.add(key)
        family = near_duplicate_key(text)
        part = raw.split or part_of(family, seed)
        if raw.split is None and part is not Part.FIT and family in families:
            report.thinned_rows.append(raw.number)
            continue
        first, number = families.setdefault(family, (part, raw.number))
        if first is not part:
            report.crossing.append((number, raw.number))
        rows.append(Row(text, raw.intent, "import", family, part))
    return rows
