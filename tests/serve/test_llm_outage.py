"""O9, O25, O26: a language model that stops, hangs, fills up or loses its callers under load.

The times are those of the promise with room for a busy machine; `make bench` gives the figures.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.ollama_standin import Standin, in_thread
from tests.serve.doors import QUESTION
from tests.serve.running import running, wait_for

BODY = {"prompt": QUESTION, "mode": "llm"}
OPENAI_BODY = {"model": "auto", "messages": [{"role": "user", "content": QUESTION}]}
ROOM = 5.0
"""How much longer than promised a reply may take here, in seconds."""
Load = Callable[[httpx.AsyncClient], Awaitable[Any]]


@contextmanager
def serving(trained_home, standin: Standin, **changes: Any) -> Iterator[httpx.Client]:
    settings = trained_home.settings(
        llm="auto", ollama_api_url=standin.address, llm_probe_interval_s=0.3, **changes
    )
    with running(settings) as client:
        wait_for(lambda: client.get("/health").json()["llm"]["state"] == "ready", "the model")
        yield client


async def one(client: httpx.AsyncClient, delay_s: float = 0.0) -> dict[str, Any]:
    await asyncio.sleep(delay_s)
    begun = time.monotonic()
    response = await client.post("/chat", json=BODY)
    assert response.status_code == 200
    return response.json() | {"begun": begun, "seconds": time.monotonic() - begun}


def under(client: httpx.Client, load: Load) -> Any:
    async def run() -> Any:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=client.base_url, trust_env=False, timeout=120, limits=limits
        ) as asking:
            return await load(asking)

    return asyncio.run(run())


def test_when_the_server_is_stopped_in_mid_load_everyone_is_answered_and_it_recovers(
    trained_home,
) -> None:
    standin = Standin(models=["plain"], delay_s=0.002)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def here(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(10)

    here(standin.start())
    with serving(trained_home, standin) as client:
        stopped_at: list[float] = []

        async def load(asking: httpx.AsyncClient) -> list[dict[str, Any]]:
            calls = [asyncio.create_task(one(asking, n * 0.02)) for n in range(100)]
            await asyncio.sleep(1.0)
            await asyncio.to_thread(here, standin.stop())
            stopped_at.append(time.monotonic())
            return await asyncio.gather(*calls)

        replies = under(client, load)
        after = [r for r in replies if r["begun"] > stopped_at[0]]
        assert len(after) > 10
        assert any(not r["degraded"] for r in replies), "the model never answered"
        assert all(r["degraded"] for r in after)
        assert sorted(r["seconds"] for r in after)[int(0.95 * len(after))] < 1.0 + ROOM
        here(standin.start())
        standin.loaded = set(standin.models)
        wait_for(lambda: not client.post("/chat", json=BODY).json()["degraded"], "it to return", 10)
        here(standin.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_when_the_server_freezes_in_mid_load_few_wait_and_the_breaker_opens(trained_home) -> None:
    limits = {"first_token_timeout_s": 1.5, "llm_wait_timeout_s": 1.0, "llm_waiting": 4}
    with (
        in_thread(models=["plain"]) as standin,
        serving(trained_home, standin, **limits) as client,
    ):
        standin.freeze()

        async def load(asking: httpx.AsyncClient) -> list[dict[str, Any]]:
            return await asyncio.gather(*(one(asking, n * 0.05) for n in range(100)))

        replies = under(client, load)
        assert standin.calls["/api/version"] > 1, "it was to answer GET /api/version meanwhile"
        assert all(r["degraded"] for r in replies)
        waited = [r for r in replies if r["seconds"] > 1.4]
        assert 1 <= len(waited) <= 2, "at most two callers a slot wait the first-token limit"
        reasons = {r["degraded_reason"] for r in replies}
        assert {"llm_timeout", "llm_busy", "llm_breaker_open"} <= reasons
        late = [r for r in replies if r["degraded_reason"] == "llm_breaker_open"]
        assert max(r["seconds"] for r in late) < 1.0 + ROOM
        assert client.get("/health").json()["llm"]["breaker"] != "closed"
        standin.thaw()
        wait_for(lambda: not client.post("/chat", json=BODY).json()["degraded"], "a token", 30)


def test_an_open_breaker_asks_the_model_nothing_and_makes_one_trial(trained_home) -> None:
    with (
        in_thread(models=["plain"]) as standin,
        serving(trained_home, standin, first_token_timeout_s=0.3) as client,
    ):
        standin.freeze()
        for _ in range(5):
            client.post("/chat", json=BODY)
        assert client.get("/health").json()["llm"]["breaker"] == "open"
        asked = len(standin.chats)
        seconds = []
        for _ in range(200):
            begun = time.monotonic()
            assert client.post("/chat", json=BODY).json()["degraded_reason"] == "llm_breaker_open"
            seconds.append(time.monotonic() - begun)
        assert len(standin.chats) - asked <= 1, "only the trial of the watch may ask"
        assert sorted(seconds)[198] < 0.06 * 5
        standin.thaw()
        wait_for(lambda: client.get("/health").json()["llm"]["breaker"] == "closed", "a token", 30)


def test_a_full_house_answers_everyone_and_keeps_to_the_cap(trained_home) -> None:
    limits = {"llm_waiting": 16, "llm_wait_timeout_s": 3.0}
    with (
        in_thread(models=["plain"], delay_s=0.1) as standin,
        serving(trained_home, standin, **limits) as client,
    ):

        async def load(asking: httpx.AsyncClient) -> list[dict[str, Any]]:
            return await asyncio.gather(*(one(asking) for _ in range(200)))

        replies = under(client, load)
        assert standin.most_generating == 1
        assert any(not r["degraded"] for r in replies)
        busy = [r for r in replies if r["degraded"]]
        assert {r["degraded_reason"] for r in busy} == {"llm_busy"}
        assert max(r["seconds"] for r in busy) < 3.0 + ROOM


@pytest.mark.parametrize(
    "times", [pytest.param(50, id="50"), pytest.param(500, id="500", marks=pytest.mark.nightly)]
)
def test_who_leaves_in_mid_stream_stops_the_generation(times, trained_home) -> None:
    with (
        in_thread(models=["plain"], delay_s=0.02) as standin,
        serving(trained_home, standin, llm_in_flight=8) as client,
    ):

        async def leave(asking: httpx.AsyncClient) -> None:
            async with asking.stream("POST", "/chat/stream", json=BODY) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data:"):
                        return

        async def load(asking: httpx.AsyncClient) -> None:
            for _ in range(times // 5):
                await asyncio.gather(*(leave(asking) for _ in range(5)))

        under(client, load)
        wait_for(lambda: standin.generating == 0, "every generation to stop", 1.0 + ROOM)
        assert standin.cancelled >= 0.9 * times
        llm = client.get("/health").json()["llm"]
        assert (llm["in_flight"], llm["waiting"], llm["breaker"]) == (0, 0, "closed")
        assert client.post("/chat", json=BODY).json()["degraded"] is False
    log = trained_home.settings().chat_log.read_text().splitlines()
    statuses = [json.loads(line)["status"] for line in log]
    assert statuses.count("client_left") >= 0.9 * times


def test_who_hangs_up_on_a_plain_call_stops_the_generation(trained_home) -> None:
    with (
        in_thread(models=["plain"], delay_s=0.1) as standin,
        serving(trained_home, standin) as client,
    ):

        async def load(asking: httpx.AsyncClient) -> None:
            for path, body in (("/chat", BODY), ("/v1/chat/completions", OPENAI_BODY)):
                with pytest.raises(httpx.ReadTimeout):
                    await asking.post(path, json=body, timeout=0.4)
                await asyncio.to_thread(
                    wait_for, lambda: standin.generating == 0, "the generation to stop", ROOM
                )

        under(client, load)
        assert standin.cancelled >= 2
        wait_for(lambda: client.get("/health").json()["llm"]["in_flight"] == 0, "the slot", ROOM)
    log = trained_home.settings().chat_log.read_text().splitlines()
    assert [json.loads(line)["status"] for line in log] == ["client_left"] * 2
