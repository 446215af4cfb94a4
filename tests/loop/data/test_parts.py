from __future__ import annotations

from collections import Counter
from math import sqrt

import pytest

from chatloop.loop.data.parts import near_duplicate_key, part_of
from chatloop.loop.data.rows import Part


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Reset my password", "please reset your PASSWORD!!!"),
        ("cancel the plan", "Plan: cancel"),
        ("hi, pls just cancel", "cancel"),
        ("the a an", "an the a"),
    ],
)
def test_texts_that_differ_in_order_fillers_and_punctuation_are_one_family(one, other):
    assert near_duplicate_key(one) == near_duplicate_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("cancel plan", "cancel plans"), ("a", "the"), ("!!!", "???"), ("no plan", "plan")],
)
def test_other_words_make_another_family(one, other):
    assert near_duplicate_key(one) != near_duplicate_key(other)


def test_a_family_keeps_its_part_and_another_seed_deals_anew():
    families = [f"family{n}" for n in range(500)]
    dealt = [part_of(family, 7) for family in families]
    assert dealt == [part_of(family, 7) for family in families]
    assert dealt != [part_of(family, 8) for family in families]


def test_the_shares_are_70_15_15():
    n = 20_000
    counts = Counter(part_of(f"family{i}", 7) for i in range(n))
    for part, share in ((Part.FIT, 0.7), (Part.CALIBRATE, 0.15), (Part.TEST, 0.15)):
        assert abs(counts[part] / n - share) < 2.576 * sqrt(share * (1 - share) / n)
