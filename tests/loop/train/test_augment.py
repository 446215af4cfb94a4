from __future__ import annotations

import numpy as np

from chatloop.loop.train.augment import altered, misspelt
from chatloop.loop.train.features import tokenize
from tests.loop.train.small import rows
from tests.loop.train.test_features import texts_of


def test_rates_of_zero_change_nothing():
    tokens = tokenize(rows()[0])
    copy = altered(tokens, np.random.default_rng(0), drop_rate=0.0, typo_rate=0.0)
    assert texts_of(copy) == texts_of(tokens)


def test_words_are_dropped_at_the_rate():
    tokens = tokenize(["a b c d e f g h i j"] * 500)
    copy = altered(tokens, np.random.default_rng(0), drop_rate=0.2, typo_rate=0.0)
    assert 0.77 < len(copy.ids) / len(tokens.ids) < 0.83


def test_a_text_never_loses_all_its_words():
    texts = ["one two three", "alone", ""]
    copy = altered(tokenize(texts), np.random.default_rng(0), drop_rate=1.0, typo_rate=0.0)
    assert texts_of(copy) == texts


def test_a_typo_changes_one_long_enough_word():
    tokens = tokenize(["password", "a b"])
    copy = texts_of(altered(tokens, np.random.default_rng(0), drop_rate=0.0, typo_rate=1.0))
    assert copy[0] != "password"
    assert copy[1] == "a b"


def test_a_typo_swaps_neighbours_or_loses_a_letter():
    assert misspelt("abcd", True, 0.0) == "bacd"
    assert misspelt("abcd", True, 0.99) == "abdc"
    assert misspelt("abcd", False, 0.0) == "bcd"
    assert misspelt("abcd", False, 0.99) == "abc"
