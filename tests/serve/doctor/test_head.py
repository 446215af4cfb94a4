"""The head of /health: the cheap checks, without blocking, in full for this machine only."""

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest

from chatloop.core.settings import Settings
from chatloop.serve.doctor import head
from chatloop.serve.doctor.base import fail, ok
from tests.serve.running import running

LINES = ["disk", "folders", "release", "log", "store"]


def test_health_begins_with_the_checks(client: httpx.Client) -> None:
    body = client.get("/health").json()
    assert list(body)[:2] == ["status", "checks"]
    assert [check["name"] for check in body["checks"]] == LINES
    assert {check["state"] for check in body["checks"]} == {"ok"}
    assert body["status"] == "ok"


def test_a_failed_check_makes_health_degraded_and_says_what_to_type(trained_home) -> None:
    with running(trained_home.settings()) as client:
        (trained_home.path / "data" / "chatloop.db").write_bytes(b"no database" * 100)
        body = client.get("/health").json()
    store = next(check for check in body["checks"] if check["name"] == "store")
    assert body["status"] == "degraded"
    assert store["state"] == "fail"
    assert "DATABASE_URL" in store["hint"]


def test_strangers_see_names_and_states_only(client: httpx.Client) -> None:
    body = client.get("/health", headers={"Via": "1.1 proxy"}).json()
    assert [list(check) for check in body["checks"]] == [["state", "name"]] * len(LINES)


async def test_the_checks_do_not_block_the_loop_and_callers_share_a_look(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, go = [], threading.Event()
    loop, began = asyncio.get_running_loop(), asyncio.Event()

    def slow(_settings: Settings) -> list[object]:
        looks.append(threading.current_thread() is threading.main_thread())
        loop.call_soon_threadsafe(began.set)
        assert go.wait(10)
        return [ok("disk", "x")]

    monkeypatch.setattr(head, "_look", slow)
    checkup = head.CheckUp()
    calls = [asyncio.create_task(checkup.findings(settings)) for _ in range(3)]
    await began.wait()
    go.set()  # reached only because the loop runs during a look
    assert [[f.name for f in found] for found in await asyncio.gather(*calls)] == [["disk"]] * 3
    assert looks == [False]


async def test_a_finding_is_kept_for_some_seconds_and_then_looked_at_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [[ok("disk", "x")], [fail("disk", "full", "make room")]]
    monkeypatch.setattr(head, "_look", lambda _settings: answers.pop(0))
    kept = head.CheckUp(keep_s=1000)
    assert await kept.findings(settings) == await kept.findings(settings)
    fresh = head.CheckUp(keep_s=0)
    assert head.has_failed(await fresh.findings(settings))
