from __future__ import annotations

import statistics

import pytest

from bench.learning import BETTER, BLOCK, GROUPS, WORSE, World
from chatloop.loop.feedback.llm_votes import (
    WINDOW_VOTES,
    LlmState,
    LlmVote,
    count_llm_vote,
    votes_by_model,
)
from chatloop.turn.answer.choose import FLOOR, Tally


def counted(*votes: LlmVote) -> LlmState:
    state = LlmState()
    for vote in votes:
        state = count_llm_vote(state, vote)
    return state


def test_votes_are_summed_by_model_and_by_group():
    found = votes_by_model(
        counted(
            LlmVote("u1", "a", "billing", 1),
            LlmVote("u2", "a", "billing", -1),
            LlmVote("u3", "a", "team", 1),
            LlmVote("u3", "b", "team", -1),
        )
    )
    assert found["a"].total == Tally(2, 1)
    assert found["a"].groups == {"billing": Tally(1, 1), "team": Tally(1, 0)}
    assert found["b"].total == Tally(0, 1)


def test_one_person_has_one_vote_on_a_model_and_group_the_newest():
    state = counted(*[LlmVote("anna", "a", "billing", -1)] * 30, LlmVote("anna", "a", "billing", 1))
    assert votes_by_model(state)["a"].total == Tally(1, 0)


def test_only_the_last_votes_are_kept_whichever_model_they_are_on():
    old = [LlmVote(str(n), "a", "g", -1) for n in range(50)]
    new = [LlmVote(str(n), "b", "g", 1) for n in range(WINDOW_VOTES)]
    assert set(votes_by_model(counted(*old, *new))) == {"b"}


@pytest.fixture
def world(seed):
    return World(seed)


def share(world: World, since: int) -> float:
    return statistics.mean(world.chances[since : since + BLOCK])


def test_a_better_model_wins_most_of_the_traffic_within_300_votes(world):
    world.live(400)
    assert share(world, 300) > 0.65
    assert all(FLOOR <= chance <= 1 - FLOOR for chance in world.chances)


def test_a_model_recovers_from_a_bad_streak_of_50_thumbs_down(world):
    world.streak(50)
    world.live(50)
    assert share(world, 0) < 0.15
    world.live(WINDOW_VOTES + 300)
    assert share(world, WINDOW_VOTES + 200) > 0.65


def test_what_one_group_dislikes_weighs_less_elsewhere(world):
    for n in range(30):
        world.vote(BETTER, GROUPS[0], liked=False)
        world.vote(BETTER, GROUPS[1], liked=True)
        world.vote(WORSE, GROUPS[n % 2], liked=n % 4 < 2)
    better = votes_by_model(world.state)[BETTER]
    assert better.mean(GROUPS[0]) < better.mean(GROUPS[2]) < better.mean(GROUPS[1])
