"""The rule that moves the learned rung of the hint ladder, one vote a person in a window.

Up one rung when at least 5 people voted and at least 60 % of them down; back down one rung, not
below the start, when at least 10 voted and at least 80 % up. The window holds the last 20 votes
since the last move, at most 24 hours old. It knows no store and no clock: votes bring their time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from chatloop.turn.answer.hints import HintLadder

WINDOW_VOTES = 20
WINDOW_S = 24 * 3600.0
KEPT_MOVES = 20
UP_VOTERS, UP_SHARE_DOWN = 5, 0.6
DOWN_VOTERS, DOWN_SHARE_UP = 10, 0.8
_MOST_RUNGS = 10

Rung = Annotated[int, Meta(ge=0, lt=_MOST_RUNGS)]
Count = Annotated[int, Meta(ge=0)]


class MovedBy(StrEnum):
    """What moved the rung."""

    VOTES = "votes"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class HintVote:
    """One person's newest rating of a reply that was made on the rung in force."""

    voter: Annotated[str, Meta(max_length=64)]
    rating: Literal[1, -1]
    at: float


@dataclass(frozen=True, slots=True)
class HintMove:
    """One move: when, from which rung to which, and the votes that brought it about."""

    at: float
    before: Rung
    after: Rung
    up: Count
    down: Count
    by: MovedBy


@dataclass(frozen=True, slots=True)
class HintState:
    """The learned rung; `version` counts its moves, `moves` are the last of them."""

    rung: Rung
    version: Count = 0
    votes: Annotated[tuple[HintVote, ...], Meta(max_length=WINDOW_VOTES)] = ()
    moves: Annotated[tuple[HintMove, ...], Meta(max_length=KEPT_MOVES)] = ()

    @property
    def up(self) -> int:
        """Votes up in the window."""
        return sum(vote.rating > 0 for vote in self.votes)

    @property
    def down(self) -> int:
        """Votes down in the window."""
        return len(self.votes) - self.up


def count_hint_vote(state: HintState, vote: HintVote, ladder: HintLadder) -> HintState:
    """Take one vote in, and move when the window says so; an earlier vote of its voter goes."""
    others = (v for v in state.votes if v.voter != vote.voter and vote.at - v.at <= WINDOW_S)
    state = replace(state, votes=(*others, vote)[-WINDOW_VOTES:])
    rung = _rung_after(state, ladder)
    return state if rung == state.rung else moved(state, rung, vote.at, MovedBy.VOTES)


def moved(state: HintState, rung: int, at: float, by: MovedBy) -> HintState:
    """Move to `rung` and open a new window."""
    move = HintMove(at, state.rung, rung, state.up, state.down, by)
    return HintState(rung, state.version + 1, (), (*state.moves, move)[-KEPT_MOVES:])


def _rung_after(state: HintState, ladder: HintLadder) -> int:
    voters = len(state.votes)
    if voters >= UP_VOTERS and state.down >= UP_SHARE_DOWN * voters:
        return min(state.rung + 1, ladder.top)
    if voters >= DOWN_VOTERS and state.up >= DOWN_SHARE_UP * voters:
        return max(state.rung - 1, ladder.start)
    return state.rung
