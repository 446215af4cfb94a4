"""Every way a compatible server answers or fails: it ends in pieces or one BackendError."""

from __future__ import annotations

import time
from dataclasses import replace

import openai as official
import pytest

from chatloop.core.errors import BackendFault
from tests.ollama_modes import ODD_TEXT
from tests.ollama_standin import happy_text
from tests.openai_standin import OpenAiStandin
from tests.turn.answer.llm.asking import QUESTION, STILL, ask, compatible, until

HAPPY = happy_text({"messages": [{"role": "user", "content": QUESTION}]})
WHOLE = "Open Settings"

ANSWERS = {
    "plain": HAPPY,
    "length": HAPPY,
    "no-done": HAPPY,
    "done-only": WHOLE,
    "reasoning": HAPPY,
    "azure": HAPPY,
    "keep-alive": HAPPY,
    "other-choice": HAPPY,
    "think-tags": WHOLE,
    "less-than": "<",
    "odd-writes": HAPPY + ODD_TEXT,
    "finish-then-cut": WHOLE,
    "finish-then-silence": WHOLE,
}
FAULTS = {
    "zero": BackendFault.BAD_REPLY,
    "blank": BackendFault.BAD_REPLY,
    "tool-call": BackendFault.BAD_REPLY,
    "filtered": BackendFault.REJECTED,
    "error-first": BackendFault.BAD_REPLY,
    "error-words": BackendFault.BAD_REPLY,
    "mute": BackendFault.TIMEOUT,
    "comments-only": BackendFault.TIMEOUT,
    "cut-first": BackendFault.UNREACHABLE,
    "huge-line": BackendFault.BAD_REPLY,
    "whole": BackendFault.BAD_REPLY,
    "html": BackendFault.BAD_REPLY,
    "html-502": BackendFault.UNREACHABLE,
    "gone-504": BackendFault.UNREACHABLE,
    "oops": BackendFault.BAD_REPLY,
    "too-long": BackendFault.REJECTED,
    "old-vllm": BackendFault.MODEL_MISSING,
    "wrong-path": BackendFault.REJECTED,
    "busy": BackendFault.BUSY,
    "quota": BackendFault.BUSY,
    "too-many": BackendFault.BUSY,
    "unauthorized": BackendFault.BAD_KEY,
    "forbidden": BackendFault.BAD_KEY,
    "no-access": BackendFault.MODEL_MISSING,
    "redirect": BackendFault.BAD_REPLY,
    "not-json": BackendFault.BAD_REPLY,
    "array": BackendFault.BAD_REPLY,
    "wrong-type": BackendFault.BAD_REPLY,
    "deep": BackendFault.BAD_REPLY,
    "bad-utf8": BackendFault.BAD_REPLY,
    "gzip": BackendFault.BAD_REPLY,
}
INTERRUPTED = (
    "filtered-late",
    "error-late",
    "lost-error",
    "ends",
    "cut",
    "cut-inside",
    "reset",
    "stall",
)
SILENT = ("mute", "comments-only", "stall")


@pytest.fixture
async def standin():
    async with OpenAiStandin([]) as server:
        yield server


async def asked(server, model, limits=None):
    """Ask one model of the stand-in once; every socket must be closed within a second of it."""
    hasty = replace(STILL, first_token_timeout_s=0.4, gap_timeout_s=0.4)
    limits = limits or (hasty if model in SILENT else STILL)
    server.models = [model]
    async with compatible(server.address, model, limits=limits) as llm:
        assert llm.fault() is None, llm.status()
        began = time.monotonic()
        result = await ask(llm)
        assert time.monotonic() - began < 5
        assert llm.status().in_flight == 0
    await until(lambda: server.open_sockets == 0, 1.0)
    return result


@pytest.mark.parametrize("model", ANSWERS)
async def test_an_answer_arrives_whole(standin, model):
    text, last, error = await asked(standin, model)
    assert error is None
    assert text == ANSWERS[model]
    assert last.usage is not None
    assert last.truncated == (model == "length")


@pytest.mark.parametrize("model", FAULTS)
async def test_a_failure_before_the_first_text_has_its_fault(standin, model):
    text, _, error = await asked(standin, model)
    assert text == ""
    assert error.fault is FAULTS[model], error


@pytest.mark.parametrize("model", INTERRUPTED)
async def test_a_failure_after_the_first_text_keeps_it_and_is_an_interruption(standin, model):
    text, _, error = await asked(standin, model)
    assert text == WHOLE
    assert error.fault is BackendFault.INTERRUPTED


async def test_a_whole_text_is_not_held_up_by_a_server_that_forgets_to_end(standin):
    limits = replace(STILL, gap_timeout_s=60.0, probe_timeout_s=0.3)
    began = time.monotonic()
    text, _, error = await asked(standin, "finish-then-silence", limits)
    assert (text, error) == (WHOLE, None)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("bound", [{"body_limit_bytes": 50_000}, {"total_timeout_s": 1.0}])
async def test_an_endless_answer_ends_at_its_limits(standin, bound):
    _, _, error = await asked(standin, "endless", replace(STILL, **bound))
    assert error.fault is BackendFault.INTERRUPTED


@pytest.mark.parametrize("model", ["oops", "mute", "busy", "html-502", "unauthorized", "too-many"])
async def test_a_refusal_or_a_silence_is_not_tried_again(standin, model):
    await asked(standin, model)
    assert standin.chat_calls == 1


async def test_a_dropped_reused_connection_is_tried_once_more(standin):
    standin.models = ["drops-once"]
    async with compatible(standin.address, "drops-once", limits=STILL) as llm:
        for _ in range(2):
            text, _, error = await ask(llm)
            assert (text, error) == (HAPPY, None)
    assert standin.chat_calls == 3


async def test_usage_and_its_price_come_with_the_last_piece(standin):
    standin.models = ["plain"]
    prices = {"price_in": 1_000_000.0, "price_out": 2_000_000.0}
    async with compatible(standin.address, "plain", **prices) as llm:
        _, last, _ = await ask(llm)
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (26, 12)
    assert last.usage.cost == pytest.approx(26 + 2 * 12)
    _, last, _ = await asked(standin, "no-done")
    assert (last.usage.prompt_tokens, last.usage.cost) == (0, 0.0)


async def test_the_body_holds_what_was_agreed_and_nothing_more(standin):
    await asked(standin, "plain")
    assert standin.chats[-1] == {
        "model": "plain",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": QUESTION},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 50,
    }


@pytest.mark.parametrize("model", ["plain", "length", "azure", "keep-alive", "odd-writes"])
async def test_plain_cases_agree_with_the_official_client(standin, model):
    text, last, _ = await asked(standin, model)
    body = standin.chats[-1]
    async with official.AsyncOpenAI(
        api_key="any", base_url=standin.address, max_retries=0, timeout=5
    ) as oracle:
        said, usage = "", None
        async for part in await oracle.chat.completions.create(**body):
            said += "".join(choice.delta.content or "" for choice in part.choices)
            usage = part.usage or usage
    assert text == said
    if usage is not None:
        counted = (last.usage.prompt_tokens, last.usage.completion_tokens)
        assert counted == (usage.prompt_tokens, usage.completion_tokens)
