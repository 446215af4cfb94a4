"""What the two recipes reach and cost: accuracy, typos, few rows, out-of-scope recall, ten times
the rows. Medians over the seeds; CPU seconds on one thread, with scikit-learn's defaults as a
yardstick of the machine's speed in the same run.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.data import Data
from bench.recipe import figures, first_of_each, plain_cpu_s, with_typos
from chatloop.loop.data.rows import Part, Row
from chatloop.loop.train.fit import FittedModel, fit
from chatloop.loop.train.recipe import DEFAULT, THOROUGH, Recipe

FEW = 10
SCALES = (4, 10)
SHOWN = ("accuracy", "one typo", "ECE", "OOS recall", "coverage at 1%", "coverage at 5%")
Pair = tuple[list[str], list[str]]


def rows(data: Data, seeds: int) -> Iterator[tuple[str, str]]:
    """Yield (figure, value)."""
    learnt, judged = _pair(data.part(Part.FIT)), _pair(data.part(Part.TEST))
    yardstick = plain_cpu_s(*learnt)
    yield "scikit-learn's defaults, training, CPU s", f"{yardstick:.1f}"
    for recipe in (DEFAULT, THOROUGH):
        yield from _of_recipe(recipe, learnt, judged, seeds)
    few = [_fit(first_of_each(*learnt, FEW, seed), DEFAULT, seed) for seed in range(seeds)]
    right = [figures(model, *judged)["accuracy"] for model in few]
    yield f"accuracy at {FEW} rows an intent, %", f"{statistics.median(right):.1f}"
    for scale in SCALES:
        many = _fit((learnt[0] * scale, learnt[1] * scale), DEFAULT, 0)
        yield f"training at {scale} x the rows, CPU s", f"{many.cpu_seconds:.1f}"
    large = _with_misspelt(learnt, SCALES[-1])
    plain = _fit(large, replace(DEFAULT, drop_rate=0.0, typo_rate=0.0), 0)
    yield f"{len(large[0])} rows, no augmentation, CPU s", f"{plain.cpu_seconds:.1f}"


def _with_misspelt(pair: Pair, times: int) -> Pair:
    """Return the rows and `times - 1` copies of them with a typo each: words that are new."""
    texts, labels = pair
    copies = (text for seed in range(1, times) for text in with_typos(texts, seed))
    return [*texts, *copies], labels * times


def _of_recipe(recipe: Recipe, learnt: Pair, judged: Pair, seeds: int) -> Iterator[tuple[str, str]]:
    models = [_fit(learnt, recipe, seed) for seed in range(seeds)]
    found = [figures(model, *judged) for model in models]
    for name in (n for n in SHOWN if n in found[0]):
        value = statistics.median(one[name] for one in found)
        yield f"{recipe.name}: {name}, %", f"{value:.1f}"
    cpu_s = statistics.median(model.cpu_seconds for model in models)
    yield f"{recipe.name}: training, CPU s", f"{cpu_s:.1f}"


def _fit(pair: Pair, recipe: Recipe, seed: int) -> FittedModel:
    return fit(*pair, recipe=recipe, seed=seed)


def _pair(rows_of_part: Sequence[Row]) -> Pair:
    return [r.text for r in rows_of_part], [r.intent for r in rows_of_part]
