"""Judges whether the help pages answer a question at all: one probability.

A logistic regression over how well the best passage fits and over groups of characters of the
question's own words ("do you have ..." about things that the pages never mention). It is fitted
when the release is made, on questions known to be answered and known not to be; read here as
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chatloop.turn.answer.retrieve.words import grams

PART = "support.json"


@dataclass(frozen=True, slots=True)
class Support:
    """`signals`: a weight for each of `Ranking.signals`; a passage supports at `threshold`."""

    signals: tuple[float, ...]
    bias: float
    threshold: float
    grams: dict[str, float]

    def __call__(self, text: str, signals: Sequence[float]) -> float:
        """Return the probability that the best passage answers the text."""
        logit = self.bias + sum(w * s for w, s in zip(self.signals, signals, strict=True))
        known = [self.grams[gram] for gram in grams(text) if gram in self.grams]
        if known:
            logit += sum(known) / math.sqrt(len(known))
        return 1.0 / (1.0 + math.exp(-max(min(logit, 30.0), -30.0)))
