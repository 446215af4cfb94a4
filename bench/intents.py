"""Accuracy, calibration, out-of-scope recall and coverage of a freshly trained model."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.data import Data
from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Part, Row
from chatloop.loop.evaluate.metrics import Evaluation, Share, evaluate
from chatloop.loop.train.export import scorer_of
from chatloop.loop.train.fit import FittedModel, fit
from chatloop.loop.train.recipe import DEFAULT

ERRORS = (0.01, 0.02, 0.05)


@dataclass(frozen=True)
class Run:
    """One training with one seed."""

    model: FittedModel
    evaluation: Evaluation
    coverage: dict[float, float]


def train(data: Data, seed: int) -> FittedModel:
    """Train the default recipe on the fit part."""
    rows = data.part(Part.FIT)
    texts, labels = [r.text for r in rows], [r.intent for r in rows]
    return fit(texts, labels, None, recipe=DEFAULT, seed=seed)


def rows(data: Data, seeds: int) -> Iterator[tuple[str, str]]:
    """Yield (figure, value), medians over the seeds."""
    test = data.part(Part.TEST)
    runs = [_run(data, seed, test) for seed in range(seeds)]
    share = runs[0].evaluation.accuracy_in_scope
    yield (
        "accuracy in scope, %",
        _median(runs, lambda r: _percent(r.evaluation.accuracy_in_scope)),
    )
    yield "  95 % interval, n", f"[{100 * share.low:.1f}, {100 * share.high:.1f}] {share.n}"
    yield (
        "accuracy with out of scope, %",
        _median(runs, lambda r: _percent(r.evaluation.accuracy)),
    )
    yield "out-of-scope recall, %", _median(runs, lambda r: _percent(r.evaluation.oos_recall))
    yield "macro F1, %", _median(runs, lambda r: _percent(r.evaluation.macro_f1))
    yield "ECE, %", _median(runs, lambda r: 100 * r.evaluation.ece)
    for error in ERRORS:
        name = f"coverage at {100 * error:.0f} % error, %"
        yield name, _median(runs, lambda r, e=error: 100 * r.coverage[e])
    yield "training, CPU s", _median(runs, lambda r: r.model.cpu_seconds)


def _run(data: Data, seed: int, test: Sequence[Row]) -> Run:
    model = train(data, seed)
    scorer = scorer_of(model.pipeline)
    intents = scorer.many([r.text for r in test])
    return Run(model, evaluate(scorer, test), _coverage(intents, [r.intent for r in test]))


def _coverage(intents: Sequence[Intent], truth: Sequence[str]) -> dict[float, float]:
    """Share of all messages answered at the loosest threshold whose error stays under a bound.

    An out-of-scope message that is answered is an error.
    """
    confidence = np.array([i.confidence if i.in_scope else 0.0 for i in intents])
    right = np.array([i.label == t and t != OOS for i, t in zip(intents, truth, strict=True)])
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    error = 1 - np.cumsum(right[order]) / answered
    some = confidence[order] > 0
    return {
        bound: float(answered[(error <= bound) & some].max(initial=0) / len(order))
        for bound in ERRORS
    }


def _percent(share: Share) -> float:
    return 100 * share.value


def _median(runs: Sequence[Run], figure: Callable[[Run], float]) -> str:
    return f"{statistics.median(figure(r) for r in runs):.2f}"
