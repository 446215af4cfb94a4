"""Ranks the passages of a release for a text by four signals, from arrays made with the release.

BM25 over passages, BM25 over whole pages with what people ask about them, closeness in meaning
(dense), and the pages of the intents that the classifier finds likely. Fitted and written by
`loop/data/help_index.py`; nothing is learnt here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from chatloop.turn.answer.retrieve.bm25 import Bm25, Floats
from chatloop.turn.answer.retrieve.dense import Projection, Vectors
from chatloop.turn.answer.retrieve.words import tokens

SPEC, ARRAYS, VECTORS = "index.json", "index.npz", "index.faiss"
UNREADABLE = (ValueError, KeyError, TypeError, IndexError, OSError, EOFError, BadZipFile)
"""What malformed parts raise."""

_PASSAGE, _MEANING, _PAGE, _INTENT = 0.25, 0.25, 0.25, 0.25
"""Weights of the signals, sum 1; chosen on the dev part of the labelled questions."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best passage of each page, best page first, and how well the first one fits.

    `scores` lie in [0, 1]. `signals`: share of the question's words that the best passage covers,
    the same for its page, share of unknown words, BM25 of the passage.
    """

    passages: NDArray[np.intp]
    scores: Floats
    signals: tuple[float, float, float, float]


class Index:
    """The search index of one release. Raises ValueError or KeyError when parts do not fit."""

    def __init__(self, spec: Mapping[str, Any], arrays: Mapping[str, Any], vectors: bytes) -> None:
        self._words = {word: number for number, word in enumerate(spec["words"])}
        self.pages: dict[str, int] = {page: i for i, page in enumerate(spec["pages"])}
        self._page_of: NDArray[np.intp] = arrays["page_of"].astype(np.intp)
        self._passage = _bm25(arrays, "passage", len(self._page_of))
        self._page = _bm25(arrays, "page", len(self.pages))
        self._projection = Projection(arrays["projection"])
        sizes = {self._passage.n_words, self._page.n_words, self._projection.n_words}
        if sizes != {len(self._words)} or sorted(set(self._page_of)) != list(self.pages.values()):
            raise ValueError("words, pages and scores do not fit each other")
        self._vectors = Vectors(vectors, self.n_passages, self._projection.n_dimensions)

    @property
    def n_passages(self) -> int:
        """How many passages it ranks."""
        return len(self._page_of)

    def rank(self, text: str, likely: Mapping[str, float]) -> Ranking | None:
        """Rank the passages; None when no word of the text is known.

        `likely`: pages with the probability that the question is about them.
        """
        words = dict.fromkeys(tokens(text))
        known = [self._words[word] for word in words if word in self._words]
        if not known:
            return None
        passage, page = self._passage.search(known), self._page.search(known)
        meaning = self._vectors.search(self._projection(known))
        total = _PASSAGE * _scaled(passage) + _MEANING * meaning
        total += (_PAGE * _scaled(page) + _INTENT * self._shares(likely))[self._page_of]
        order = np.argsort(-total, kind="stable")
        best = order[np.sort(np.unique(self._page_of[order], return_index=True)[1])]
        first, unknown = best[0], len(words) - len(known)
        signals = (
            float(passage[first]) / self._passage.most(known, unknown),
            float(page[self._page_of[first]]) / self._page.most(known, unknown),
            unknown / len(words),
            float(passage[first]),
        )
        return Ranking(best, total[best], signals)

    def _shares(self, likely: Mapping[str, float]) -> Floats:
        shares = np.zeros(len(self.pages), dtype=np.float32)
        for page, probability in likely.items():
            if page in self.pages:
                shares[self.pages[page]] += probability
        return shares


def read_index(parts: Mapping[str, bytes]) -> Index:
    """Read an index from its parts; raises one of UNREADABLE when they are malformed."""
    with np.load(io.BytesIO(parts[ARRAYS]), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return Index(json.loads(parts[SPEC]), arrays, parts[VECTORS])


def _bm25(arrays: Mapping[str, Any], name: str, n_documents: int) -> Bm25:
    starts, documents, scores = (arrays[f"{name}_{p}"] for p in ("starts", "documents", "scores"))
    return Bm25(starts, documents, scores, n_documents)


def _scaled(scores: Floats) -> Floats:
    """Return the scores as shares of the best one."""
    best = scores.max()
    return scores / best if best > 0 else scores
