from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

import pytest

from chatloop.core.types import Intent, LlmReason
from chatloop.turn.answer.choose import (
    FLOOR,
    LONG_QUERY_CHARS,
    LearnedChooser,
    ModelVotes,
    Tally,
    chances,
    group_of,
)
from tests.scripted import ScriptedModel
from tests.turn.answer.test_ladder import message

BILLING = Intent("get_invoice", 0.4, in_scope=True)
GROUPS = {"get_invoice": "billing", "reset_password": "account"}
NO_VOTES: dict[str, ModelVotes] = {}


def models(*names: str) -> list[ScriptedModel]:
    return [ScriptedModel(name=name) for name in names]


def chooser(votes=NO_VOTES, strengths=None) -> LearnedChooser:
    return LearnedChooser("test", lambda: votes, GROUPS, strengths or {})


def odds(votes=NO_VOTES, strengths=None, intent=BILLING, text="short", names=("a", "b")):
    return chooser(votes, strengths)(message(text), intent, models(*names)).odds


def total(up: int, down: int) -> ModelVotes:
    return ModelVotes(Tally(up, down))


def test_odds_are_never_under_the_floor_and_sum_to_one(seed):
    rng = random.Random(seed)
    for _ in range(500):
        scores = {str(n): rng.uniform(0, 1.3) for n in range(rng.randint(1, 19))}
        found = chances(scores)
        assert math.isclose(math.fsum(found.values()), 1.0, abs_tol=1e-12)
        assert min(found.values()) >= FLOOR - 1e-12
        assert max(found, key=found.get) == max(scores, key=scores.get)


def test_more_models_than_the_floor_has_room_for_share_equally():
    found = chances({str(n): n / 30 for n in range(30)})
    assert all(math.isclose(chance, 1 / 30) for chance in found.values())


def test_without_votes_and_strengths_all_have_the_same_chance():
    assert odds(names=("a", "b", "c", "d")) == pytest.approx(dict.fromkeys("abcd", 0.25))


def test_votes_make_a_model_likelier_and_never_certain():
    found = odds({"a": total(800, 200), "b": total(200, 800)})
    assert 0.9 < found["a"] <= 1 - FLOOR


def test_a_groups_votes_count_there_and_are_drawn_to_the_mean_of_all():
    votes = ModelVotes(Tally(50, 50), {"billing": Tally(0, 20)})
    assert votes.mean("account") == votes.total.mean == pytest.approx(0.5)
    assert votes.mean("billing") == pytest.approx(0.25)
    other = {"a": votes, "b": total(50, 50)}
    assert odds(other)["a"] < 0.2
    assert odds(other, intent=Intent("reset_password", 0.4, in_scope=True))["a"] == 0.5


@pytest.mark.parametrize(
    ("strength", "text", "intent", "helps"),
    [
        ("short", "short", BILLING, True),
        ("long", "short", BILLING, False),
        ("long", "x" * LONG_QUERY_CHARS, BILLING, True),
        ("billing", "short", BILLING, True),
        ("get_invoice", "short", BILLING, True),
        ("account", "short", BILLING, False),
        ("get_invoice", "short", Intent("get_invoice", 0.4, in_scope=False), False),
        ("oos", "short", Intent("get_invoice", 0.4, in_scope=False), True),
        ("oos", "short", Intent(None, 0.0, in_scope=False), True),
    ],
)
def test_a_strength_helps_where_length_group_or_intent_fit(strength, text, intent, helps):
    found = odds(strengths={"a": frozenset({strength})}, text=text, intent=intent)
    assert found["a"] > 0.7 if helps else found["a"] == 0.5


def test_an_intent_without_a_group_is_a_group_of_its_own():
    assert group_of("water_plants", {"water_plants": ""}, in_scope=True) == "water_plants"
    assert group_of("get_invoice", GROUPS, in_scope=True) == "billing"
    assert group_of("get_invoice", GROUPS, in_scope=False) == "oos"


def test_a_request_for_a_model_that_can_answer_wins_and_has_no_pscore():
    asked = replace(message(), llm_model="b")
    choice = chooser({"a": total(99, 1)})(asked, BILLING, models("a", "b"))
    assert (choice.model, choice.reason, choice.pscore) == ("b", LlmReason.REQUESTED, None)
    assert set(choice.odds) == {"a", "b"}


def test_a_requested_model_that_cannot_answer_leaves_the_draw_to_the_others():
    asked = replace(message(), llm_model="away")
    choice = chooser()(asked, BILLING, models("a", "b"))
    assert choice.reason is LlmReason.DRAWN
    assert choice.pscore == choice.odds[choice.model]


def test_the_only_model_is_certain():
    choice = chooser()(message(), BILLING, models("a"))
    assert (choice.model, choice.reason, choice.pscore) == ("a", LlmReason.ONLY, 1.0)
    assert choice.odds == {"a": 1.0}


def test_the_same_turn_is_drawn_the_same_way_again():
    choose = chooser()
    turns = [replace(message(), turn_id=str(n)) for n in range(50)]
    picked = [choose(turn, BILLING, models("a", "b")).model for turn in turns]
    assert picked == [choose(turn, BILLING, models("a", "b")).model for turn in turns]
    assert set(picked) == {"a", "b"}


def test_the_logged_pscore_is_the_frequency_of_the_choice(seed):
    """By name of the model: 99 % interval of the count over 20,000 turns."""
    choose = chooser({"a": total(70, 30), "b": total(60, 40), "c": total(2, 30)})
    turns = 20_000
    choices = [
        choose(replace(message(), turn_id=f"{seed}-{n}"), BILLING, models("a", "b", "c"))
        for n in range(turns)
    ]
    counts = Counter(choice.model for choice in choices)
    chance = {choice.model: choice.pscore for choice in choices}
    for name, pscore in chance.items():
        spread = 2.576 * math.sqrt(pscore * (1 - pscore) / turns)
        assert abs(counts[name] / turns - pscore) < spread, (name, pscore, counts)
