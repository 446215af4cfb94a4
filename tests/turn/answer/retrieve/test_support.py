from __future__ import annotations

import pytest

from chatloop.turn.answer.retrieve.support import Support

SUPPORT = Support((1.0, 2.0), -1.0, 0.5, {"gant": -3.0, " do": -1.0, "bil": 2.0})


@pytest.mark.parametrize(
    ("text", "signals", "probability"),
    [
        ("nothing known", (0.0, 0.0), 0.2689),
        ("nothing known", (1.0, 0.5), 0.7311),
        ("gantt", (1.0, 0.5), 0.1192),
        ("my bill on a gantt", (0.0, 0.5), 0.3302),
    ],
)
def test_signals_and_words_add_up(text, signals, probability):
    assert SUPPORT(text, signals) == pytest.approx(probability, abs=1e-3)


def test_a_word_said_twice_counts_once():
    assert SUPPORT("gantt", (0, 0)) == SUPPORT("gantt! gantt?", (0, 0))


def test_extreme_numbers_stay_probabilities():
    extreme = Support((1e6,), 0.0, 0.5, {})
    assert extreme("x", (-1.0,)) < 1e-9
    assert extreme("x", (1.0,)) == pytest.approx(1.0)
