from __future__ import annotations

import io
import json
import random
import threading

import joblib
import numpy as np
import pytest

from chatloop.core.errors import ReleaseError
from chatloop.core.release import Release, new_version, write_release
from chatloop.core.types import OOS
from chatloop.loop.register.build import PIPELINE
from chatloop.turn import classify
from chatloop.turn.classify import ARRAYS, SPEC, TOLERANCE, Scorer, load
from tests.fakes import GOLDEN, OUTSIDE, SURE, UNKNOWN, UNSURE, tiny_rows

ODD = ["a", "!!! reset", "RESET MY PASSWORD", "İstanbul ΣΑΣ ß reset", "reset\u00a0my\u2003password"]
ODD += [
    "password " * 300,
    *("reset my password " * n for n in (3, 9, 12, 40)),
    "invoice" * 400,
    "don't re-set o'neil's pass_word",
    "a\nb\tc invoice",
    "٣",
]
ODD += [
    "\u0130\u0307 password",
    "x" * 5000 + " password",
    "🙂 reset 🙂",
    "my",
    "  my  ",
    "re",
    "\x1cmy",
]


@pytest.fixture(scope="module")
def scorer(release: Release) -> Scorer:
    return load(release)


@pytest.fixture(scope="module")
def pipeline(release: Release):
    return joblib.load(io.BytesIO(release.read(PIPELINE)))


def test_the_scorer_equals_predict_proba_on_odd_and_random_texts(scorer, pipeline, seed):
    rng = random.Random(seed)
    words = " ".join(row.text for row in tiny_rows()).split()
    texts = [*ODD, *(row.text for row in tiny_rows())]
    for _ in range(300):
        text = " ".join(rng.choices(words, k=rng.randint(1, 12)))
        cut = rng.randrange(len(text))
        texts.append(text[:cut] + chr(rng.randrange(32, 0x2FFF)) + text[cut:])
    expected = pipeline.predict_proba(texts)
    known = 0
    for text, row in zip(texts, expected, strict=True):
        found = scorer.probabilities(text)
        if found is None:
            assert not pipeline["features"].transform([text]).nnz
            continue
        known += 1
        np.testing.assert_allclose(found, row, atol=TOLERANCE)
        assert found.sum() == pytest.approx(1.0, abs=1e-5)
    assert known > 300


@pytest.mark.parametrize("text", ["", "   ", "!!! ...", UNKNOWN, "☂☂☂"])
def test_unknown_words_make_it_abstain(scorer, text):
    intent = scorer(text)
    assert (intent.label, intent.confidence, intent.in_scope) == (None, 0.0, False)
    assert intent.top == ()


def test_the_best_in_scope_intent_is_named_even_when_out_of_scope_wins(scorer):
    intent = scorer(OUTSIDE)
    assert not intent.in_scope
    assert intent.label != OOS
    assert all(score.intent != OOS for score in intent.top)
    proba = scorer.probabilities(OUTSIDE)
    assert proba[scorer.labels.index(OOS)] > intent.confidence


def test_a_sure_text_is_in_scope_with_its_runners_up_in_order(scorer):
    intent = scorer(SURE)
    assert (intent.label, intent.in_scope) == ("reset_password", True)
    assert intent.confidence > 0.9
    scores = [score.confidence for score in intent.top]
    assert scores == sorted(scores, reverse=True)
    assert intent.top[0].confidence == intent.confidence
    assert len(intent.top) == 3
    assert scorer(UNSURE).confidence < 0.6


def test_the_cache_changes_no_number(release):
    warm = load(release)
    warm.many([row.text for row in tiny_rows()])
    for text in (SURE, UNSURE, OUTSIDE):
        cold = load(release).probabilities(text)
        np.testing.assert_array_equal(warm.probabilities(text), cold)


def test_the_cache_is_bounded_and_a_full_one_changes_no_answer(release, monkeypatch):
    monkeypatch.setattr(classify, "_CACHE_TOKENS", 5)
    scorer = load(release)
    for number in range(50):
        scorer(f"word{number} " + "x" * 100)
    assert len(scorer._cache) <= 5
    assert all(len(word) <= 40 for word in scorer._cache)
    monkeypatch.setattr(classify, "_CACHE_TOKENS", 1000)
    roomy = load(release)
    for text in (SURE, UNSURE, OUTSIDE, "my my my password"):
        proba = roomy.probabilities(text)
        np.testing.assert_allclose(scorer.probabilities(text), proba, atol=TOLERANCE)


