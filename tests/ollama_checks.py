"""What the stand-in Ollama knows of names and refuses before any model answers."""

from __future__ import annotations

from tests.ollama_reply import error

THINKERS = ("thinker", "thinker-old")
EMBEDDERS = ("nomic-embed-text", "all-minilm")


def full_name(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def capabilities(name):
    mode = name.split(":")[0]
    if mode in EMBEDDERS:
        return ["embedding"]
    return ["completion", "tools", *(["thinking"] if mode in THINKERS else [])]


def refusal_of(name, body, models):
    """The refusal of a chat call as a whole reply; None when it is fine."""
    mode, known = name.split(":")[0], [m.casefold() for m in models]
    parts = (
        "json: cannot unmarshal array into Go struct field "
        "ChatRequest.messages.content of type string"
    )
    rules = (
        (not name, 400, "model is required"),
        (full_name(name).casefold() not in known, 404, f"model '{name}' not found"),
        (body.get("keep_alive") == "10", 400, 'time: missing unit in duration "10"'),
        (mode in EMBEDDERS, 400, f'"{name}" does not support chat'),
        (
            body.get("think") and mode not in THINKERS,
            400,
            f'"{name}" does not support thinking',
        ),
        (any(not isinstance(m.get("content"), str) for m in body.get("messages", [])), 400, parts),
    )
    return next((error(status, text) for broken, status, text in rules if broken), None)
