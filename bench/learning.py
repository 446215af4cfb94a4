"""Does the choice among language models learn? A simulation with known truth, no model involved.

Everybody votes once, on one answer, and likes it with the chance that its model deserves. The
chooser and the rule for votes are the real ones; only the store is left out.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from chatloop.core.types import Intent, LlmChoice, Message, Mode
from chatloop.loop.feedback.llm_votes import LlmState, LlmVote, count_llm_vote, votes_by_model
from chatloop.turn.answer.choose import LearnedChooser

BETTER, WORSE = "better", "worse"
QUALITY = {BETTER: 0.8, WORSE: 0.6}
GROUPS = ("billing", "account", "team")
RUNS, VOTES, STREAK, BLOCK = 20, 1000, 50, 100


@dataclass
class World:
    """Customers who vote. `chances` are those of the better model, vote by vote."""

    seed: int
    state: LlmState = field(default_factory=LlmState)
    chances: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw from one generator a world."""
        self._random = random.Random(self.seed)

    def live(self, votes: int) -> None:
        """Let so many customers ask and vote."""
        for _ in range(votes):
            choice, group = self.ask()
            liked = self._random.random() < QUALITY[choice.model]
            self.vote(choice.model, group, liked=liked)

    def ask(self) -> tuple[LlmChoice, str]:
        """Draw a model for one message, by a turn id of its own."""
        group = self._random.choice(GROUPS)
        votes = votes_by_model(self.state)
        chooser = LearnedChooser("bench", lambda: votes)
        turn_id = f"{self.seed}-{self._random.random()}"
        choice = chooser.among(tuple(QUALITY), _message(turn_id), Intent(group, 0.4, True))
        self.chances.append(choice.odds[BETTER])
        return choice, group

    def vote(self, model: str, group: str, *, liked: bool) -> None:
        """Take in the vote of somebody new."""
        voter = str(self._random.random())
        vote = LlmVote(voter, model, group, 1 if liked else -1)
        self.state = count_llm_vote(self.state, vote)

    def streak(self, votes: int) -> None:
        """Let so many people in a row dislike the better model, all about one group."""
        for _ in range(votes):
            self.vote(BETTER, GROUPS[0], liked=False)


def rows() -> Iterator[tuple[str, str]]:
    """Yield (figure, value): the better model's share by formula, median over the runs."""
    worlds = [World(seed) for seed in range(RUNS)]
    for world in worlds:
        world.live(VOTES)
    for since in (0, BLOCK, VOTES - BLOCK):
        yield f"better LLM's share, votes {since} to {since + BLOCK}", _share(worlds, since)
    for world in worlds:
        world.streak(STREAK)
        world.live(VOTES)
    for since in (0, BLOCK, 4 * BLOCK, VOTES - BLOCK):
        name = f"  after {STREAK} thumbs down, votes {since} to {since + BLOCK}"
        yield name, _share(worlds, VOTES + since)


def _share(worlds: list[World], since: int) -> str:
    shares = [statistics.mean(world.chances[since : since + BLOCK]) for world in worlds]
    return f"{100 * statistics.median(shares):.1f} % (least {100 * min(shares):.1f})"


def _message(turn_id: str) -> Message:
    return Message(
        turn_id=turn_id,
        text="and for annual plans?",
        mode=Mode.LLM,
        ab_prob=0.0,
        llm_model=None,
        user=None,
        session=None,
        history=(),
        request_id="",
    )
