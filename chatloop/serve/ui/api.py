"""The UI's client of the HTTP API: one method a call, every failure an `ApiError` in plain words.

It imports neither Gradio nor anything of the bot. Environment proxies and redirects are ignored,
so that no call leaves for another machine than the one the page was told.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import requests
from starlette.requests import HTTPConnection

from chatloop.core.errors import ApiError
from chatloop.serve.visitor import sign, through_proxy

Json = dict[str, Any]

_CONNECT_S = 2.0
_READ_S = 30.0
_STREAM_READ_S = 90.0  # over the API's own limit for a whole answer, so that it speaks first


class ApiAwayError(ApiError):
    """Nothing answers at the API's address."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: `token`, `done` or `error`, with its JSON data."""

    name: str
    data: Json


class PageEvent(Protocol):
    """What Gradio hands to a handler about the browser that caused it."""

    @property
    def request(self) -> HTTPConnection | None:
        """The HTTP request of the browser."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Makes a client for each visitor.

    `api_url` is None when the page is served by the API itself: then it is called at the address
    that this request reached, which also holds when the port was given on a command line.
    """

    secret: bytes
    api_url: str | None = None

    def client(self, event: PageEvent) -> Client:
        """Return a client that carries this visitor's signed address."""
        connection = event.request
        if connection is None:
            raise ApiError("This page was called without a browser.")
        visitor = connection.client.host if connection.client else "unknown"
        proxied = through_proxy(connection.headers.keys())
        return Client(self.address(connection), sign(self.secret, visitor, proxied, time.time()))

    def address(self, connection: HTTPConnection) -> str:
        """Return the root address of the API, without a final slash."""
        if self.api_url is not None:
            return self.api_url.rstrip("/")
        host, port = connection.scope.get("server") or ("127.0.0.1", 8000)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def link(self, url: str) -> str:
        """Return `url` as the browser must ask for it: on the API's origin when that is another."""
        return (self.api_url or "").rstrip("/") + url if url.startswith("/") else url


class ChatStream:
    """The events of one reply, to be read once. An `error` event becomes ApiError."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.stopped = False

    def __iter__(self) -> Iterator[Event]:
        """Yield the events as they arrive; none comes after `stop`."""
        try:
            with self._response as response:
                for event in read_events(response.iter_content(chunk_size=None)):
                    if self.stopped:
                        return
                    if event.name == "error":
                        raise ApiError(_plain_words(event.data, 500))
                    yield event
        except (requests.RequestException, ValueError) as error:
            if not self.stopped:
                raise ApiError("The API broke off before the end of its answer.") from error

    def close(self) -> None:
        """Hang up, from the thread that reads."""
        self._response.close()

    def stop(self) -> None:
        """End it, from any thread: the reader wakes and hangs up, which stops the generation."""
        self.stopped = True
        with suppress(ValueError, RuntimeError, OSError):  # it ended by itself meanwhile
            self._response.raw.shutdown()


class Client:
    """Calls the API at `base_url`. Made for one gesture of one visitor; holds no connection."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        self._base_url = base_url
        self._headers = dict(headers)

    def health(self) -> Json:
        """State of the service and of its language model, also while it is not ready (503)."""
        return self._json("GET", "/health", also=503)

    def intents(self) -> list[str]:
        """Names of the intents that the current model knows."""
        return [str(row["intent"]) for row in self._json("GET", "/intents").get("intents", [])]

    def explain(self, text: str) -> Json:
        """Intent of a text, with what each of its words adds to the likeliest ones."""
        return self._json("POST", "/predict_intent", {"prompt": text, "explain": True})

    def metrics(self, window: str) -> Json:
        """Figures of the last `window`: 5m, 1h or 24h."""
        return self._json("GET", f"/metrics?window={quote(window)}")

    def models(self) -> Json:
        """All releases with their metrics, and which one is current."""
        return self._json("GET", "/models")

    def rollback(self) -> Json:
        """Make the previous release current."""
        return self._json("POST", "/rollback", {})

    def submit_feedback(self, **fields: Any) -> Json:
        """Send a rating or a correction of one turn."""
        return self._json("POST", "/submit_feedback", fields)

    def start_retrain(self) -> str:
        """Start, or join, a retraining job; returns its id."""
        with self._answer("POST", "/retrain", {"wait": False}) as response:
            return response.headers.get("Location", "").rpartition("/")[2]

    def retrain_job(self, job_id: str) -> Json:
        """State, progress and, at the end, the result of a job."""
        return self._json("GET", f"/retrain/{quote(job_id, safe='')}")

    def chat_stream(self, body: Mapping[str, Any]) -> ChatStream:
        """Send a message; returns the reply's events, which arrive while they are read."""
        return ChatStream(self._answer("POST", "/chat/stream", body, stream=True))

    def _json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, also: int = 200
    ) -> Json:
        with self._answer(method, path, body, also=also) as response:
            try:
                made: Json = response.json()
            except ValueError as error:
                raise ApiError(f"{self._base_url}{path} gave no JSON: is it Chatloop?") from error
            return made

    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        stream: bool = False,
        also: int = 200,
    ) -> requests.Response:
        session = requests.Session()
        session.trust_env = False
        try:
            response = session.request(
                method,
                self._base_url + path,
                json=body,
                headers={**self._headers, "Connection": "close"},
                timeout=(_CONNECT_S, _STREAM_READ_S if stream else _READ_S),
                stream=stream,
                allow_redirects=False,
            )
        except (requests.ConnectionError, requests.ConnectTimeout) as error:
            raise ApiAwayError(_away(self._base_url)) from error
        except requests.RequestException as error:
            raise ApiError(f"The API at {self._base_url} took too long; try again.") from error
        if response.ok or response.status_code == also:
            return response
        with response:
            raise ApiError(_problem(response))


def read_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Parse server-sent events out of bytes that are cut anywhere."""
    name, data = "message", ""
    for line in _lines(chunks):
        key, _, value = line.partition(":")
        if key == "event":
            name = value.strip()
        elif key == "data":
            data += value.removeprefix(" ")
        elif not line and data:
            yield Event(name, json.loads(data))
            name, data = "message", ""


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.removesuffix(b"\r").decode("utf-8", "replace") for line in whole)


def _away(base_url: str) -> str:
    return (
        f"The API is not answering at {base_url}; start it with `make run` or `uvicorn main:app`."
    )


def _problem(response: requests.Response) -> str:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    return _plain_words(problem if isinstance(problem, dict) else {}, response.status_code)


def _plain_words(problem: Mapping[str, Any], status: int) -> str:
    words = problem.get("detail") or problem.get("title")
    return str(words) if words else f"The API refused this (status {status})."
