"""Trains the intent classifier: features, solver, temperature, and a stock scikit-learn pipeline.

Refuses a degenerate result instead of handing it on, because a zero model raises no error by
itself. Which rows are for fitting, and whether the result is good enough, is decided elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from chatloop.core.errors import DataError
from chatloop.core.types import OOS
from chatloop.loop.train.augment import altered
from chatloop.loop.train.calibrate import fit_temperature, folds_of
from chatloop.loop.train.features import Csr, Tokens, Vocabulary, learn, tokenize
from chatloop.loop.train.recipe import Recipe
from chatloop.loop.train.solver import Floats, Targets, Weights, softmax, train

Progress = Callable[[str], None]


@dataclass(frozen=True)
class FittedModel:
    """A trained, calibrated model.

    `out_of_fold`: float32 (n_texts, n_labels), the calibrated probabilities of each given text
    by a model that did not see it; columns follow `labels`. `pipeline.predict_proba` is
    calibrated too: the temperature is already inside its coefficients.
    """

    pipeline: Pipeline
    labels: tuple[str, ...]
    temperature: float
    out_of_fold: Floats
    cpu_seconds: float


@dataclass(frozen=True)
class _Rows:
    """Tokenized texts and their targets."""

    tokens: Tokens
    targets: Targets

    def take(self, rows: NDArray[np.intp]) -> _Rows:
        t = self.targets
        return _Rows(self.tokens.take(rows), Targets(t.labels[rows], t.weights[rows], t.n_labels))

    def weighing(self, emphasis: Floats) -> _Rows:
        """Return the same rows, their weights multiplied by their label's emphasis."""
        t = self.targets
        weights = t.weights * emphasis[t.labels]
        return _Rows(self.tokens, Targets(t.labels, weights, t.n_labels))


def fit(  # noqa: PLR0913
    texts: Sequence[str],
    labels: Sequence[str],
    weights: Sequence[float] | None = None,
    *,
    recipe: Recipe,
    seed: int,
    families: Sequence[str] | None = None,
    intent_names: bool = True,
    progress: Progress = lambda _: None,
) -> FittedModel:
    """Train on the texts; the same arguments give the same model, byte for byte.

    `families`: rows of one family are predicted out of fold together, or the temperature would
    be too sure of itself. `intent_names` adds each intent's name as one more example of it.
    Raises DataError when the rows cannot make a model, or make a degenerate one.
    """
    started = time.process_time()
    names, rows = _prepare(texts, labels, weights, intent_names)
    progress(f"fit: {len(texts)} texts, {len(names)} intents, recipe {recipe.name}")
    sized = recipe.sized(len(texts))
    balanced = rows.weighing(_emphasis(rows.targets, names, sized.balance))
    vocabulary, model = _train(balanced, sized, np.random.default_rng((seed, 0)))
    _refuse_degenerate(model, vocabulary.transform(rows.tokens), rows.targets)
    progress(f"fit: {vocabulary.n_features} features; now predicting out of fold")
    rng = np.random.default_rng((seed, 1))
    fold = folds_of(rows.targets.labels[: len(texts)], sized.folds, rng, families)
    logits = _out_of_fold(balanced, fold, sized, rng)
    targets = rows.targets
    temperature = fit_temperature(
        logits, targets.labels[: len(texts)], targets.weights[: len(texts)]
    )
    cpu_s = time.process_time() - started
    progress(f"fit: temperature {temperature:.3f}, {cpu_s:.1f} CPU s")
    pipeline = _pipeline(vocabulary, model, names, temperature)
    return FittedModel(
        pipeline, names, temperature, softmax(logits / np.float32(temperature)), cpu_s
    )


