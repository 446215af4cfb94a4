"""/v1 byte by byte: the order of a stream, what is ignored, and every error in OpenAI's shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatloop.core.settings import load_settings
from chatloop.turn.answer.ladder import Ladder
from tests.serve.running import running

URL, CANARY = "/v1/chat/completions", "zq-canary-7731"
SURE = "please refund my payment"
BODY: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": SURE}]}


def data_of(response: httpx.Response) -> list[str]:
    """The events of a stream; each is one `data:` line and a blank one, and nothing else."""
    *found, rest = response.text.split("\n\n")
    assert rest == ""
    assert all(event.startswith("data: ") and "\n" not in event for event in found)
    return [event.removeprefix("data: ") for event in found]


def test_a_stream_goes_role_words_finish_usage_done(client: httpx.Client) -> None:
    asked = BODY | {"stream": True, "stream_options": {"include_usage": True}}
    response = client.post(URL, json=asked)
    *events, done = data_of(response)
    role, words, finish, usage = map(json.loads, events)
    assert done == "[DONE]"
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert role["object"] == "chat.completion.chunk"
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert words["choices"][0]["delta"]["content"]
    assert words["model"] == "auto"
    assert finish["choices"][0] == {
        "index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"
    }  # fmt: skip
    assert finish["model"] == "local"
    assert finish["chatloop"]["intent"] == "refund_request"
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 0)
    assert [e["usage"] for e in (role, words, finish)] == [None] * 3


def test_without_include_usage_no_event_speaks_of_it(client: httpx.Client) -> None:
    *events, done = data_of(client.post(URL, json=BODY | {"stream": True}))
    assert done == "[DONE]"
    assert len(events) == 3
    assert all("usage" not in json.loads(event) for event in events)


@pytest.mark.parametrize(
    "extra",
    [
        {"temperature": 0, "top_p": 0.1, "seed": 1, "presence_penalty": -2},
        {"max_tokens": 10**9, "max_completion_tokens": 10**9, "stop": ["\n", "a"]},
        {"tools": [{"type": "function"}], "tool_choice": "none", "response_format": {"type": "x"}},
        {"logprobs": True, "metadata": {"a": "b"}, CANARY: [CANARY]},
        {"n": 1, "stream": None, "stream_options": None, "user": ""},
    ],
)
def test_what_steers_a_bare_model_is_ignored(client: httpx.Client, extra: dict[str, Any]) -> None:
    reply = client.post(URL, json=BODY | extra).json()
    plain = client.post("/chat", json={"prompt": SURE}).json()
    assert reply["choices"][0]["message"]["content"] == plain["answer"]
    assert CANARY not in json.dumps(reply)


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "please refund"}, {"type": "text", "text": "my payment"}],
        f"  {SURE} ",
    ],
)
def test_text_parts_are_one_text(client: httpx.Client, content: Any) -> None:
    reply = client.post(URL, json=BODY | {"messages": [{"role": "user", "content": content}]})
    assert reply.json()["chatloop"]["intent"] == "refund_request"


def test_the_last_message_of_the_user_is_answered_whatever_stands_around_it(
    client: httpx.Client,
) -> None:
    lines = [{"role": r, "content": "earlier words"} for r in ("user", "assistant")] * 30
    around = [{"role": "system", "content": "x"}, {"role": "assistant", "tool_calls": []}]
    after = [{"role": "assistant", "content": "Sure,"}, {"role": "tool", "content": "y"}]
    messages = [*lines, *around, *BODY["messages"], *after]
    reply = client.post(URL, json=BODY | {"messages": messages})
    ours = reply.json()["chatloop"]
    record = client.get(f"/turns/{ours['turn_id']}").json()["record"]
    assert record["prompt"] == SURE
    assert ours["context"] == "client"


def test_an_empty_message_gets_the_fixed_sentence_as_by_chat(client: httpx.Client) -> None:
    reply = client.post(URL, json=BODY | {"messages": [{"role": "user", "content": ""}]})
    plain = client.post("/chat", json={"prompt": ""}).json()
    assert reply.status_code == 200
    assert reply.json()["choices"][0]["message"]["content"] == plain["answer"]


def test_any_authorization_is_accepted(client: httpx.Client) -> None:
    for given in ("Bearer sk-abc", "Bearer", "Basic eDp5", "nonsense"):
        reply = client.post(URL, json=BODY, headers={"Authorization": given})
        assert reply.status_code == 200


def user(content: Any) -> dict[str, Any]:
    return {"json": BODY | {"messages": [{"role": "user", "content": content}]}}


BAD: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("not json", URL, {"content": b"{" + CANARY.encode()}, 400, "bad_request"),
    ("not utf-8", URL, {"content": b'{"model": "\xff"}'}, 400, "bad_request"),
    ("nan", URL, {"content": b'{"model": "auto", "temperature": NaN}'}, 400, "bad_request"),
    ("deep", URL, {"content": b'{"a": ' + b"[" * 50_000}, 400, "bad_request"),
    ("a form", URL, {"data": {"model": "auto", "messages": CANARY}}, 400, "invalid"),
    ("nothing", URL, {}, 400, "invalid"),
    ("no model", URL, {"json": {"messages": BODY["messages"]}}, 400, "invalid"),
    ("surrogate", URL, {"content": json.dumps(user("\ud800")["json"]).encode()}, 400, "invalid"),
    ("no content", URL, user(None), 400, "invalid"),
    ("a number", URL, user(7), 400, "invalid"),
    ("an image", URL, user([{"type": "image_url", "image_url": {"url": CANARY}}]), 400, "invalid"),
    ("an odd part", URL, user([CANARY]), 400, "invalid"),
    ("unknown role", URL, {"json": {"model": "auto", "messages": [{"role": CANARY}]}}, 400,
     "invalid"),
    ("n is 0", URL, {"json": BODY | {"n": 0}}, 400, "invalid"),
    ("too long", URL, user(CANARY * 1000), 413, "too_large"),
    ("too large", URL, user("x" * 300_000), 413, "too_large"),
    ("unknown model", URL, {"json": BODY | {"model": CANARY}}, 404, "model_not_found"),
    ("no such call", "/v1/embeddings", {"json": BODY}, 404, "not_found"),
    ("wrong method", "/v1/models", {"json": BODY}, 405, "method_not_allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "body", "status", "code"), BAD, ids=[b[0] for b in BAD])
def test_a_bad_request_gets_one_error_in_openais_shape(
    client: httpx.Client, name: str, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    response = client.post(path, **body)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert CANARY not in response.text


def test_while_no_release_is_loaded_it_is_503_and_says_when_to_come_again(
    home: Path, clean_environment: None
) -> None:
    with running(load_settings(home=home, llm="none")) as client:
        replies = [client.post(URL, json=BODY), client.get("/v1/models")]
    for reply in replies:
        error = reply.json()["error"]
        assert (reply.status_code, error["code"]) == (503, "no_model")
        assert error["type"] == "server_error"
        assert reply.headers["retry-after"]


def test_a_fault_is_500_or_one_error_event_in_place_of_the_end_mark(
    trained_home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_named: object) -> object:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(Ladder, "_local", broken)
    with running(trained_home.settings()) as client:
        streamed = client.post(URL, json=BODY | {"stream": True})
        plain = client.post(URL, json=BODY)
    role, error = map(json.loads, data_of(streamed))
    assert plain.status_code == 500
    assert role["choices"][0]["delta"]["role"] == "assistant"
    assert plain.json() == error
    assert error["error"]["type"] == "server_error"
    assert CANARY not in plain.text + streamed.text
