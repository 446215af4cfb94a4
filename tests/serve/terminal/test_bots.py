"""The terminal chat with real bots: one in this process, one behind a socket."""

from __future__ import annotations

import csv
import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatloop.core.errors import ApiError, ReleaseError
from chatloop.core.settings import Settings, load_settings
from chatloop.core.types import Mode
from chatloop.serve.terminal.bots import Bot, HttpBot
from chatloop.serve.terminal.chat import Chat
from chatloop.serve.terminal.local import local_bot
from tests.ollama_standin import Standin, in_thread
from tests.serve.running import free_port, running, wait_for
from tests.serve.terminal.person import Person
from tests.serve.test_commands import one_line, run

SURE, UNSURE = "how do i reset my password", "tell me about webhooks in detail"
CANARY = "zq-canary-7731"


def converse(bot: Bot) -> str:
    """Two questions, a thumb up, a thumb down with a correction by number, a new intent."""
    person = Person(
        *(SURE, "y"), "/mode llm", *(f"{UNSURE} {CANARY}", "n", "refund_request"),
        *("/mode local", SURE, "gift_cards", "y", "/why"),
    )  # fmt: skip
    Chat(bot, person.screen, mode=Mode.AUTO, user_id="u-17").run()
    return person.sees


def check_conversation(sees: str, settings: Settings) -> None:
    assert "answered locally · approved answer | sure of the intent" in sees
    assert "language model llama3.2:latest | you chose the mode" in sees
    assert "hint for the language model: 0 -> 1" in sees
    assert "stored; the next retrain learns from it" in sees
    assert "a new intent, waiting: 1 of 5 examples" in sees
    assert "release" in sees
    with (settings.data_dir / "new_user_data.csv").open(newline="") as file:
        kept = [(row["label"], row["status"]) for row in csv.DictReader(file)]
    assert kept == [("refund_request", "accepted"), ("gift_cards", "accepted")]
    assert "u-17" not in settings.chat_log.read_text()


def operator_lines(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("chatloop"))


def test_a_conversation_in_this_process(
    trained_home: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with in_thread(models=["llama3.2:latest"]) as standin:
        settings = trained_home.settings(ollama_api_url=standin.address, llm="auto")
        with local_bot(settings) as bot:
            sees = converse(bot)
    check_conversation(sees, settings)
    assert (settings.data_dir / "knowledge" / "passwords.md").as_uri() in sees
    assert "serving release" in operator_lines(caplog)
    assert CANARY not in operator_lines(caplog)


def test_a_conversation_with_a_running_server(
    trained_home: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with in_thread(models=["llama3.2:latest"]) as standin:
        settings = trained_home.settings(ollama_api_url=standin.address, llm="auto")
        with running(settings) as client:
            address = str(client.base_url)
            sees = converse(HttpBot(address.removeprefix("http://")))
    check_conversation(sees, settings)
    assert f"{address}/help/passwords" in sees
    assert CANARY not in operator_lines(caplog)


@pytest.mark.parametrize("where", ["here", "there"])
def test_an_answer_that_is_stopped_stops_the_model(trained_home: Any, where: str) -> None:
    with in_thread(models=["endless"]) as standin:
        settings = trained_home.settings(ollama_api_url=standin.address, llm="auto")
        if where == "here":
            with local_bot(settings) as bot:
                stop_after_a_piece(bot, standin)
        else:
            with running(settings) as client:
                stop_after_a_piece(HttpBot(str(client.base_url)), standin)
    assert '"status":"client_left"' in settings.chat_log.read_text()


def stop_after_a_piece(bot: Bot, standin: Standin) -> None:
    with closing(bot.ask({"prompt": UNSURE, "mode": "llm"})) as pieces:
        assert next(pieces)
        assert standin.generating == 1  # and never ends by itself
    wait_for(lambda: standin.generating == 0, "the model to be stopped", limit_s=10)


def test_both_refuse_alike(trained_home: Any, client: httpx.Client) -> None:
    there = HttpBot(str(client.base_url))
    with local_bot(trained_home.settings()) as here:
        for bot in (here, there):
            with pytest.raises(ApiError, match="at most 2000 characters"):
                list(bot.ask({"prompt": "x" * 3000}))
            with pytest.raises(ApiError, match="unknown field"):
                list(bot.ask({"promt": "x"}))
            with pytest.raises(ApiError, match="no such turn"):
                bot.submit({"turn_id": "T1", "rating": "up"})
            with pytest.raises(ApiError, match="rating"):
                bot.submit({"turn_id": "T1", "rating": "sideways"})
        assert sorted(here.intents()) == sorted(there.intents())
        assert here.health()["model_version"] == there.health()["model_version"]


def test_a_fault_in_a_turn_is_an_error_and_no_end(
    trained_home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chatloop.turn.answer.ladder import Ladder

    def broken(*_args: object, **_named: object) -> object:
        raise RuntimeError(CANARY)

    with local_bot(trained_home.settings()) as bot:
        monkeypatch.setattr(Ladder, "_local", broken)
        with pytest.raises(ApiError, match="RuntimeError") as caught:
            list(bot.ask({"prompt": SURE}))
        monkeypatch.undo()
        assert list(bot.ask({"prompt": SURE}))
    assert CANARY not in str(caught.value)


def test_without_a_release_there_is_nothing_to_chat_with(
    home: Path, clean_environment: None
) -> None:
    bot = local_bot(load_settings(home=home, llm="none"))
    with pytest.raises(ReleaseError, match=r"train_model\.py"):
        bot.__enter__()


def test_the_command_chats_until_its_input_ends(trained_home: Any) -> None:
    done = run(trained_home.path, "-m", "chatloop", "chat", typed=f"{SURE}\ny\n")
    assert done.returncode == 0, done.stderr
    assert "Forgot password" in done.stdout
    assert "thank you; stored" in done.stdout
    assert done.stderr == ""


def test_nobody_at_the_url_is_one_line(trained_home: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert url in one_line(run(trained_home.path, "-m", "chatloop", "chat", "--url", url))
