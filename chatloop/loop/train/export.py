"""Writes the parts that the lean scorer reads, and measures how far it is from the pipeline.

Everything comes from the fitted scikit-learn pipeline, so any pipeline of the same form can be
exported, however it was trained. Nothing is pickled.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline

from chatloop.turn.classify import ARRAYS, SPEC, Scorer


def export_scorer(pipeline: Pipeline, check_texts: Sequence[str]) -> dict[str, bytes]:
    """Return file name to bytes: `scorer.npz` and `scorer.json`.

    The check texts are stored with their `predict_proba`, and tried when a release is loaded;
    those in which the pipeline knows no n-gram are left out.
    """
    checked = [text for text in check_texts if pipeline["features"].transform([text]).nnz]
    spec = _spec(pipeline) | {"check_texts": checked}
    arrays = _arrays(pipeline) | {"checks": _proba(pipeline, checked)}
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    text = json.dumps(spec, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return {ARRAYS: out.getvalue(), SPEC: text.encode("utf-8")}


def scorer_of(pipeline: Pipeline) -> Scorer:
    """Return the lean scorer of a pipeline, without going through files."""
    return Scorer(_spec(pipeline), _arrays(pipeline))


def largest_difference(pipeline: Pipeline, scorer: Scorer, texts: Sequence[str]) -> float:
    """Return the largest difference of any probability, over the texts the scorer knows."""
    expected = _proba(pipeline, texts)
    found = [scorer.probabilities(text) for text in texts]
    pairs = zip(found, expected, strict=True)
    return max((float(np.abs(p - e).max()) for p, e in pairs if p is not None), default=0.0)


def _spec(pipeline: Pipeline) -> dict[str, Any]:
    blocks = dict(pipeline["features"].transformer_list)
    return {
        "labels": [str(label) for label in pipeline["model"].classes_],
        "word": _block(blocks["word"], first=0),
        "char": _block(blocks["char"], first=len(blocks["word"].vocabulary_)),
    }


def _block(vectorizer: TfidfVectorizer, first: int) -> dict[str, Any]:
    vocabulary = {gram: first + int(i) for gram, i in vectorizer.vocabulary_.items()}
    return {"vocabulary": vocabulary, "ngram_range": list(vectorizer.ngram_range)}


def _arrays(pipeline: Pipeline) -> dict[str, NDArray[Any]]:
    blocks = dict(pipeline["features"].transformer_list)
    model = pipeline["model"]
    coef, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # one row of coefficients; softmax of (-d/2, d/2) is the same
        coef, bias = np.vstack([-coef, coef]) / 2, np.concatenate([-bias, bias]) / 2
    return {
        "idf": np.concatenate([blocks["word"].idf_, blocks["char"].idf_]),
        "weights": np.ascontiguousarray(coef.T, dtype=np.float32),
        "bias": bias.astype(np.float32),
    }


def _proba(pipeline: Pipeline, texts: Sequence[str]) -> NDArray[np.float32]:
    if not texts:
        return np.zeros((0, len(pipeline.classes_)), dtype=np.float32)
    proba: NDArray[np.float32] = pipeline.predict_proba(list(texts)).astype(np.float32)
    return proba
