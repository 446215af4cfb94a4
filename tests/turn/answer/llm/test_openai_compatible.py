"""A compatible server over time: its key, its rests, silence and return, several at once."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import aclosing
from dataclasses import replace

import pytest

from chatloop.core.errors import BackendFault, SettingsError
from chatloop.turn.answer.base import LanguageModel
from chatloop.turn.answer.llm.breaker import BreakerLimits
from chatloop.turn.answer.llm.limits import ModelSpec
from chatloop.turn.answer.llm.openai_compatible import OpenAiCompatible
from tests.openai_standin import OpenAiStandin
from tests.turn.answer.llm.asking import QUESTION, SHORT, STILL, ask, compatible, prompt, until

KEY = "sk-canary-0123456789"


@pytest.fixture
async def standin():
    async with OpenAiStandin() as server:
        yield server


async def test_it_is_ready_after_start(standin):
    async with compatible(standin.address, name="mine", context_tokens=4000) as llm:
        model: LanguageModel = llm
        assert model.fault() is None
        status = model.status()
        assert (model.name, model.context_tokens) == ("mine", 4000)
    assert (status.state, status.provider, status.remote) == ("ready", "openai", False)
    assert (status.name, status.model, status.address) == ("mine", "plain", standin.address)


def test_another_machine_is_remote():
    for address, remote in (("https://api.example.com/v1", True), ("http://[::1]:1/v1", False)):
        llm = OpenAiCompatible(ModelSpec(address=address, model="m"))
        assert llm.remote is llm.status().remote is remote


def test_what_is_no_address_is_a_settings_error():
    with pytest.raises(SettingsError):
        OpenAiCompatible(ModelSpec(address="ftp://x", model="m"))


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://mine.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("https://notopenai.com/v1", "max_tokens"),
    ],
)
async def test_the_limit_of_tokens_has_the_name_that_the_server_knows(address, key):
    llm = OpenAiCompatible(ModelSpec(address=address, model="m"))
    assert (await llm._body(prompt()))[key] == 50


# The key


async def test_the_key_goes_along_and_nowhere_else(standin, caplog):
    caplog.set_level(logging.DEBUG)
    standin.key, standin.models = KEY, ["plain", "echo", "echo-late"]
    for model in standin.models:
        async with compatible(standin.address, model, key=KEY, key_env="K") as llm:
            _, _, error = await ask(llm)
            assert KEY not in f"{error} {llm.status()} {llm._spec}"
            assert error is None or error.fault is not BackendFault.BAD_KEY
    assert KEY not in caplog.text
    assert KEY in "".join(standin.heads)


async def test_a_refusal_that_repeats_the_question_does_not_reach_the_log(standin, caplog):
    caplog.set_level(logging.DEBUG, "chatloop")
    standin.models = ["echo"]
    async with compatible(standin.address, "echo") as llm:
        _, _, error = await ask(llm, "my cat Xanthippe")
    assert error.fault is BackendFault.REJECTED
    assert caplog.messages
    assert "Xanthippe" not in caplog.text + str(error)


async def test_without_its_key_nothing_is_sent_and_the_variable_is_named(standin):
    async with compatible(standin.address, key_env="MY_KEY") as llm:
        _, _, error = await ask(llm)
        assert error.fault is llm.fault() is BackendFault.NO_KEY
        assert "MY_KEY" in str(error)
        assert llm.status().state == "no_key"
    assert standin.calls.total() == 0


async def test_a_wrong_key_is_a_state_of_its_own_before_any_customer_asks(standin):
    standin.key = "another"
    async with compatible(standin.address, key=KEY, key_env="MY_KEY", limits=STILL) as llm:
        assert llm.fault() is BackendFault.BAD_KEY
        assert (llm.status().state, llm.status().breaker) == ("bad_key", "closed")
        assert "MY_KEY" in llm.status().hint
        for _ in range(12):
            assert (await ask(llm))[2].fault is BackendFault.BAD_KEY
    assert standin.chat_calls == 0


async def test_a_key_refused_to_a_customer_lets_the_next_ones_through_only_after_a_rest(standin):
    standin.models = ["forbidden"]
    async with compatible(standin.address, "forbidden", limits=STILL) as llm:
        for _ in range(5):
            assert (await ask(llm))[2].fault is BackendFault.BAD_KEY
        assert standin.chat_calls == 1
        await until(lambda: llm.fault() is None)


async def test_a_key_that_may_not_list_models_is_good_enough(standin):
    standin.lists_status = 403
    async with compatible(standin.address) as llm:
        assert (await ask(llm))[2] is None


# Rests


async def test_retry_after_is_respected_up_to_the_limit(standin):
    standin.models = ["too-many"]
    async with compatible(standin.address, "too-many", limits=STILL) as llm:
        for _ in range(5):
            assert (await ask(llm))[2].fault is BackendFault.BUSY
        assert standin.chat_calls == 1
        status = llm.status()
        assert (status.state, status.breaker) == ("busy", "closed")
        assert "rest" in status.detail
        await until(lambda: llm.fault() is None)  # it asked for 30 s, the limit is less


async def test_a_model_that_is_not_there_is_missing_and_opens_no_breaker(standin):
    async with compatible(standin.address, "nobody", limits=STILL) as llm:
        for _ in range(5):
            assert (await ask(llm))[2].fault is BackendFault.MODEL_MISSING
        status = llm.status()
        assert (status.state, status.breaker) == ("model_missing", "closed")
        assert "`model`" in status.hint
        assert standin.chat_calls == 1
        standin.models.append("nobody")
        await until(lambda: llm.fault() is None)
        assert (await ask(llm))[2] is None


# Absence, silence, return


@pytest.mark.parametrize("lists", [True, False])
async def test_the_watch_learns_of_absence_and_return(lists):
    standin = OpenAiStandin()
    standin.lists = lists
    async with standin:
        pass
    async with compatible(standin.address) as llm:
        assert (llm.fault(), llm.status().state) == (BackendFault.UNREACHABLE, "away")
        async with standin:
            await until(lambda: llm.fault() is None)
            assert (await ask(llm))[2] is None
        await until(lambda: llm.fault() is BackendFault.UNREACHABLE)


async def test_a_redirecting_address_is_away_and_not_followed(standin):
    standin.lists_status = 307
    async with compatible(standin.address) as llm:
        assert llm.fault() is BackendFault.UNREACHABLE
        assert "307" in llm.status().detail


async def test_three_unreachable_calls_open_the_breaker_and_the_return_closes_it(standin):
    limits = replace(SHORT, probe_interval_s=0.5)
    async with compatible(standin.address, limits=limits) as llm:
        await standin.stop()
        faults = [(await ask(llm))[2].fault for _ in range(5)]
        assert faults[0] is BackendFault.UNREACHABLE
        assert llm.fault() is not None
        await standin.start()
        await until(lambda: llm.fault() is None)
        assert llm.status().breaker == "closed"


async def test_silence_opens_the_breaker_and_only_a_token_closes_it(standin):
    limits = replace(SHORT, first_token_timeout_s=0.3)
    async with compatible(standin.address, limits=limits) as llm:
        standin.freeze()
        assert [(await ask(llm))[2].fault for _ in range(2)] == [BackendFault.TIMEOUT] * 2
        calls, seen = standin.chat_calls, standin.calls["/v1/models"]
        for _ in range(100):
            assert (await ask(llm))[2].fault is BackendFault.BREAKER_OPEN
        assert standin.chat_calls <= calls + 1, "no customer is the trial"
        await until(lambda: standin.calls["/v1/models"] > seen + 3)
        assert llm.fault() is BackendFault.BREAKER_OPEN, "an answering server proves nothing"
        standin.thaw()
        await until(lambda: llm.fault() is None)
        assert standin.chats[-1]["max_tokens"] == 1
        assert (await ask(llm))[2] is None


async def test_a_model_that_refuses_to_say_one_token_is_not_silent(standin):
    standin.models = ["too-long"]
    limits = replace(SHORT, first_token_timeout_s=0.3)
    async with compatible(standin.address, "too-long", limits=limits) as llm:
        standin.freeze()
        assert [(await ask(llm))[2].fault for _ in range(2)] == [BackendFault.TIMEOUT] * 2
        assert llm.fault() is BackendFault.BREAKER_OPEN
        standin.thaw()
        await until(lambda: llm.fault() is None)


async def test_waiting_callers_leave_the_moment_the_breaker_opens(standin):
    limits = replace(SHORT, wait_timeout_s=30.0, first_token_timeout_s=0.4, in_flight=2)
    async with compatible(standin.address, limits=limits) as llm:
        standin.freeze()
        async with asyncio.timeout(5):
            results = await asyncio.gather(*(ask(llm) for _ in range(10)))
        faults = [error.fault for _, _, error in results]
        timeouts = faults.count(BackendFault.TIMEOUT)
        assert 2 <= timeouts <= 2 * limits.in_flight
        assert faults.count(BackendFault.BREAKER_OPEN) == 10 - timeouts


async def test_a_distant_server_that_is_well_is_looked_at_rarely_and_an_absent_one_often():
    llm = OpenAiCompatible(ModelSpec(address="https://api.example.com/v1", model="m"))
    watch = llm._watch
    assert watch._pause_s() == 5.0
    watch.absence = None
    assert watch._pause_s() == 60.0
    for _ in range(3):
        llm._calls.breaker.load_failed()
    assert watch._pause_s() <= 5.0
    await llm.aclose()


async def test_leaving_stops_the_model_and_frees_the_place(standin):
    standin.delay_s = 0.02
    async with compatible(standin.address) as llm:
        for left in range(1, 6):
            async with aclosing(llm.stream(prompt(QUESTION))) as pieces:
                await anext(pieces)
            await until(lambda left=left: standin.cancelled == left, 1.0)
            assert llm.status().in_flight == 0
        assert llm.fault() is None


async def test_a_proxy_in_the_environment_is_ignored(standin, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with compatible(standin.address) as llm:
        assert (await ask(llm))[2] is None


async def test_a_port_that_accepts_and_says_nothing_delays_the_start_by_its_limit_only():
    limits = replace(SHORT, connect_timeout_s=0.2, breaker=BreakerLimits())
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"http://127.0.0.1:{mute.getsockname()[1]}/v1"
        async with asyncio.timeout(5), compatible(address, limits=limits) as llm:
            assert llm.fault() is BackendFault.UNREACHABLE
