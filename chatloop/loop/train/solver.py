"""Multinomial logistic regression by minibatch AdaGrad on sparse rows, in numpy and scipy.

Minimises the weighted cross-entropy of softmax(X W + b). For a batch B the gradient is
X_B^T (P_B - Y_B), zero outside the columns that occur in B, so only those rows of W move:
    H_j += G_j^2,   W_j -= step * G_j / sqrt(H_j + eps)
(Duchi, Hazan, Singer: Adaptive subgradient methods, JMLR 12, 2011). The result is the mean of
the weights after each of the last passes (Polyak and Juditsky, 1992). One thread, the same
numbers for the same seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]
_EPSILON = np.float32(1e-6)


@dataclass(frozen=True)
class Weights:
    """`matrix` float32 (n_features, n_labels), `bias` float32 (n_labels,)."""

    matrix: Floats
    bias: Floats

    def logits(self, features: Any) -> Floats:
        """Return X W + b, float32 (n_texts, n_labels)."""
        scores: Floats = features @ self.matrix
        scores += self.bias
        return scores


def softmax(logits: Floats) -> Floats:
    """Return probabilities, rows sum to 1."""
    proba: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.divide(proba, proba.sum(axis=1, keepdims=True), out=proba)
    return proba


@dataclass(frozen=True)
class Targets:
    """The label number and the weight of each row."""

    labels: NDArray[np.int64]
    weights: Floats
    n_labels: int


class AdaGrad:
    """The running state of the solver: weights and sums of squared gradients."""

    def __init__(self, n_features: int, n_labels: int, step: float) -> None:
        self.weights = Weights(
            np.zeros((n_features, n_labels), np.float32), np.zeros(n_labels, np.float32)
        )
        self._squares = np.zeros((n_features, n_labels), np.float32)
        self._bias_squares = np.zeros(n_labels, np.float32)
        self._step = np.float32(step)

    def learn(self, features: Any, labels: NDArray[np.int64], weights: Floats) -> None:
        """Take one step on a batch."""
        error = softmax(self.weights.logits(features))
        error[np.arange(len(labels)), labels] -= 1.0
        error *= weights[:, None]
        columns, local = _touched(features)
        gradient = local.T @ error
        squares = self._squares[columns] + gradient * gradient
        self._squares[columns] = squares
        squares += _EPSILON
        np.sqrt(squares, out=squares)
        gradient /= squares
        gradient *= self._step
        self.weights.matrix[columns] -= gradient
        self._learn_bias(error.sum(axis=0))

    def _learn_bias(self, gradient: Floats) -> None:
        self._bias_squares += gradient * gradient
        self.weights.bias[:] -= self._step * gradient / np.sqrt(self._bias_squares + _EPSILON)


def _touched(features: Any) -> tuple[NDArray[np.intp], Any]:
    """Return the columns that occur, and the rows renumbered to just these columns."""
    occurs = np.zeros(features.shape[1], dtype=bool)
    occurs[features.indices] = True
    columns = np.flatnonzero(occurs)
    number = np.empty(features.shape[1], dtype=np.int32)
    number[columns] = np.arange(len(columns), dtype=np.int32)
    parts = (features.data, number[features.indices], features.indptr)
    return columns, sparse.csr_matrix(parts, shape=(features.shape[0], len(columns)))


def train(
    passes: Iterable[Any],
    targets: Targets,
    rng: np.random.Generator,
    *,
    step: float,
    batch_rows: int,
    averaged: int,
) -> Weights:
    """Return weights after one pass over each matrix in `passes`, all with the same targets.

    The mean of the weights after the last `averaged` passes is returned.
    """
    solver: AdaGrad | None = None
    kept: list[Weights] = []
    for features in passes:
        if solver is None:
            solver = AdaGrad(features.shape[1], targets.n_labels, step)
        order = rng.permutation(features.shape[0])
        for start in range(0, len(order), batch_rows):
            rows = order[start : start + batch_rows]
            solver.learn(features[rows], targets.labels[rows], targets.weights[rows])
        w = solver.weights
        kept = [*kept, Weights(w.matrix.copy(), w.bias.copy())][-averaged:]
    if not kept:
        raise ValueError("no passes")
    return Weights(_mean([k.matrix for k in kept]), _mean([k.bias for k in kept]))


def _mean(arrays: list[Floats]) -> Floats:
    return np.asarray(np.mean(arrays, axis=0), dtype=np.float32)
