"""Several language models behind one bot: order, fallback, states, what is told of each."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import httpx
import pytest

from chatloop.core.settings import load_settings
from chatloop.serve.llms import best_of, make_models, start_models
from chatloop.serve.server import llm_lines
from chatloop.turn.answer.base import LlmStatus
from tests.ollama_standin import in_thread
from tests.openai_standin import OpenAiStandin
from tests.serve.running import free_port, running, wait_for

QUESTION = "which colours of bicycle do you sell?"


def api(name: str, address: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "provider": "openai", "address": address, **more}


def ask(client: httpx.Client, **more: str) -> dict[str, Any]:
    return dict(client.post("/chat", json={"prompt": QUESTION, "mode": "llm", **more}).json())


def test_a_reply_names_its_model_and_the_next_one_takes_over(trained_home) -> None:
    with in_thread(OpenAiStandin) as other, in_thread(models=["plain"]) as ollama:
        tables = [
            {"name": "first", "model": "plain", "address": ollama.address},
            api("second", other.address, model="plain", price_in=1e6),
        ]
        settings = trained_home.settings(
            llm="auto", models=tables, llm_probe_interval_s=0.2, first_token_timeout_s=0.4
        )
        with running(settings) as client:
            wait_for(lambda: client.get("/health").json()["llm"]["state"] == "ready", "a model")
            assert ask(client, llm_model="first")["chosen_model"] == "llm/first"
            ollama.freeze()
            reply = ask(client, llm_model="first")
            assert reply["chosen_model"] == "llm/second"
            assert reply["degraded_reason"] == "llm_timeout"
            assert reply["usage"]["cost"] == 26.0
            ollama.models = []
            wait_for(lambda: "model_missing" in states(client).values(), "the absence")
            assert ask(client)["chosen_model"] == "llm/second"
            health = client.get("/health").json()
            assert health["llm"]["name"] == "second", "the first that can be asked stands for all"
            assert [m["name"] for m in health["llm"]["models"]] == ["first", "second"]
            assert not [m for m in health["llm"]["models"] if m["remote"]]


def states(client: httpx.Client) -> dict[str, str]:
    return {m["name"]: m["state"] for m in client.get("/health").json()["llm"]["models"]}


def test_an_absent_model_is_its_own_state_and_makes_no_other_wait(trained_home) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    with in_thread(OpenAiStandin) as other, in_thread(OpenAiStandin, key="x") as locked:
        tables = [
            {"name": "absent", "address": nowhere.removesuffix("/v1")},
            api("gone", nowhere),
            api("locked", locked.address),
            api("bare", other.address, key_env="NO_SUCH_KEY"),
            api("well", other.address, model="plain"),
        ]
        with running(trained_home.settings(llm="auto", models=tables)) as client:
            assert states(client) == {
                "absent": "away",
                "gone": "away",
                "locked": "bad_key",
                "bare": "no_key",
                "well": "ready",
            }
            begun = time.monotonic()
            reply = ask(client)
            assert time.monotonic() - begun < 5
            assert (reply["chosen_model"], reply["degraded"]) == ("llm/well", False)
            figures = client.get("/metrics").json()
            assert (figures["llm_state"], figures["llms"]["gone"]) == ("ready", "away")
            text = client.get("/metrics?format=prometheus").text
    assert 'chatloop_llm_breaker{model="gone",state="closed"} 1.0' in text
    assert 'chatloop_llm_calls{model="well",state="in_flight"} 0.0' in text


def test_health_is_degraded_only_when_no_model_can_answer(trained_home) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    with in_thread(OpenAiStandin) as other:
        tables = [api("gone", nowhere), api("well", other.address, model="plain")]
        with running(trained_home.settings(llm="auto", models=tables)) as client:
            assert client.get("/health").json()["llm"]["state"] == "ready"
        with running(trained_home.settings(llm="gone", models=tables)) as client:
            assert list(states(client)) == ["gone"], "`llm` chooses one of them"
            body = client.get("/health").json()
            assert (body["status"], body["llm"]["state"]) == ("degraded", "away")
            assert ask(client)["degraded_reason"] == "llm_unreachable"


async def test_the_banner_has_a_line_for_each_model(clean_environment) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    models = [api("gone", nowhere), api("bare", nowhere, key_env="NO_SUCH_KEY")]
    gone, bare = await llm_lines(load_settings(models=models))
    assert gone.startswith(f"gone at {nowhere}: away (")
    assert "NO_SUCH_KEY" in bare
    assert await llm_lines(load_settings(llm="none")) == ["off (CHATLOOP_LLM=none)"]


async def test_a_remote_model_is_called_so_when_it_starts(clean_environment, caplog) -> None:
    settings = load_settings(models=[api("far", "https://api.example.com", key_env="NO_SUCH_KEY")])
    models = make_models(settings)
    caplog.set_level(logging.INFO)
    await start_models(models)  # without its key it sends nothing
    assert models[0].remote
    assert "model far: what it is asked leaves this machine" in caplog.text
    (line,) = await llm_lines(settings)
    assert "messages leave this machine" in line
    await models[0].aclose()


def test_limits_of_a_table_win_over_the_settings(clean_environment) -> None:
    tables = [
        api("a", "https://api.example.com", in_flight=8, gap_timeout_s=3.0),
        {"name": "b", "context_tokens": 9000},
    ]
    settings = load_settings(models=tables, llm_in_flight=2, total_timeout_s=20)
    a, b = (model._spec for model in make_models(settings))  # type: ignore[attr-defined]
    assert (a.limits.in_flight, a.limits.gap_timeout_s, a.limits.total_timeout_s) == (8, 3.0, 20)
    assert (a.limits.connect_timeout_s, b.limits.connect_timeout_s) == (2.0, 0.5)
    assert (b.limits.in_flight, b.address) == (2, settings.ollama_api_url)


@pytest.mark.parametrize(
    ("given", "best"), [([], None), (["away", "ready"], 1), (["away", "bad_key"], 0)]
)
def test_the_first_that_can_be_asked_stands_for_all(given, best) -> None:
    statuses = [LlmStatus(state=state) for state in given]
    assert best_of(statuses) is (None if best is None else statuses[best])


def test_strengths_of_the_tables_weigh_in_the_choice(trained_home) -> None:
    with in_thread(OpenAiStandin) as other:
        tables = [
            api("long", other.address, model="plain", strengths=["long"]),
            api("short", other.address, model="plain", strengths=["short"]),
        ]
        settings = trained_home.settings(llm="auto", models=tables)
        with running(settings) as client:
            ask(client)
    odds = json.loads(settings.chat_log.read_text("utf-8"))["llm"]["odds"]
    assert odds["short"] > odds["long"]
