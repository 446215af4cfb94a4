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


def test_a_drop_takes_one_word_and_never_the_last():
    tokens = tokenize(["one two three", "alone", ""])
    copy = texts_of(altered(tokens, np.random.default_rng(0), drop_rate=1.0, typo_rate=0.0))
    assert len(copy[0].split()) == 2
    assert copy[1:] == ["alone", ""]


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
