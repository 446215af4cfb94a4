"""The ways into the bot that may ask a language model, each as one function: ask, get a Seen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.serve.running import events

QUESTION = "which colours of bicycle do you sell?"
"""Out of the tiny bot's scope: only a language model would answer it."""


@dataclass(frozen=True)
class Seen:
    """What a caller saw: the words as they came, the closing body, the seconds it took."""

    status: int
    said: str
    body: dict[str, Any]
    seconds: float


def ask_chat(client: httpx.Client) -> Seen:
    begun = time.monotonic()
    response = client.post("/chat", json={"prompt": QUESTION, "mode": "llm"})
    body = response.json()
    return Seen(response.status_code, body.get("answer", ""), body, time.monotonic() - begun)


def ask_stream(client: httpx.Client) -> Seen:
    begun = time.monotonic()
    said, last = "", ("", "{}")
    with client.stream(
        "POST", "/chat/stream", json={"prompt": QUESTION, "mode": "llm"}
    ) as response:
        for name, data in events(response):
            last = (name, data)
            said += json.loads(data)["text"] if name == "token" else ""
    assert last[0] == "done", f"the stream ended with {last[0] or 'nothing'}"
    return Seen(response.status_code, said, json.loads(last[1]), time.monotonic() - begun)


def ask_openai(client: httpx.Client) -> Seen:
    """Ask as OpenAI's clients do; the body is our own, from the object `chatloop`."""
    begun = time.monotonic()
    response = client.post("/v1/chat/completions", json=_OPENAI)
    body = response.json()
    said = body["choices"][0]["message"]["content"]
    return Seen(response.status_code, said, _ours(said, body), time.monotonic() - begun)


def ask_openai_stream(client: httpx.Client) -> Seen:
    begun = time.monotonic()
    said, ours, last = "", {}, ""
    with client.stream("POST", "/v1/chat/completions", json=_OPENAI | {"stream": True}) as response:
        for _, last in events(response):
            chunk = {} if last == "[DONE]" else json.loads(last)
            for choice in chunk.get("choices", ()):
                said += choice["delta"].get("content") or ""
            ours = chunk if "chatloop" in chunk else ours
    assert last == "[DONE]", f"the stream ended with {last or 'nothing'}"
    return Seen(response.status_code, said, _ours(said, ours), time.monotonic() - begun)


def _ours(said: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"answer": said, "chosen_model": body["model"], **body["chatloop"]}


_OPENAI = {"model": "auto", "messages": [{"role": "user", "content": QUESTION}]}
DOORS: dict[str, Callable[[httpx.Client], Seen]] = {
    "chat": ask_chat,
    "stream": ask_stream,
    "openai": ask_openai,
    "openai stream": ask_openai_stream,
}
