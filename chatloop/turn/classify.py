"""Step 3: the intent with calibrated confidence, or abstain. The lean scorer.

Computes exactly what the stock scikit-learn pipeline (TF-IDF of words and of character n-grams,
then multinomial logistic regression) computes, from plain arrays: no scikit-learn, no pickle, no
sparse matrices. Over 90 % of scikit-learn's time for one message is validation and bookkeeping;
character n-grams never cross a word, so what a word contributes is cached, exactly.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from chatloop.core.errors import ReleaseError
from chatloop.core.release import Release
from chatloop.core.types import OOS, Intent, IntentScore

ARRAYS, SPEC = "scorer.npz", "scorer.json"
TOLERANCE = 1e-5
"""Largest difference to `predict_proba` that is accepted, per probability."""

_CACHE_WORDS = 20_000
_CACHED_WORD_CHARS = 40
_WORD = re.compile(r"(?u)\b\w+\b")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """One TF-IDF block: its vocabulary (n-gram to column) and n-gram lengths, both inclusive."""

    vocabulary: dict[str, int]
    ngram_min: int
    ngram_max: int


class Scorer:
    """Scores messages. Build it with `load`; thread-safe, the word cache only ever grows."""

    def __init__(self, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        self.labels: tuple[str, ...] = tuple(spec["labels"])
        self._word = Block(spec["word"]["vocabulary"], *spec["word"]["ngram_range"])
        self._char = Block(spec["char"]["vocabulary"], *spec["char"]["ngram_range"])
        self._idf: list[float] = arrays["idf"].astype(np.float64).tolist()
        self._weights: Floats = np.ascontiguousarray(arrays["weights"], dtype=np.float32)
        self._bias: Floats = arrays["bias"].astype(np.float32)
        self._oos = self.labels.index(OOS) if OOS in self.labels else None
        self._char_cache: dict[str, tuple[int, ...]] = {}
        self._refuse_misfit()

    def _refuse_misfit(self) -> None:
        rows = len(self._word.vocabulary) + len(self._char.vocabulary)
        shapes_fit = self._weights.shape == (rows, len(self.labels)) and len(self._idf) == rows
        labels_fit = self._bias.shape == (len(self.labels),) and not set(self.labels) <= {OOS}
        if not shapes_fit or not labels_fit:
            raise ReleaseError("the scorer's parts do not fit each other; train again")
        if not (np.isfinite(self._weights).all() and np.isfinite(self._bias).all()):
            raise ReleaseError("the scorer holds numbers that are not finite; train again")

    def probabilities(self, text: str) -> Floats | None:
        """Return calibrated probabilities, float32 (n_labels,), sum 1; None = nothing known."""
        lowered = text.lower()
        scores = self._bias.copy()
        known = False
        for ids in (self._word_ids(lowered), self._char_ids(lowered)):
            if ids:
                known = True
                rows, values = self._weigh(ids)
                scores += values @ self._weights.take(rows, axis=0)
        if not known:
            return None
        scores -= scores.max()
        np.exp(scores, out=scores)
        scores /= scores.sum()
        return scores

    def __call__(self, text: str, top: int = 3) -> Intent:
        """Return the best in-scope intent and its probability; abstain on unknown text."""
        proba = self.probabilities(text)
        if proba is None:
            return Intent(None, 0.0, in_scope=False)
        likeliest = proba.argsort()[: -top - 2 : -1].tolist()
        ranked = [i for i in likeliest if i != self._oos][:top]
        scores = tuple(IntentScore(self.labels[i], float(proba[i])) for i in ranked)
        in_scope = self._oos is None or proba[ranked[0]] >= proba[self._oos]
        return Intent(scores[0].intent, scores[0].confidence, bool(in_scope), scores)

    def many(self, texts: Sequence[str]) -> list[Intent]:
        """Score texts one by one, in order."""
        return [self(text) for text in texts]

    def _weigh(self, ids: list[int]) -> tuple[NDArray[np.intp], Floats]:
        """Sublinear term frequency times idf, scaled to length 1 within the block."""
        counts = Counter(ids)  # counted in C: faster than sorting for so few
        idf = self._idf
        values = np.array(
            [idf[i] if n == 1 else (1.0 + math.log(n)) * idf[i] for i, n in counts.items()]
        )
        values /= math.sqrt(values @ values)
        return np.fromiter(counts, np.intp, len(counts)), values.astype(np.float32)

    def _word_ids(self, text: str) -> list[int]:
        words = _WORD.findall(text)
        get = self._word.vocabulary.get
        ids = []
        for n in range(self._word.ngram_min, self._word.ngram_max + 1):
            shifted = (words[k:] for k in range(n))
            grams = words if n == 1 else map(" ".join, zip(*shifted, strict=False))
            ids += [i for gram in grams if (i := get(gram)) is not None]
        return ids

    def _char_ids(self, text: str) -> list[int]:
        ids: list[int] = []
        cache = self._char_cache
        for word in text.split():
            found = cache.get(word)
            if found is None:
                found = self._grams_of(word)
                if len(word) <= _CACHED_WORD_CHARS and len(cache) < _CACHE_WORDS:
                    cache[word] = found
            ids += found
        return ids

    def _grams_of(self, word: str) -> tuple[int, ...]:
        """Ids of the n-grams of ` word `; a padded word shorter than n counts once, whole."""
        padded = f" {word} "
        get = self._char.vocabulary.get
        ids = []
        for n in range(self._char.ngram_min, self._char.ngram_max + 1):
            last = max(len(padded) - n, 0)
            ids += [i for k in range(last + 1) if (i := get(padded[k : k + n])) is not None]
            if last == 0:
                break
        return tuple(ids)


def load(release: Release) -> Scorer:
    """Read the scorer of a verified release and try it on its stored check texts.

    Raises ReleaseError when the parts are malformed or the numbers differ from those that were
    measured when the release was made.
    """
    try:
        spec = json.loads(release.read(SPEC))
        with np.load(io.BytesIO(release.read(ARRAYS)), allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("idf", "weights", "bias", "checks")}
        scorer = Scorer(spec, arrays)
        for text, expected in zip(spec["check_texts"], arrays["checks"], strict=True):
            _try(scorer, text, expected)
    except (ValueError, KeyError, TypeError, IndexError, OSError, EOFError, BadZipFile) as error:
        raise ReleaseError(
            f"release {release.version}: the scorer cannot be read ({type(error).__name__}); "
            "roll back or train again"
        ) from error
    return scorer


def _try(scorer: Scorer, text: str, expected: NDArray[Any]) -> None:
    proba = scorer.probabilities(text)
    if proba is None or float(np.abs(proba - expected).max()) > TOLERANCE:
        raise ReleaseError("the scorer gives other numbers here than when it was made")
