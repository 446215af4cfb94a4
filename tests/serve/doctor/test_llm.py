"""The lines `ollama`, `model` and `first_token` against a stand-in that is broken in each way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from chatloop.core.settings import load_settings
from chatloop.serve.doctor.base import Finding
from tests.ollama_standin import Standin, in_thread
from tests.openai_standin import OpenAiStandin
from tests.serve.doctor.diagnosing import findings_of
from tests.serve.running import free_port


def look(address: str, **changes: Any) -> dict[str, Finding]:
    settings = load_settings(ollama_api_url=address, **{"llm": "auto", **changes})
    return findings_of("llm", settings, limit_s=20)


def states(found: dict[str, Finding]) -> Iterable[tuple[str, str]]:
    return [(f.name, f.state.value) for f in found.values()]


@pytest.fixture(autouse=True)
def _clean(clean_environment: None) -> None:
    """No setting from outside."""


def test_a_loaded_model_generates_exactly_one_token() -> None:
    with in_thread(models=["plain"]) as ollama:
        found = look(ollama.address)
        assert states(found) == [("ollama", "ok"), ("model", "ok"), ("first_token", "ok")]
        assert "plain:latest, one of 1, loaded" in found["model"].found
        assert [body["options"]["num_predict"] for body in ollama.chats] == [1]


def test_a_model_that_is_not_loaded_is_not_loaded_by_looking() -> None:
    with in_thread(models=["plain"], loaded=[]) as ollama:
        found = look(ollama.address)
        assert states(found) == [("ollama", "ok"), ("model", "ok")]
        assert "not loaded yet" in found["model"].found
        assert (ollama.loads, ollama.chats) == (0, [])


def test_a_refused_connection_names_the_command() -> None:
    found = look(f"http://127.0.0.1:{free_port()}")
    assert states(found) == [("ollama", "warn")]
    assert "no server answers" in found["ollama"].found
    assert "ollama serve" in found["ollama"].hint


def test_a_silent_server_is_a_warning_within_the_limit() -> None:
    with in_thread() as ollama:
        ollama.silent = True
        found = look(ollama.address)
        ollama.silent = False
    assert states(found) == [("ollama", "warn")]
    assert "silent" in found["ollama"].found


def test_a_server_that_hangs_while_it_answers_short_questions_gives_no_first_token() -> None:
    with in_thread() as ollama:
        ollama.freeze()
        found = look(ollama.address, first_token_timeout_s=0.3)
        ollama.thaw()
    assert states(found) == [("ollama", "ok"), ("model", "ok"), ("first_token", "warn")]
    assert "restart" in found["first_token"].hint


@pytest.mark.parametrize(
    ("models", "changes", "hint"),
    [
        ([], {}, "ollama pull llama3.2"),
        (["nomic-embed-text"], {}, "ollama pull llama3.2"),
        (["plain"], {"llm": "qwen3"}, "ollama pull qwen3"),
        (["big:1t-cloud"], {"llm": "big:1t-cloud"}, "CHATLOOP_LLM_ALLOW_CLOUD"),
    ],
)
def test_a_server_without_the_model_names_the_command(
    models: list[str], changes: dict[str, Any], hint: str
) -> None:
    with in_thread(models=models) as ollama:
        found = look(ollama.address, **changes)
    assert states(found) == [("ollama", "ok"), ("model", "warn")]
    assert hint in found["model"].hint


def test_another_server_at_the_address_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    page = 200, "text/html", b"<html>a router</html>"
    monkeypatch.setattr(Standin, "_looked_up", lambda _self, _path: page)
    with in_thread() as other:
        found = look(other.address)
    assert states(found) == [("ollama", "warn")]
    assert "is it Ollama?" in found["ollama"].found


def test_an_address_that_is_none_fails_because_nothing_would_start() -> None:
    found = look("ftp://me:hush@models")
    assert states(found) == [("ollama", "fail")]
    assert "hush" not in found["ollama"].found


def test_a_model_that_is_off_is_no_fault() -> None:
    assert states(look("http://127.0.0.1:1", llm="none")) == [("ollama", "ok")]


def test_a_model_elsewhere_is_said_to_be_elsewhere() -> None:
    with in_thread(models=["big:1t-cloud"]) as ollama:
        found = look(ollama.address, llm="big:1t-cloud", llm_allow_cloud=True)
    assert "somebody else's machine" in found["model"].found


def test_each_of_several_models_has_its_line_and_none_generates() -> None:
    away = f"http://127.0.0.1:{free_port()}/v1"
    with in_thread(models=["plain"]) as ollama, in_thread(OpenAiStandin, key="x") as other:
        tables = [
            {"name": "near", "model": "plain"},
            {"name": "api", "provider": "openai", "model": "plain", "address": other.address},
            {"name": "gone", "provider": "openai", "model": "m", "address": away},
            {"name": "bare", "provider": "openai", "address": away, "key_env": "NO_SUCH_KEY"},
        ]
        found = look(ollama.address, models=tables)
        assert (ollama.chat_calls, other.chat_calls) == (0, 0)
    assert states(found) == [
        ("model near", "ok"),
        ("model api", "warn"),
        ("model gone", "warn"),
        ("model bare", "warn"),
    ]
    assert "bad_key" in found["model api"].found
    assert "NO_SUCH_KEY" in found["model bare"].found
