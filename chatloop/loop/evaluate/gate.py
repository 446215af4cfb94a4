"""Whether a candidate may replace the current model: a simple, stated rule on the same rows.

Three checks: accuracy on the test rows falls by at most a margin; no golden phrase that the
current model gets right breaks; no intent's recall falls to half or less with at least four rows
lost. Both models are arguments: nothing here loads or trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatloop.core.types import OOS
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.metrics import predicted_label
from chatloop.turn.classify import Scorer

MIN_ROWS_LOST = 4
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One check with its numbers in words."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """All checks, and whether all passed."""

    checks: tuple[Check, ...]

    @property
    def accepted(self) -> bool:
        """Whether the candidate may be promoted."""
        return all(check.passed for check in self.checks)


def compare(
    current: Scorer,
    candidate: Scorer,
    rows: Sequence[Row],
    golden: Sequence[tuple[str, str]],
    *,
    margin: float,
) -> GateVerdict:
    """Judge `candidate` against `current` on the rows of the intents that `current` knows.

    New intents stay out; an intent that the candidate lost counts as wrong.
    """
    known = {*current.labels, OOS}
    shared = [r for r in rows if r.intent in known]
    old = [_is_right(current, r.text, r.intent) for r in shared]
    new = [_is_right(candidate, r.text, r.intent) for r in shared]
    return GateVerdict(
        (
            _accuracy(old, new, margin),
            _golden(current, candidate, golden),
            _per_intent(shared, old, new),
        )
    )


def _is_right(scorer: Scorer, text: str, intent: str) -> bool:
    return predicted_label(scorer(text)) == intent


def _accuracy(old: list[bool], new: list[bool], margin: float) -> Check:
    n = len(old)
    if not n:
        return Check("accuracy", passed=True, detail="no shared test rows to compare on")
    before, after = sum(old) / n, sum(new) / n
    gained = sum(b and not a for a, b in zip(old, new, strict=True))
    lost = sum(a and not b for a, b in zip(old, new, strict=True))
    detail = (
        f"{after:.4f} against {before:.4f} on the same {n} test rows "
        f"({gained} gained, {lost} lost; may fall by {margin:.3f})"
    )
    return Check("accuracy", passed=(lost - gained) <= margin * n, detail=detail)


def _golden(current: Scorer, candidate: Scorer, golden: Sequence[tuple[str, str]]) -> Check:
    broken = [
        text
        for text, intent in golden
        if _is_right(current, text, intent) and not _is_right(candidate, text, intent)
    ]
    detail = f"{len(golden) - len(broken)} of {len(golden)} golden phrases kept"
    if broken:
        detail += "; broken: " + "; ".join(repr(t) for t in broken[:_SHOWN])
    return Check("golden", passed=not broken, detail=detail)


def _per_intent(rows: Sequence[Row], old: list[bool], new: list[bool]) -> Check:
    counts: dict[str, list[int]] = {}
    for row, before, after in zip(rows, old, new, strict=True):
        entry = counts.setdefault(row.intent, [0, 0])
        entry[0] += before
        entry[1] += after
    fallen = [
        f"{intent} ({before} -> {after} right)"
        for intent, (before, after) in counts.items()
        if before - after >= MIN_ROWS_LOST and after * 2 <= before
    ]
    detail = (
        "; ".join(fallen[:_SHOWN]) or f"no intent lost half of its recall ({len(counts)} intents)"
    )
    return Check("per_intent", passed=not fallen, detail=detail)
