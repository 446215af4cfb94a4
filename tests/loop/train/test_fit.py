from __future__ import annotations

import io

import joblib
import numpy as np
import pytest

from chatloop.core.errors import DataError
from chatloop.loop.train.export import export_scorer
from chatloop.loop.train.fit import fit
from chatloop.loop.train.recipe import DEFAULT
from tests.loop.train.small import rows


def fitted(texts, labels, weights=None, **more):
    return fit(texts, labels, weights, recipe=DEFAULT, **{"seed": 0, **more})


def saved(model) -> bytes:
    out = io.BytesIO()
    joblib.dump(model.pipeline, out)
    return out.getvalue()


def test_the_same_seed_gives_the_same_bytes():
    one, two = fitted(*rows()), fitted(*rows())
    assert saved(one) == saved(two)
    assert export_scorer(one.pipeline, ["hi"]) == export_scorer(two.pipeline, ["hi"])
    np.testing.assert_array_equal(one.out_of_fold, two.out_of_fold)


def test_another_seed_gives_another_model():
    assert saved(fitted(*rows())) != saved(fitted(*rows(), seed=1))


def test_the_training_texts_are_learnt():
    texts, labels = rows()
    assert fitted(texts, labels).pipeline.score(texts, labels) > 0.95


def test_out_of_fold_probabilities_follow_the_texts():
    texts, labels = rows()
    model = fitted(texts, labels)
    assert model.out_of_fold.shape == (len(texts), len(model.labels))
    np.testing.assert_allclose(model.out_of_fold.sum(axis=1), 1.0, rtol=1e-5)
    best = [model.labels[i] for i in model.out_of_fold.argmax(axis=1)]
    assert np.mean([b == label for b, label in zip(best, labels, strict=True)]) > 0.7


def test_two_intents_are_enough():
    texts, labels = rows("cancel_plan", "get_invoice")
    model = fitted(texts, labels)
    assert model.pipeline.score(texts, labels) > 0.95
    assert model.pipeline.predict_proba(texts).shape == (len(texts), 2)


def test_one_intent_is_refused():
    with pytest.raises(DataError, match="at least two intents"):
        fitted(*rows("get_invoice"))


def test_labels_without_relation_to_texts_are_refused():
    texts = ["same words"] * 20
    labels = ["first"] * 12 + ["second"] * 8
    with pytest.raises(DataError, match=r"same intent|not better"):
        fitted(texts, labels, intent_names=False)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_weights_that_are_not_weights_are_refused(bad):
    texts, labels = rows()
    with pytest.raises(DataError, match="weight"):
        fitted(texts, labels, [bad] + [1.0] * (len(texts) - 1))


def test_rows_of_unequal_number_are_refused():
    with pytest.raises(DataError, match="differ in length"):
        fitted(["a", "b"], ["x"])


def test_weights_matter():
    texts, labels = rows("cancel_plan", "get_invoice")
    texts, labels = [*texts, "zebra", "zebra"], [*labels, "cancel_plan", "get_invoice"]
    heavy, light = [1.0] * len(texts), [1.0] * len(texts)
    heavy[-2:], light[-2:] = (5.0, 0.0), (0.0, 5.0)
    for weights, expected in ((heavy, "cancel_plan"), (light, "get_invoice")):
        assert fitted(texts, labels, weights).pipeline.predict(["zebra"])[0] == expected


def test_an_intents_name_is_an_example_of_it():
    texts = ["alpha beta", "gamma delta"] * 5
    labels = ["swim_lesson", "bake_bread"] * 5
    model = fitted(texts, labels)
    assert model.pipeline.predict(["swim lesson", "bake bread"]).tolist() == labels[:2]


def test_progress_is_told():
    said: list[str] = []
    fitted(*rows(), progress=said.append)
    assert any("temperature" in line for line in said)
