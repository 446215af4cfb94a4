from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from chatloop.loop.train.augment import altered
from chatloop.loop.train.features import WORD_PATTERN, Tokens, learn, tokenize
from tests.loop.train.small import ODD_TEXTS, rows


def texts_of(tokens: Tokens) -> list[str]:
    parts = np.split(tokens.ids, tokens.starts[1:-1])
    return [" ".join(tokens.table[i] for i in part) for part in parts]


def stock(min_df: int, char_ngrams: tuple[int, int]) -> list[TfidfVectorizer]:
    both = {"sublinear_tf": True, "min_df": min_df, "dtype": np.float32}
    return [
        TfidfVectorizer(token_pattern=WORD_PATTERN, ngram_range=(1, 2), **both),
        TfidfVectorizer(analyzer="char_wb", ngram_range=char_ngrams, **both),
    ]


@pytest.mark.parametrize("char_ngrams", [(2, 4), (3, 5), (1, 2)])
@pytest.mark.parametrize("min_df", [1, 2])
def test_features_equal_scikit_learns(char_ngrams, min_df):
    texts = [*rows()[0], *ODD_TEXTS, "one !!! two", "one - two don't", "one two one two"]
    vocabulary = learn(tokenize(texts), char_ngrams=char_ngrams, min_df=min_df)
    ours = vocabulary.transform(tokenize(texts)).toarray()
    word, char = stock(min_df, char_ngrams)
    theirs = np.hstack([word.fit_transform(texts).toarray(), char.fit_transform(texts).toarray()])
    assert vocabulary.word == word.vocabulary_
    assert vocabulary.char == char.vocabulary_
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    again = vocabulary.vectorizers().transform(texts).toarray()
    np.testing.assert_allclose(again, theirs, atol=1e-6)


def test_features_of_altered_copies_equal_scikit_learns():
    tokens = tokenize([*rows()[0], *ODD_TEXTS])
    vocabulary = learn(tokens, char_ngrams=(2, 4), min_df=1)
    copy = altered(tokens, np.random.default_rng(3), drop_rate=0.6, typo_rate=0.5)
    theirs = vocabulary.vectorizers().transform(texts_of(copy)).toarray()
    assert texts_of(copy) != texts_of(tokens)
    np.testing.assert_allclose(vocabulary.transform(copy).toarray(), theirs, atol=1e-6)


def test_reading_features_leaves_the_tokens_alone():
    tokens = tokenize(["b a b a", "a c"])
    before = tokens.ids.copy()
    tokens.counts()
    np.testing.assert_array_equal(tokens.ids, before)


def test_taken_rows_keep_their_words_in_order():
    tokens = tokenize(["a b", "", "c a d", "d"])
    taken = tokens.take(np.array([2, 1, 0, 2]))
    assert texts_of(taken) == ["c a d", "", "a b", "c a d"]
