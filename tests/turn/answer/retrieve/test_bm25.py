from __future__ import annotations

import random

import bm25s
import numpy as np
import pytest

from chatloop.loop.data.help_index import _bm25
from chatloop.turn.answer.retrieve.bm25 import Bm25

WORDS = [f"w{number:02}" for number in range(60)]


def made(documents: list[list[str]]) -> Bm25:
    arrays = _bm25(documents, WORDS)
    return Bm25(arrays["starts"], arrays["documents"], arrays["scores"], len(documents))


def test_scores_are_those_of_bm25s(seed):
    draw = random.Random(seed)
    documents = [draw.choices(WORDS, k=draw.randint(1, 40)) for _ in range(30)]
    oracle = bm25s.BM25()
    oracle.index(documents, show_progress=False)
    ours = made(documents)
    for _ in range(50):
        query = [w for w in dict.fromkeys(draw.choices(WORDS, k=6)) if w in oracle.vocab_dict]
        found = ours.search([WORDS.index(word) for word in query])
        np.testing.assert_allclose(found, oracle.get_scores(query), rtol=1e-5, atol=1e-6)


def test_no_document_scores_more_than_the_most_possible(seed):
    draw = random.Random(seed)
    ours = made([draw.choices(WORDS, k=12) for _ in range(20)])
    query = draw.sample(range(60), k=8)
    assert ours.search(query).max() <= ours.most(query, 0) < ours.most(query, 1)


def test_a_word_in_no_document_scores_nothing_and_is_charged_as_unknown():
    ours = made([["w00"], ["w00", "w01"]])
    assert ours.search([5]).tolist() == [0, 0]
    assert ours.most([5], 0) == pytest.approx(ours.most([], 1))


@pytest.mark.parametrize(
    ("starts", "documents", "scores"),
    [
        ([], [], []),
        ([1, 1], [0], [1.0]),
        ([0, 2, 1], [0], [1.0]),
        ([0, 1], [0, 0], [1.0, 1.0]),
        ([0, 1], [0, 0], [1.0]),
        ([0, 1], [2], [1.0]),
        ([0, 1], [-1], [1.0]),
        ([0, 1], [0], [float("nan")]),
    ],
)
def test_columns_that_do_not_fit_are_refused(starts, documents, scores):
    with pytest.raises(ValueError, match=r"column|score"):
        Bm25(
            np.array(starts, np.int32), np.array(documents, np.int32),
            np.array(scores, np.float32), 2,
        )  # fmt: skip
