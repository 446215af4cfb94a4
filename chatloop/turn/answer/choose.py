"""Chooses the language model of a message, with the exact chance that each of them had.

The score of a model is what customers thought of its answers (the mean of a Beta posterior) plus
a bonus for its strengths; chances follow from scores by formula, never by sampling a posterior,
so that `pscore` is exact. It learns nothing here: the votes come from outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chatloop.core.ids import bucket
from chatloop.core.types import OOS, Intent, LlmChoice, LlmReason, Message
from chatloop.turn.answer.base import LanguageModel

FLOOR = 0.05
"""Least chance of a model (an equal share when there are more than 20 of them)."""
TEMPERATURE = 0.1
"""A lead of this much in score makes a model e times as likely. Half of it wins a little more
traffic in the end and starts worse: `python -m bench`, lines "better LLM's share"."""
STRENGTH_BONUS = 0.1
GROUP_PRIOR_VOTES = 20
"""How many votes the mean over all groups counts for in the mean of one group."""
SHORT, LONG = "short", "long"
LONG_QUERY_CHARS = 120
"""From this length a question is `long`."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Votes on the answers of one model."""

    up: int = 0
    down: int = 0

    @property
    def mean(self) -> float:
        """Mean of Beta(1 + up, 1 + down): 0.5 before the first vote."""
        return (1 + self.up) / (2 + self.up + self.down)


@dataclass(frozen=True, slots=True)
class ModelVotes:
    """The votes on one model: all of them, and by group of intents."""

    total: Tally = field(default_factory=Tally)
    groups: Mapping[str, Tally] = field(default_factory=dict)

    def mean(self, group: str) -> float:
        """Return the posterior mean for `group`, drawn to the mean over all groups."""
        found = self.groups.get(group, Tally())
        prior = GROUP_PRIOR_VOTES * self.total.mean
        return (prior + found.up) / (GROUP_PRIOR_VOTES + found.up + found.down)


Votes = Callable[[], Mapping[str, ModelVotes]]
"""Tells the votes on each model, by name, as they are known now."""


def group_of(label: str | None, groups: Mapping[str, str], *, in_scope: bool) -> str:
    """Return the group of an intent: the intent itself when it has none, `oos` out of scope."""
    if label is None or not in_scope:
        return OOS
    return groups.get(label) or label


def chances(scores: Mapping[str, float]) -> dict[str, float]:
    """Return the chance of each name, by softmax over scores: at least FLOOR each, sum 1."""
    best = max(scores.values())
    weights = {name: math.exp((score - best) / TEMPERATURE) for name, score in scores.items()}
    floor = min(FLOOR, 1 / len(scores))
    shared, total = 1 - floor * len(scores), math.fsum(weights.values())
    return {name: floor + shared * weight / total for name, weight in weights.items()}


@dataclass(frozen=True, slots=True)
class LearnedChooser:
    """Draws a model by turn. `strengths` of a model: `short`, `long`, groups, intents."""

    experiment: str
    votes: Votes
    groups: Mapping[str, str] = field(default_factory=dict)
    strengths: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __call__(
        self, message: Message, intent: Intent, models: Sequence[LanguageModel]
    ) -> LlmChoice:
        """Return the choice among `models` (at least one)."""
        return self.among([model.name for model in models], message, intent)

    def among(self, names: Sequence[str], message: Message, intent: Intent) -> LlmChoice:
        """Return the choice among models of these names; a request for one of them wins."""
        odds = chances(self._scores(names, message, intent))
        if message.llm_model in odds:
            return LlmChoice(message.llm_model, LlmReason.REQUESTED, None, odds)
        if len(odds) == 1:
            return LlmChoice(next(iter(odds)), LlmReason.ONLY, 1.0, odds)
        name = _drawn(odds, bucket(self.experiment, "llm", message.turn_id))
        return LlmChoice(name, LlmReason.DRAWN, odds[name], odds)

    def _scores(self, names: Sequence[str], message: Message, intent: Intent) -> dict[str, float]:
        group = group_of(intent.label, self.groups, in_scope=intent.in_scope)
        length = LONG if len(message.text) >= LONG_QUERY_CHARS else SHORT
        wanted = {length, group, intent.label if intent.in_scope else None}
        votes = self.votes()
        return {
            name: votes.get(name, ModelVotes()).mean(group)
            + STRENGTH_BONUS * len(wanted & self.strengths.get(name, frozenset()))
            for name in names
        }


def _drawn(odds: Mapping[str, float], point: float) -> str:
    """Return the name whose stretch of [0, 1) holds `point`, in the order of `odds`."""
    reached = 0.0
    for name, chance in odds.items():
        reached += chance
        if point < reached:
            return name
    return name  # the sum may fall short of 1 by a rounding
