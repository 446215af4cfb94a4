from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from chatloop.loop.train.solver import Descent, Targets, softmax, train


def blobs(n: int = 60):
    rng = np.random.default_rng(5)
    labels = np.arange(n) % 3
    dense = np.eye(3, 8)[labels] + 0.1 * rng.random((n, 8))
    return sparse.csr_matrix(dense.astype(np.float32)), labels


def targets(labels, weights=None):
    weights = np.ones(len(labels)) if weights is None else weights
    return Targets(labels, np.asarray(weights, dtype=np.float32), 3)


def fitted(features, target, visits=5, l2=0.01):
    descent = Descent(step=0.3, batch_rows=16, l2=l2, averaged=2)
    return train([features] * visits, target, descent, np.random.default_rng(0))


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


def test_it_finds_scikit_learns_optimum():
    features, labels = blobs()
    labels[::7] = (labels[::7] + 1) % 3  # so that the optimum lies at middling probabilities
    stock = LogisticRegression(C=2.0, tol=1e-8, max_iter=1000).fit(features, labels)
    ours = softmax(fitted(features, targets(labels), visits=400, l2=0.5).logits(features))
    np.testing.assert_allclose(ours, stock.predict_proba(features), atol=0.02)


def test_more_l2_gives_smaller_weights():
    features, labels = blobs()
    small, large = (fitted(features, targets(labels), l2=l2).matrix for l2 in (0.01, 1.0))
    assert np.linalg.norm(large) < np.linalg.norm(small)
