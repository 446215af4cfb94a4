"""What the terminal chat talks to, and the one of the two that sits behind a URL.

Both take and give the bodies of the HTTP API, so that the chat cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any, Protocol
from urllib.parse import urljoin

from chatloop.core.errors import ApiError
from chatloop.serve.ui.api import Client

Json = dict[str, Any]


class Bot(Protocol):
    """A bot to chat with. Every refusal is an ApiError in plain words."""

    def health(self) -> Json:
        """The body of /health."""

    def intents(self) -> list[str]:
        """Names of the intents that it knows."""

    def ask(self, body: Mapping[str, Any]) -> Generator[str | Json, None, None]:
        """Yield pieces of the answer, then the body of /chat. Closing it stops the answer."""

    def submit(self, fields: Mapping[str, Any]) -> str:
        """Hand in feedback; return what became of it, in words."""

    def link(self, source: Mapping[str, Any]) -> str:
        """Return where a help passage can be read."""


class HttpBot:
    """A bot that runs elsewhere; `url` is the root address of its API."""

    def __init__(self, url: str) -> None:
        self._url = (url if "://" in url else f"http://{url}").rstrip("/")
        self._client = Client(self._url, {})

    def health(self) -> Json:
        """Ask for the state of the service."""
        return self._client.health()

    def intents(self) -> list[str]:
        """Ask for the names."""
        return self._client.intents()

    def ask(self, body: Mapping[str, Any]) -> Generator[str | Json, None, None]:
        """Send a message. Closing the generator hangs up, which stops the model."""
        with closing(self._client.chat_stream(body)) as events:
            for event in events:
                yield event.data if event.name == "done" else str(event.data.get("text", ""))
                if event.name == "done":
                    return
        raise ApiError("The API broke off before the end of its answer.")

    def submit(self, fields: Mapping[str, Any]) -> str:
        """Send feedback."""
        return str(self._client.submit_feedback(**fields).get("message", ""))

    def link(self, source: Mapping[str, Any]) -> str:
        """Return the address of the help page at the API."""
        return urljoin(self._url, str(source.get("url", "")))
