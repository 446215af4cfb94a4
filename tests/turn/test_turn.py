from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import FrozenInstanceError, replace

import pytest

from chatloop.core.errors import BackendFault
from chatloop.core.ids import Pseudonyms, TurnIds
from chatloop.core.release import Release
from chatloop.core.types import Exchange, Incoming, Mode
from chatloop.turn.turn import Outcome, Turn
from tests.fakes import (
    MESSAGES,
    NO_ANSWER,
    OUTSIDE,
    SECRET,
    SURE,
    UNKNOWN,
    UNSURE,
    ListSink,
    tiny_turn,
)
from tests.scripted import ScriptedModel

PERSONAL = "how do i reset my password for ann@example.com or 202-555-0143 or 4111 1111 1111 1111"
SAFE = "how do i reset my password for [EMAIL_1] or [PHONE_1] or [CARD_1]"
SECRETS = ("ann@example.com", "202-555-0143", "4111 1111 1111 1111")


def incoming(prompt: str = SURE, **fields) -> Incoming:
    return Incoming(prompt=prompt, **fields)


def broken(*_args, **_kwargs):
    raise RuntimeError("broken on purpose")


async def drain(turn: Turn, message: Incoming) -> list[str | Outcome]:
    return [piece async for piece in turn.stream(message)]


# The way of a message


async def test_a_sure_message_gets_the_approved_words_and_one_record(release: Release):
    sink = ListSink()
    turn = tiny_turn(release, sink=sink)
    outcome = await turn.take(incoming(user_id="ann", session_id="s", request_id="r1"))
    assert outcome.text == "Open the sign-in page and choose Forgot password."
    (line,) = sink.records
    assert line == json.loads(json.dumps(line)) | {
        "model_version": release.version,
        "request_id": "r1",
        "prompt": SURE,
        "prompt_chars": len(SURE),
        "answer": outcome.text,
        "intent": "reset_password",
        "in_scope": True,
        "arm": "local",
        "step": "approved",
        "reason": "sure",
        "pscore": 1.0,
        "threshold": 0.6,
        "certified": False,
        "answered_by": "approved",
        "chosen_model": "local",
        "degraded": False,
        "status": "ok",
        "error": None,
        "anomaly": False,
    }
    assert line["user"] == Pseudonyms(SECRET).of("user", "ann")
    assert TurnIds(SECRET).valid(line["turn_id"])
    assert list(line["stage_ms"]) == ["receive", "guard", "classify", "route", "answer"]
    assert line["latency_ms"] >= max(line["stage_ms"].values())
    assert outcome.record.turn_id == line["turn_id"]


async def test_take_gives_what_stream_ends_with(release: Release):
    pieces = await drain(tiny_turn(release), incoming())
    assert "".join(pieces[:-1]) == pieces[-1].text
    assert isinstance(pieces[-1], Outcome)


async def test_a_turn_is_immutable(release: Release):
    with pytest.raises(FrozenInstanceError):
        tiny_turn(release).version = "other"


async def test_an_empty_message_is_asked_for_again(release: Release):
    model = ScriptedModel()
    outcome = await tiny_turn(release, model=model).take(incoming(" \u2028 "))
    assert outcome.text == MESSAGES["empty_message"]
    assert outcome.record.answered_by == "refusal"
    assert not model.prompts


async def test_an_anomaly_is_flagged_and_still_answered(release: Release):
    outcome = await tiny_turn(release).take(incoming("☂ {{☂}}"))
    assert outcome.record.anomaly
    assert outcome.record.anomaly_reason == ("low_confidence", "suspicious_tokens")
    assert outcome.record.status == "ok"
    assert outcome.text


async def test_clearly_out_of_scope_is_no_low_confidence(release: Release):
    record = (await tiny_turn(release).take(incoming(OUTSIDE))).record
    assert record.confidence < 0.35
    assert not record.anomaly


# Only guarded text


async def test_only_redacted_text_reaches_classifier_model_and_record(release: Release):
    seen: list[str] = []
    model, sink = ScriptedModel("I wrote to ann@example.com for you."), ListSink()
    turn = tiny_turn(release, model=model, sink=sink)
    scorer = turn.classify

    def spy(text: str):
        seen.append(text)
        return scorer(text)

    history = (Exchange("user", f"I am {SECRETS[0]}"), Exchange("assistant", f"Call {SECRETS[1]}"))
    message = incoming(PERSONAL, mode=Mode.LLM, history=history)
    pieces = await drain(replace(turn, classify=spy), message)
    assert seen == [SAFE]
    everything = model.asked + sink.lines[0].decode() + "".join(map(str, pieces))
    assert not any(secret in everything for secret in SECRETS)
    assert SAFE in model.asked
    assert "I am [EMAIL_1]" in model.asked
    assert "Call [PHONE_1]" in model.asked
    (line,) = sink.records
    assert line["prompt"] == SAFE
    assert line["pii_prompt"] == ["email", "phone", "card"]
    assert line["answer"] == "I wrote to [EMAIL_1] for you." == pieces[-1].text
    assert line["pii_answer"] == []


async def test_user_text_never_reaches_the_operator_log(release: Release, caplog):
    with caplog.at_level(logging.DEBUG, logger="chatloop"):
        turn = tiny_turn(release, model=ScriptedModel(BackendFault.TIMEOUT))
        await turn.take(incoming(f"{UNSURE} {PERSONAL}"))
        with suppress(RuntimeError):
            await replace(turn, classify=broken).take(incoming(PERSONAL))
    assert "failed" in caplog.text
    assert "password" not in caplog.text


# What the record says of the language model


async def test_no_language_model_by_choice_is_not_degraded(release: Release):
    for text in (SURE, UNSURE, OUTSIDE, NO_ANSWER, UNKNOWN):
        record = (await tiny_turn(release, model=None).take(incoming(text))).record
        assert (record.degraded, record.degraded_reason) == (False, None)
        assert record.chosen_model == "local"


async def test_a_language_model_that_is_away_is_degraded_with_the_reason(release: Release):
    sink = ListSink()
    model = ScriptedModel()
    model.down = BackendFault.BREAKER_OPEN
    outcome = await tiny_turn(release, model=model, sink=sink).take(incoming(UNSURE))
    (line,) = sink.records
    assert (line["degraded"], line["degraded_reason"]) == (True, "llm_breaker_open")
    assert line["chosen_model"] == "fallback"
    assert line["step"] == "generate"
    assert outcome.record.suggestions


async def test_the_pscore_and_the_share_in_force_are_on_the_record(release: Release):
    turn = tiny_turn(release, model=ScriptedModel(*["hi"] * 50), ab_prob=0.4, explore=0.5)
    for unit in range(20):
        record = (await turn.take(incoming(user_id=f"u{unit}"))).record
        assert (record.ab_prob, record.explore) == (0.4, 0.5)
        assert record.pscore == (0.3 if record.step == "approved" else 0.7)


async def test_usage_and_sources_of_a_generated_answer_are_on_the_record(release: Release):
    sink = ListSink()
    turn = tiny_turn(release, sink=sink, model=ScriptedModel("See the billing page."))
    await turn.take(incoming("invoice pdf settings", mode=Mode.LLM))
    (line,) = sink.records
    assert line["usage"]["completion_tokens"] == 5
    assert line["sources"][0]["page"] == "billing"
    assert line["chosen_model"] == "llm/scripted"
