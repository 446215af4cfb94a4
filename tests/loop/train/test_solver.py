from __future__ import annotations

import numpy as np
from scipy import sparse

from chatloop.loop.train.solver import Targets, softmax, train


def blobs(n: int = 60):
    rng = np.random.default_rng(5)
    labels = np.arange(n) % 3
    dense = np.eye(3, 8)[labels] + 0.1 * rng.random((n, 8))
    return sparse.csr_matrix(dense.astype(np.float32)), labels


def targets(labels, weights=None):
    weights = np.ones(len(labels)) if weights is None else weights
    return Targets(labels, np.asarray(weights, dtype=np.float32), 3)


def fitted(features, target, seed=0):
    rng = np.random.default_rng(seed)
    return train([features] * 5, target, rng, step=0.3, batch_rows=16, averaged=2)


def test_it_separates_what_can_be_separated():
    features, labels = blobs()
    proba = softmax(fitted(features, targets(labels)).logits(features))
    assert (proba.argmax(axis=1) == labels).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-5)


def test_rows_of_weight_zero_do_not_count():
    features, labels = blobs()
    wrong = labels.copy()
    wrong[:20] = (wrong[:20] + 1) % 3
    weights = np.ones(len(labels))
    weights[:20] = 0.0
    proba = softmax(fitted(features, targets(wrong, weights)).logits(features))
    assert (proba.argmax(axis=1) == labels).all()


def test_columns_that_never_occur_get_no_weight():
    features, labels = blobs()
    wider = sparse.hstack([features, sparse.csr_matrix((60, 2), dtype=np.float32)], format="csr")
    assert not fitted(wider, targets(labels)).matrix[-2:].any()
