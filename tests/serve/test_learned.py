"""Learned state in a serving process: followed, kept while the store is away, never in the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

import httpx
import pytest

from chatloop.core.errors import StoreError
from chatloop.core.release import read_pointer
from chatloop.loop.feedback.hint_rung import HintState
from chatloop.loop.feedback.learned import Kind, Learned
from chatloop.loop.feedback.llm_votes import LlmState, LlmVote
from chatloop.loop.store import Store
from chatloop.serve import learned as module
from chatloop.serve.cli import main
from chatloop.serve.learned import LearnedState
from tests.fakes import HINTS, tiny_release
from tests.ollama_standin import Standin, in_thread
from tests.serve.running import running, wait_for

KNOWN = Learned(HintState(2), LlmState((LlmVote("u", "a", "g", 1),)))


def reader(*found: Learned | Exception):
    """Answers one look after the other."""
    left = list(found)

    async def read(_release: str) -> Learned:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return read


async def looked(*found: Learned | Exception) -> LearnedState:
    state, read = LearnedState(), reader(*found)
    for _ in found:
        await state.look("v1", read)
    return state


async def test_what_was_read_is_known_of_that_release_only():
    state = await looked(KNOWN)
    assert (state.rung("v1"), state.votes("v1")["a"].total.up) == (2, 1)
    assert (state.rung("v2"), state.votes("v2")) == (None, {})


@pytest.mark.parametrize("fault", [StoreError("the store is away"), RuntimeError("odd")])
async def test_while_the_store_is_away_the_last_known_stays(fault, caplog):
    with caplog.at_level(logging.WARNING):
        state = await looked(KNOWN, fault, fault, fault)
    assert state.rung("v1") == 2
    assert state.problem == str(fault)
    assert caplog.text.count(str(fault)) == 1


async def test_a_damaged_state_is_the_start_of_the_release_told_once(caplog):
    damaged = Learned(damaged=(Kind.HINT,))
    with caplog.at_level(logging.WARNING):
        state = await looked(damaged, damaged)
    assert state.rung("v1") is None
    assert caplog.text.count("learned reset hint") == 1


async def test_a_new_release_is_followed_within_two_seconds(monkeypatch):
    assert module.FOLLOW_INTERVAL_S < 2
    monkeypatch.setattr(module, "FOLLOW_INTERVAL_S", 0.01)
    state, current, reads = LearnedState(), ["v1"], asyncio.Queue[str]()

    async def read(release: str) -> Learned:
        reads.put_nowait(release)
        return Learned(HintState(int(release[1:])))

    task = asyncio.create_task(state.follow(lambda: current[0], read))
    assert await reads.get() == "v1"
    current[0] = "v3"
    while await reads.get() != "v3":
        pass
    await reads.get()
    assert (state.rung("v1"), state.rung("v3")) == (None, 3)
    task.cancel()


@pytest.fixture
def standin() -> Iterator[Standin]:
    with in_thread(models=("plain",), loaded=("plain",)) as server:
        yield server


@pytest.fixture
def bot(trained_home, standin) -> Iterator[httpx.Client]:
    with running(trained_home.settings(llm="auto", ollama_api_url=standin.address)) as client:
        wait_for(lambda: client.get("/health").json()["llm"]["state"] == "ready", "the model")
        yield client


@pytest.fixture
def command(trained_home, clean_environment, monkeypatch, capsys) -> Callable[..., str]:
    """Runs `python -m chatloop learned ...` in this process; returns what it printed."""
    monkeypatch.setenv("CHATLOOP_HOME", str(trained_home.path))

    def run(*arguments: str) -> str:
        code = main(["learned", *arguments])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


def ask(bot: httpx.Client, **fields) -> dict:
    reply = bot.post("/chat", json={"prompt": "which colours?", "mode": "llm", **fields}).json()
    assert reply["chosen_model"].startswith("llm/"), reply
    return reply


def record(bot: httpx.Client, reply: dict) -> dict:
    return bot.get(f"/turns/{reply['turn_id']}").json()["record"]


def hint(bot: httpx.Client) -> dict:
    return bot.get("/health").json()["learned"]["hint"]


def test_thumbs_down_of_five_people_move_the_hint_and_a_reset_takes_it_back(bot, command):
    assert (record(bot, ask(bot))["hint_rung"], hint(bot)["text"]) == (0, HINTS[0])
    for n in range(5):
        rated = {"turn_id": ask(bot)["turn_id"], "rating": "down", "user_id": f"u{n}"}
        assert bot.post("/submit_feedback", json=rated).json()["status"] == "accepted"
    wait_for(lambda: hint(bot)["rung"] == 1, "the move to show", limit_s=10)
    moved = hint(bot)
    assert (moved["text"], moved["version"], moved["moved_by"]["down"]) == (HINTS[1], 1, 5)
    reply = ask(bot)
    assert record(bot, reply)["hint_rung"] == 1
    models = bot.get("/health").json()["learned"]["models"]
    assert models == {"plain:latest": {"up": 0, "down": 5, "mean": pytest.approx(1 / 7)}}

    shown = command()
    assert "0 to 1 by votes (0 up, 5 down)" in shown
    assert "plain:latest: 0 up, 5 down" in shown
    assert "hint: back to the start" in command("reset", "hint")
    wait_for(lambda: hint(bot)["rung"] == 0, "the reset to show", limit_s=10)
    assert hint(bot)["moved_by"]["by"] == "reset"


def test_a_promotion_starts_afresh_and_a_rollback_finds_its_own_again(bot, trained_home):
    first = read_pointer(trained_home.path / "models").version
    store = Store(trained_home.settings().store_url)
    store.change_learned(first, Kind.HINT, lambda _: '{"rung": 2}')
    store.close()
    wait_for(lambda: hint(bot)["rung"] == 2, "the learned rung", limit_s=10)
    second = tiny_release(trained_home.path).version
    wait_for(lambda: bot.get("/health").json()["model_version"] == second, "the promotion")
    assert record(bot, ask(bot))["hint_rung"] == 0
    assert bot.post("/rollback").status_code == 200
    wait_for(lambda: hint(bot)["rung"] == 2, "the rolled back rung", limit_s=10)
    assert record(bot, ask(bot))["hint_rung"] == 2


def test_the_callers_rung_is_used_and_capped(bot):
    assert record(bot, ask(bot, hint_rung=2))["hint_rung"] == 2
    assert record(bot, ask(bot, hint_rung=9))["hint_rung"] == 3


@pytest.mark.parametrize("name", ["plain:latest", "plain", "llm/plain", "PLAIN"])
def test_a_model_that_is_asked_for_is_recorded_as_requested(bot, name):
    llm = record(bot, ask(bot, llm_model=name))["llm"]
    assert llm == {
        "model": "plain:latest",
        "reason": "requested",
        "pscore": None,
        "odds": {"plain:latest": 1.0},
    }


def test_an_unknown_model_is_422_with_the_names(bot):
    refused = bot.post("/chat", json={"prompt": "hi", "llm_model": "gpt-9"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "llm_model"
    assert "plain:latest" in refused.json()["detail"]
    assert "gpt-9" not in refused.text


def test_a_house_may_forbid_the_choice(trained_home):
    with running(trained_home.settings(llm_model_allowed=False)) as client:
        refused = client.post("/chat", json={"prompt": "hi", "llm_model": "plain"})
        assert (refused.status_code, "llm_model_allowed" in refused.text) == (422, True)
        assert client.post("/chat", json={"prompt": "hi"}).status_code == 200


def test_learned_before_training_names_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CHATLOOP_HOME", str(tmp_path))
    assert main(["learned"]) == 1
    assert "python train_model.py" in capsys.readouterr().err


def test_a_damaged_state_never_stops_the_bot_and_the_command_says_how_to_mend_it(
    trained_home, command
):
    release = read_pointer(trained_home.path / "models").version
    store = Store(trained_home.settings().store_url)
    store.change_learned(release, Kind.LLM, lambda _: "{")
    store.close()
    with running(trained_home.settings()) as client:
        assert client.post("/chat", json={"prompt": "hi"}).status_code == 200
        learned = lambda: client.get("/health").json()["learned"]  # noqa: E731
        wait_for(lambda: learned()["problem"], "the damage to be seen", limit_s=10)
    assert "learned reset llm" in command()
    assert "llm: back to the start" in command("reset", "llm")
    assert "damaged" not in command()
