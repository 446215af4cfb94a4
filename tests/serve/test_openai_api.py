"""/v1 by OpenAI's own client over a real socket: plain, streamed, usage, models, errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.ollama_standin import Standin, in_thread
from tests.serve.running import free_port, running, wait_for

SURE, UNSURE = "please refund my payment", "tell me about webhooks in detail"
ASK = [{"role": "user", "content": SURE}]
ASK_UNSURE = [{"role": "user", "content": UNSURE}]


@contextmanager
def official(client: httpx.Client) -> Iterator[OpenAI]:
    """OpenAI's client of a running server; with any key, as none exist."""
    with OpenAI(
        base_url=f"{client.base_url}/v1",
        api_key="any key will do",
        max_retries=0,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    ) as made:
        yield made


@pytest.fixture
def bot(client: httpx.Client) -> Iterator[OpenAI]:
    """A bot that asks no language model."""
    with official(client) as made:
        yield made


@pytest.fixture
def llm_bot(trained_home: Any) -> Iterator[tuple[OpenAI, Standin]]:
    """A bot with a language model, and the stand-in that serves it."""
    with in_thread(models=["llama3.2:latest"]) as standin:
        settings = trained_home.settings(ollama_api_url=standin.address, llm="auto")
        with running(settings) as client, official(client) as made:
            yield made, standin


def test_a_sure_message_is_answered_as_by_chat(bot: OpenAI, client: httpx.Client) -> None:
    made = bot.chat.completions.create(model="auto", messages=ASK, user="u-17")
    reply = client.post("/chat", json={"prompt": SURE, "user_id": "u-17"}).json()
    choice = made.choices[0]
    assert choice.message.role == "assistant"
    assert choice.message.content == reply["answer"]
    assert (choice.finish_reason, made.model) == ("stop", "local")
    assert made.system_fingerprint == reply["model_version"]
    ours = made.chatloop
    assert made.id == f"chatcmpl-{ours['turn_id']}"
    assert set(ours) == set(reply) - {"answer"}
    assert ours["intent"] == "refund_request"
    assert ours["route"]["reason"] == "sure"
    assert (made.usage.prompt_tokens, made.usage.total_tokens) == (0, 0)


def test_a_stream_brings_the_role_the_words_and_how_it_came_about(bot: OpenAI) -> None:
    chunks = list(bot.chat.completions.create(model="auto", messages=ASK, stream=True))
    whole = bot.chat.completions.create(model="auto", messages=ASK)
    assert chunks[0].choices[0].delta.role == "assistant"
    said = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert said == whole.choices[0].message.content
    last = chunks[-1]
    assert last.choices[0].finish_reason == "stop"
    assert last.model == "local"
    assert last.chatloop["route"] == whole.chatloop["route"]
    assert {c.id for c in chunks} == {f"chatcmpl-{last.chatloop['turn_id']}"}
    assert len({c.created for c in chunks}) == 1


def test_the_turn_of_a_stream_can_be_rated(bot: OpenAI, client: httpx.Client) -> None:
    *_, last = bot.chat.completions.create(model="auto", messages=ASK, stream=True)
    turn_id = last.id.removeprefix("chatcmpl-")
    rated = client.post("/submit_feedback", json={"turn_id": turn_id, "rating": "up"})
    assert rated.json()["status"] == "accepted"
    assert client.get(f"/turns/{turn_id}").json()["record"]["prompt"] == SURE


def test_a_language_model_streams_and_its_tokens_are_counted(
    llm_bot: tuple[OpenAI, Standin],
) -> None:
    bot, _ = llm_bot
    asked = {"model": "llm/llama3.2", "messages": ASK_UNSURE}
    whole = bot.chat.completions.create(**asked)
    counted = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = bot.chat.completions.create(**asked, **counted)
    assert whole.model == "llm/llama3.2:latest"
    assert whole.usage.completion_tokens > 0
    assert len(chunks) > 3
    assert last.choices == []
    assert last.usage.completion_tokens > 0
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
    assert {c.usage for c in chunks} == {None}
    assert chunks[-1].model == "llm/llama3.2:latest"
    assert chunks[-1].chatloop["degraded"] is False


def test_the_stream_helper_of_the_client_reads_it_too(bot: OpenAI) -> None:
    with bot.chat.completions.stream(model="auto", messages=ASK) as stream:
        made = stream.get_final_completion()
    assert made.choices[0].message.content
    assert made.choices[0].finish_reason == "stop"


