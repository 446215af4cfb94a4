from __future__ import annotations

import io
import json

import numpy as np
import pytest

from chatloop.loop.train.export import export_scorer, largest_difference, scorer_of
from chatloop.loop.train.fit import fit
from chatloop.loop.train.recipe import DEFAULT
from chatloop.turn.classify import ARRAYS, SPEC, TOLERANCE, Scorer
from tests.loop.train.small import ODD_TEXTS, rows


@pytest.fixture(scope="module", params=[(), ("cancel_plan", "get_invoice")])
def pipeline(request):
    return fit(*rows(*request.param), recipe=DEFAULT, seed=0).pipeline


def read(parts: dict[str, bytes]) -> tuple[dict, dict]:
    with np.load(io.BytesIO(parts[ARRAYS]), allow_pickle=False) as file:
        return json.loads(parts[SPEC]), dict(file)


def test_the_lean_scorer_equals_predict_proba_on_odd_texts(pipeline):
    spec, arrays = read(export_scorer(pipeline, []))
    texts = [*ODD_TEXTS, *rows()[0]]
    assert largest_difference(pipeline, Scorer(spec, arrays), texts) < TOLERANCE
    assert largest_difference(pipeline, scorer_of(pipeline), texts) < TOLERANCE


def test_a_difference_shows(pipeline):
    scorer = scorer_of(pipeline)
    scorer._bias[0] += 1.0
    assert largest_difference(pipeline, scorer, rows()[0]) > 0.001


def test_check_texts_without_known_ngrams_are_left_out(pipeline):
    spec, arrays = read(export_scorer(pipeline, ["!!!", "see my invoice", "密码"]))
    assert spec["check_texts"] == ["see my invoice"]
    proba = pipeline.predict_proba(["see my invoice"])
    np.testing.assert_allclose(arrays["checks"], proba, atol=1e-6)


def test_the_parts_are_of_the_form_that_the_scorer_reads(pipeline):
    spec, arrays = read(export_scorer(pipeline, ["see my invoice"]))
    rows_of_weights = len(spec["word"]["vocabulary"]) + len(spec["char"]["vocabulary"])
    assert arrays["weights"].shape == (rows_of_weights, len(spec["labels"]))
    assert arrays["weights"].dtype == np.float32
    assert arrays["bias"].shape == (len(spec["labels"]),)
    assert arrays["idf"].shape == (rows_of_weights,)
