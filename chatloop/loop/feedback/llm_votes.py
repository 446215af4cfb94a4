"""What is learned about each language model: the last votes on its answers.

One vote a person, model and group of intents, the newest; the last 400 of a release, whichever
models they are on, so that a bad streak is forgotten after 400 votes even when its model is
hardly asked any more. Failures of a model are no votes: its breaker looks after those.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from msgspec import Meta

from chatloop.turn.answer.choose import ModelVotes, Tally

WINDOW_VOTES = 400
_Name = Annotated[str, Meta(max_length=200)]


@dataclass(frozen=True, slots=True)
class LlmVote:
    """One person's newest rating of a model's answer to questions of one group."""

    voter: Annotated[str, Meta(max_length=64)]
    model: _Name
    group: _Name
    rating: Literal[1, -1]

    def replaces(self, other: LlmVote) -> bool:
        """Whether `other` is the same person's word on the same thing."""
        return (self.voter, self.model, self.group) == (other.voter, other.model, other.group)


@dataclass(frozen=True, slots=True)
class LlmState:
    """The votes in force, oldest first."""

    votes: Annotated[tuple[LlmVote, ...], Meta(max_length=WINDOW_VOTES)] = ()


def count_llm_vote(state: LlmState, vote: LlmVote) -> LlmState:
    """Take one vote in; an earlier one that it replaces goes, and the oldest beyond the window."""
    others = (v for v in state.votes if not vote.replaces(v))
    return replace(state, votes=(*others, vote)[-WINDOW_VOTES:])


def votes_by_model(state: LlmState) -> dict[str, ModelVotes]:
    """Return the votes on each model, summed, and by group."""
    counts = Counter((v.model, v.group, v.rating) for v in state.votes)
    groups: dict[str, dict[str, Tally]] = {}
    for model, group in sorted({(m, g) for m, g, _ in counts}):
        tally = Tally(counts[model, group, 1], counts[model, group, -1])
        groups.setdefault(model, {})[group] = tally
    return {model: ModelVotes(_sum(found), found) for model, found in groups.items()}


def _sum(tallies: dict[str, Tally]) -> Tally:
    return Tally(sum(t.up for t in tallies.values()), sum(t.down for t in tallies.values()))
