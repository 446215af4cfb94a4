"""Step 3: the intent with calibrated confidence, or abstain. The lean scorer.

Computes exactly what the stock scikit-learn pipeline (TF-IDF of words and of character n-grams,
then multinomial logistic regression) computes, from plain arrays: no scikit-learn, no pickle, no
sparse matrices. Over 90 % of scikit-learn's time for one message is validation and bookkeeping;
character n-grams never cross white space, so what a token adds to the logits is computed once.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from chatloop.core.errors import ReleaseError
from chatloop.core.release import Release
from chatloop.core.types import OOS, Intent, IntentScore

ARRAYS, SPEC = "scorer.npz", "scorer.json"
TOLERANCE = 1e-5
"""Largest difference to `predict_proba` that is accepted, per probability."""

_CACHE_TOKENS = 20_000
_CACHED_TOKEN_CHARS = 40
_NO_ROW = -1
_MANY = 64
"""Repeated occurrences in one text up to which rounding stays far below TOLERANCE."""

_WORD = re.compile(r"(?u)\b\w+\b")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """One TF-IDF block: its vocabulary (n-gram to column) and n-gram lengths, both inclusive."""

    vocabulary: dict[str, int]
    ngram_min: int
    ngram_max: int


class _Token(NamedTuple):
    """What is the same in every message: the token's words, the ids of their single-word features
    and of its character n-grams (int32 as bytes), and the sum of squared idf of the latter.

    `row` of the weights holds what the n-grams add to the logits, before scaling; or `_NO_ROW`.
    """

    words: tuple[str, ...]
    single: list[int]
    grams: bytes
    squares: float
    row: int


class Scorer:
    """Scores messages. Build it with `load`; thread-safe, the token cache only ever grows."""

    def __init__(self, spec: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        self.labels: tuple[str, ...] = tuple(spec["labels"])
        self._word = Block(spec["word"]["vocabulary"], *spec["word"]["ngram_range"])
        self._char = Block(spec["char"]["vocabulary"], *spec["char"]["ngram_range"])
        self._idf: list[float] = arrays["idf"].astype(np.float64).tolist()
        self._oos = self.labels.index(OOS) if OOS in self.labels else None
        self._n_intents = len(self.labels) - (self._oos is not None)
        self._refuse_misfit(arrays["weights"], arrays["bias"])
        self._bias_row = len(self._idf)
        first = self._bias_row + 1
        # One matrix for features, bias and cached tokens: a message is one product with its rows.
        self._weights: Floats = np.empty((first + _CACHE_TOKENS, len(self.labels)), np.float32)
        self._weights[: self._bias_row] = arrays["weights"]
        self._bias: Floats = self._weights[self._bias_row]
        self._bias[:] = arrays["bias"]
        self._free_rows = iter(range(first, first + _CACHE_TOKENS))
        self._cache: dict[str, _Token] = {}

    def _refuse_misfit(self, weights: NDArray[Any], bias: NDArray[Any]) -> None:
        rows = len(self._word.vocabulary) + len(self._char.vocabulary)
        shapes_fit = weights.shape == (rows, len(self.labels)) and len(self._idf) == rows
        labels_fit = bias.shape == (len(self.labels),) and not set(self.labels) <= {OOS}
        if not shapes_fit or not labels_fit:
            raise ReleaseError("the scorer's parts do not fit each other; train again")
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise ReleaseError("the scorer holds numbers that are not finite; train again")

    def probabilities(self, text: str) -> Floats | None:
        """Return calibrated probabilities, float32 (n_labels,), sum 1; None = nothing known."""
        cache = self._cache
        tokens = [cache.get(token) or self._token(token) for token in text.lower().split()]
        if not tokens:
            return None
        words, single, grams, squares, token_rows = zip(*tokens, strict=True)
        word_rows, word_values = self._weigh(self._word_ids(words, single))
        char_rows, char_values = self._weigh_tokens(
            bytearray().join(grams), token_rows, sum(squares)
        )
        rows = [self._bias_row, *word_rows, *char_rows]
        if len(rows) == 1:
            return None
        values = np.array([1.0, *word_values, *char_values], np.float32)
        scores: Floats = values @ self._weights.take(rows, axis=0)
        scores -= scores[scores.argmax()]
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores)
        return scores

    def __call__(self, text: str, top: int = 3) -> Intent:
        """Return the best in-scope intent and its probability; abstain on unknown text."""
        proba = self.probabilities(text)
        if proba is None:
            return Intent(None, 0.0, in_scope=False)
        outside = -1.0
        if self._oos is not None:
            outside, proba[self._oos] = proba.item(self._oos), -1.0
        scores = []
        for _ in range(min(top, self._n_intents)):
            best = int(proba.argmax())  # a few of these cost less than one sort
            scores.append(IntentScore(self.labels[best], proba.item(best)))
            proba[best] = -1.0
        first = scores[0]
        return Intent(first.intent, first.confidence, first.confidence >= outside, tuple(scores))

    def many(self, texts: Sequence[str]) -> list[Intent]:
        """Score texts one by one, in order."""
        return [self(text) for text in texts]

    def _weigh(self, ids: list[int]) -> tuple[list[int], list[float]]:
        """Sublinear term frequency times idf, scaled to length 1 within the block."""
        idf = self._idf
        if len(set(ids)) == len(ids):
            values = [idf[i] for i in ids]
        else:
            counts = Counter(ids)
            ids = list(counts)
            values = [(1.0 + math.log(n)) * idf[i] for i, n in counts.items()]
        norm = math.hypot(*values)
        return ids, [v / norm for v in values]

    def _weigh_tokens(
        self, grams: bytearray, rows: tuple[int, ...], squares: float
    ) -> tuple[list[int], list[float]]:
        """The same for the n-grams of all tokens, from the row of each token.

        Terms are sublinear, so n-grams with several occurrences are put right one by one. When
        these are many, rounding would show: all n-grams are weighed anew.
        """
        if not grams:
            return [], []
        ids = np.frombuffer(grams, np.int32)
        ids.sort()
        later = ids[1:]
        again = later[later == ids[:-1]].tolist()
        if _NO_ROW in rows or len(again) > _MANY:
            return self._weigh(ids.tolist())
        extra: dict[int, int] = {}
        for gram in again:
            extra[gram] = extra.get(gram, 0) + 1
        put_right = []
        for gram, more in extra.items():
            idf, term, count = self._idf[gram], 1.0 + math.log(more + 1), more + 1
            put_right.append((term - count) * idf)
            squares += (term * term - count) * idf * idf
        scale = 1.0 / math.sqrt(squares)
        return [*rows, *extra], [scale] * len(rows) + [v * scale for v in put_right]

    def _word_ids(self, words: Iterable[Iterable[str]], single: Iterable[list[int]]) -> list[int]:
        """Ids of all word n-grams, those of one word are known already."""
        ids = list(chain.from_iterable(single)) if self._word.ngram_min == 1 else []
        get = self._word.vocabulary.get
        text = list(chain.from_iterable(words))
        for n in range(max(2, self._word.ngram_min), self._word.ngram_max + 1):
            grams = map(" ".join, zip(*(text[k:] for k in range(n)), strict=False))
            ids += [i for gram in grams if (i := get(gram)) is not None]
        return ids

    def _token(self, token: str) -> _Token:
        """Work out a token; one of usual length gets a row of its own while there is room."""
        words, ids = tuple(_WORD.findall(token)), self._grams_of(token)
        get = self._word.vocabulary.get
        single = [i for word in words if (i := get(word)) is not None]
        values = np.array([self._idf[i] for i in ids])
        grams = np.array(ids, np.int32)
        row = next(self._free_rows, _NO_ROW) if len(token) <= _CACHED_TOKEN_CHARS else _NO_ROW
        made = _Token(words, single, grams.tobytes(), float(values @ values), row)
        if row != _NO_ROW:
            self._weights[row] = values @ self._weights.take(grams, axis=0)
            self._cache[token] = made
        return made

    def _grams_of(self, token: str) -> list[int]:
        """Ids of the n-grams of ` token `; a padded token shorter than n counts once, whole."""
        padded = f" {token} "
        get = self._char.vocabulary.get
        ids = []
        for n in range(self._char.ngram_min, self._char.ngram_max + 1):
            last = max(len(padded) - n, 0)
            ids += [i for k in range(last + 1) if (i := get(padded[k : k + n])) is not None]
            if last == 0:
                break
        return ids


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
