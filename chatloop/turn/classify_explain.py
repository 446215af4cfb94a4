"""Why the scorer prefers an intent: what each word of a text adds to its logit, exactly.

The model is linear, so nothing is approximated: value times weight of every feature, given to
the word that it comes from (a character n-gram lies within one word; a pair of words shares its
part equally). Weights are taken against their mean over all labels, which changes no probability:
only so does a number say "for" or "against". A part of the scorer in a file of its own: it reads
the same arrays and is never called while a message is answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chatloop.turn.classify import _WORD, Scorer

Grams = list[tuple[int, tuple[int, ...]]]
"""Feature and the numbers of the words that it comes from, one entry an occurrence."""


@dataclass(frozen=True, slots=True)
class WordPart:
    """One word of the text, as typed, and what it adds to the logit."""

    text: str
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """`bias` plus all contributions is `logit`; the softmax of all labels' logits is the answer."""

    intent: str
    bias: float
    logit: float
    words: tuple[WordPart, ...]


def explain(scorer: Scorer, text: str, intents: Sequence[str]) -> tuple[Explanation, ...]:
    """Return one explanation an intent, words in the order of the text.

    A text without a known feature gives none of them: the scorer abstains, nothing spoke.
    """
    lowered, words = text.lower(), text.split()
    parts = np.zeros((len(words), len(scorer.labels)))
    known = False
    for grams in (list(_word_grams(scorer, lowered)), list(_char_grams(scorer, lowered))):
        if grams:
            known = True
            _add(scorer, grams, parts)
    if not known:
        return ()
    bias = scorer._bias.astype(np.float64) - scorer._bias.mean(dtype=np.float64)
    columns = [(intent, scorer.labels.index(intent)) for intent in intents]
    return tuple(_one(intent, float(bias[k]), words, parts[:, k]) for intent, k in columns)


def _one(intent: str, bias: float, words: Sequence[str], parts: NDArray[np.float64]) -> Explanation:
    given = tuple(WordPart(w, float(p)) for w, p in zip(words, parts, strict=True))
    return Explanation(intent, bias, bias + float(parts.sum()), given)


def _add(scorer: Scorer, grams: Grams, parts: NDArray[np.float64]) -> None:
    """Add one block: each occurrence of a feature has an equal part of its value."""
    rows, values = scorer._weigh([feature for feature, _ in grams])
    weights = scorer._weights[rows].astype(np.float64)
    added = np.array(values)[:, None] * (weights - weights.mean(axis=1, keepdims=True))
    occurrences: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for feature, words in grams:
        occurrences[feature].append(words)
    for feature, total in zip(rows, added, strict=True):
        for words in occurrences[feature]:
            for word in words:
                parts[word] += total / (len(words) * len(occurrences[feature]))


def _word_grams(scorer: Scorer, lowered: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    tokens = [(t, k) for k, w in enumerate(lowered.split()) for t in _WORD.findall(w)]
    get = scorer._word.vocabulary.get
    for n in range(scorer._word.ngram_min, scorer._word.ngram_max + 1):
        for start in range(len(tokens) - n + 1):
            gram = tokens[start : start + n]
            feature = get(" ".join(token for token, _ in gram))
            if feature is not None:
                yield feature, tuple(word for _, word in gram)


def _char_grams(scorer: Scorer, lowered: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    for k, word in enumerate(lowered.split()):
        for feature in scorer._grams_of(word):
            yield feature, (k,)
