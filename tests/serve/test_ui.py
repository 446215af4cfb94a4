"""The UI without a browser: its client, its words, its door, its entry point."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from chatloop.core.errors import ApiError
from chatloop.serve import visitor
from chatloop.serve.ui import words
from chatloop.serve.ui.api import ApiAwayError, Client, Event, Gateway, read_events
from chatloop.serve.ui.door import CONTENT_SECURITY_POLICY, Shield, UiDoor
from tests.serve import scripted_api
from tests.serve.scripted_api import Script, done, from_help_page, from_llm, make_app, serving

SECRET = b"a secret of the tests, long enough"
ROOT = Path(__file__).resolve().parents[2]


def same(url: str) -> str:
    return url


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
        stream = client.chat_stream({"prompt": "hello", "mode": "auto"})
        started = time.monotonic()
        next(stream)
        assert time.monotonic() - started < 0.3 * 7

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


class TestWords:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (done("Hi"), "answered locally · approved answer"),
            (from_llm("Hi"), "language model llama3.2"),
            (from_help_page("Hi"), "help page – the language model is away"),
            (
                done("Hi", degraded=True, degraded_reason="llm_timeout", chosen_model="fallback"),
                "approved answer – the language model took too long",
            ),
            (done("No", route={"answered_by": "refusal"}), "declined"),
        ],
    )
    def test_the_badge_says_who_answered(self, body: dict[str, Any], expected: str) -> None:
        assert words.who_answered(body) == expected

    def test_the_badge_has_intent_confidence_and_latency(self) -> None:
        badge = words.badge(done("Hi"))
        assert all(text in badge for text in ("reset password", "98 %", "0.8 ms"))

    def test_the_badge_says_what_was_masked_and_cut(self) -> None:
        badge = words.badge(done("Hi", guard={"pii": ["email_address"]}, interrupted=True))
        assert "masked: email address" in badge
        assert "interrupted" in badge

    def test_a_reply_brings_neither_html_nor_images(self) -> None:
        text = "<script>x</script> <img src=http://e.example/a> ![a](http://e.example/b) &lt;"
        shown = words.safe_markdown(text)
        assert "<" not in shown
        assert "![" not in shown
        assert "&amp;lt;" in shown

    def test_code_is_shown_as_it_was_written(self) -> None:
        text = "Use `a < b` and\n```\nif a < b && c:\n```"
        assert words.safe_markdown(text) == text

    def test_sources_are_links_and_escaped(self) -> None:
        source = {"title": "<b>", "heading": "", "url": '/manual/"x'}
        shown = words.reply(done("Hi", sources=[source, source]), same)
        assert shown.count("<a ") == 1
        assert 'href="/manual/&quot;x"' in shown
        assert "&lt;b&gt;" in shown

    def test_a_source_without_an_address_leads_to_the_manual(self) -> None:
        shown = words.reply(done("Hi", sources=[{"title": "Plans"}]), same)
        assert 'href="/manual"' in shown

    def test_a_link_that_runs_code_is_left_out(self) -> None:
        shown = words.reply(done("Hi", sources=[{"title": "x", "url": "javascript:1"}]), same)
        assert "javascript" not in shown

    @pytest.mark.parametrize(
        ("llm", "expected"),
        [
            (scripted_api.LLM_READY, "llama3.2 is ready"),
            (scripted_api.LLM_AWAY, "is away: Start it with <code>ollama serve</code>"),
            ({"state": "off"}, "No language model in use"),
            ({"state": "loading", "model": "m"}, "m is loading"),
            ({"state": "something new"}, "is away"),
        ],
    )
    def test_the_status_line_names_the_model_or_the_way_out(
        self, llm: dict[str, Any], expected: str
    ) -> None:
        assert expected in words.status_line({"llm": llm})

    def test_numbers_without_a_value_are_a_dash(self) -> None:
        shown = {f(None) for f in (words.percent, words.duration, words.count, words.moment)}
        assert shown == {"–"}

    @pytest.mark.parametrize(
        ("milliseconds", "expected"), [(0.84, "0.8 ms"), (12.3, "12 ms"), (1834, "1.8 s")]
    )
    def test_durations_have_the_unit_that_suits_them(
        self, milliseconds: float, expected: str
    ) -> None:
        assert words.duration(milliseconds) == expected


async def page(scope: Any, receive: Any, send: Any) -> None:
    """A page with a lifespan, in the place of Gradio's."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{step}"
            scope["state"]["step"] = step
            await send({"type": f"lifespan.{step}.complete"})
        return
    await PlainTextResponse("the page")(scope, receive, send)


