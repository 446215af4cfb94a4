"""Scores documents for words from a BM25 table that was made with the release.

A lean reader: each word has a column of ready scores (bm25s computes them in the loop), so that
a search is a few additions and the server imports neither bm25s nor scipy. Tests hold the sums
against bm25s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
_RARE = 0.9
"""An unknown word would have been rare: it is charged like the words at this quantile."""


class Bm25:
    """A column a word: `documents` and `scores` from `starts[word]` to `starts[word + 1]`.

    Raises ValueError when the arrays do not fit each other.
    """

    def __init__(self, starts: Ints, documents: Ints, scores: Floats, n_documents: int) -> None:
        lengths = np.diff(starts)
        if len(starts) == 0 or starts[0] != 0 or (lengths < 0).any() or starts[-1] != len(scores):
            raise ValueError("the columns do not cover the scores")
        if len(documents) != len(scores) or not np.isfinite(scores).all():
            raise ValueError("scores and documents differ, or a score is not finite")
        if len(documents) and not 0 <= documents.min() <= documents.max() < n_documents:
            raise ValueError("a score is for a document that is not there")
        self._starts, self._documents, self._scores = starts, documents, scores
        self.n_words, self.n_documents = len(lengths), n_documents
        best = np.zeros(self.n_words, dtype=np.float32)
        filled = lengths > 0
        if filled.any():
            best[filled] = np.maximum.reduceat(scores, starts[:-1][filled])
        self._unseen = float(np.quantile(best[filled], _RARE)) if filled.any() else 1.0
        self._best = np.where(filled, best, np.float32(self._unseen))

    def search(self, words: Sequence[int]) -> Floats:
        """Return the score of each document, float32 (n_documents,)."""
        total = np.zeros(self.n_documents, dtype=np.float32)
        for word in words:
            span = slice(self._starts[word], self._starts[word + 1])
            total[self._documents[span]] += self._scores[span]
        return total

    def most(self, words: Sequence[int], n_unknown: int) -> float:
        """Return what a document would score that fits every word best, unknown ones too."""
        return float(self._best[list(words)].sum()) + n_unknown * self._unseen
