"""What the path to a language model costs besides the model, against a stand-in over real sockets.

Three figures: own time a reply at 50 requests a second (a whole reply through the house, less the
same question asked of the stand-in directly); the delay of a streamed piece from the stand-in's
write to the caller's read; and whether 500 slow calls in flight slow a local reply.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from bench.serving import server, wait_until_up

RATE_HZ = 50
SECONDS = 6.0
SLOW_CALLS = 500
PORTS = {"standin": 18351, "house": 18352}
LOCAL = b'{"prompt": "How do I get a refund?", "mode": "local"}'
ASKED = b'{"prompt": "Compare your plans with theirs", "mode": "llm"}'


def rows() -> Iterator[tuple[str, str]]:
    """Yield (figure, value). Serves the current release of this folder."""
    if not Path("models/current.json").exists():
        yield "language model path", "no model: `make run` once"
        return
    yield from _overhead()
    yield from _piece_delay()
    yield from _beside_slow_calls()


def _overhead() -> Iterator[tuple[str, str]]:
    with _house("plain") as (house, standin):
        direct = asyncio.run(_latencies_ms(standin, "/api/chat", _direct_body("plain")))
        through = asyncio.run(_latencies_ms(house, "/chat", ASKED))
    for q, goal in ((50, 3), (99, 15)):
        own = float(np.percentile(through, q) - np.percentile(direct, q))
        name = f"LLM reply at {RATE_HZ}/s, own time p{q} (goal {goal} ms)"
        yield name, f"{own:.1f} ms of {np.percentile(through, q):.1f}"


def _piece_delay() -> Iterator[tuple[str, str]]:
    with _house("clock") as (house, _):
        delays = asyncio.run(_stream_delays_ms(house))
    value = f"{np.percentile(delays, 50):.2f} / {np.percentile(delays, 95):.2f} ms"
    yield "streamed piece passed on, p50 / p95 (goal 2 ms)", value


def _beside_slow_calls() -> Iterator[tuple[str, str]]:
    limits = {"CHATLOOP_LLM_IN_FLIGHT": str(SLOW_CALLS), "CHATLOOP_FIRST_TOKEN_TIMEOUT_S": "60"}
    with _house("mute", **limits) as (house, _):
        alone, beside = asyncio.run(_alone_and_beside(house))
    before, after = np.percentile(alone, 99), np.percentile(beside, 99)
    name = f"local p99 beside {SLOW_CALLS} slow calls (goal 2x)"
    yield name, f"{after:.1f} ms, alone {before:.1f}"


def _direct_body(model: str) -> bytes:
    messages = [{"role": "user", "content": "Compare your plans with theirs"}]
    return json.dumps({"model": model, "messages": messages}).encode()


@contextmanager
def _house(model: str, **limits: str) -> Iterator[tuple[str, str]]:
    """Run a stand-in with `model` and the house beside it; yields both addresses."""
    command = [sys.executable, "-m", "tests.ollama_standin", "--delay-ms", "0"]
    command += ["--port", str(PORTS["standin"]), "--models", model]
    standin = f"http://127.0.0.1:{PORTS['standin']}"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until_up(standin)
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            (home / "models").symlink_to(Path("models").resolve())
            names = {"CHATLOOP_HOME": str(home), "CHATLOOP_LLM": model, "OLLAMA_API_URL": standin}
            env = {**os.environ, **names, **limits}
            app = ("main:app", PORTS["house"], str(Path.cwd()), "/ui/")
            with server(*app, env=env) as house:
                _wait_for_model(house)
                yield house, standin
    finally:
        process.terminate()
        process.wait(10)


def _wait_for_model(house: str) -> None:
    for _ in range(100):
        if httpx.get(f"{house}/health", trust_env=False).json()["llm"]["state"] == "ready":
            return
        time.sleep(0.1)
    raise RuntimeError("the stand-in was not found by the house")


async def _latencies_ms(address: str, path: str, body: bytes) -> list[float]:
    """Send `RATE_HZ` calls a second for `SECONDS`, on a fixed beat; time each from its beat."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    async with httpx.AsyncClient(
        base_url=address, trust_env=False, timeout=30, limits=limits
    ) as client:
        begin = time.perf_counter() + 0.1

        async def one(number: int) -> float:
            beat = begin + number / RATE_HZ
            await asyncio.sleep(beat - time.perf_counter())
            response = await client.post(path, content=body, headers=_JSON)
            if response.status_code != 200:
                raise RuntimeError(f"a benchmark call ended with {response.status_code}")
            return 1e3 * (time.perf_counter() - beat)

        return list(await asyncio.gather(*(one(n) for n in range(int(RATE_HZ * SECONDS)))))


_JSON = {"Content-Type": "application/json"}


async def _stream_delays_ms(house: str) -> list[float]:
    delays = []
    letters = str.maketrans("abcdefghij", "0123456789")
    async with httpx.AsyncClient(base_url=house, trust_env=False, timeout=30) as client:
        for _ in range(10):
            async with client.stream(
                "POST", "/chat/stream", content=ASKED, headers=_JSON
            ) as response:
                async for line in response.aiter_lines():
                    now_us = time.perf_counter_ns() / 1000
                    if line.startswith('data: {"text"'):
                        moment = json.loads(line[6:])["text"].split()[-1].translate(letters)
                        delays.append((now_us - int(moment)) / 1000)
    return delays


async def _alone_and_beside(house: str) -> tuple[list[float], list[float]]:
    alone = await _latencies_ms(house, "/chat", LOCAL)
    callers = [await _ask_and_wait(house) for _ in range(SLOW_CALLS)]
    async with httpx.AsyncClient(base_url=house, trust_env=False, timeout=30) as client:
        for _ in range(300):
            if (await client.get("/health")).json()["llm"]["in_flight"] == SLOW_CALLS:
                break
            await asyncio.sleep(0.2)
        else:
            raise RuntimeError("the slow calls did not get under way")
    beside = await _latencies_ms(house, "/chat", LOCAL)
    for writer in callers:
        writer.close()
    return alone, beside


async def _ask_and_wait(house: str) -> asyncio.StreamWriter:
    """Send a question over a bare socket: 500 HTTP clients would slow the one that measures."""
    host, port = house.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /chat HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(ASKED)}\r\n\r\n".encode() + ASKED)
    return writer