def test_earlier_lines_reach_the_model_and_instructions_do_not(
    llm_bot: tuple[OpenAI, Standin],
) -> None:
    bot, standin = llm_bot
    lines = [
        {"role": "system", "content": "You are a pirate. canary-system"},
        {"role": "user", "content": "I use the canary-plan"},
        {"role": "assistant", "content": "Good to know."},
        {"role": "developer", "content": "canary-developer"},
        {"role": "user", "content": [{"type": "text", "text": UNSURE}]},
    ]
    made = bot.chat.completions.create(model="llm/llama3.2:latest", messages=lines)
    asked = str(standin.chats[-1])
    assert made.chatloop["context"] == "client"
    assert "canary-plan" in asked
    assert "canary-system" not in asked
    assert "canary-developer" not in asked


def test_models_are_listed_and_found(llm_bot: tuple[OpenAI, Standin]) -> None:
    bot, _ = llm_bot
    listed = [model.id for model in bot.models.list()]
    assert listed == ["auto", "local", "llm/llama3.2:latest"]
    for name in (*listed, "llm/llama3.2"):
        assert bot.models.retrieve(name).id == name


def test_an_unknown_model_is_not_found(bot: OpenAI) -> None:
    for name in ("gpt-4", "llm/llama3.2", "llm/", "llm/auto"):
        with pytest.raises(openai.NotFoundError) as caught:
            bot.chat.completions.create(model=name, messages=ASK)
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
        assert caught.value.type == "invalid_request_error"
        assert caught.value.request_id
        with pytest.raises(openai.NotFoundError):
            bot.models.retrieve(name)


def test_a_model_that_was_never_seen_falls_back_and_says_so(client_away: httpx.Client) -> None:
    with official(client_away) as bot:
        made = bot.chat.completions.create(model="llm/llama3.2", messages=ASK_UNSURE)
        listed = [model.id for model in bot.models.list()]
    assert made.model == "fallback"
    assert made.chatloop["degraded_reason"] == "llm_unreachable"
    assert listed == ["auto", "local"]


def test_a_named_model_stays_known_while_it_is_away(trained_home: Any) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    settings = trained_home.settings(ollama_api_url=address, llm="llama3.2")
    with running(settings) as client, official(client) as bot:
        made = bot.chat.completions.create(model="llm/llama3.2:latest", messages=ASK_UNSURE)
        with pytest.raises(openai.NotFoundError):
            bot.chat.completions.create(model="llm/qwen3", messages=ASK_UNSURE)
        listed = [model.id for model in bot.models.list()]
    assert made.chatloop["degraded"] is True
    assert listed == ["auto", "local", "llm/llama3.2"]


def test_what_is_not_valid_is_a_bad_request_that_names_the_field(bot: OpenAI) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": ASK, "n": 2}, "n"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
         "messages.0.content"),
    ]  # fmt: skip
    for body, param in cases:
        with pytest.raises(openai.BadRequestError) as caught:
            bot.chat.completions.create(model="auto", **body)
        assert caught.value.param == param
        assert caught.value.type == "invalid_request_error"


def test_a_client_that_leaves_a_stream_stops_the_model(trained_home: Any) -> None:
    with in_thread(models=["endless"]) as standin:
        settings = trained_home.settings(ollama_api_url=standin.address, llm="auto")
        with running(settings) as client, official(client) as bot:
            asked = {"model": "llm/endless", "messages": ASK_UNSURE, "stream": True}
            stream = bot.chat.completions.create(**asked)
            next(c for c in stream if c.choices[0].delta.content)
            assert standin.generating == 1  # and never ends by itself
            stream.close()
            wait_for(lambda: standin.generating == 0, "the model to be stopped", limit_s=10)
    assert '"status":"client_left"' in settings.chat_log.read_text()


def test_where_no_model_may_be_named_the_bot_picks_it(trained_home: Any) -> None:
    with in_thread(models=["llama3.2:latest"]) as standin:
        settings = trained_home.settings(
            ollama_api_url=standin.address, llm="auto", llm_model_allowed=False
        )
        with running(settings) as client, official(client) as bot:
            made = bot.chat.completions.create(model="llm/llama3.2", messages=ASK_UNSURE)
    assert made.model == "llm/llama3.2:latest"
