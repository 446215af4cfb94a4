"""One temperature that makes probabilities honest, from out-of-fold predictions.

Dividing all logits by one number changes no ranking (Guo et al., On calibration of modern neural
networks, ICML 2017). Thresholds and promises are set later, on other rows, by `evaluate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from chatloop.loop.train.solver import Floats

_LOG_RANGE = (-3.0, 3.0)


def fit_temperature(
    logits: Floats, labels: NDArray[np.int64], weights: Floats | None = None
) -> float:
    """Return the temperature (0.05 to 20) with the least weighted cross-entropy.

    One part in n + 2 of each target is spread over all labels, so that predictions without one
    error do not ask for endless sureness (Platt, Probabilistic outputs, 1999).
    """
    n = len(labels) if weights is None else float(weights.sum())
    doubt = 1.0 / (n + 2.0)
    shifted = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    own = shifted[np.arange(len(labels)), labels]
    wanted = (1.0 - doubt) * own + doubt * shifted.mean(axis=1)

    def loss(log_temperature: float) -> float:
        beta = np.exp(-log_temperature)
        losses = np.log(np.exp(shifted * beta).sum(axis=1)) - wanted * beta
        return float(np.average(losses, weights=weights))

    best = minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded", options={"xatol": 1e-3})
    return float(np.exp(best.x))


def folds_of(
    labels: NDArray[np.int64],
    n_folds: int,
    rng: np.random.Generator,
    families: Sequence[str] | None = None,
) -> NDArray[np.int64]:
    """Return a fold number a row; each label is spread evenly, a family stays in one fold."""
    of_its_own = np.arange(len(labels))
    kin = of_its_own if families is None else np.array(families)
    _, first, family = np.unique(kin, return_index=True, return_inverse=True)
    order = rng.permutation(len(first))
    order = order[np.argsort(labels[first[order]], kind="stable")]
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % n_folds
    return fold[family]
