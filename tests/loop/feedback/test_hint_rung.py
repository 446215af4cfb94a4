from __future__ import annotations

import msgspec
import pytest

from chatloop.loop.feedback.hint_rung import (
    KEPT_MOVES,
    WINDOW_S,
    WINDOW_VOTES,
    HintState,
    HintVote,
    MovedBy,
    count_hint_vote,
)
from chatloop.turn.answer.hints import HintLadder
from tests.fakes import NOW

LADDER = HintLadder(("concise", "detailed", "quote", "ask back"), 1)


def after(ratings, state=None, *, at=NOW, who="u") -> HintState:
    """`state` after one vote by somebody new for each of `ratings`, a second apart."""
    state = state or HintState(LADDER.start)
    for n, rating in enumerate(ratings):
        state = count_hint_vote(state, HintVote(f"{who}{at}-{n}", rating, at + n), LADDER)
    return state


@pytest.mark.parametrize(
    ("start", "ratings", "rung"),
    [
        (1, [-1] * 4, 1),
        (1, [-1] * 5, 2),
        (1, [1, 1, -1, -1, -1], 2),
        (1, [1, 1, 1, -1, -1], 1),
        (1, [1, 1, 1, -1, -1, -1, -1], 1),
        (2, [1] * 9, 2),
        (2, [1] * 10, 1),
        (2, [-1, -1, *[1] * 8], 1),
        (2, [*[1] * 6, -1, -1, -1, 1, 1, 1], 2),
    ],
)
def test_the_rung_moves_with_enough_voters_and_a_clear_share(start, ratings, rung):
    assert after(ratings, HintState(start)).rung == rung


def test_one_person_has_one_vote_however_often_they_press():
    state = HintState(1)
    for n in range(30):
        state = count_hint_vote(state, HintVote("anna", -1, NOW + n), LADDER)
    assert (state.rung, state.down) == (1, 1)


def test_a_newer_vote_of_a_person_replaces_the_older():
    state = count_hint_vote(after([-1, -1]), HintVote("anna", -1, NOW), LADDER)
    state = count_hint_vote(state, HintVote("anna", 1, NOW), LADDER)
    assert (state.up, state.down) == (1, 2)


def test_votes_of_the_day_before_do_not_count():
    state = after([-1] * 4)
    late = count_hint_vote(state, HintVote("anna", -1, NOW + WINDOW_S + 100), LADDER)
    assert (late.rung, late.down) == (1, 1)


def test_it_never_leaves_the_ladder_nor_falls_below_the_start():
    state = after([-1] * 200)
    assert state.rung == LADDER.top == 3
    assert after([1] * 500, state, at=NOW + 1000).rung == LADDER.start


def test_a_move_opens_a_new_window_and_says_what_brought_it_about():
    state = after([1, -1, -1, -1, -1])
    (move,) = state.moves
    assert (move.before, move.after, move.up, move.down) == (1, 2, 1, 4)
    assert (move.by, move.at, state.version) == (MovedBy.VOTES, NOW + 4, 1)
    assert state.votes == ()


def test_the_state_is_bounded_and_the_version_counts_every_move():
    state = HintState(1)
    for n in range(30):
        rating = -1 if n % 2 == 0 else 1
        state = after([rating] * 12, state, at=NOW + 2 * WINDOW_S * n)
    assert len(state.moves) == KEPT_MOVES < state.version
    mixed = after([1, -1, 1] * 40, at=NOW + 1e6)
    assert len(mixed.votes) == WINDOW_VOTES
    assert msgspec.json.decode(msgspec.json.encode(mixed), type=HintState) == mixed
