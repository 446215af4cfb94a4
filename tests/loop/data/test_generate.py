from __future__ import annotations

import pytest

from chatloop.core.types import OOS
from chatloop.loop.data.generate import expand, generate
from chatloop.loop.data.parts import near_duplicate_key, part_of
from chatloop.loop.data.rows import Part, to_csv
from chatloop.loop.data.seed import Seed, _seed, load_seeds
from chatloop.turn.guard.pii import find_kinds


@pytest.fixture(scope="module")
def rows():
    return generate(load_seeds(), 7)


def small(phrasings=("cancel my plan", "end it now"), templates=(), intent="cancel_plan") -> Seed:
    return Seed(intent, "", "", "", {"short": tuple(phrasings)}, tuple(templates))


def test_the_same_seed_gives_the_same_bytes(rows):
    assert to_csv(rows) == to_csv(generate(load_seeds(), 7))
    assert to_csv(rows) != to_csv(generate(load_seeds(), 8))


def test_no_two_parts_share_a_family(rows):
    parts: dict[str, set[str]] = {}
    for row in rows:
        parts.setdefault(row.family, set()).add(row.split)
    assert all(len(found) == 1 for found in parts.values())


def test_no_two_parts_hold_near_duplicates(rows):
    parts: dict[str, set[str]] = {}
    for row in rows:
        parts.setdefault(near_duplicate_key(row.text), set()).add(row.split)
    assert all(len(found) == 1 for found in parts.values())


def test_templates_are_only_in_fit(rows):
    expanded = [row for row in rows if row.source == "template"]
    assert expanded
    assert {row.split for row in expanded} == {Part.FIT}


def test_calibrate_and_test_hold_one_row_a_family_by_hand(rows):
    held = [row for row in rows if row.split != Part.FIT]
    assert len({row.family for row in held}) == len(held)
    assert all(row.source.startswith("seed:") for row in held)
    assert all(row.split == part_of(row.family, 7) for row in held)


def test_every_intent_and_out_of_scope_are_in_every_part(rows):
    intents = {row.intent for row in rows}
    assert OOS in intents
    for part in Part:
        assert {row.intent for row in rows if row.split == part} == intents


def test_the_demo_holds_no_personal_data(rows):
    assert not [row.text for row in rows if find_kinds(row.text)]


def test_each_text_is_there_once(rows):
    texts = [row.text for row in rows]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("template", "sentences"),
    [
        ("plain", ["plain"]),
        ("{a|b} c", ["a c", "b c"]),
        ("x {very |}y", ["x very y", "x y"]),
        ("{a|a} b", ["a b"]),
        ("{a|b}{c|d}", ["ac", "ad", "bc", "bd"]),
    ],
)
def test_a_template_gives_every_sentence_once(template, sentences):
    assert expand(template) == sentences


def test_an_expansion_that_repeats_a_written_row_is_left_out():
    made = generate([small(templates=["{please |}cancel my plan"])], 7)
    assert [row.source for row in made] == ["seed:short", "seed:short"]


def test_a_template_gives_a_few_expansions_only():
    made = generate([small(templates=["{a|b|c} {d|e|f} {g|h|i} stop"])], 7)
    assert sum(row.source == "template" for row in made) == 6


def test_a_near_duplicate_of_another_intent_is_taken_once():
    made = generate([small(), small(("please cancel the plan!",), intent="stop_it")], 7)
    assert [row.intent for row in made] == ["cancel_plan", "cancel_plan"]


def test_a_seed_of_another_form_is_refused():
    with pytest.raises(TypeError, match="phrasings and templates"):
        _seed({"intent": "x", "phrasings": ["no"]})


def test_every_seed_has_a_question_to_offer_it():
    assert all(s.question.endswith("?") for s in load_seeds() if s.intent != OOS)
