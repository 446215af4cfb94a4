"""Finds passages by meaning: a latent semantic projection, and FAISS over the passages' vectors.

The projection (TF-IDF, then truncated SVD) is fitted with the release; a query is projected here
with numpy. FAISS is imported where an index is read: it costs 0.3 CPU seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_NEAREST = 100
"""Passages beyond these count as unrelated: their cosine is taken as 0."""


class Projection:
    """Words to vectors: `matrix` float32 (n_words, n_dimensions), a row is idf times direction.

    Raises ValueError when it is not that.
    """

    def __init__(self, matrix: Floats) -> None:
        if matrix.ndim != 2 or not np.isfinite(matrix).all():
            raise ValueError("the projection is not a matrix of finite numbers")
        self._matrix = matrix
        self.n_words, self.n_dimensions = matrix.shape

    def __call__(self, words: Sequence[int]) -> Floats:
        """Return the vector of distinct words, float32 (n_dimensions,), length 1 or all zero."""
        vector: Floats = self._matrix[list(words)].sum(axis=0)
        length = float(np.linalg.norm(vector))
        return vector / np.float32(length) if length > 0 else vector


class Vectors:
    """An exact FAISS index of unit vectors. Raises ValueError when it does not fit."""

    def __init__(self, data: bytes, n_vectors: int, n_dimensions: int) -> None:
        import faiss

        faiss.omp_set_num_threads(1)  # its threads cost more than they save, on busy cores
        try:
            self._index: Any = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        except RuntimeError as error:
            raise ValueError("FAISS cannot read the vectors") from error
        if (self._index.ntotal, self._index.d) != (n_vectors, n_dimensions):
            raise ValueError("the vectors do not fit the passages")

    def search(self, vector: Floats) -> Floats:
        """Return the cosine of each stored vector with `vector`, float32 (n_vectors,)."""
        cosines = np.zeros(self._index.ntotal, dtype=np.float32)
        found, ids = self._index.search(vector[None, :], min(_NEAREST, len(cosines)))
        cosines[ids[0]] = np.maximum(found[0], 0)
        return cosines
