"""The certificate keeps its promise where the truth is known, and says so when it cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from chatloop.core.types import OOS, Intent
from chatloop.loop.data.rows import Row
from chatloop.loop.evaluate.certificate import (
    Terms,
    make_certificate,
    one_a_family,
    with_out_of_scope,
)
from chatloop.loop.evaluate.certify import (
    accepted_scores,
    certify,
    smallest_pass,
    upper_bound,
)

TARGET, DELTA, RUNS = 0.05, 0.10, 400


@pytest.mark.parametrize("size", [300, 1500])
def test_the_promise_breaks_at_most_as_often_as_delta_says(size: int) -> None:
    """Score s is wrong with 0.3 (1 - s)^2, so above t the true error is 0.1 (1 - t)^2.

    Passes unless the 99 % interval of the observed share of violations lies above delta.
    """
    seed = 20261121
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    violations = 0
    for _ in range(RUNS):
        scores = rng.random(size)
        right = rng.random(size) >= 0.3 * (1 - scores) ** 2
        found = certify(scores, right, target_error=TARGET, delta=DELTA)
        if found.threshold is not None:
            violations += 0.1 * (1 - found.threshold) ** 2 > TARGET
    assert violations <= binom.ppf(0.995, RUNS, DELTA)


def test_too_few_rows_give_no_certificate() -> None:
    n = smallest_pass(TARGET, DELTA) - 1
    found = certify(np.linspace(0.9, 1, n), np.ones(n, bool), target_error=TARGET, delta=DELTA)
    assert found.threshold is None


def test_a_model_that_is_always_wrong_is_never_certified() -> None:
    scores = np.linspace(0, 1, 1000)
    found = certify(scores, np.zeros(1000, bool), target_error=TARGET, delta=DELTA)
    assert found.threshold is None


def test_a_model_that_is_always_right_answers_nearly_everything() -> None:
    scores = np.linspace(0, 1, 1000)
    found = certify(scores, np.ones(1000, bool), target_error=TARGET, delta=DELTA)
    assert found.answered_share > 0.95
    assert found.wrong == 0
    assert found.bound < TARGET


def test_one_confident_mistake_does_not_stop_the_certificate() -> None:
    scores = np.linspace(0, 1, 1000)
    right = np.ones(1000, bool)
    right[-1] = False
    assert certify(scores, right, target_error=TARGET, delta=DELTA).threshold is not None


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=400),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_a_certified_threshold_always_has_its_bound_under_the_target(rows, target) -> None:
    scores = np.array([score for score, _ in rows])
    right = np.array([ok for _, ok in rows])
    found = certify(scores, right, target_error=target, delta=DELTA)
    if found.threshold is not None:
        accepted = scores >= found.threshold
        assert found.accepted == accepted.sum()
        assert found.wrong == (~right[accepted]).sum()
        assert found.wrong <= math.ceil(target * found.accepted) + 1


def test_the_exact_bound_agrees_with_known_values() -> None:
    assert upper_bound(0, 45, 0.10) == pytest.approx(1 - 0.10 ** (1 / 45))
    assert upper_bound(5, 5, 0.10) == 1.0
    assert upper_bound(0, 0, 0.10) == 1.0


def test_out_of_scope_answers_are_errors_and_abstentions_are_never_answered() -> None:
    intents = [
        Intent("refund", 0.9, in_scope=True),
        Intent("refund", 0.4, in_scope=False),
        Intent(None, 0.0, in_scope=False),
    ]
    scores, right = accepted_scores(intents, [OOS, "refund", "refund"])
    assert scores.tolist() == [0.9, -1.0, -1.0]
    assert not right[0]


def _rows(inside: int, outside: int) -> list[Row]:
    made = [Row(f"text {i}", "refund", "seed:plain", f"f{i}", "calibrate") for i in range(inside)]
    return made + [Row(f"other {i}", OOS, "seed:x", f"o{i}", "calibrate") for i in range(outside)]


def test_the_mix_holds_at_least_the_wanted_share_out_of_scope() -> None:
    chosen = with_out_of_scope(_rows(900, 50), 0.20, seed=1)
    outside = sum(r.intent == OOS for r in chosen)
    assert outside == 50
    assert outside / len(chosen) >= 0.20
    assert chosen == with_out_of_scope(_rows(900, 50), 0.20, seed=1)
    assert with_out_of_scope(_rows(10, 90), 0.20, seed=1) != []


def test_a_family_counts_once() -> None:
    rows = [Row("a", "refund", "seed:plain", "same", "calibrate")] * 3
    assert len(one_a_family(rows)) == 1


def test_the_words_promise_nothing_about_customers_on_shipped_examples() -> None:
    def sure(texts: list[str]) -> list[Intent]:
        made = [(t, t.startswith("text")) for t in texts]
        return [Intent("refund", 0.99 - 1e-5 * i, ok) for i, (_t, ok) in enumerate(made)]

    terms = Terms(TARGET, DELTA, 0.20)
    certified = make_certificate(_rows(400, 100), sure, terms, seed=1)
    assert certified["certified"] is True
    assert certified["words"].startswith("on the shipped examples")
    assert certified["mix"] == {"in_scope": 400, "out_of_scope": 100}
    few = make_certificate(_rows(20, 5), sure, terms, seed=1)
    assert few["certified"] is False
    assert few["state"] == "not_enough_data"
    assert "not enough data yet" in few["words"]
