"""Every way Ollama answers or fails: it ends in pieces or one BackendError, sockets closed."""

from __future__ import annotations

import time
from dataclasses import replace

import ollama as official
import pytest

from chatloop.core.errors import BackendFault
from tests.ollama_modes import ODD_TEXT
from tests.ollama_standin import Standin, happy_text
from tests.turn.answer.llm.asking import QUESTION, STILL, ask, client, until

HAPPY = happy_text({"messages": [{"role": "user", "content": QUESTION}]})

ANSWERS = {
    "plain": HAPPY,
    "length": HAPPY,
    "thinker": HAPPY,
    "thinker-old": HAPPY,
    "think-tags": HAPPY,
    "odd-writes": HAPPY,
    "logprobs": HAPPY,
    "trimmed": HAPPY,
    "odd-text": ODD_TEXT,
    "less-than": "<",
}
FAULTS = {
    "zero": BackendFault.BAD_REPLY,
    "blank": BackendFault.BAD_REPLY,
    "tool-call": BackendFault.BAD_REPLY,
    "tool-call-last": BackendFault.BAD_REPLY,
    "overflow": BackendFault.REJECTED,
    "busy": BackendFault.BUSY,
    "too-many": BackendFault.BUSY,
    "oom": BackendFault.BAD_REPLY,
    "oom-old": BackendFault.BAD_REPLY,
    "runner-gone": BackendFault.BAD_REPLY,
    "error-first": BackendFault.BAD_REPLY,
    "cut-first": BackendFault.UNREACHABLE,
    "mute": BackendFault.TIMEOUT,
    "think-stall": BackendFault.TIMEOUT,
    "drip": BackendFault.TIMEOUT,
    "huge-line": BackendFault.BAD_REPLY,
    "html": BackendFault.BAD_REPLY,
    "html-502": BackendFault.UNREACHABLE,
    "forbidden": BackendFault.REJECTED,
    "unauthorized": BackendFault.REJECTED,
    "redirect": BackendFault.BAD_REPLY,
    "not-json": BackendFault.BAD_REPLY,
    "wrong-type": BackendFault.BAD_REPLY,
    "array": BackendFault.BAD_REPLY,
    "deep": BackendFault.BAD_REPLY,
    "bad-utf8": BackendFault.BAD_REPLY,
    "gzip": BackendFault.BAD_REPLY,
}
SILENT = ("mute", "think-stall", "drip", "stall")
INTERRUPTED = ("error-line", "no-done", "cut", "cut-inside", "reset", "stall")


@pytest.fixture
async def standin():
    async with Standin([]) as server:
        yield server


async def asked(server, model, limits=None):
    """Ask one model of the stand-in once; every socket must be closed within a second of it."""
    hasty = replace(STILL, first_token_timeout_s=0.4, gap_timeout_s=0.4)
    limits = limits or (hasty if model in SILENT else STILL)
    server.models, server.loaded = [f"{model}:latest"], {f"{model}:latest"}
    async with client(server.address, model, limits=limits) as llm:
        assert llm.fault() is None, llm.status()
        began = time.monotonic()
        result = await ask(llm)
        assert time.monotonic() - began < 5
        assert llm.status().in_flight == 0
    await until(lambda: server.open_sockets == 0, 1.0)
    return result


@pytest.mark.parametrize("keep_alive", [True, False], ids=["keeps-alive", "hangs-up"])
@pytest.mark.parametrize("model", ANSWERS)
async def test_an_answer_arrives_whole(standin, model, keep_alive):
    standin.keep_alive = keep_alive
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
    assert text == "Open Settings"
    assert error.fault is BackendFault.INTERRUPTED


async def test_an_endless_answer_ends_at_the_size_limit(standin):
    text, _, error = await asked(standin, "endless", replace(STILL, body_limit_bytes=50_000))
    assert error.fault is BackendFault.INTERRUPTED
    assert 0 < len(text) < 50_000


async def test_an_endless_answer_ends_at_the_total_limit(standin):
    _, _, error = await asked(standin, "endless", replace(STILL, total_timeout_s=1.0))
    assert error.fault is BackendFault.INTERRUPTED


@pytest.mark.parametrize("model", ["runner-gone", "cut-first", "mute", "oom", "busy", "html-502"])
async def test_at_most_one_retry_and_only_where_it_may_help(standin, model):
    await asked(standin, model)
    assert standin.chat_calls == (2 if model in ("runner-gone", "cut-first") else 1)


async def test_a_model_process_that_died_is_asked_once_more(standin):
    text, _, error = await asked(standin, "runner-gone-once")
    assert (text, error) == (HAPPY, None)


async def test_a_dropped_reused_connection_is_tried_again_and_a_fresh_one_is_not(standin):
    text, _, error = await asked(standin, "drops-once")
    assert (text, error) == (HAPPY, None)
    standin.answered.clear()
    standin.keep_alive = False
    _, _, error = await asked(standin, "drops-once")
    assert error.fault is BackendFault.UNREACHABLE


async def test_only_models_that_think_are_told_not_to(standin):
    for model, think in (("thinker", False), ("thinker-old", False), ("plain", None)):
        standin.tell_capabilities = model != "thinker-old"
        await asked(standin, model)
        assert standin.chats[-1].get("think") is think


async def test_the_body_holds_what_was_agreed_and_nothing_more(standin):
    await asked(standin, "plain")
    assert standin.chats[-1] == {
        "model": "plain:latest",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": QUESTION},
        ],
        "stream": True,
        "options": {"num_predict": 50},
    }


async def test_usage_is_what_the_server_counted(standin):
    _, last, _ = await asked(standin, "plain")
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (26, 12)
    assert last.usage.load_ms == pytest.approx(1.334875)
    assert last.usage.first_token_ms > 0
    _, last, _ = await asked(standin, "odd-writes")
    assert (last.usage.prompt_tokens, last.usage.load_ms) == (0, 0.0)


@pytest.mark.parametrize("model", ["plain", "length", "thinker", "odd-writes"])
async def test_plain_cases_agree_with_the_official_client(standin, model):
    text, _, _ = await asked(standin, model)
    body = standin.chats[-1]
    oracle = official.AsyncClient(host=standin.address, timeout=5, trust_env=False)
    stream = await oracle.chat(
        body["model"], body["messages"], stream=True, think=body.get("think")
    )
    assert text == "".join([part.message.content or "" async for part in stream])
    whole = await oracle.chat(body["model"], body["messages"], think=body.get("think"))
    assert text == whole.message.content
    assert [m.model for m in (await oracle.list()).models] == standin.models
    assert [m.model for m in (await oracle.ps()).models] == standin.models
    with pytest.raises(official.ResponseError, match="model 'nobody' not found"):
        await oracle.chat("nobody", body["messages"])
    await oracle.close()
