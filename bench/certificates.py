"""Do certificates keep their promise? Resplits of real rows, and a simulation with known truth.

Resplits: the model is fixed; its test rows are split at random into calibration and evaluation
rows; a violation is a split whose evaluation rows are wrong more often than promised. Evaluation
rows are a finite sample, so their own noise counts as violations too. The simulation knows the
true error at every threshold and has no such noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data import Data
from bench.intents import train
from chatloop.loop.data.rows import Part
from chatloop.loop.evaluate.certify import accepted_scores, certify
from chatloop.loop.train.export import scorer_of

RESPLITS = 400
SIZES = (500, 1000, 2750)
TARGET, DELTA = 0.05, 0.10
MIN_EVALUATION_ROWS = 250
Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass
class Tally:
    """What happened over the splits."""

    violations: int = 0
    answered: float = 0.0
    none: int = 0

    def add(self, threshold: float | None, scores: Scores, right: Flags) -> None:
        taken = scores >= threshold if threshold is not None else np.zeros(len(scores), bool)
        self.none += threshold is None
        self.answered += float(taken.mean())
        self.violations += bool(taken.any() and (~right[taken]).mean() > TARGET)

    def words(self, runs: int) -> str:
        share, over = 100 * self.answered / runs, 100 * self.violations / runs
        return f"{share:.1f} % / {over:.1f} %"


def rows(data: Data, _seeds: int) -> Iterator[tuple[str, str]]:
    """Yield (figure, value): share answered / splits over the bound."""
    test = data.part(Part.TEST)
    scorer = scorer_of(train(data, 0).pipeline)
    scores, right = accepted_scores(scorer.many([r.text for r in test]), [r.intent for r in test])
    rng = np.random.default_rng(0)
    for size in (s for s in SIZES if s <= len(test) - MIN_EVALUATION_ROWS):
        ours, plain = Tally(), Tally()
        for _ in range(RESPLITS):
            order = rng.permutation(len(test))
            chosen, rest = order[:size], order[size:]
            found = certify(scores[chosen], right[chosen], target_error=TARGET, delta=DELTA)
            ours.add(found.threshold, scores[rest], right[rest])
            plain.add(plain_threshold(scores[chosen], right[chosen]), scores[rest], right[rest])
        yield f"certificate, n {size}: answered / splits over 5 %", ours.words(RESPLITS)
        yield f"  no threshold at all, n {size}", f"{100 * ours.none / RESPLITS:.1f} %"
        yield f"  plain rule, n {size}: answered / splits over 5 %", plain.words(RESPLITS)
    for size in SIZES:
        over, answered = simulate(size, rng)
        yield f"simulation, n {size}: answered / over the true 5 %", f"{answered} / {over}"


def plain_threshold(scores: Scores, right: Flags) -> float | None:
    """The ordinary rule: the lowest threshold whose empirical error is at most the target."""
    order = np.argsort(-scores, kind="stable")
    error = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    fits = np.flatnonzero((error <= TARGET) & (scores[order] >= 0))
    return float(scores[order][fits[-1]]) if len(fits) else None


def simulate(size: int, rng: np.random.Generator) -> tuple[str, str]:
    """Scores uniform in [0, 1], error at score s is 0.3 (1 - s)^2: the truth in closed form.

    Above a threshold t the mean error is 0.1 (1 - t)^2.
    """
    over = answered = 0.0
    for _ in range(RESPLITS):
        scores = rng.random(size)
        right = rng.random(size) >= 0.3 * (1 - scores) ** 2
        found = certify(scores, right, target_error=TARGET, delta=DELTA)
        if found.threshold is not None:
            over += 0.1 * (1 - found.threshold) ** 2 > TARGET
            answered += 1 - found.threshold
    return f"{100 * over / RESPLITS:.1f} %", f"{100 * answered / RESPLITS:.1f} %"
