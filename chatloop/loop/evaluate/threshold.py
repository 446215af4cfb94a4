"""From which confidence on the bot may answer alone, as long as no certificate says so.

Uses the same rule that routes live messages (`turn/route.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chatloop.core.types import Intent
from chatloop.turn.route import why_not_local

FLOOR = 0.6
NEVER = math.nextafter(1.0, 2.0)
"""Above every confidence: nothing is answered alone."""


@dataclass(frozen=True, slots=True)
class Provisional:
    """The provisional threshold and what it did on the calibration rows."""

    threshold: float
    answered: int
    wrong: int
    n: int


def provisional_threshold(
    intents: Sequence[Intent], truth: Sequence[str], target_error: float
) -> Provisional:
    """Return the lowest threshold, at least 0.6, with an empirical error <= target / 2.

    Error: the share of wrong ones among the rows that would be answered alone. When no threshold
    reaches it, a hair above 1: nothing is answered alone.
    """
    cases = sorted(
        (
            (intent.confidence, intent.label == label)
            for intent, label in zip(intents, truth, strict=True)
            if why_not_local(intent, FLOOR, has_answer=True) is None
        ),
        reverse=True,
    )
    best, answered, wrong = Provisional(NEVER, 0, 0, len(truth)), 0, 0
    for position, (confidence, right) in enumerate(cases):
        answered, wrong = answered + 1, wrong + (not right)
        tied = position + 1 < len(cases) and cases[position + 1][0] == confidence
        if not tied and wrong <= answered * target_error / 2:
            best = Provisional(max(FLOOR, confidence), answered, wrong, len(truth))
    everything_passes = best.answered == len(cases) and cases
    return Provisional(FLOOR, best.answered, best.wrong, best.n) if everything_passes else best
