"""The UI without a browser: its door, its page, its entry point."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from chatloop.serve.ui.door import CONTENT_SECURITY_POLICY, Shield, UiDoor
from tests.serve.scripted_api import serving

SECRET = b"a secret of the tests, long enough"
ROOT = Path(__file__).resolve().parents[2]


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
