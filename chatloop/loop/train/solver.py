"""Multinomial logistic regression by minibatch AdaGrad on sparse rows, in numpy and scipy.

Minimises sum_i w_i * -log softmax(x_i W + b)[y_i] + l2 / 2 * |W|^2. For a batch B the gradient
of the losses is X_B^T (w * (P_B - Y_B)), zero outside the columns that occur in B, so only those
rows of W are read and moved; the L2 pull of a row is dealt out over the batches that touch it:
    G_j = X_Bj^T (w * (P_B - Y_B)) + l2 / touches_j * W_j
    H_j += G_j^2,   W_j -= step * G_j / sqrt(H_j + eps)
(Duchi, Hazan, Singer: Adaptive subgradient methods, JMLR 12, 2011). The result is the mean of
the weights after each of the last passes (Polyak and Juditsky, 1992). One thread, the same
numbers for the same seed. Passes may hold different features of the same rows: altered copies.
"""

from __future__ import annotations

from collections import deque
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


@dataclass(frozen=True)
class Descent:
    """How to go down: step length, rows a batch, L2 strength, passes whose weights are averaged.

    `l2` is the strength against the SUM of the losses: scikit-learn's 1 / C.
    """

    step: float
    batch_rows: int
    l2: float
    averaged: int


class _AdaGrad:
    """The running state of the solver: weights and sums of squared gradients."""

    def __init__(self, first: Any, n_labels: int, descent: Descent) -> None:
        shape = (first.shape[1], n_labels)
        self.weights = Weights(np.zeros(shape, np.float32), np.zeros(n_labels, np.float32))
        self._squares = np.zeros(shape, np.float32)
        self._bias_squares = np.zeros(n_labels, np.float32)
        self._step = np.float32(descent.step)
        self._pull = _pull(first, descent)

    def learn(self, features: Any, labels: NDArray[np.int64], weights: Floats) -> None:
        """Take one step on a batch."""
        error = softmax(self.weights.logits(features))
        error[np.arange(len(labels)), labels] -= 1.0
        error *= weights[:, None]
        columns, local = _touched(features)
        matrix = self.weights.matrix[columns]
        gradient = local.T @ error
        gradient += self._pull[columns] * matrix
        squares = self._squares[columns]
        squares += gradient * gradient
        self._squares[columns] = squares
        self._scale(gradient, squares)
        self.weights.matrix[columns] = matrix - gradient
        bias_gradient = error.sum(axis=0)
        self._bias_squares += bias_gradient * bias_gradient
        self._scale(bias_gradient, self._bias_squares.copy())
        self.weights.bias[:] -= bias_gradient

    def _scale(self, gradient: Floats, squares: Floats) -> None:
        """Turn the gradient into the step, in place; uses up the squares."""
        squares += _EPSILON
        np.sqrt(squares, out=squares)
        gradient /= squares
        gradient *= self._step


def _pull(first: Any, descent: Descent) -> Floats:
    """Return each column's L2 strength a touch, so that a pass adds up to `l2`, (n, 1)."""
    n_rows, n_columns = first.shape
    share = np.bincount(first.indices, minlength=n_columns) / n_rows
    batches = n_rows / descent.batch_rows
    touches = np.maximum(batches * (1.0 - (1.0 - share) ** descent.batch_rows), 1.0)
    pull: Floats = (descent.l2 / touches).astype(np.float32)
    return pull.reshape(-1, 1)


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
    passes: Iterable[Any], targets: Targets, descent: Descent, rng: np.random.Generator
) -> Weights:
    """Return weights after one pass over each matrix in `passes`, all with the same targets.

    The mean of the weights after the last `averaged` passes is returned.
    """
    solver: _AdaGrad | None = None
    kept: deque[Weights] = deque(maxlen=descent.averaged)
    for features in passes:
        solver = solver or _AdaGrad(features, targets.n_labels, descent)
        order = rng.permutation(features.shape[0])
        shuffled = features[order]
        labels, weights = targets.labels[order], targets.weights[order]
        for start in range(0, len(order), descent.batch_rows):
            rows = slice(start, start + descent.batch_rows)
            solver.learn(shuffled[rows], labels[rows], weights[rows])
        kept.append(Weights(solver.weights.matrix.copy(), solver.weights.bias.copy()))
    return Weights(_mean([k.matrix for k in kept]), _mean([k.bias for k in kept]))


def _mean(arrays: list[Floats]) -> Floats:
    return np.asarray(np.mean(arrays, axis=0), dtype=np.float32)
