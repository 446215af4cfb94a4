"""Exactly one record a message, whatever fails and whoever leaves; only guarded text in it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import replace

import pytest

from chatloop.core.release import Release
from chatloop.core.types import Exchange, Incoming
from chatloop.turn.guard.pii import redact
from chatloop.turn.turn import GUARD_FAILED
from tests.fakes import MESSAGES, NO_ANSWER, OUTSIDE, SURE, UNKNOWN, UNSURE, ListSink, tiny_turn
from tests.scripted import Reply, ScriptedModel

PERSONAL = "how do i reset my password for ann@example.com or 202-555-0143 or 4111 1111 1111 1111"
SAFE = "how do i reset my password for [EMAIL_1] or [PHONE_1] or [CARD_1]"
SECRETS = ("ann@example.com", "202-555-0143", "4111 1111 1111 1111")


def incoming(prompt: str = SURE, **fields) -> Incoming:
    return Incoming(prompt=prompt, **fields)


def broken(*_args, **_kwargs):
    raise RuntimeError("broken on purpose")


class Broken:
    """Stands for a step: whatever is asked of it fails."""

    __call__ = check = staticmethod(broken)

    def __getattr__(self, _name):
        return broken()


STEPS = ["receive", "classify", "policy", "ladder", "anomalies"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_fails_leaves_exactly_one_record(release: Release, step):
    sink = ListSink()
    turn = replace(tiny_turn(release, sink=sink), **{step: Broken()})
    with pytest.raises(RuntimeError, match="on purpose"):
        await turn.take(incoming(PERSONAL))
    (line,) = sink.records
    assert (line["status"], line["error"]) == ("error", "RuntimeError")
    assert not any(secret in json.dumps(line) for secret in SECRETS)
    assert line["prompt"] == (None if step == "receive" else SAFE)


async def test_a_model_that_fails_in_an_unknown_way_leaves_exactly_one_record(release: Release):
    sink = ListSink()
    model = ScriptedModel(Reply(("one two three ",), ValueError("a bug")))
    with pytest.raises(ValueError, match="a bug"):
        await tiny_turn(release, model=model, sink=sink).take(incoming(UNSURE))
    (line,) = sink.records
    assert (line["status"], line["error"], line["answer"]) == ("error", "ValueError", None)


async def test_a_guard_that_fails_on_the_message_drops_the_text(release: Release):
    def picky(text: str):
        if text == PERSONAL:
            broken()
        return tiny_turn(release).guard(text)

    sink, model = ListSink(), ScriptedModel()
    turn = tiny_turn(release, sink=sink, guard=picky, model=model)
    outcome = await turn.take(incoming(PERSONAL))
    (line,) = sink.records
    assert line["prompt"] is None
    assert line["flags"] == [GUARD_FAILED]
    assert (line["status"], line["step"], line["reason"]) == ("ok", "refuse", "blocked")
    assert line["pscore"] is None
    assert "password" not in json.dumps(line["prompt"])
    assert outcome.text
    assert not model.prompts


async def test_a_guard_that_fails_on_the_history_drops_all_text(release: Release):
    def picky(text: str):
        if text == "earlier":
            broken()
        return tiny_turn(release).guard(text)

    sink, model = ListSink(), ScriptedModel()
    turn = tiny_turn(release, sink=sink, guard=picky, model=model)
    await turn.take(incoming(SURE, history=(Exchange("user", "earlier"),)))
    (line,) = sink.records
    assert (line["prompt"], line["flags"]) == (None, [GUARD_FAILED])
    assert not model.prompts


async def test_a_guard_that_always_fails_leaves_one_record_without_text(release: Release):
    sink = ListSink()
    with suppress(RuntimeError):
        await tiny_turn(release, sink=sink, guard=broken).take(incoming(PERSONAL))
    (line,) = sink.records
    assert line["prompt"] is None
    assert line["flags"] == [GUARD_FAILED]
    assert not any(secret in json.dumps(line) for secret in SECRETS)


async def test_a_guard_that_always_fails_still_gives_the_fixed_reply(release: Release):
    """G4: guard failure is closed for the LLM, a canned answer, no 500."""
    outcome = await tiny_turn(release, guard=broken).take(incoming(PERSONAL))
    assert outcome.text in MESSAGES.values()


async def test_an_approved_answer_is_judged_once_and_every_message_each_time(release: Release):
    seen: list[str] = []

    def counting(text: str):
        seen.append(text)
        return redact(text)

    sink = ListSink()
    turn = tiny_turn(release, sink=sink, guard=counting)
    answers = {(await turn.take(incoming(SURE))).text for _ in range(3)}
    assert [seen.count(SURE), *(seen.count(text) for text in answers)] == [3, 1]
    assert [line["answer"] for line in sink.records] == [*answers] * 3


async def test_a_guard_that_fails_does_not_blame_the_person(release: Release):
    def picky(text: str):
        if text == SURE:
            broken()
        return tiny_turn(release).guard(text)

    outcome = await tiny_turn(release, guard=picky).take(incoming(SURE))
    assert outcome.text == MESSAGES["refusal"]


async def test_a_client_that_leaves_mid_stream_leaves_exactly_one_record(release: Release):
    sink, model = ListSink(), ScriptedModel("one two three four five")
    stream = tiny_turn(release, sink=sink, model=model).stream(incoming(UNSURE))
    assert await anext(stream)
    await stream.aclose()
    (line,) = sink.records
    assert (line["status"], line["answer"], line["step"]) == ("client_left", None, "generate")


async def test_the_model_has_stopped_when_a_client_has_left(release: Release):
    model = ScriptedModel("one two three four five")
    stream = tiny_turn(release, model=model).stream(incoming(UNSURE))
    assert await anext(stream)
    await stream.aclose()
    assert model.ended == ["closed"]


async def test_a_cancelled_turn_leaves_exactly_one_record_and_stops_the_model(release: Release):
    asked, sink = asyncio.Event(), ListSink()

    class Silent(ScriptedModel):
        async def stream(self, prompt):
            try:
                asked.set()
                await asyncio.Event().wait()
                yield None
            finally:
                self.ended.append("closed")

    model = Silent()
    task = asyncio.create_task(tiny_turn(release, sink=sink, model=model).take(incoming(UNSURE)))
    await asyncio.wait_for(asked.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [line["status"] for line in sink.records] == ["client_left"]
    assert model.ended == ["closed"]


async def test_a_client_that_leaves_at_the_last_word_leaves_exactly_one_record(release: Release):
    arrived = asyncio.Event()

    class Slow(ListSink):
        def append_all(self, lines):
            arrived.set()
            return super().append_all(lines)

    sink = Slow(on_file=None)
    task = asyncio.create_task(tiny_turn(release, sink=sink).take(incoming()))
    await asyncio.wait_for(arrived.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [line["status"] for line in sink.records] == ["ok"]


async def test_a_log_that_drops_the_line_does_not_fail_the_chat(release: Release):
    sink = ListSink(on_file=False)
    outcome = await tiny_turn(release, sink=sink).take(incoming())
    assert outcome.text
    assert len(sink.lines) == 1


async def test_many_messages_leave_one_record_each(release: Release):
    sink = ListSink()
    model = ScriptedModel(*["fine, thanks"] * 200)
    turn = tiny_turn(release, sink=sink, model=model, ab_prob=0.5)
    texts = (SURE, UNSURE, OUTSIDE, NO_ANSWER, UNKNOWN, "")
    messages = [incoming(text, user_id=f"u{i}") for i in range(20) for text in texts]
    outcomes = await asyncio.gather(*(turn.take(message) for message in messages))
    ids = [outcome.record.turn_id for outcome in outcomes]
    assert sorted(ids) == sorted(line["turn_id"] for line in sink.records)
    assert len(set(ids)) == len(messages)


@pytest.mark.parametrize("words", ["\ud800 broken", "nul \x00 inside"])
async def test_odd_characters_of_a_model_do_not_cost_the_record(release: Release, words):
    sink = ListSink()
    turn = tiny_turn(release, sink=sink, model=ScriptedModel(f"so {words} "))
    with suppress(UnicodeError):
        await turn.take(incoming(UNSURE))
    assert len(sink.lines) == 1
