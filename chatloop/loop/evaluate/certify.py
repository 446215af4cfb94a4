"""The certificate: from which confidence on local answers keep a tested promise.

"On messages like these n, at most `target_error` of what is answered locally is wrong, with
confidence 1 - delta for this release." Learn then Test (Angelopoulos et al. 2021): every
threshold is a hypothesis "the error is above the target", tested by an exact binomial tail along
fixed sequences from strict to loose. Each sequence has a start and a share of delta, both fixed
before a label is seen; a sequence goes on while it rejects, and the loosest rejected threshold of
all is certified. The family-wise error is at most delta.

Why the tail is exact: given the k-th highest confidence t, the k - 1 rows above it are
independent draws from "confidence above t", so their wrong ones are Binomial(k - 1, error at t).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from chatloop.core.types import Intent
from chatloop.turn.route import why_not_local

STARTS = ((0.10, 0.15), (0.25, 0.85))
"""(share of rows accepted at the start, share of delta): a strict one in case of a few confidently
wrong rows, and the main one. Chosen by `python -m bench.certify` on rows that no figure uses."""
STEP_SHARE = 0.02
"""Distance between two tests, as a share of the rows: a finer grid only stops earlier by chance."""


class State(StrEnum):
    """What the certificate allows."""

    CERTIFIED = "certified"
    NOT_ENOUGH_DATA = "not_enough_data"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Certified:
    """The result of the tests. `bound`: exact upper bound of the error at the threshold."""

    threshold: float | None
    n: int
    accepted: int
    wrong: int
    bound: float

    @property
    def answered_share(self) -> float:
        """Share of the rows that would be answered locally."""
        return self.accepted / self.n if self.n else 0.0


def accepted_scores(
    intents: Sequence[Intent], truth: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return (score, right) a row by the rule that routes live messages.

    Rows that the rule never answers (out of scope, abstained) get score -1. An out-of-scope row
    that is answered counts as wrong.
    """
    answerable = [why_not_local(i, 0.0, has_answer=True) is None for i in intents]
    scores = [i.confidence if ok else -1.0 for i, ok in zip(intents, answerable, strict=True)]
    right = [i.label == label for i, label in zip(intents, truth, strict=True)]
    return np.array(scores, dtype=np.float64), np.array(right, dtype=bool)


def certify(
    scores: NDArray[np.float64],
    right: NDArray[np.bool_],
    *,
    target_error: float,
    delta: float,
    starts: Sequence[tuple[float, float]] = STARTS,
) -> Certified:
    """Return the loosest certified threshold over independent rows; None when none passes.

    `scores` (n,): higher is surer, below 0 is never answered; a row is answered at
    `score >= threshold`. Valid for any starts and steps that do not depend on `right`. A target or
    delta of 0 or 1 asks for no promise that could be tested: None.
    """
    if not (0 < target_error < 1 and 0 < delta < 1):
        return Certified(None, len(scores), 0, 0, 1.0)
    order = np.argsort(-scores, kind="stable")
    sorted_scores, wrong = scores[order], ~right[order]
    wrong_above = np.concatenate([[0], np.cumsum(wrong)])  # among the k surest rows
    n, answerable = len(scores), int((scores >= 0).sum())
    best = 0
    for start_share, delta_share in starts:
        level = delta * delta_share
        first = max(math.ceil(start_share * n), smallest_pass(target_error, level) + 1)
        best = max(best, _walk(wrong_above, first, answerable, n, target_error, level))
    if best == 0:
        return Certified(None, n, 0, 0, 1.0)
    threshold = float(sorted_scores[best - 1])
    accepted = int((scores >= threshold).sum())
    mistakes = int(wrong[:accepted].sum())
    return Certified(threshold, n, accepted, mistakes, upper_bound(mistakes, accepted, delta))


def smallest_pass(target_error: float, level: float) -> int:
    """Return how many rows without one mistake a test needs to pass at all."""
    return math.ceil(math.log(level) / math.log1p(-target_error))


def _walk(
    wrong_above: NDArray[np.int64], first: int, last: int, n: int, target_error: float, level: float
) -> int:
    """Test k = first, first + step, ... while they reject; return the last rejected k, or 0."""
    step = max(1, round(STEP_SHARE * n))
    best = 0
    for k in range(first, last + 1, step):
        p_value = binom.cdf(wrong_above[k - 1], k - 1, target_error)
        if p_value > level:
            break
        best = k
    return best


def upper_bound(wrong: int, n: int, delta: float) -> float:
    """Return the exact one-sided upper bound of a share (Clopper and Pearson 1934)."""
    return 1.0 if n == 0 or wrong >= n else float(beta.ppf(1 - delta, wrong + 1, n - wrong))
