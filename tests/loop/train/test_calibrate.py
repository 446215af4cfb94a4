from __future__ import annotations

import numpy as np
import pytest

from chatloop.loop.train.calibrate import fit_temperature, folds_of


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
def test_the_temperature_that_made_the_labels_is_found(true):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(8000, 4)).astype(np.float32)
    proba = np.exp(logits)
    proba /= proba.sum(axis=1, keepdims=True)
    labels = (proba.cumsum(axis=1) < rng.random((8000, 1))).sum(axis=1).clip(max=3)
    assert fit_temperature(logits * true, labels) == pytest.approx(true, rel=0.1)


def test_rows_of_weight_zero_do_not_move_the_temperature():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(400, 3)).astype(np.float32)
    labels = logits.argmax(axis=1)
    labels[::3] = 0
    weights = np.ones(400, dtype=np.float32)
    weights[200:] = 0
    alone = fit_temperature(logits[:200], labels[:200])
    assert fit_temperature(logits, labels, weights) == pytest.approx(alone, rel=1e-6)


def test_every_fold_holds_its_share_of_each_label():
    labels = np.repeat([0, 1, 2], [30, 9, 3])
    fold = folds_of(labels, 3, np.random.default_rng(0))
    for label, each in ((0, 10), (1, 3), (2, 1)):
        assert np.bincount(fold[labels == label], minlength=3).tolist() == [each] * 3


def test_faultless_predictions_do_not_ask_for_endless_sureness():
    labels = np.arange(60) % 3
    logits = 4.0 * np.eye(3, dtype=np.float32)[labels]
    assert fit_temperature(logits, labels) > 0.5


def test_a_family_stays_in_one_fold():
    labels = np.repeat([0, 1], [40, 20])
    families = [f"family {i // 4}" for i in range(60)]
    fold = folds_of(labels, 2, np.random.default_rng(0), families)
    assert all(len(set(fold[i : i + 4])) == 1 for i in range(0, 60, 4))
    assert np.bincount(fold[labels == 0]).tolist() == [20, 20]
