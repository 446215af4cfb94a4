"""The background watch, seen from outside: absence and return, choosing, loading."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace

import httpx
import pytest

from chatloop.core.errors import BackendFault, SettingsError
from chatloop.turn.answer.base import LanguageModel
from chatloop.turn.answer.llm.limits import ModelSpec
from chatloop.turn.answer.llm.ollama import Ollama
from tests.ollama_standin import Standin
from tests.turn.answer.llm.asking import HASTY, SHORT, STILL, ask, client, until


@pytest.fixture
async def standin():
    async with Standin(["plain"]) as server:
        yield server


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


async def test_it_is_ready_after_start_when_the_model_is_loaded(standin):
    async with client(standin.address) as llm:
        model: LanguageModel = llm
        assert model.fault() is None
        assert model.name == "plain:latest"
        status = model.status()
    assert (status.state, status.loaded, status.breaker) == ("ready", True, "closed")
    assert status.installed == ("plain:latest",)
    assert status.address == standin.address


async def test_before_start_it_is_away():
    llm = Ollama(ModelSpec(address="http://127.0.0.1:9"))
    assert llm.fault() is BackendFault.UNREACHABLE
    assert llm.name == "auto"
    await llm.aclose()


@pytest.mark.parametrize("address", ["", "ftp://x", "http://", "http://h:abc", "http://h:99999"])
def test_what_is_no_address_is_a_settings_error(address):
    with pytest.raises(SettingsError, match="OLLAMA_API_URL"):
        Ollama(ModelSpec(address=address))


async def test_a_password_in_the_address_is_not_shown(standin):
    async with client(standin.address.replace("//", "//me:hunter2@")) as llm:
        assert llm.fault() is None
        assert "hunter2" not in repr(llm.status())


async def test_a_refused_server_is_away_at_once_and_says_what_to_type():
    async with client(f"http://127.0.0.1:{free_port()}") as llm:
        _, _, error = await ask(llm)
        assert error.fault is llm.fault() is BackendFault.UNREACHABLE
        assert llm.status().state == "away"
        assert "ollama serve" in llm.status().hint


async def test_a_silent_server_delays_the_start_by_the_connect_limit_only(standin):
    standin.silent = True
    began = time.monotonic()
    async with client(standin.address, limits=HASTY) as llm:
        assert time.monotonic() - began < 2
        assert llm.fault() is BackendFault.UNREACHABLE
        standin.silent = False
        await until(lambda: llm.fault() is None)


async def test_what_is_not_ollama_is_away():
    async def greet(_reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, client(f"http://127.0.0.1:{port}") as llm:
        assert llm.fault() is BackendFault.UNREACHABLE


async def test_a_wrong_path_in_the_address_is_explained(standin):
    async with client(standin.address + "/wrong") as llm:
        assert llm.fault() is BackendFault.UNREACHABLE
        assert "OLLAMA_API_URL" in llm.status().detail


async def test_a_server_started_later_and_a_model_pulled_later_are_noticed():
    server = Standin([], port=free_port())
    async with client(f"http://127.0.0.1:{server.port}") as llm:
        assert llm.fault() is BackendFault.UNREACHABLE
        async with server:
            await until(lambda: llm.fault() is BackendFault.NO_MODEL)
            assert llm.status().hint == "ollama pull llama3.2"
            server.models.append("llama3.2:latest")
            await until(lambda: llm.fault() is None)
            assert (await ask(llm))[2] is None
        await until(lambda: llm.fault() is BackendFault.UNREACHABLE)
        async with server:
            await until(lambda: llm.fault() is None)


async def test_a_configured_model_that_is_absent_is_missing_with_its_own_hint(standin):
    async with client(standin.address, "qwen3") as llm:
        _, _, error = await ask(llm)
        assert error.fault is BackendFault.MODEL_MISSING
        assert "ollama pull qwen3" in str(error)
        assert (llm.name, llm.status().state) == ("qwen3", "model_missing")


async def test_a_model_deleted_between_two_looks_is_missing(standin):
    async with client(standin.address, limits=STILL) as llm:
        standin.models.clear()
        _, _, error = await ask(llm)
        assert error.fault is BackendFault.MODEL_MISSING
        await until(lambda: llm.fault() is BackendFault.NO_MODEL)


async def test_a_proxy_in_the_environment_is_ignored(standin, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with client(standin.address) as llm:
        assert llm.fault() is None


async def test_one_late_look_does_not_make_it_away_and_a_second_does(standin):
    async with client(standin.address, limits=replace(SHORT, probe_timeout_s=0.3)) as llm:
        standin.silent = True
        seen = standin.calls["/api/version"]
        await until(lambda: standin.calls["/api/version"] > seen + 1)
        assert llm.fault() is None
        await until(lambda: llm.fault() is BackendFault.UNREACHABLE)


async def test_a_cloud_model_is_asked_only_with_permission(standin):
    standin.models, standin.loaded = ["big:cloud"], set()
    async with client(standin.address, "big:cloud") as llm:
        assert llm.fault() is BackendFault.MODEL_MISSING
    async with client(standin.address, "big:cloud", allow_cloud=True) as llm:
        assert llm.fault() is None
        assert (await ask(llm))[2] is None


async def test_a_list_of_models_without_end_is_refused(standin):
    standin.models = [f"model-{n}" for n in range(500)]
    async with client(standin.address, limits=replace(SHORT, body_limit_bytes=50_000)) as llm:
        assert llm.fault() is BackendFault.UNREACHABLE
        assert "too long" in llm.status().detail


async def test_an_unexpected_error_does_not_end_the_watch(standin, monkeypatch, caplog):
    async with client(standin.address) as llm:
        with monkeypatch.context() as patched:
            patched.setattr("chatloop.turn.answer.llm.watch.choose", lambda *_, **__: 1 / 0)
            await until(lambda: "unexpected" in caplog.text)
        standin.models.clear()
        await until(lambda: llm.fault() is BackendFault.NO_MODEL)


# Loading


async def test_a_cold_model_is_loading_for_customers_and_then_ready():
    cold = Standin(["plain"], loaded=(), load_s=1.0)
    async with cold as server, client(server.address, limits=HASTY) as llm:
        await until(lambda: llm.fault() is BackendFault.LOADING)
        for _ in range(5):
            _, _, error = await ask(llm)
            assert error.fault is BackendFault.LOADING
        assert llm.status().state == "loading"
        await until(lambda: llm.fault() is None)
        assert (await ask(llm))[2] is None
        assert (server.loads, server.loads_cancelled, server.chat_calls) == (1, 0, 1)


async def test_a_model_that_another_program_is_loading_is_loading_although_it_is_listed():
    http = httpx.AsyncClient(trust_env=False)
    async with Standin(["plain"], loaded=(), load_s=1.0) as server, http as other:
        body = {"model": "plain"}
        load = asyncio.create_task(other.post(server.address + "/api/chat", json=body))
        await until(lambda: server.loading)
        async with client(server.address, limits=HASTY) as llm:
            await until(lambda: llm.fault() is BackendFault.LOADING)
            await until(lambda: llm.fault() is None)
        await load


async def test_a_model_unloaded_when_idle_is_loaded_behind_a_quick_fallback(standin):
    async with client(standin.address, limits=STILL) as llm:
        standin.loaded.clear()
        standin.load_s = 0.6
        began = time.monotonic()
        _, _, error = await ask(llm)
        assert error.fault is BackendFault.LOADING
        assert time.monotonic() - began < 0.5
        await until(lambda: llm.fault() is None)
        assert (standin.loads, standin.loads_cancelled) == (1, 0)


async def test_an_idle_model_is_not_kept_loaded_against_ollamas_will(standin):
    async with client(standin.address) as llm:
        standin.loaded.clear()
        seen = standin.calls["/api/ps"]
        await until(lambda: standin.calls["/api/ps"] > seen + 3)
        assert standin.loads == 0
        assert llm.status().state == "loading"


async def test_a_load_that_fails_is_tried_again_ever_more_rarely(standin):
    standin.models, standin.loaded = ["plain:latest"], set()
    standin.load_s = 60
    async with client(standin.address, limits=replace(SHORT, load_timeout_s=0.1)) as llm:
        await until(lambda: llm.fault() is BackendFault.BREAKER_OPEN)
        assert "could not be loaded" in llm.status().detail
        standin.load_s = 0
        await until(lambda: llm.fault() is None)
        assert standin.loads <= 4


async def test_a_server_that_dies_during_a_load_is_noticed_and_loads_after_its_return(standin):
    standin.loaded, standin.load_s = set(), 60.0
    async with client(standin.address, limits=HASTY) as llm:
        await until(lambda: standin.loading)
        await standin.stop()
        await until(lambda: llm.fault() is BackendFault.UNREACHABLE)
        standin.load_s = 0.0
        await standin.start()
        await until(lambda: llm.fault() is None)


# What the settings add


async def test_a_name_of_ones_own_is_shown_and_the_servers_name_is_asked(standin):
    async with client(standin.address, "plain", name="house") as llm:
        assert (llm.name, llm.status().name, llm.status().model) == (
            "house",
            "house",
            "plain:latest",
        )
        await ask(llm)
        assert standin.chats[-1]["model"] == "plain:latest"


async def test_the_window_is_the_servers_and_at_most_the_settings():
    async with Standin(["plain"], loaded=()) as server:
        server.context_length = 32_768
        async with client(server.address, context_tokens=9000) as llm:
            await until(lambda: llm.fault() is None)
            await ask(llm)
            assert llm.context_tokens == 9000
        async with client(server.address) as llm:
            await until(lambda: llm.fault() is None)
            assert llm.context_tokens == 32_768
    assert Ollama(ModelSpec(address="http://127.0.0.1:9")).context_tokens == 4096


async def test_without_preloading_the_first_customer_begins_the_load():
    async with (
        Standin(["plain"], loaded=()) as server,
        client(server.address, preload=False) as llm,
    ):
        seen = server.calls["/api/ps"]
        await until(lambda: server.calls["/api/ps"] > seen + 2)
        assert (llm.status().state, server.loads) == ("loading", 0)
        assert llm.fault() is BackendFault.LOADING
        await until(lambda: llm.fault() is None)
        assert server.loads == 1


async def test_a_price_is_counted_for_a_model_of_ones_own_too(standin):
    async with client(standin.address, price_in=1e6, price_out=0.0) as llm:
        _, last, _ = await ask(llm)
    assert last.usage.cost == pytest.approx(26)
