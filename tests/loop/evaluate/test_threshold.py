from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloop.core.types import OOS, Intent
from chatloop.loop.evaluate.threshold import FLOOR, NEVER, provisional_threshold
from chatloop.turn.route import why_not_local

CASES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.3, 0.59, 0.6, 0.61, 0.7, 0.8, 0.9, 0.99, 1.0]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)


def intents(*cases: tuple[float, bool]) -> tuple[list[Intent], list[str]]:
    return (
        [Intent("aa", confidence, in_scope=True) for confidence, _ in cases],
        ["aa" if right else "bb" for _, right in cases],
    )


def test_without_a_mistake_the_floor_holds():
    found = provisional_threshold(*intents((0.99, True), (0.7, True), (0.6, True)), 0.05)
    assert (found.threshold, found.answered, found.wrong, found.n) == (FLOOR, 3, 0, 3)


@pytest.mark.parametrize("target", [0.0, 0.05, 0.5, 1.0])
@given(cases=CASES)
def test_it_is_never_under_the_floor_and_respects_half_the_target(target, cases):
    scored = [Intent("aa", c, in_scope=inside) for c, _, inside in cases]
    truth = ["aa" if right else OOS for _, right, _ in cases]
    found = provisional_threshold(scored, truth, target)
    assert found.threshold >= FLOOR
    answered = [
        i.label == label
        for i, label in zip(scored, truth, strict=True)
        if why_not_local(i, found.threshold, has_answer=True) is None
    ]
    assert found.answered == len(answered)
    assert found.wrong == answered.count(False)
    assert found.wrong <= len(answered) * target / 2
    assert found.n == len(cases)


@given(cases=CASES)
def test_no_lower_threshold_would_do(cases):
    scored = [Intent("aa", c, in_scope=inside) for c, _, inside in cases]
    truth = ["aa" if right else OOS for _, right, _ in cases]
    found = provisional_threshold(scored, truth, 0.1)
    for lower in {c for c, _, inside in cases if inside and FLOOR <= c < found.threshold}:
        answered = [
            i.label == label
            for i, label in zip(scored, truth, strict=True)
            if why_not_local(i, lower, has_answer=True) is None
        ]
        assert not answered or answered.count(False) > len(answered) * 0.05


def test_a_wrong_row_among_few_keeps_everything_below_out():
    cases = [(0.95, True)] * 5 + [(0.9, False)] + [(0.8, True)] * 10
    found = provisional_threshold(*intents(*cases), 0.05)
    assert (found.threshold, found.answered, found.wrong) == (0.95, 5, 0)


def test_many_right_rows_outweigh_one_mistake():
    cases = [(0.95, True)] * 5 + [(0.9, False)] + [(0.8, True)] * 34
    found = provisional_threshold(*intents(*cases), 0.05)
    assert (found.threshold, found.answered, found.wrong) == (FLOOR, 40, 1)


def test_rows_of_the_same_confidence_stand_or_fall_together():
    found = provisional_threshold(*intents((0.9, True), (0.9, False), (0.9, True)), 0.05)
    assert (found.threshold, found.answered) == (NEVER, 0)


@pytest.mark.parametrize("confidence", [0.7, 1.0])
def test_when_nothing_passes_nothing_is_answered_alone(confidence):
    found = provisional_threshold(*intents((confidence, False)), 0.05)
    sure = Intent("aa", 1.0, in_scope=True)
    assert found.answered == 0
    assert why_not_local(sure, found.threshold, has_answer=True) is not None


def test_without_rows_nothing_is_answered_alone():
    assert provisional_threshold([], [], 0.05).threshold == NEVER


def test_the_order_of_the_rows_does_not_matter(seed):
    cases = [(0.6 + n / 100, n % 7 != 0) for n in range(40)]
    expected = provisional_threshold(*intents(*cases), 0.2)
    random.Random(seed).shuffle(cases)
    assert provisional_threshold(*intents(*cases), 0.2) == expected
