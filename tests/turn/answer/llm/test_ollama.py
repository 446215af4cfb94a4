"""Asking an Ollama over time: silence, the breaker, queueing, leaving."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import replace

import httpx
import pytest

from chatloop.core.errors import BackendError, BackendFault
from tests.ollama_standin import Standin
from tests.turn.answer.llm.asking import SHORT, STILL, ask, client, prompt, until


@pytest.fixture
async def standin():
    async with Standin(["plain"]) as server:
        yield server


# Breaker


async def test_three_unreachable_calls_open_the_breaker_and_the_return_closes_it(standin):
    async with client(standin.address, limits=STILL) as llm:
        await standin.stop()
        faults = [(await ask(llm))[2].fault for _ in range(5)]
        assert faults == [BackendFault.UNREACHABLE] * 3 + [BackendFault.BREAKER_OPEN] * 2
        assert llm.status().state == "breaker_open"
        await standin.start()
        llm._watch.wake()
        await until(lambda: llm.status().breaker == "closed")
        await until(lambda: llm.fault() is None)


async def test_silence_opens_the_breaker_and_only_a_generation_closes_it(standin):
    limits = replace(SHORT, first_token_timeout_s=0.3)
    async with client(standin.address, limits=limits) as llm:
        standin.freeze()
        assert [(await ask(llm))[2].fault for _ in range(2)] == [BackendFault.TIMEOUT] * 2
        calls = standin.chat_calls
        for _ in range(200):
            assert (await ask(llm))[2].fault is BackendFault.BREAKER_OPEN
        assert standin.chat_calls <= calls + 1, "no customer is the trial"
        seen = standin.calls["/api/version"]
        await until(lambda: standin.calls["/api/version"] > seen + 3)
        assert llm.fault() is BackendFault.BREAKER_OPEN, "an answering server proves nothing"
        standin.thaw()
        await until(lambda: llm.fault() is None)
        trial = standin.chats[-1]
        assert (trial["options"], trial["stream"]) == ({"num_predict": 1}, False)
        assert (await ask(llm))[2] is None


async def test_trials_are_one_at_a_time(standin):
    async with client(standin.address, limits=replace(SHORT, first_token_timeout_s=0.5)) as llm:
        standin.freeze()
        await asyncio.gather(ask(llm), ask(llm), ask(llm))
        await ask(llm)
        assert llm.fault() is BackendFault.BREAKER_OPEN
        calls = standin.chat_calls
        await until(lambda: standin.chat_calls == calls + 1)
        seen = standin.calls["/api/version"]
        await until(lambda: standin.calls["/api/version"] > seen + 1)
        assert standin.chat_calls == calls + 1


async def test_refusals_and_missing_models_never_open_the_breaker(standin):
    standin.models, standin.loaded = ["busy:latest"], {"busy:latest"}
    async with client(standin.address) as llm:
        for _ in range(12):
            assert (await ask(llm))[2].fault is BackendFault.BUSY
        assert llm.fault() is None


async def test_customers_who_leave_never_open_the_breaker(standin):
    standin.delay_s = 0.02
    async with client(standin.address) as llm:
        for _ in range(12):
            async with aclosing(llm.stream(prompt())) as pieces:
                await anext(pieces)
        assert llm.fault() is None


# Queueing and leaving


async def test_calls_wait_for_their_turn_and_then_answer(standin):
    async with client(standin.address, limits=replace(SHORT, wait_timeout_s=5.0)) as llm:
        results = await asyncio.gather(*(ask(llm) for _ in range(8)))
        assert all(error is None for _, _, error in results)
        assert standin.most_generating == 1


async def test_beyond_the_queue_callers_are_told_busy_at_once(standin):
    standin.delay_s = 0.05
    limits = replace(SHORT, waiting=2, wait_timeout_s=0.2)
    async with client(standin.address, limits=limits) as llm:
        results = await asyncio.gather(*(ask(llm) for _ in range(10)))
        faults = [error.fault for _, _, error in results if error]
        assert faults == [BackendFault.BUSY] * 9


async def test_waiting_callers_leave_at_once_when_the_breaker_opens(standin):
    limits = replace(SHORT, wait_timeout_s=30.0, first_token_timeout_s=0.4)
    async with client(standin.address, limits=limits) as llm:
        standin.freeze()
        began = time.monotonic()
        results = await asyncio.gather(*(ask(llm) for _ in range(10)))
        assert time.monotonic() - began < 5
        faults = [error.fault for _, _, error in results]
        assert faults.count(BackendFault.TIMEOUT) == 2
        assert faults.count(BackendFault.BREAKER_OPEN) == 8


async def test_another_programs_long_answer_in_ollamas_own_queue_is_a_timeout(standin):
    standin.delay_s = 0.1
    body = {"model": "plain", "messages": [{"role": "user", "content": "Hi"}]}
    limits = replace(SHORT, first_token_timeout_s=0.3)
    other = httpx.AsyncClient(trust_env=False)
    async with client(standin.address, limits=limits) as llm, other:
        url = standin.address + "/api/chat"
        async with other.stream("POST", url, json=body) as response:
            reading = response.aiter_raw()  # held, or its end would close the answer
            await anext(reading)
            assert (await ask(llm))[2].fault is BackendFault.TIMEOUT


async def test_closing_the_stream_stops_the_model_and_frees_the_place(standin):
    standin.delay_s = 0.02
    async with client(standin.address) as llm:
        for left in range(1, 11):
            async with aclosing(llm.stream(prompt())) as pieces:
                await anext(pieces)
            await until(lambda left=left: standin.cancelled == left, 1.0)
            assert llm.status().in_flight == 0
        await until(lambda: standin.generating == 0, 1.0)


async def test_a_cancelled_customer_closes_the_socket_before_the_first_token(standin):
    async with client(standin.address, limits=replace(STILL, first_token_timeout_s=30.0)) as llm:
        standin.freeze()
        task = asyncio.create_task(ask(llm))
        await until(lambda: standin.chat_calls == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: standin.cancelled == 1, 1.0)
        assert llm.status().in_flight == 0


async def test_aclose_during_an_answer_ends_it_with_an_error_and_closes_all_sockets(standin):
    standin.delay_s = 0.05
    async with client(standin.address) as llm:
        task = asyncio.create_task(ask(llm))
        await until(lambda: standin.generating == 1)
        await llm.aclose()
        text, _, error = await task
        assert isinstance(error, BackendError)
        await until(lambda: standin.open_sockets == 0, 1.0)
        assert (await ask(llm))[2].fault is BackendFault.UNREACHABLE
        assert text is not None


async def test_many_answers_leave_no_socket_or_task_behind(standin):
    async with client(standin.address) as llm:
        await ask(llm)
        tasks = len(asyncio.all_tasks())
        for _ in range(25):
            assert (await ask(llm))[2] is None
        assert standin.open_sockets <= 3
        assert len(asyncio.all_tasks()) <= tasks + 2
    await until(lambda: standin.open_sockets == 0, 1.0)


async def test_the_log_holds_no_customers_text(standin, caplog):
    caplog.set_level(logging.DEBUG, "chatloop")
    standin.models = ["error-line:latest"]
    standin.loaded = set(standin.models)
    async with client(standin.address) as llm:
        await ask(llm, "my cat Xanthippe")
    assert caplog.messages
    assert "Xanthippe" not in caplog.text
