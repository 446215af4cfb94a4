"""Microseconds a message: the lean scorer against the stock pipeline, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bench.data import Data
from bench.intents import train
from chatloop.loop.data.rows import Part
from chatloop.loop.train.export import largest_difference, scorer_of

MESSAGES = 1000
ROUNDS = 10
FLOOR_ROWS = 30
"""About as many rows of the weights as the scorer takes for a message of CLINC150."""
PIPELINE_MESSAGES = 200


def rows(data: Data, _seeds: int) -> Iterator[tuple[str, str]]:
    """Yield (figure, value)."""
    pipeline = train(data, 0).pipeline
    scorer = scorer_of(pipeline)
    texts = [r.text for r in data.part(Part.TEST)][:MESSAGES]
    cold = _median_us(scorer, texts)
    warm = min(_median_us(scorer, texts) for _ in range(ROUNDS))
    stock = _median_us(lambda t: pipeline.predict_proba([t]), texts[:PIPELINE_MESSAGES])
    yield (
        "largest difference to predict_proba",
        f"{largest_difference(pipeline, scorer, texts):.1e}",
    )
    floor = min(_median_us(_floor(texts, len(scorer.labels)), texts) for _ in range(ROUNDS))
    yield "one message, us (first sight / again)", f"{cold:.0f} / {warm:.0f}"
    yield "  look-ups, product and exp alone, us", f"{floor:.0f}"
    yield "one message, stock pipeline, us", f"{stock:.0f}"
    yield "stock pipeline / lean scorer", f"{stock / warm:.1f} x"


def _floor(texts: Sequence[str], n_labels: int) -> Callable[[str], object]:
    """Return the least that any scorer of this form does: no counting, no scaling, no ranking."""
    random = np.random.default_rng(0)
    known = {word: word for text in texts for word in text.lower().split()}
    rows = {text: random.integers(0, MESSAGES * 20, FLOOR_ROWS).tolist() for text in texts}
    weights = random.random((MESSAGES * 20, n_labels), np.float32)
    values = random.random(FLOOR_ROWS, np.float32)

    def floor(text: str) -> object:
        _ = [known[word] for word in text.lower().split()]
        return np.exp(values @ weights.take(rows[text], axis=0))

    return floor


def _median_us(score: Callable[[str], object], texts: Sequence[str]) -> float:
    times = []
    for text in texts:
        begun = time.perf_counter_ns()
        score(text)
        times.append((time.perf_counter_ns() - begun) / 1000)
    return statistics.median(times)
