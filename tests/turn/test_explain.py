"""The explanation is exact: bias and contributions add up to the logit that the scorer uses."""

from __future__ import annotations

import random

import numpy as np
import pytest

from chatloop.core.release import Release
from chatloop.turn.classify import Scorer, load
from chatloop.turn.classify_explain import explain
from tests.fakes import SURE, UNKNOWN, tiny_rows

ODD = [
    "RESET MY PASSWORD",
    "don't re-set o'neil's pass_word",
    "password password password invoice",
    "İstanbul ΣΑΣ ß reset",
    "reset\u00a0my\u2003password\x1cmy",
    "a\nb\tc invoice 🙂",
    "x" * 500 + " password",
]


@pytest.fixture(scope="module")
def scorer(release: Release) -> Scorer:
    return load(release)


def texts(seed: int) -> list[str]:
    rng = random.Random(seed)
    words = " ".join(row.text for row in tiny_rows()).split()
    return [*ODD, *(" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(100))]


def test_bias_and_contributions_add_up_to_the_logit_of_the_probabilities(scorer, seed):
    for text in texts(seed):
        found = explain(scorer, text, scorer.labels)
        logits = np.array([e.logit for e in found])
        sums = [e.bias + sum(w.contribution for w in e.words) for e in found]
        np.testing.assert_allclose(sums, logits, atol=1e-9)
        softmax = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(softmax, scorer.probabilities(text), atol=1e-5)


def test_contributions_are_weighed_against_the_mean_of_all_labels(scorer, seed):
    for text in texts(seed)[:20]:
        found = explain(scorer, text, scorer.labels)
        table = np.array([[w.contribution for w in e.words] for e in found])
        np.testing.assert_allclose(table.sum(axis=0), 0.0, atol=1e-9)
        assert sum(e.logit for e in found) == pytest.approx(0.0, abs=1e-6)


def test_words_are_those_of_the_text_as_typed_in_their_order(scorer):
    text = "Please, RESET my  password!"
    (found,) = explain(scorer, text, ["reset_password"])
    assert [w.text for w in found.words] == text.split()


def test_the_word_that_tells_the_intent_speaks_for_it_and_against_another(scorer):
    for_it, against = explain(scorer, SURE, ["reset_password", "get_invoice"])
    strongest = max(for_it.words, key=lambda w: w.contribution)
    assert strongest.text in {"reset", "password"}
    assert strongest.contribution > 0
    assert next(w for w in against.words if w.text == "password").contribution < 0
    assert for_it.logit > against.logit


def test_a_word_that_the_model_has_never_seen_says_nothing(scorer):
    (found,) = explain(scorer, f"{SURE} ☂☂☂", ["reset_password"])
    assert found.words[-1].contribution == 0.0


@pytest.mark.parametrize("text", ["", "   ", UNKNOWN])
def test_where_the_scorer_abstains_nothing_spoke(scorer, text):
    assert explain(scorer, text, scorer.labels) == ()
