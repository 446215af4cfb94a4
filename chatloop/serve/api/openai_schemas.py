"""OpenAI's chat wire: what is read of a request, and how a reply is said in it.

Fields that steer a bare model (temperature, max_tokens, tools, ...) are ignored: a support bot's
answers are the company's, not the caller's to tune.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from chatloop.serve.api.chat import reply_of
from chatloop.turn.turn import Outcome

DONE = b"data: [DONE]\n\n"
_ROLES = Literal["system", "developer", "user", "assistant", "tool", "function"]


class _In(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)


class ChatMessage(_In):
    """One line of the conversation; its content is a text or a list of text parts."""

    role: _ROLES
    content: str | None = Field(None, max_length=100_000)

    @field_validator("content", mode="before")
    @classmethod
    def _joined(cls, content: Any) -> Any:
        return "\n".join(map(_text, content)) if isinstance(content, list) else content


def _text(part: Any) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise ValueError("only parts of type `text`, with a `text`, can be read here")


class StreamOptions(_In):
    """What a stream brings besides the words."""

    include_usage: bool = False


class CompletionIn(_In):
    """A chat completion: the last message of the user is answered, earlier lines are history."""

    model_config = ConfigDict(
        extra="ignore",
        str_strip_whitespace=True,
        json_schema_extra={
            "examples": [
                {
                    "model": "auto",
                    "messages": [{"role": "user", "content": "How do I get a refund?"}],
                }
            ]
        },
    )

    model: str = Field(max_length=300, description="auto, local or llm/NAME: see GET /v1/models.")
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, description="1: there is one answer to a message.")
    user: str | None = Field(None, max_length=200, description="Kept only as a keyed hash.")

    @field_validator("messages")
    @classmethod
    def _asks(cls, messages: list[ChatMessage]) -> list[ChatMessage]:
        if not any(m.role == "user" and m.content is not None for m in messages):
            raise ValueError("there is no message of the role `user` with a content to answer")
        return messages

    @field_validator("n")
    @classmethod
    def _one(cls, n: int | None) -> int | None:
        if n not in {None, 1}:
            raise ValueError("there is one answer to a message: leave `n` out")
        return n

    @property
    def with_usage(self) -> bool:
        """Whether a stream is to end with its token counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    def conversation(self, lines: int) -> tuple[str, list[dict[str, str]]]:
        """Return the message to answer and up to `lines` before it, oldest first.

        Instructions (system, developer) and tool results are no part of it.
        """
        said = [(m.role, m.content) for m in self.messages if m.role in {"user", "assistant"}]
        spoken = [(role, content) for role, content in said if content is not None]
        last = max(i for i, (role, _) in enumerate(spoken) if role == "user")
        earlier = spoken[max(0, last - lines) : last]
        return spoken[last][1], [{"role": role, "content": text} for role, text in earlier]


def completion(outcome: Outcome) -> dict[str, Any]:
    """Return a whole reply."""
    record = outcome.record
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": outcome.text, "refusal": None},
        "logprobs": None,
        "finish_reason": _why_ended(outcome),
    }
    return {
        "id": f"chatcmpl-{record.turn_id}",
        "object": "chat.completion",
        "created": int(record.ts),
        "model": record.chosen_model,
        "system_fingerprint": record.model_version,
        "choices": [choice],
        "usage": _usage(outcome),
        "chatloop": _extras(outcome),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """Writes the events of one streamed reply. `model`: as asked for, until it is known who did."""

    turn_id: str
    model: str
    version: str
    with_usage: bool
    created: int = field(default_factory=lambda: int(time.time()))

    def opening(self) -> bytes:
        """Return the first event: the role."""
        return self._event(self._chunk({"role": "assistant", "content": ""}))

    def piece(self, text: str) -> bytes:
        """Return the event of a piece of the answer."""
        return self._event(self._chunk({"content": text}))

    def closing(self, outcome: Outcome) -> Iterator[bytes]:
        """Yield the last events: who answered and why, the usage if asked for, the end mark."""
        answered = {"model": outcome.record.chosen_model}
        last = self._chunk({}, _why_ended(outcome))
        yield self._event(last | answered | {"chatloop": _extras(outcome)})
        if self.with_usage:
            usage = {"choices": [], "usage": _usage(outcome)}
            yield self._event(self._chunk({}) | answered | usage)
        yield DONE

    def failed(self, error: dict[str, Any]) -> bytes:
        """Return the one event that ends a stream in place of the end mark."""
        return self._event(error)

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {
            "id": f"chatcmpl-{self.turn_id}",
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.version,
            "choices": [choice],
            **({"usage": None} if self.with_usage else {}),
        }

    def _event(self, data: dict[str, Any]) -> bytes:
        # ASCII only: some clients take U+2028 or U+0085 for the end of a line.
        return f"data: {json.dumps(data)}\n\n".encode("ascii")


def _why_ended(outcome: Outcome) -> str:
    return "length" if outcome.record.interrupted else "stop"


def _usage(outcome: Outcome) -> dict[str, int]:
    """Tokens of the language model; a local answer costs none."""
    used = outcome.record.usage
    prompt, answer = (used.prompt_tokens, used.completion_tokens) if used else (0, 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }


def _extras(outcome: Outcome) -> dict[str, Any]:
    """Return what /chat says besides the words."""
    return {name: value for name, value in reply_of(outcome).items() if name != "answer"}
