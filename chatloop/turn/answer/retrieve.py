"""Finds the help passages that fit a message: BM25 over title, heading and text.

Small on purpose: word forms are folded by a few endings only, nothing is learnt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import bm25s
import numpy as np

from chatloop.core.types import Source
from chatloop.turn.answer.content import HelpPassage

_TOKEN = re.compile(r"(?u)\w\w+")
_ENDINGS = re.compile(r"(?:ing|ied|ies|ed|es|s|e)$")
_STOP = frozenset(
    "the an of to in on at for and or is are was were be been it its this that these those my our "
    "your you we me us they he she do does did can could would should will have has had with from "
    "by as if not no so but what which who how when where why there here please hi hello thanks "
    "am im get got want need know just any some all too very about into out up then than".split()
)


def tokens(text: str) -> list[str]:
    """Return the content words of a text, lower case, common endings off."""
    words = (w for w in _TOKEN.findall(text.lower()) if w not in _STOP)
    return [_ENDINGS.sub("", w) if len(w) > 4 else w for w in words]


class Retriever:
    """A BM25 index over the passages of one release."""

    def __init__(self, passages: Sequence[HelpPassage]) -> None:
        self.passages = tuple(passages)
        # The title and heading say what a section is for: they count twice.
        corpus = [tokens(f"{p.title} {p.heading} {p.heading} {p.text}") for p in self.passages]
        self._known = {token for document in corpus for token in document}
        self._index = bm25s.BM25() if self._known else None
        if self._index:
            self._index.index(corpus, show_progress=False)

    def search(self, text: str, k: int = 3) -> list[tuple[HelpPassage, Source]]:
        """Return up to `k` passages, best first, with BM25 scores > 0; none when no word fits."""
        query = [t for t in dict.fromkeys(tokens(text)) if t in self._known]
        if not query or self._index is None:
            return []
        scores = self._index.get_scores(query)
        best = np.argsort(-scores, kind="stable")[:k]
        return [(self.passages[i], self._source(i, scores[i])) for i in best if scores[i] > 0]

    def _source(self, index: int, score: float) -> Source:
        p = self.passages[index]
        return Source(p.page, p.title, p.heading, p.anchor, round(float(score), 3))
