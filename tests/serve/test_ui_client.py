"""The UI's client of the API: streams, signed visitors, errors in plain words."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse

from chatloop.core.errors import ApiError
from chatloop.serve import visitor
from chatloop.serve.ui import words
from chatloop.serve.ui.api import ApiAwayError, Client, Event, Gateway, read_events
from tests.serve.scripted_api import Script, make_app, serving

SECRET = b"a secret of the tests, long enough"


def connection(
    server: tuple[str, int] | None = ("127.0.0.1", 8000), **headers: str
) -> SimpleNamespace:
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    scope = {"type": "http", "client": ("203.0.113.9", 50000), "server": server, "headers": pairs}
    return SimpleNamespace(request=HTTPConnection(scope))


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def client(script: Script) -> Iterator[Client]:
    with serving(make_app(script)) as port:
        yield Gateway(SECRET, f"http://127.0.0.1:{port}").client(connection())


class TestClientOfTheApi:
    def test_a_chat_streams_its_pieces_and_ends_with_the_reply(self, client: Client) -> None:
        events = list(client.chat_stream({"prompt": "hello", "mode": "auto"}))
        assert [e.name for e in events] == ["token"] * 8 + ["done"]
        assert "".join(e.data["text"] for e in events[:-1]).strip() == events[-1].data["answer"]

    def test_pieces_arrive_before_the_answer_ends(self, client: Client, script: Script) -> None:
        script.piece_delay_s = 0.3
        stream = iter(client.chat_stream({"prompt": "hello", "mode": "auto"}))
        started = time.monotonic()
        next(stream)
        assert time.monotonic() - started < 0.3 * 7

    def test_a_stop_wakes_the_reader_and_hangs_up(self, client: Client, script: Script) -> None:
        script.piece_delay_s = 60
        stream = client.chat_stream({"prompt": "hello", "mode": "auto"})
        events = iter(stream)
        assert next(events).name == "token"
        threading.Timer(0.2, stream.stop).start()
        started = time.monotonic()
        assert list(events) == []
        assert time.monotonic() - started < 30, "it waited for the next piece"
        assert stream.stopped
        assert script.wait_for(script.left) == ["hello"]

    def test_a_stop_after_the_end_changes_nothing(self, client: Client) -> None:
        stream = client.chat_stream({"prompt": "hello", "mode": "auto"})
        assert [e.name for e in stream][-1] == "done"
        stream.stop()

    def test_each_call_carries_the_signed_visitor(self, client: Client, script: Script) -> None:
        client.health()
        found = visitor.read(SECRET, script.headers[-1], time.time())
        assert found == visitor.Visitor("203.0.113.9", proxied=False)

    def test_a_proxy_before_the_page_is_told(self, script: Script) -> None:
        with serving(make_app(script)) as port:
            gateway = Gateway(SECRET, f"http://127.0.0.1:{port}")
            gateway.client(connection(x_forwarded_for="127.0.0.1")).health()
        found = visitor.read(SECRET, script.headers[-1], time.time())
        assert found == visitor.Visitor("203.0.113.9", proxied=True)

    def test_a_proxy_of_the_environment_is_not_used(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert client.health()["status"] == "ok"

    def test_a_problem_is_told_in_its_own_words(self, client: Client, script: Script) -> None:
        script.problem = {"title": "Too long", "status": 413, "detail": "At most 2,000 characters."}
        with pytest.raises(ApiError, match=r"At most 2,000 characters\."):
            list(client.chat_stream({"prompt": "x" * 3000, "mode": "auto"}))

    def test_an_absent_api_says_what_to_type(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ApiAwayError, match=r"not answering at .*`make run`.*uvicorn main:app"):
            Gateway(SECRET, address).client(connection()).health()

    def test_something_else_at_the_port_is_told(self) -> None:
        with serving(PlainTextResponse("hello")) as port, pytest.raises(ApiError, match="no JSON"):
            Gateway(SECRET, f"http://127.0.0.1:{port}").client(connection()).models()

    def test_health_is_read_while_no_model_is_loaded(self) -> None:
        app = FastAPI()

        @app.get("/health", status_code=503)
        async def health() -> dict[str, str]:
            return {"status": "not_ready"}

        with serving(app) as port:
            found = Gateway(SECRET, f"http://127.0.0.1:{port}").client(connection()).health()
        assert "train_model.py" in words.status_line(found)

    def test_a_retraining_job_is_followed_by_its_location(self, client: Client) -> None:
        assert client.start_retrain() == "j1"
        states = [client.retrain_job("j1")["state"] for _ in range(4)]
        assert states == ["running", "running", "running", "done"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_events_are_read_however_the_bytes_are_cut(size: int, newline: str) -> None:
    text = "\u00e4\u2028 \u0085 {line}"
    raw = f": hello\nevent: token\ndata: {json.dumps({'text': text}, ensure_ascii=False)}\n\n"
    raw += 'event: done\ndata: {"a":1}\n\n'
    data = raw.replace("\n", newline).encode()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    assert list(read_events(chunks)) == [Event("token", {"text": text}), Event("done", {"a": 1})]


@pytest.mark.parametrize(
    ("server", "address"),
    [
        (("127.0.0.1", 9000), "http://127.0.0.1:9000"),
        (("::1", 8000), "http://[::1]:8000"),
        (None, "http://127.0.0.1:8000"),
    ],
)
def test_the_api_is_called_where_the_page_was_reached(server: Any, address: str) -> None:
    assert Gateway(SECRET).address(connection(server).request) == address


def test_a_forged_host_header_does_not_move_the_api() -> None:
    event = connection(host="evil.example")
    assert Gateway(SECRET).address(event.request) == "http://127.0.0.1:8000"


def test_links_go_to_the_api_when_the_page_has_its_own_port() -> None:
    assert Gateway(SECRET).link("/manual") == "/manual"
    assert Gateway(SECRET, "http://127.0.0.1:8000/").link("/manual") == (
        "http://127.0.0.1:8000/manual"
    )
    assert Gateway(SECRET, "http://127.0.0.1:8000").link("https://a.example") == "https://a.example"
