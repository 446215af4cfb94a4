"""Microseconds a message: the lean scorer against the stock pipeline, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

from bench.data import Data
from bench.intents import train
from chatloop.loop.data.rows import Part
from chatloop.loop.train.export import largest_difference, scorer_of

MESSAGES = 1000
PIPELINE_MESSAGES = 200


def rows(data: Data, _seeds: int) -> Iterator[tuple[str, str]]:
    """Yield (figure, value)."""
    pipeline = train(data, 0).pipeline
    scorer = scorer_of(pipeline)
    texts = [r.text for r in data.part(Part.TEST)][:MESSAGES]
    cold = _median_us(scorer, texts)
    warm = _median_us(scorer, texts)
    stock = _median_us(lambda t: pipeline.predict_proba([t]), texts[:PIPELINE_MESSAGES])
    yield (
        "largest difference to predict_proba",
        f"{largest_difference(pipeline, scorer, texts):.1e}",
    )
    yield "one message, us (first sight / again)", f"{cold:.0f} / {warm:.0f}"
    yield "one message, stock pipeline, us", f"{stock:.0f}"
    yield "stock pipeline / lean scorer", f"{stock / warm:.1f} x"


def _median_us(score: Callable[[str], object], texts: Sequence[str]) -> float:
    times = []
    for text in texts:
        begun = time.perf_counter_ns()
        score(text)
        times.append((time.perf_counter_ns() - begun) / 1000)
    return statistics.median(times)
