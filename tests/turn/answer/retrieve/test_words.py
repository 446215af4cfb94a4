from __future__ import annotations

import pytest

from chatloop.turn.answer.retrieve.words import grams, tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("How do I reset my passwords?", ["reset", "password"]),
        ("INVITED inviting invites", ["invit", "invit", "invit"]),
        ("use used uses", ["use", "used", "uses"]),
        ("the an of to in", []),
        ("", []),
        ("a b c", []),
        ("größe привет", ["größ", "привет"]),
        ("請求書", ["請求", "求書"]),
        ("円", []),
    ],
)
def test_content_words_are_folded(text, words):
    assert tokens(text) == words


def test_grams_keep_function_words_and_count_once():
    assert grams("Do it, do!") == [" do", "do ", " do ", " it", "it ", " it "]
    assert grams("a") == [" a "]
    assert grams("") == []