def test_many_gives_what_one_by_one_gives_in_order(scorer):
    texts = [text for text, _ in GOLDEN]
    assert scorer.many(texts) == [scorer(text) for text in texts]


def test_threads_agree(scorer):
    texts = [row.text for row in tiny_rows()]
    alone = scorer.many(texts)
    results: list = []
    threads = [threading.Thread(target=lambda: results.append(scorer.many(texts))) for _ in "1234"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [alone] * 4


def changed(release: Release, tmp_path, **parts: bytes) -> Release:
    """Write a release that is whole by its manifest, with other bytes in some parts."""
    names = {"arrays": ARRAYS, "spec": SPEC}
    files = {name: release.read(name) for name in (ARRAYS, SPEC)}
    files |= {names[key]: data for key, data in parts.items()}
    return write_release(tmp_path, files, new_version(files))


def spec_with(release: Release, **values: object) -> bytes:
    return json.dumps(json.loads(release.read(SPEC)) | values).encode()


def arrays_with(release: Release, **values: np.ndarray) -> bytes:
    with np.load(io.BytesIO(release.read(ARRAYS))) as file:
        arrays = dict(file) | values
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def with_arrays(release: Release, name: str, change) -> bytes:
    with np.load(io.BytesIO(release.read(ARRAYS))) as file:
        value = change(file[name].copy())
    return arrays_with(release, **{name: value})


def nan(array):
    array.flat[0] = np.nan
    return array


def test_without_a_change_it_loads(release, tmp_path):
    assert load(changed(release, tmp_path))(SURE) == load(release)(SURE)


@pytest.mark.parametrize("spec", [b"", b"{", b"[]", b"null", b"{}", b"<html>", b"\xff\xfe"])
def test_a_malformed_spec_is_refused(release, tmp_path, spec):
    with pytest.raises(ReleaseError, match="cannot be read"):
        load(changed(release, tmp_path, spec=spec))


BAD_ARRAYS = [b"{}", b"<html>", b"\x80\x04K\x01."]


@pytest.mark.parametrize(
    "arrays",
    [
        *BAD_ARRAYS,
        b"",
        b"PK\x03\x04 and no more",
    ],
)
def test_malformed_arrays_are_refused(release, tmp_path, arrays):
    with pytest.raises(ReleaseError, match="cannot be read"):
        load(changed(release, tmp_path, arrays=arrays))


def test_a_pickle_inside_the_arrays_is_not_run(release, tmp_path):
    class Canary:
        def __reduce__(self):
            return (open, (str(tmp_path / "canary"), "w"))

    arrays = arrays_with(release, bias=np.array([Canary()], dtype=object))
    with pytest.raises(ReleaseError, match="cannot be read"):
        load(changed(release, tmp_path, arrays=arrays))
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("weights", nan, "not finite"),
        ("bias", nan, "not finite"),
        ("weights", lambda a: a[:, :-1], "do not fit"),
        ("weights", lambda a: a[:-1], "do not fit"),
        ("bias", lambda a: a[:-1], "do not fit"),
        ("idf", lambda a: a[:-1], "do not fit"),
        ("bias", lambda a: a + np.arange(len(a)), "other numbers"),
        ("checks", lambda a: a + 0.001, "other numbers"),
        ("checks", lambda a: a[:-1], "cannot be read"),
    ],
)
def test_arrays_that_do_not_fit_or_give_other_numbers_are_refused(
    release, tmp_path, name, change, why
):
    arrays = with_arrays(release, name, change)
    with pytest.raises(ReleaseError, match=why):
        load(changed(release, tmp_path, arrays=arrays))


def test_a_check_text_that_is_unknown_here_is_refused(release, tmp_path):
    texts = json.loads(release.read(SPEC))["check_texts"]
    spec = spec_with(release, check_texts=[UNKNOWN, *texts[1:]])
    with pytest.raises(ReleaseError, match="other numbers"):
        load(changed(release, tmp_path, spec=spec))


def test_a_model_without_an_intent_in_scope_is_refused(release, tmp_path):
    labels = [OOS] * len(json.loads(release.read(SPEC))["labels"])
    with pytest.raises(ReleaseError, match="do not fit"):
        load(changed(release, tmp_path, spec=spec_with(release, labels=labels)))