def _prepare(
    texts: Sequence[str],
    labels: Sequence[str],
    weights: Sequence[float] | None,
    intent_names: bool,
) -> tuple[tuple[str, ...], _Rows]:
    weight = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(texts) == len(labels) == len(weight):
        raise DataError("texts, labels and weights differ in length; give one of each a row")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise DataError("a row's weight is negative or not finite; weights are at least 0")
    names = tuple(sorted({label for label, w in zip(labels, weight, strict=True) if w > 0}))
    if len(names) < 2:
        raise DataError(f"{len(names)} intent with rows: add examples of at least two intents")
    extra = [name for name in names if name != OOS] if intent_names else []
    number = {name: i for i, name in enumerate(names)}
    tokens = tokenize([*texts, *(name.replace("_", " ") for name in extra)])
    targets = Targets(
        np.array([number.get(label, 0) for label in [*labels, *extra]], dtype=np.int64),
        np.concatenate([weight, np.ones(len(extra))]).astype(np.float32),
        len(names),
    )
    return names, _Rows(tokens, targets)


def _emphasis(targets: Targets, names: tuple[str, ...], balance: float) -> Floats:
    """Return a factor for each label that lifts rare intents; out of scope stays at 1."""
    mass = np.bincount(targets.labels, weights=targets.weights, minlength=len(names))
    in_scope = np.array(names) != OOS
    factor = np.ones(len(names), dtype=np.float32)
    factor[in_scope] = (mass[in_scope].mean() / mass[in_scope]) ** balance
    return factor


def _train(rows: _Rows, recipe: Recipe, rng: np.random.Generator) -> tuple[Vocabulary, Weights]:
    vocabulary = learn(
        rows.tokens,
        char_ngrams=(recipe.char_ngram_min, recipe.char_ngram_max),
        min_df=recipe.min_df,
    )
    known = vocabulary.cut(rows.tokens.table)

    def passes() -> Iterator[Csr]:
        if not recipe.drop_rate and not recipe.typo_rate:
            yield from repeat(vocabulary.transform(rows.tokens, known), recipe.visits)
            return
        for _ in range(recipe.visits):
            copy = altered(rows.tokens, rng, drop_rate=recipe.drop_rate, typo_rate=recipe.typo_rate)
            yield vocabulary.transform(copy, known)

    return vocabulary, train(passes(), rows.targets, recipe.descent(), rng)


def _out_of_fold(
    rows: _Rows, fold: NDArray[np.int64], recipe: Recipe, rng: np.random.Generator
) -> Floats:
    """Return logits of the given texts by models that did not see them; names always train."""
    logits = np.zeros((len(fold), rows.targets.n_labels), dtype=np.float32)
    names = np.arange(len(fold), rows.tokens.n_texts)
    for k in range(recipe.folds):
        held_out = np.flatnonzero(fold == k)
        seen = np.concatenate([np.flatnonzero(fold != k), names])
        vocabulary, model = _train(rows.take(seen), recipe, rng)
        logits[held_out] = model.logits(vocabulary.transform(rows.tokens.take(held_out)))
    return logits


def _refuse_degenerate(model: Weights, features: Csr, targets: Targets) -> None:
    if not (np.isfinite(model.matrix).all() and np.isfinite(model.bias).all()):
        raise DataError("training gave weights that are not finite; check the row weights")
    predicted = model.logits(features).argmax(axis=1)
    if (predicted == predicted[0]).all():
        raise DataError("the model answers the same intent to every text; check the labels")
    right = float(np.average(predicted == targets.labels, weights=targets.weights))
    per_label = np.bincount(targets.labels, weights=targets.weights)
    majority = float(per_label.max() / per_label.sum())
    if right <= majority:
        raise DataError(
            f"training accuracy {right:.3f} is not better than always answering the most "
            f"frequent intent ({majority:.3f}); check that texts and labels belong together"
        )


def _pipeline(
    vocabulary: Vocabulary, model: Weights, names: tuple[str, ...], temperature: float
) -> Pipeline:
    """Return a stock pipeline whose `predict_proba` is the calibrated model."""
    coef = (model.matrix.T / np.float32(temperature)).astype(np.float32)
    intercept = (model.bias / np.float32(temperature)).astype(np.float32)
    if len(names) == 2:  # scikit-learn keeps one row of coefficients for two classes
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    classifier = LogisticRegression()
    classifier.classes_ = np.array(names)
    classifier.coef_ = np.ascontiguousarray(coef)
    classifier.intercept_ = intercept
    classifier.n_features_in_ = vocabulary.n_features
    return Pipeline([("features", vocabulary.vectorizers()), ("model", classifier)])
