"""Fits the judgement whether the help pages answer a question, from what is known to be asked.

Answered are the questions listed with the pages and the phrasings of intents that have a page;
not answered are those listed as not covered and the out-of-scope rows. Each question is scored by
an index that was made without it, or it would seem easier than a customer's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from chatloop.loop.data.help_index import Knowledge, index_parts
from chatloop.turn.answer.retrieve.index import read_index
from chatloop.turn.answer.retrieve.support import PART
from chatloop.turn.answer.retrieve.words import grams

THRESHOLD = 0.5
"""From here a passage supports: both kinds of questions weigh the same in the fit, and on the dev
part of the labelled questions this refuses 4 % of what can be answered."""
N_SIGNALS = 4

_MIN_EACH = 50
_MAX_PHRASINGS = 1500
_OTHERS = 0.25
"""What a training row counts beside a listed question: rows are many, and easier to tell."""
_STRENGTH = 5.0
"""Inverse regularisation. Chosen on the dev part of the labelled questions, as are _OTHERS,
_SCALE and the grams (`python -m bench --only retrieval`)."""
_SCALE = 0.4
_WITHOUT_DATA: dict[str, Any] = {
    "signals": [-1.4, 0.0, -3.4, 0.3],
    "bias": 0.8,
    "threshold": 0.4,
    "grams": {},
}
"""For pages of which too little is known: rounded from a fit of the signals alone on the demo's
questions, with an index of its pages alone. On the dev part it refuses a third of what cannot be
answered, and 9 % of what can."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question, whether it is answered, and what it counts beside others."""

    text: str
    answered: bool
    weight: float = 1.0


def support_part(knowledge: Knowledge, seed: int) -> dict[str, bytes]:
    """Return the part that judges support; a plain rule when there are too few examples."""
    examples, signals = _scored(knowledge, seed)
    answered = np.array([e.answered for e in examples], dtype=bool)
    enough = min(answered.sum(), (~answered).sum()) >= _MIN_EACH
    fitted = _fit(examples, signals, answered) if enough else _WITHOUT_DATA
    return {PART: json.dumps(fitted, ensure_ascii=False).encode()}


def _scored(knowledge: Knowledge, seed: int) -> tuple[list[Example], NDArray[np.float64]]:
    """Return the examples with their signals, float64 (n_examples, N_SIGNALS), in two folds."""
    examples: list[Example] = []
    signals: list[Sequence[float]] = []
    for fold in (0, 1):
        index = read_index(index_parts(_without(knowledge, fold), seed))
        for example in _examples(knowledge, fold):
            if ranking := index.rank(example.text, {}):
                examples.append(example)
                signals.append(ranking.signals)
    return examples, np.array(signals, dtype=np.float64).reshape(-1, N_SIGNALS)


def _without(knowledge: Knowledge, fold: int) -> Knowledge:
    kept = {where: questions[1 - fold :: 2] for where, questions in knowledge.asked.items()}
    return replace(knowledge, asked=kept, phrasings=knowledge.phrasings[1 - fold :: 2])


def _examples(knowledge: Knowledge, fold: int) -> list[Example]:
    listed = [q for questions in knowledge.asked.values() for q in questions[fold::2]]
    phrasings = knowledge.phrasings[fold::2]
    step = max(1, 2 * len(phrasings) // _MAX_PHRASINGS)
    return [
        *(Example(text, True) for text in listed),
        *(Example(text, True, _OTHERS) for text, _ in phrasings[::step]),
        *(Example(text, False) for text in knowledge.not_covered[fold::2]),
        *(Example(text, False, _OTHERS) for text in knowledge.outside[fold::2]),
    ]


def _fit(
    examples: Sequence[Example],
    signals: NDArray[np.float64],
    answered: NDArray[np.bool_],
) -> dict[str, Any]:
    weights = np.array([e.weight for e in examples])
    words = CountVectorizer(analyzer=grams, binary=True, min_df=2)
    counted = normalize(words.fit_transform([e.text for e in examples]))
    middle, spread = signals.mean(axis=0), signals.std(axis=0) / _SCALE
    spread[spread == 0] = 1.0
    features = sparse.hstack([(signals - middle) / spread, counted]).tocsr()
    model = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=500)
    model.fit(features, answered, sample_weight=weights)
    coefficients = model.coef_[0]
    own = coefficients[:N_SIGNALS] / spread
    return {
        "signals": own.tolist(),
        "bias": float(model.intercept_[0] - own @ middle),
        "threshold": THRESHOLD,
        "grams": {
            gram: round(float(coefficients[N_SIGNALS + column]), 4)
            for gram, column in sorted(words.vocabulary_.items())
        },
    }
