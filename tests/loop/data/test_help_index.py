from __future__ import annotations

import io
import json
from dataclasses import replace

import faiss
import numpy as np
import pytest

from chatloop.loop.data.help_index import DIMENSIONS, Knowledge, index_parts
from chatloop.turn.answer.content import HelpPassage
from chatloop.turn.answer.retrieve.index import ARRAYS, SPEC, VECTORS, read_index
from tests.turn.answer.retrieve.small import KNOWLEDGE, PASSAGES


def test_the_same_knowledge_gives_the_same_bytes():
    assert index_parts(KNOWLEDGE, 7) == index_parts(KNOWLEDGE, 7)


def test_a_passage_lies_where_the_server_projects_its_own_words():
    parts = index_parts(KNOWLEDGE, 7)
    words = json.loads(parts[SPEC])["words"]
    with np.load(io.BytesIO(parts[ARRAYS])) as file:
        matrix = file["projection"]
    refunds = matrix[[words.index(w) for w in ("bill", "refund", "money", "card")]]
    stored = faiss.deserialize_index(np.frombuffer(parts[VECTORS], np.uint8)).reconstruct(2)
    near = refunds.sum(axis=0) @ stored / np.linalg.norm(refunds.sum(axis=0))
    assert near > 0.5
    assert np.linalg.norm(stored) == pytest.approx(1, abs=1e-5)
    assert matrix.shape[1] <= DIMENSIONS


def test_words_of_a_page_that_is_gone_are_left_out():
    fewer = replace(KNOWLEDGE, passages=PASSAGES[:3])
    assert "colleagu" not in json.loads(index_parts(fewer, 7)[SPEC])["words"]


@pytest.mark.parametrize(
    "passages",
    [
        [],
        [HelpPassage("x", "the", "of", "", "to an in")],
        [HelpPassage("x", "word", "", "", "")],
        [HelpPassage("x", "", "", "", ""), HelpPassage("y", "One", "two", "", "three")],
    ],
)
def test_few_or_empty_pages_make_an_index_that_can_be_read(passages):
    index = read_index(index_parts(Knowledge(passages), 7))
    assert index.n_passages == len(passages)
    ranking = index.rank("one word", {})
    assert ranking is None or ranking.scores[0] > 0
