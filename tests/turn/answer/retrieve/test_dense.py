from __future__ import annotations

import faiss
import numpy as np
import pytest

from chatloop.turn.answer.retrieve.dense import Projection, Vectors


def stored(vectors: np.ndarray) -> bytes:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return faiss.serialize_index(index).tobytes()


def test_a_text_becomes_a_vector_of_length_one():
    project = Projection(np.array([[3, 0], [0, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(project([0, 1]), [0.6, 0.8])
    assert project([2]).tolist() == [0, 0]


@pytest.mark.parametrize("matrix", [np.zeros(3), np.array([[np.inf]])])
def test_a_projection_must_be_a_matrix_of_finite_numbers(matrix):
    with pytest.raises(ValueError, match="finite"):
        Projection(matrix.astype(np.float32))


def test_cosines_are_exact_and_never_negative(seed):
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = Vectors(stored(vectors), 40, 8).search(vectors[7])
    np.testing.assert_allclose(found, np.maximum(vectors @ vectors[7], 0), atol=1e-5)


def test_only_the_nearest_count_as_related():
    same = np.ones((150, 1), np.float32)
    assert Vectors(stored(same), 150, 1).search(same[0]).sum() == 100


@pytest.mark.parametrize(("n_vectors", "n_dimensions"), [(3, 2), (2, 3)])
def test_vectors_of_another_shape_are_refused(n_vectors, n_dimensions):
    with pytest.raises(ValueError, match="fit"):
        Vectors(stored(np.ones((2, 2), np.float32)), n_vectors, n_dimensions)


def test_bytes_that_are_no_index_are_refused():
    whole = stored(np.ones((2, 2), np.float32))
    for raw in (b"", whole[:-1], b"x" * 100):
        with pytest.raises(ValueError, match="FAISS cannot read"):
            Vectors(raw, 2, 2)
