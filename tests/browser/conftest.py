"""A real browser over loopback; the tests are skipped, with the reason, where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from chatloop.serve.ui.door import UiDoor
from tests.serve.scripted_api import Script, make_app, serving

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SECRET = b"a secret of the tests, long enough"
WAIT_MS = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium. Closed after each module: its event loop must not outlive the module."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def script() -> Script:
    """What the API behind the page answers."""
    return Script()


@pytest.fixture
def site(script: Script) -> Iterator[str]:
    """The address of the page, mounted in a scripted API as in the real one."""

    def build() -> Any:
        from chatloop.serve.ui.page import build_app

        return build_app(secret=SECRET)

    door = UiDoor(build)
    app = make_app(script)
    app.mount("/ui", door)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        await door.start()
        yield
        await door.stop()

    app.router.lifespan_context = lifespan
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}/ui/"


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page of a new visitor. Fails when anything asked for another machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield opened
    context.close()
    assert asked, "the page asked for nothing: the watch is broken"
    outside = [url for url in asked if not _stays_here(url)]
    assert outside == []


def _stays_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"data", "blob", "about"} or parts.hostname == "127.0.0.1"
