"""Builds the search index of a release from help pages and from what people ask about them.

bm25s, scikit-learn and FAISS work here; the server reads the arrays (`turn/answer/retrieve`).
Questions in customers' words belong to the text of what answers them: pages say "invoice" where
customers say "bill".
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import bm25s
import faiss
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from chatloop.loop.data.asked import Asked
from chatloop.turn.answer.content import HelpPassage
from chatloop.turn.answer.retrieve.index import ARRAYS, SPEC, VECTORS
from chatloop.turn.answer.retrieve.words import tokens

logging.getLogger("bm25s").setLevel(logging.WARNING)  # its import sets DEBUG
DIMENSIONS = 128
"""Of the dense half; chosen on the dev part of the labelled questions."""

Texts = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What an index is made from.

    `phrasings`: (text, page) of training rows whose intent has a page. What no page answers
    teaches only the judgement of support: `not_covered` as listed, `outside` from training rows.
    """

    passages: Sequence[HelpPassage]
    asked: Asked = field(default_factory=dict)
    phrasings: Sequence[tuple[str, str]] = ()
    not_covered: Sequence[str] = ()
    outside: Sequence[str] = ()

    def questions(self, passage: HelpPassage) -> tuple[str, ...]:
        """Return what people ask that this passage answers."""
        return self.asked.get((passage.page, passage.heading), ())


def index_parts(knowledge: Knowledge, seed: int) -> dict[str, bytes]:
    """Return the parts of the index by name; the same knowledge and seed give the same bytes."""
    passages = knowledge.passages
    pages = list(dict.fromkeys(p.page for p in passages))
    page_of = np.array([pages.index(p.page) for p in passages], dtype=np.int32)
    texts = [_words_of(knowledge, passage) for passage in passages]
    phrasings = [tokens(text) for text, _ in knowledge.phrasings]
    page_texts = _page_texts(knowledge, pages, texts, phrasings)
    words = sorted(set(chain.from_iterable(page_texts)))
    asked = [tokens(q) for passage in passages for q in knowledge.questions(passage)]
    matrix, vectors = _meaning(texts, [*phrasings, *asked], words, seed)
    arrays: dict[str, NDArray[np.generic]] = {"page_of": page_of, "projection": matrix}
    for name, documents in (("passage", texts), ("page", page_texts)):
        arrays |= {f"{name}_{part}": a for part, a in _bm25(documents, words).items()}
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    spec = json.dumps({"words": words, "pages": pages}, ensure_ascii=False)
    return {SPEC: spec.encode(), ARRAYS: out.getvalue(), VECTORS: _faiss(vectors)}


def _words_of(knowledge: Knowledge, p: HelpPassage) -> list[str]:
    # The heading says what a section is for: it counts twice.
    own = f"{p.title} {p.heading} {p.heading} {p.text}"
    return tokens(" ".join([own, *knowledge.questions(p)]))


def _page_texts(
    knowledge: Knowledge, pages: Sequence[str], texts: Texts, phrasings: Texts
) -> list[list[str]]:
    found: dict[str, list[str]] = {page: [] for page in pages}
    for passage, words in zip(knowledge.passages, texts, strict=True):
        found[passage.page] += words
    for (_, page), words in zip(knowledge.phrasings, phrasings, strict=True):
        if page in found:
            found[page] += words
    return list(found.values())


def _bm25(documents: Texts, words: Sequence[str]) -> Mapping[str, NDArray[np.generic]]:
    """Return one column of scores a word, as bm25s computes them."""
    number = {word: i for i, word in enumerate(words)}
    starts = np.zeros(len(words) + 1, dtype=np.int32)
    if not words:
        empty = np.zeros(0, dtype=np.int32)
        return {"starts": starts, "documents": empty, "scores": empty.astype(np.float32)}
    table = bm25s.BM25()
    ids = [[number[word] for word in document] for document in documents]
    table.index((ids, number), show_progress=False, create_empty_token=False)
    scores = table.scores
    return {
        "starts": scores["indptr"].astype(np.int32),
        "documents": scores["indices"].astype(np.int32),
        "scores": scores["data"].astype(np.float32),
    }


def _meaning(
    texts: Texts, more: Texts, words: Sequence[str], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the projection (n_words, n_dimensions) and the unit vectors of `texts`.

    Fitted on all texts, questions among them: these say which words mean the same.
    """
    n_dimensions = min(DIMENSIONS, len(words) - 1, len(texts) + len(more) - 1)
    if n_dimensions < 1:
        return np.zeros((len(words), 1), np.float32), np.zeros((len(texts), 1), np.float32)
    tfidf = TfidfVectorizer(analyzer=_as_it_is, sublinear_tf=True, vocabulary=words)
    features = tfidf.fit_transform([*texts, *more])
    with np.errstate(invalid="ignore"):  # equal texts have no variance to explain
        svd = TruncatedSVD(n_dimensions, random_state=seed).fit(features)
    vectors = svd.transform(features[: len(texts)])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return (svd.components_.T * tfidf.idf_[:, None]).astype(np.float32), vectors


def _as_it_is(words: Iterable[str]) -> Iterable[str]:
    return words


def _faiss(vectors: NDArray[np.float32]) -> bytes:
    found = faiss.IndexFlatIP(vectors.shape[1])
    found.add(vectors)
    data: bytes = faiss.serialize_index(found).tobytes()
    return data
