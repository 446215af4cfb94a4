"""What a release gets wrong, with the texts: confusions, sure mistakes, changes.

Pure counting over rows and what was said to them; nothing is scored here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.metrics import predicted_label
from chatloop.turn.classify import Scorer

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows of one label that come out as another, `count` of the `n` rows of that label."""

    truth: str
    predicted: str
    count: int
    n: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row that would be taken for an intent that it is not."""

    text: str
    truth: str
    predicted: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Previous:
    """The release that is served now, to compare with."""

    version: str
    scorer: Scorer


@dataclass(frozen=True, slots=True)
class Changed:
    """A row that only one of two releases gets right."""

    text: str
    truth: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows won and lost against `version`, on the `n` test rows whose intent both know."""

    version: str
    n: int
    gained: tuple[Changed, ...]
    lost: tuple[Changed, ...]


def confusions(rows: Sequence[Row], predicted: Sequence[str]) -> list[Confusion]:
    """Return all pairs of labels that are mixed up, the most frequent first."""
    texts: dict[tuple[str, str], list[str]] = defaultdict(list)
    n: dict[str, int] = defaultdict(int)
    for row, label in zip(rows, predicted, strict=True):
        n[row.intent] += 1
        if label != row.intent:
            texts[row.intent, label].append(row.text)
    found = [
        Confusion(truth, label, len(t), n[truth], tuple(t[:EXAMPLES]))
        for (truth, label), t in texts.items()
    ]
    return sorted(found, key=lambda c: (-c.count, c.truth, c.predicted))


def sure_mistakes(rows: Sequence[Row], intents: Sequence[Intent]) -> list[Mistake]:
    """Return the rows taken for a wrong intent, the surest first.

    A row wrongly held for out of scope is not among them: nothing wrong would be said to it.
    """
    found = [
        Mistake(row.text, row.intent, label, intent.confidence)
        for row, intent in zip(rows, intents, strict=True)
        if (label := predicted_label(intent)) not in {row.intent, OOS}
    ]
    return sorted(found, key=lambda m: -m.confidence)


def changes(previous: Previous, rows: Sequence[Row], predicted: Sequence[str]) -> Changes:
    """Compare with `previous` on rows of intents that it knows."""
    known = {*previous.scorer.labels, OOS}
    shared = [(r, p) for r, p in zip(rows, predicted, strict=True) if r.intent in known]
    before = [predicted_label(i) for i in previous.scorer.many([r.text for r, _ in shared])]
    changed = [
        Changed(row.text, row.intent, old, new)
        for (row, new), old in zip(shared, before, strict=True)
        if (old == row.intent) != (new == row.intent)
    ]
    return Changes(
        previous.version,
        len(shared),
        tuple(c for c in changed if c.after == c.truth),
        tuple(c for c in changed if c.before == c.truth),
    )
