"""What holds for every text, not only for those that somebody thought of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatloop.core.release import Release
from chatloop.core.types import OOS
from chatloop.turn.classify import Scorer, load

ANY_TEXT = st.text(max_size=300)
KNOWN = st.lists(st.sampled_from("please reset my password refund payment see invoice".split()))
once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(scope="module")
def scorer(release: Release) -> Scorer:
    return load(release)


@once
@given(text=st.one_of(ANY_TEXT, KNOWN.map(" ".join)))
def test_probabilities_sum_to_one_or_nothing_is_known(scorer: Scorer, text: str) -> None:
    proba = scorer.probabilities(text)
    if proba is not None:
        assert proba.shape == (len(scorer.labels),)
        assert np.isfinite(proba).all()
        assert proba.sum() == pytest.approx(1.0, abs=1e-5)


@once
@given(text=st.one_of(ANY_TEXT, KNOWN.map(" ".join)))
def test_an_intent_is_in_scope_the_likeliest_and_first(scorer: Scorer, text: str) -> None:
    intent = scorer(text)
    assert intent.label != OOS
    assert 0.0 <= intent.confidence <= 1.0
    if intent.label is None:
        assert (intent.confidence, intent.top, intent.in_scope) == (0.0, (), False)
    else:
        assert intent.top[0].intent == intent.label
        confidences = [score.confidence for score in intent.top]
        assert confidences == sorted(confidences, reverse=True)


@once
@given(text=KNOWN.map(" ".join))
def test_the_same_text_scores_the_same_with_a_cold_and_a_warm_cache(
    release: Release, scorer: Scorer, text: str
) -> None:
    assert scorer(text) == scorer(text)
    assert load(release)(text) == scorer(text)
