"""What a chat was acknowledged for is on file, once, whatever happens to the process."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import httpx

from tests.serve.running import running_process

CHATS_AT_ONCE = 200


def test_kill_9_under_200_chats_loses_no_acknowledged_turn(trained_home) -> None:
    with running_process(trained_home.path) as (process, address):
        acknowledged = asyncio.run(_chat_until_killed(address, process.pid))
    assert len(acknowledged) >= CHATS_AT_ONCE / 4, "too few chats ran before the kill"
    with running_process(trained_home.path) as (_process, address):
        asyncio.run(_chat(address, ["one more after the restart"]))
        with httpx.Client(base_url=address, trust_env=False) as client:
            counted = client.get("/metrics").json()
    raw = trained_home.settings().chat_log.read_bytes()
    lines = raw.split(b"\n")
    assert lines[-1] == b""
    parsed, torn = [], 0
    for line in lines[:-1]:
        try:
            parsed.append(json.loads(line)["turn_id"])
        except ValueError:
            torn += 1
    assert torn <= 1, "only the line that the kill tore may not parse"
    assert len(parsed) == len(set(parsed))
    assert set(acknowledged) <= set(parsed)
    assert counted["turns"] == len(parsed)


async def _chat_until_killed(address: str, pid: int) -> list[str]:
    acknowledged: list[str] = []
    enough = asyncio.Event()
    limits = httpx.Limits(max_connections=CHATS_AT_ONCE)
    async with httpx.AsyncClient(
        base_url=address, trust_env=False, timeout=30, limits=limits
    ) as client:

        async def one(number: int) -> None:
            for round_number in range(100):
                try:
                    body = {"prompt": f"refund please, message {number}-{round_number}"}
                    response = await client.post("/chat", json=body)
                except httpx.HTTPError:
                    return
                acknowledged.append(response.json()["turn_id"])
                if len(acknowledged) >= CHATS_AT_ONCE:
                    enough.set()

        async def kill() -> None:
            await enough.wait()
            os.killpg(pid, signal.SIGKILL)

        await asyncio.gather(kill(), *(one(n) for n in range(CHATS_AT_ONCE)))
    return acknowledged


async def _chat(address: str, prompts: list[str]) -> None:
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
        for prompt in prompts:
            (await client.post("/chat", json={"prompt": prompt})).raise_for_status()


def test_metrics_equal_a_recount_of_the_log_over_two_workers(trained_home) -> None:
    with running_process(trained_home.path, workers=2) as (_process, address):
        asyncio.run(_chat(address, [f"question {n} about refunds" for n in range(60)]))
        with httpx.Client(base_url=address, trust_env=False) as client:
            counts = {client.get("/metrics").json()["turns"] for _ in range(8)}
    lines = trained_home.settings().chat_log.read_text().splitlines()
    assert counts == {len(lines)} == {60}
