from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.metrics import (
    evaluate,
    expected_calibration_error,
    macro_f1,
    predicted_label,
    wilson,
)
from chatloop.turn.classify import load


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # statsmodels proportion_confint(method="wilson"), to 5 digits
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
        (5, 10, 0.23659, 0.76341),
        (1, 1, 0.20655, 1.0),
        (81, 263, 0.25529, 0.36621),  # Newcombe 1998, table I
        (15, 148, 0.06236, 0.16053),  # Newcombe 1998, table I
        (1, 29, 0.00611, 0.17176),  # Newcombe 1998, table I
    ],
)
def test_the_wilson_interval_agrees_with_known_values(right, n, low, high):
    share = wilson(right, n)
    assert share.value == right / n
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)
    assert share.n == n


def test_no_case_says_nothing():
    assert wilson(0, 0) == replace(wilson(0, 0), value=0.0, low=0.0, high=1.0, n=0)


def test_the_interval_holds_the_truth_about_as_often_as_it_says(seed):
    rng = np.random.default_rng(seed)
    for p in (0.1, 0.5, 0.9):
        hits = rng.binomial(100, p, size=4000)
        inside = np.mean([wilson(int(k), 100).low <= p <= wilson(int(k), 100).high for k in hits])
        assert 0.93 < inside < 0.97


def test_a_calibrated_model_has_next_to_no_calibration_error(seed):
    rng = np.random.default_rng(seed)
    confidence = rng.random(200_000)
    right = rng.random(200_000) < confidence
    assert expected_calibration_error(confidence, right) < 0.01


def test_an_overconfident_model_has_the_gap_as_its_error():
    confidence = np.full(1000, 0.9)
    right = np.arange(1000) < 600
    assert expected_calibration_error(confidence, right) == pytest.approx(0.3)


def test_the_calibration_error_weighs_bins_by_their_rows():
    confidence = np.array([1.0] * 3 + [0.5])
    right = np.array([True, True, True, False])
    assert expected_calibration_error(confidence, right) == pytest.approx(0.25 * 0.5)
    assert expected_calibration_error(np.array([]), np.array([], dtype=bool)) == 0.0


def test_macro_f1_equals_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    truth = [str(x) for x in rng.integers(0, 5, 300)]
    predicted = [t if rng.random() < 0.7 else str(rng.integers(0, 7)) for t in truth]
    share = macro_f1(truth, predicted, seed)
    labels = sorted(set(truth))
    expected = f1_score(truth, predicted, labels=labels, average="macro")
    assert share.value == pytest.approx(expected)
    assert share.low < share.value < share.high
    assert share == macro_f1(truth, predicted, seed)


def test_macro_f1_of_nothing_and_of_perfection():
    assert macro_f1([], [], 0).n == 0
    perfect = macro_f1(["a", "b"], ["a", "b"], 0)
    assert (perfect.value, perfect.high) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("intent", "label"),
    [
        (Intent("aa", 0.9, in_scope=True), "aa"),
        (Intent("aa", 0.1, in_scope=False), OOS),
        (Intent(None, 0.0, in_scope=False), OOS),
    ],
)
def test_the_predicted_label_counts_out_of_scope(intent, label):
    assert predicted_label(intent) == label


class Scripted:
    """A scorer that gives what it was told for each text."""

    def __init__(self, **intents: Intent) -> None:
        self.intents = intents

    def many(self, texts):
        return [self.intents[text] for text in texts]

    def probabilities(self, text):
        intent = self.intents[text]
        sure = intent.confidence
        return None if intent.label is None else np.array([sure, 1 - sure])


def row(text: str, intent: str) -> Row:
    return Row(text, intent, "seed:x", text, "test")


def test_each_figure_counts_what_it_says():
    scorer = Scripted(
        a=Intent("aa", 0.9, in_scope=True),
        b=Intent("aa", 0.8, in_scope=True),
        c=Intent("bb", 0.7, in_scope=False),
        d=Intent("bb", 0.6, in_scope=True),
        e=Intent(None, 0.0, in_scope=False),
    )
    rows = [row("a", "aa"), row("b", "bb"), row("c", "bb"), row("d", OOS), row("e", OOS)]
    found = evaluate(scorer, rows)
    assert found.predicted == ("aa", "aa", OOS, "bb", OOS)
    assert found.confidence == (0.9, 0.8, 0.7, 0.6, 0.0)
    assert found.ece == pytest.approx((0.1 + 0.8 + 0.7 + 0.6 + 0.0) / 5)
    assert (found.accuracy.value, found.accuracy.n) == (2 / 5, 5)
    assert (found.accuracy_in_scope.value, found.accuracy_in_scope.n) == (1 / 3, 3)
    assert (found.oos_recall.value, found.oos_recall.n) == (1 / 2, 2)
    assert {k: (v.value, v.n) for k, v in found.recall.items()} == {
        "aa": (1.0, 1),
        "bb": (0.0, 2),
        OOS: (0.5, 2),
    }


def test_no_rows_give_empty_figures():
    found = evaluate(Scripted(), [])
    assert (found.accuracy.n, found.ece, found.recall) == (0, 0.0, {})


def test_a_real_scorer_is_measured_as_it_is_served(release):
    found = evaluate(load(release), [row("please reset my password", "reset_password")])
    assert found.accuracy.value == 1.0
    assert found.confidence[0] > 0.9
