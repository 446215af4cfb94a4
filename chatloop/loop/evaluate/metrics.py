"""Figures of a model on labelled rows, each with its n and an interval.

Rows are independent cases: the test part holds one row a family. The model is scored as it is
served, through the lean scorer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Row
from chatloop.turn.classify import Scorer

_BOOTSTRAPS = 400
_ECE_BINS = 15
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `n` independent cases with its 95 % interval, all in [0, 1]."""

    value: float
    low: float
    high: float
    n: int


def wilson(right: int, n: int, z: float = _Z95) -> Share:
    """Return right / n with the Wilson score interval (Wilson 1927); all 0 and 1 when n is 0."""
    if n == 0:
        return Share(0.0, 0.0, 1.0, 0)
    p, z2 = right / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Share(p, max(0.0, centre - half), min(1.0, centre + half), n)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model on one set of rows. `predicted` is the best label of all, `oos` included.

    `ece` is that of `predicted`; `confidence` is the in-scope one that routing uses.
    """

    accuracy: Share
    accuracy_in_scope: Share
    oos_recall: Share
    macro_f1: Share
    ece: float
    recall: dict[str, Share]
    predicted: tuple[str, ...]
    confidence: tuple[float, ...]


def predicted_label(intent: Intent) -> str:
    """Return the label that the model finds most probable, out-of-scope included."""
    return intent.label if intent.label and intent.in_scope else OOS


def evaluate(scorer: Scorer, rows: Sequence[Row], seed: int = 0) -> Evaluation:
    """Score `rows` and return the figures."""
    intents = scorer.many([r.text for r in rows])
    truth = [r.intent for r in rows]
    predicted = [predicted_label(i) for i in intents]
    right = np.array([t == p for t, p in zip(truth, predicted, strict=True)], dtype=bool)
    inside = np.array([t != OOS for t in truth], dtype=bool)
    top = np.array([_top_probability(scorer, r.text) for r in rows])
    return Evaluation(
        accuracy=wilson(int(right.sum()), len(rows)),
        accuracy_in_scope=wilson(int(right[inside].sum()), int(inside.sum())),
        oos_recall=wilson(int(right[~inside].sum()), int((~inside).sum())),
        macro_f1=macro_f1(truth, predicted, seed),
        ece=expected_calibration_error(top, right),
        recall=_recalls(truth, right),
        predicted=tuple(predicted),
        confidence=tuple(i.confidence for i in intents),
    )


def _top_probability(scorer: Scorer, text: str) -> float:
    """The probability of the best label of all; an abstention is sure that nothing fits."""
    proba = scorer.probabilities(text)
    return 1.0 if proba is None else float(proba.max())


def expected_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the mean gap between confidence and share right over 15 equal-width bins (ECE)."""
    if not len(confidence):
        return 0.0
    bins = np.minimum((confidence * _ECE_BINS).astype(int), _ECE_BINS - 1)
    gaps = [
        abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(sum(gaps))


def macro_f1(truth: Sequence[str], predicted: Sequence[str], seed: int) -> Share:
    """Return the mean F1 over the labels in `truth`, with a percentile bootstrap over rows."""
    labels = sorted({*truth, *predicted})
    number = {label: i for i, label in enumerate(labels)}
    t = np.array([number[x] for x in truth], dtype=np.int64)
    p = np.array([number[x] for x in predicted], dtype=np.int64)
    if not len(t):
        return Share(0.0, 0.0, 1.0, 0)
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(t), size=(_BOOTSTRAPS, len(t)))
    values = np.array([_f1(t[d], p[d], len(labels)) for d in draws])
    low, high = np.quantile(values, [0.025, 0.975])
    return Share(_f1(t, p, len(labels)), float(low), float(high), len(t))


def _f1(t: NDArray[np.int64], p: NDArray[np.int64], n_labels: int) -> float:
    hits = np.bincount(t[t == p], minlength=n_labels)
    total = np.bincount(t, minlength=n_labels) + np.bincount(p, minlength=n_labels)
    present = np.bincount(t, minlength=n_labels) > 0
    f1 = np.divide(2.0 * hits, total, out=np.zeros(n_labels), where=total > 0)
    return float(f1[present].mean())


def _recalls(truth: Sequence[str], right: NDArray[np.bool_]) -> dict[str, Share]:
    names = np.array(truth)
    return {
        label: wilson(int(right[names == label].sum()), int((names == label).sum()))
        for label in sorted(set(truth))
    }
