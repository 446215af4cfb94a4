"""Learned state: what ratings taught about the hint and the language models of one release.

It lies in the store by release, so a promotion starts afresh and a rollback finds its own again.
What cannot be read counts as nothing learned: it can never stop the service.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from chatloop.core.feedback import Feedback
from chatloop.core.release import open_release
from chatloop.core.telemetry import TurnRecord
from chatloop.loop.feedback.hint_rung import (
    HintState,
    HintVote,
    MovedBy,
    count_hint_vote,
    moved,
)
from chatloop.loop.feedback.llm_votes import LlmState, LlmVote, count_llm_vote
from chatloop.turn.answer.choose import group_of
from chatloop.turn.answer.content import Content, load_content
from chatloop.turn.answer.hints import HintLadder

if TYPE_CHECKING:
    from chatloop.loop.store import Store

_LLM = "llm/"
_KEPT_RELEASES = 4
T = TypeVar("T", HintState, LlmState)


class Kind(StrEnum):
    """What is learned."""

    HINT = "hint"
    LLM = "llm"


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned under one release; None = nothing, or `damaged`."""

    hint: HintState | None = None
    llm: LlmState | None = None
    damaged: tuple[Kind, ...] = ()

    @property
    def problem(self) -> str | None:
        """What is damaged, and what to type next; None when all could be read."""
        if not self.damaged:
            return None
        commands = " and ".join(f"`python -m chatloop learned reset {k}`" for k in self.damaged)
        return f"damaged, so the release's start is in force; {commands} mends it"


def read_learned(store: Store, release: str) -> Learned:
    """Return what was learned under `release`; raises StoreError when the store is away."""
    payloads = store.learned(release)
    hint = _decoded(payloads.get(Kind.HINT), HintState)
    llm = _decoded(payloads.get(Kind.LLM), LlmState)
    read = {Kind.HINT: hint, Kind.LLM: llm}
    return Learned(hint, llm, tuple(k for k, v in read.items() if k in payloads and v is None))


def _decoded(payload: str | None, type_: type[T]) -> T | None:
    """Return a state that was read and found in bounds; None when there is none or it is bad."""
    try:
        return None if payload is None else msgspec.json.decode(payload, type=type_)
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return None


@lru_cache(_KEPT_RELEASES)
def content_of(models_dir: Path, release: str) -> Content:
    """Read the texts of a release; raises ReleaseError. The last few stay in memory."""
    return load_content(open_release(models_dir, release))


@dataclass(frozen=True, slots=True)
class Learner:
    """Turns ratings into learned state. Blocking (disk and store): call it in a thread.

    `content` gives the texts of a release: its hints, and the groups of its intents.
    """

    store: Store
    content: Callable[[str], Content]
    clock: Callable[[], float] = time.time

    def learn(self, feedback: Feedback, record: TurnRecord) -> None:
        """Count the rating of one turn. Raises StoreError or ReleaseError.

        Only whole, undegraded answers of a language model count, and only from somebody who can
        be told apart: a user, else the session of the turn.
        """
        voter = feedback.user or record.user or record.session
        model = (record.chosen_model or "").removeprefix(_LLM)
        whole = record.status == "ok" and not (record.degraded or record.interrupted)
        if not voter or not whole or f"{_LLM}{model}" != record.chosen_model:
            return
        content = self.content(record.model_version)
        rating: Literal[1, -1] = -1 if feedback.rating == -1 else 1
        group = group_of(record.intent, content.groups, in_scope=record.in_scope)
        self._learn_llm(record.model_version, LlmVote(voter, model, group, rating))
        hint_vote = HintVote(voter, rating, self.clock())
        self._learn_hint(record, hint_vote, content.hints)

    def _learn_llm(self, release: str, vote: LlmVote) -> None:
        def change(payload: str | None) -> str:
            return _encoded(count_llm_vote(_decoded(payload, LlmState) or LlmState(), vote))

        self.store.change_learned(release, Kind.LLM, change)

    def _learn_hint(self, record: TurnRecord, vote: HintVote, ladder: HintLadder) -> None:
        def change(payload: str | None) -> str:
            state = _decoded(payload, HintState) or HintState(ladder.start)
            # Words that were made on another rung say nothing about the present one.
            same = record.hint_rung == ladder.at(state.rung).rung
            return _encoded(count_hint_vote(state, vote, ladder) if same else state)

        if ladder.rungs:
            self.store.change_learned(record.model_version, Kind.HINT, change)

    def reset(self, release: str, kind: Kind) -> None:
        """Go back to where the release begins; the move of the rung is kept in its history."""
        start = self.content(release).hints.start

        def hint(payload: str | None) -> str:
            state = _decoded(payload, HintState) or HintState(start)
            return _encoded(moved(state, start, self.clock(), MovedBy.RESET))

        def llm(_payload: str | None) -> str:
            return _encoded(LlmState())

        self.store.change_learned(release, kind, hint if kind is Kind.HINT else llm)


def _encoded(state: HintState | LlmState) -> str:
    return msgspec.json.encode(state).decode()
