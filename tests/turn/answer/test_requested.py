"""What a caller gets who asks for one language model by name."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from chatloop.core.errors import BackendFault
from chatloop.core.types import Answer, Intent, LlmReason
from chatloop.turn.answer.base import Prompt
from chatloop.turn.answer.choose import LearnedChooser
from chatloop.turn.answer.generate import Models
from chatloop.turn.guard.pii import redact
from chatloop.turn.guard.stream import StreamGuard
from tests.scripted import ScriptedModel
from tests.turn.answer.test_ladder import message

INTENT = Intent("get_invoice", 0.4, in_scope=True)


def house(*models: ScriptedModel) -> Models:
    return Models(models, choose=LearnedChooser("test", dict))


async def answer(models: Models, wanted: str | None) -> Answer:
    asked, window = replace(message(), llm_model=wanted), partial(StreamGuard, redact)
    pieces = models.stream(asked, INTENT, lambda *_: Prompt((), 10), window)
    *_, last = [piece async for piece in pieces]
    assert isinstance(last, Answer)
    return last


@pytest.mark.parametrize("wanted", ["a", "b"])
async def test_the_model_asked_for_answers_and_nothing_is_degraded(wanted):
    found = await answer(house(*(ScriptedModel("yes", name=n) for n in "ab")), wanted)
    assert (found.chosen_model, found.degraded) == (f"llm/{wanted}", False)
    assert found.llm is not None
    assert (found.llm.reason, found.llm.pscore) == (LlmReason.REQUESTED, None)


async def test_when_it_is_away_another_answers_and_the_reply_says_so():
    here, away = ScriptedModel("yes", name="a"), ScriptedModel(name="b")
    away.down = BackendFault.BREAKER_OPEN
    found = await answer(house(here, away), "b")
    assert (found.chosen_model, found.degraded) == ("llm/a", True)
    assert found.degraded_reason == BackendFault.BREAKER_OPEN
    assert found.llm is not None
    assert (found.llm.reason, found.llm.odds) == (LlmReason.ONLY, {"a": 1.0})


async def test_one_that_is_away_and_not_asked_for_degrades_nothing():
    here, away = ScriptedModel("yes", name="a"), ScriptedModel(name="b")
    away.down = BackendFault.BREAKER_OPEN
    assert not (await answer(house(here, away), None)).degraded


@pytest.mark.parametrize(
    ("name", "found"),
    [("llama:latest", True), ("llama", True), ("LLM/Llama", True), ("llam", False), ("", False)],
)
def test_a_model_is_found_by_the_names_that_people_use(name, found):
    assert (house(ScriptedModel(name="llama:latest")).named(name) is not None) is found
