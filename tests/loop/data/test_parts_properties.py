"""Families and parts, for any text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatloop.loop.data.clean import RawRow, clean
from chatloop.loop.data.parts import near_duplicate_key, part_of
from chatloop.loop.data.rows import Part

WORDS = st.lists(st.text(alphabet="abcdefgh", min_size=2, max_size=6), min_size=1, max_size=8)
RAW = st.lists(st.tuples(WORDS, st.sampled_from(["aa", "bb", "cc"])), min_size=1, max_size=40)


@given(WORDS, st.randoms())
def test_order_case_and_punctuation_do_not_change_a_family(words, random) -> None:
    shuffled = words.copy()
    random.shuffle(shuffled)
    again = "! ".join(word.upper() for word in shuffled) + "?"
    assert near_duplicate_key(again) == near_duplicate_key(" ".join(words))


@given(st.text(), st.integers(0, 1000))
def test_a_family_has_one_part_for_ever(family, seed) -> None:
    assert part_of(family, seed) is part_of(family, seed)
    assert part_of(family, seed) in set(Part)


@given(RAW)
def test_no_family_stands_in_two_parts_and_none_twice_in_calibrate_or_test(raw) -> None:
    given_rows = [RawRow(n, " ".join(words), label, None) for n, (words, label) in enumerate(raw)]
    rows, _report = clean(given_rows, 7)
    parts: dict[str, set[str]] = {}
    for row in rows:
        parts.setdefault(row.family, set()).add(row.split)
    assert all(len(found) == 1 for found in parts.values())
    held = [row.family for row in rows if row.split != Part.FIT]
    assert len(held) == len(set(held))
