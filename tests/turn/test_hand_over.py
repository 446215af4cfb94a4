"""No dead ends: who gets a person and why, what is offered instead, and what the record keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatloop.core.errors import BackendFault
from chatloop.core.release import Release
from chatloop.core.types import PERSON, Exchange, Incoming, Mode
from chatloop.turn.turn import Turn
from tests.fakes import (
    MESSAGES,
    NO_ANSWER,
    OUTSIDE,
    SURE,
    UNKNOWN,
    UNSURE,
    ListSink,
    tiny_turn,
)
from tests.scripted import ScriptedModel

DOUBTFUL = (UNSURE, OUTSIDE, NO_ANSWER, UNKNOWN)


def handing_over(turn: Turn, **by_intent: str) -> Turn:
    """The same turn with `hand_over` set on entries of its answers."""
    content = turn.ladder.content
    approved = {
        intent: replace(entry, hand_over=by_intent.get(intent))
        for intent, entry in content.approved.items()
    }
    return replace(turn, ladder=replace(turn.ladder, content=replace(content, approved=approved)))


async def take(turn: Turn, prompt: str, **fields):
    return await turn.take(Incoming(prompt=prompt, **fields))


@pytest.mark.parametrize("prompt", DOUBTFUL)
@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.LOCAL])
async def test_every_unsure_reply_without_a_language_model_offers_a_person(
    release: Release, prompt, mode
):
    record = (await take(tiny_turn(release), prompt, mode=mode)).record
    assert record.suggestions[-1].intent == PERSON
    assert len(record.suggestions) <= 4
    assert record.hand_over is None


@pytest.mark.parametrize("prompt", DOUBTFUL)
@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.LLM])
@pytest.mark.parametrize("fault", list(BackendFault))
async def test_every_unsure_reply_that_stands_in_for_a_model_offers_a_person(
    release: Release, prompt, mode, fault
):
    model = ScriptedModel(fault)
    record = (await take(tiny_turn(release, model=model), prompt, mode=mode)).record
    assert record.degraded
    if record.answered_by != "approved":
        assert record.suggestions[-1].intent == PERSON


async def test_a_refusal_and_an_empty_message_offer_a_person(release: Release):
    def broken(_text):
        raise RuntimeError("broken on purpose")

    for turn, prompt in ((tiny_turn(release), " "), (tiny_turn(release, guard=broken), SURE)):
        record = (await take(turn, prompt)).record
        assert record.answered_by == "refusal"
        assert [s.intent for s in record.suggestions] == [PERSON]


@pytest.mark.parametrize("prompt", [SURE, UNSURE, OUTSIDE, UNKNOWN])
@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.LOCAL])
async def test_tapping_a_person_hands_over_whatever_the_text_and_the_intents(
    release: Release, prompt, mode
):
    sink = ListSink()
    turn = tiny_turn(release, model=ScriptedModel(), sink=sink, ab_prob=1.0)
    outcome = await take(turn, prompt, mode=mode, suggested_intent=PERSON)
    assert outcome.text == MESSAGES["hand_over_asked"]
    (line,) = sink.records
    assert (line["step"], line["reason"]) == ("hand_over", "asked_for_person")
    assert (line["answered_by"], line["hand_over"]) == ("hand_over", "asked_for_person")
    assert (line["suggested_intent"], line["arm"], line["pscore"]) == (PERSON, "forced", None)


async def test_a_sure_intent_whose_answer_says_so_is_handed_over_with_its_own_words(
    release: Release,
):
    for word, reason in (("asked", "asked_for_person"), ("policy", "policy")):
        turn = handing_over(tiny_turn(release), reset_password=word)
        outcome = await take(turn, SURE)
        assert outcome.record.hand_over == outcome.record.reason == reason
        assert outcome.text == "Open the sign-in page and choose Forgot password."
        assert outcome.record.answered_by == "hand_over"


async def test_an_intent_of_the_setting_is_handed_over_by_policy(release: Release):
    turn = tiny_turn(release, hand_over_intents=frozenset({"reset_password", "water_plants"}))
    for prompt in (SURE, NO_ANSWER):
        outcome = await take(turn, prompt)
        assert outcome.record.hand_over == "policy"
        assert outcome.text == MESSAGES["hand_over_policy"]
    assert (await take(turn, UNSURE)).record.hand_over is None


async def test_a_tapped_intent_that_a_person_takes_is_handed_over(release: Release):
    turn = handing_over(tiny_turn(release), refund_request="asked")
    outcome = await take(turn, UNSURE, suggested_intent="refund_request")
    assert (outcome.record.step, outcome.record.hand_over) == ("hand_over", "asked_for_person")
    assert outcome.text == "Ask for a refund within 14 days under Settings, Billing."


@pytest.mark.parametrize("prompt", DOUBTFUL)
async def test_the_third_doubt_in_a_row_is_handed_over(release: Release, prompt):
    turn = tiny_turn(release, model=ScriptedModel(), hand_over_after=2)
    outcome = await take(turn, prompt, failures=2)
    assert outcome.record.hand_over == "repeated_failure"
    assert outcome.text == MESSAGES["hand_over_repeated"]
    assert outcome.record.suggestions[-1].intent == PERSON


async def test_fewer_doubts_than_the_setting_hand_nobody_over(release: Release):
    turn = tiny_turn(release, hand_over_after=3)
    assert (await take(turn, UNSURE, failures=2)).record.hand_over is None
    assert (await take(turn, UNSURE, failures=3)).record.hand_over == "repeated_failure"
    assert (await take(turn, SURE, failures=9)).record.reason == "sure"


async def test_the_outcome_brings_the_guarded_lines_before_it(release: Release):
    history = (Exchange("user", "I am ann@example.com"), Exchange("assistant", "Hello"))
    outcome = await take(tiny_turn(release), SURE, history=history)
    assert outcome.history == (Exchange("user", "I am [EMAIL_1]"), Exchange("assistant", "Hello"))


async def test_a_guard_that_fails_leaves_no_lines(release: Release):
    def broken(_text):
        raise RuntimeError("broken on purpose")

    history = (Exchange("user", "I am ann@example.com"),)
    outcome = await take(tiny_turn(release, guard=broken), SURE, history=history)
    assert outcome.history == ()