class TestDoor:
    def test_it_shows_a_page_that_reloads_itself_until_the_page_is_built(self) -> None:
        reply = TestClient(UiDoor(lambda: page)).get("/")
        assert reply.status_code == 503
        assert reply.headers["retry-after"] == "2"
        assert 'http-equiv="refresh"' in reply.text

    async def test_it_builds_in_a_thread_and_passes_requests_through(self) -> None:
        threads: list[threading.Thread] = []

        def build() -> Any:
            threads.append(threading.current_thread())
            return page

        door = UiDoor(build)
        await door.start()
        assert threads[0] is not threading.main_thread()
        assert (await asyncio.to_thread(TestClient(door).get, "/")).text == "the page"
        await asyncio.wait_for(door.stop(), 5)

    async def test_a_page_that_cannot_be_built_is_told_and_harms_nothing(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def build() -> Any:
            raise ImportError("no gradio here")

        door = UiDoor(build)
        await door.start()
        reply = await asyncio.to_thread(TestClient(door).get, "/")
        await door.stop()
        assert "cannot be shown" in reply.text
        assert "refresh" not in reply.text
        assert "could not be built" in caplog.text

    async def test_a_failing_start_up_is_told(self) -> None:
        async def broken(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no"})

        door = UiDoor(lambda: broken)
        await asyncio.wait_for(door.start(), 5)
        reply = await asyncio.to_thread(TestClient(door).get, "/")
        assert "cannot be shown" in reply.text

    async def test_stopping_before_the_start_is_harmless(self) -> None:
        await UiDoor(lambda: page).stop()

    def test_the_shield_keeps_the_browser_here_and_takes_no_files(self) -> None:
        shielded = TestClient(Shield(page))
        assert shielded.get("/").headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert shielded.post("/ui/gradio_api/upload/").status_code == 403

    def test_importing_the_door_loads_no_gradio(self) -> None:
        code = "import sys, chatloop.serve.ui.door; sys.exit('gradio' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


class TestPage:
    @pytest.fixture(scope="class")
    @staticmethod
    def site() -> Iterator[str]:
        from chatloop.serve.ui.page import build_app

        app = FastAPI()
        app.mount("/ui", build_app(secret=SECRET))
        with serving(app) as port:
            yield f"http://127.0.0.1:{port}"

    def test_it_lives_under_its_mount(self, site: str) -> None:
        config = requests.get(f"{site}/ui/config", timeout=20).json()
        assert config["root"] == f"{site}/ui"

    def test_its_config_has_no_share_no_analytics_and_no_links(self, site: str) -> None:
        config = requests.get(f"{site}/ui/config", timeout=20).json()
        assert config["footer_links"] == []
        assert config["analytics_enabled"] is False
        (chat,) = (c for c in config["components"] if c["type"] == "chatbot")
        assert chat["props"]["buttons"] == []
        assert chat["props"]["sanitize_html"] is True
        assert len(chat["props"]["examples"]) == 6

    @pytest.mark.parametrize("name", ["pyproject.toml", "data/secret.key", "data/answers.yaml"])
    def test_it_serves_no_file_of_the_project(self, site: str, name: str) -> None:
        reply = requests.get(f"{site}/ui/gradio_api/file={ROOT / name}", timeout=20)
        assert reply.status_code in {403, 404}

    def test_no_handler_is_offered_as_an_api(self, site: str) -> None:
        info = requests.get(f"{site}/ui/gradio_api/info", timeout=20).json()
        assert not info.get("named_endpoints")
        assert not info.get("unnamed_endpoints")


class TestModelsAndNumbers:
    def test_the_verdict_shows_every_check(self) -> None:
        from chatloop.serve.ui.models import job_state

        checks = [
            {"name": "accuracy", "passed": True, "detail": "0.95 against 0.94"},
            {"name": "golden_phrases", "passed": False, "detail": "<3 broken>"},
        ]
        result = {"message": "release b was refused", "gate": {"checks": checks}}
        shown = job_state({"state": "done", "result": result})
        assert "Release b was refused" in shown
        assert 'aria-label="passed"' in shown
        assert 'aria-label="failed"' in shown
        assert "&lt;3 broken&gt;" in shown

    def test_a_failed_job_says_why(self) -> None:
        from chatloop.serve.ui.models import job_state

        assert "out of memory" in job_state({"state": "failed", "message": "out of memory"})

    def test_a_broken_release_is_marked(self) -> None:
        from chatloop.serve.ui.models import release_table

        assert ">broken<" in release_table({"models": [{"version": "v1", "state": "broken"}]})

    def test_no_release_says_what_to_type(self) -> None:
        from chatloop.serve.ui.models import release_table

        assert "train_model.py" in release_table({"models": []})

    def test_an_hour_without_turns_has_dashes_and_empty_plots(self) -> None:
        from chatloop.serve.ui.dashboard import by_name, over_time, tiles

        assert "Satisfaction" not in tiles({"turns": 0, "satisfaction": None})
        assert over_time([{"t": 1, "p95_ms": None}], {"p95_ms": "p95"}).empty
        assert by_name({}, "intent").empty

    def test_rare_intents_are_added_up(self) -> None:
        from chatloop.serve.ui.dashboard import by_name

        frame = by_name({f"intent_{i:02}": 100 - i for i in range(20)}, "intent")
        assert len(frame) == 13
        assert frame["turns"].sum() == sum(100 - i for i in range(20))


def test_a_taken_port_gives_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = subprocess.run(
            [sys.executable, ROOT / "gradio_app.py", "--port", str(taken.getsockname()[1])],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 1
    assert len(ran.stderr.strip().splitlines()) == 1
    assert "in use" in ran.stderr
    assert "--port" in ran.stderr
