"""The page in a real browser, over the real API and a stand-in of Ollama on a real socket."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatloop.core.settings import load_settings
from tests.browser.conftest import SECRET
from tests.fakes import UNSURE
from tests.ollama_standin import Standin, in_thread
from tests.serve.running import running, wait_for
from tests.serve.scripted_api import serving

pytestmark = pytest.mark.browser
QUESTION = "#question textarea"
BOT = "#chat .bot.message"
SLOW_S = 0.3
FIRST_TOKEN_LIMIT_MS = 10_000  # after it the API itself gives up a silent model


@pytest.fixture
def ollama() -> Iterator[Standin]:
    with in_thread(models=["plain"]) as standin:
        yield standin


@pytest.fixture
def site(tiny: Path, tmp_path: Path, ollama: Standin) -> Iterator[str]:
    """The address of the tiny bot's page, once its language model is ready."""
    home = Path(shutil.copytree(tiny, tmp_path / "home"))
    settings = load_settings(
        home=home, llm="auto", ollama_api_url=ollama.address, database_url=None
    )
    with running(settings, with_ui=True) as client:
        wait_for(lambda: client.get("/ui/").is_success, "the page")
        wait_for(lambda: client.get("/health").json()["llm"]["state"] == "ready", "the model")
        yield f"{client.base_url}/ui/"


def ask(page: Any, question: str) -> None:
    page.fill(QUESTION, question)
    page.click("#send")


def badge(page: Any, count: int = 1) -> str:
    """The text of the last badge, once there are so many."""
    page.wait_for_function(f"document.querySelectorAll('.cl-badge').length === {count}")
    return str(page.locator(".cl-badge").last.inner_text())


def test_stop_ends_the_generation_and_keeps_the_text_so_far(
    site: str, page: Any, ollama: Standin
) -> None:
    ollama.delay_s = SLOW_S
    page.goto(site)
    ask(page, UNSURE)
    page.wait_for_selector(f"{BOT}:has-text('You asked')")
    assert ollama.generating == 1
    assert page.locator(".cl-badge").count() == 0
    page.click("#stop")
    assert badge(page) == "stopped"
    wait_for(lambda: ollama.generating == 0, "the model to stop", 5)
    assert ollama.cancelled == 1
    said = page.locator(BOT).inner_text()
    assert "You asked" in said
    assert "takes about a minute" not in said
    ollama.delay_s = 0
    ask(page, UNSURE)
    assert "language model plain" in badge(page, 2)
    assert "takes about a minute" in page.locator(BOT).last.inner_text()
    assert page.locator("#stop").count() == 0


def test_stop_works_before_the_first_word(site: str, page: Any, ollama: Standin) -> None:
    ollama.freeze()
    page.goto(site)
    ask(page, UNSURE)
    wait_for(lambda: ollama.chat_calls == 1, "the model to be asked")
    page.click("#stop")
    page.wait_for_selector(".cl-badge:has-text('stopped')", timeout=FIRST_TOKEN_LIMIT_MS / 2)
    wait_for(lambda: ollama.cancelled == 1, "the model to be left", 5)
    ollama.thaw()
    ask(page, UNSURE)
    assert "language model plain" in badge(page, 2)


def test_who_closes_the_page_stops_the_generation(
    site: str, page: Any, browser: Any, ollama: Standin
) -> None:
    page.goto(site)
    ollama.delay_s = SLOW_S
    context = browser.new_context()
    leaving = context.new_page()
    leaving.goto(site)
    leaving.fill(QUESTION, UNSURE)
    leaving.click("#send")
    leaving.wait_for_selector(f"{BOT}:has-text('You')")
    context.close()
    wait_for(lambda: ollama.cancelled == 1, "the model to be left", 5)


def test_a_follow_up_is_understood_by_what_came_before(
    site: str, page: Any, ollama: Standin
) -> None:
    page.goto(site)
    ask(page, "How do I receive a refund?")
    badge(page)
    ask(page, "and for annual plans?")
    assert "language model plain" in badge(page, 2)
    lines = ollama.chats[-1]["messages"]
    assert [line["role"] for line in lines] == ["system", "user", "assistant", "user"]
    assert lines[1]["content"] == "How do I receive a refund?"


def test_a_source_opens_at_its_passage(site: str, page: Any) -> None:
    page.goto(site)
    ask(page, UNSURE)
    badge(page)
    link = page.locator(".cl-sources a", has_text="Billing: Find an invoice")
    with page.expect_popup() as opened:
        link.click()
    heading = opened.value.locator("section:target h2")
    assert heading.inner_text() == "Find an invoice"


def test_a_source_leads_to_the_api_when_the_page_has_a_port_of_its_own(
    site: str, page: Any
) -> None:
    from chatloop.serve.ui.page import build_app

    api = site.removesuffix("/ui/")
    with serving(build_app(api, secret=SECRET)) as port:
        page.goto(f"http://127.0.0.1:{port}/")
        ask(page, UNSURE)
        badge(page)
        with page.expect_popup() as opened:
            page.locator(".cl-sources a").first.click()
        opened.value.wait_for_selector("section:target")
        assert urlsplit(opened.value.url).netloc == urlsplit(api).netloc


def test_a_tapped_suggestion_gets_its_approved_answer_at_once(
    site: str, page: Any, ollama: Standin
) -> None:
    page.goto(site)
    page.locator("#options .label-wrap").click()
    page.get_by_label("Local only").check()
    ask(page, UNSURE)
    badge(page)
    page.locator(".cl-suggestions button").filter(has_text="invoice").click()
    assert "approved answer" in badge(page, 2)
    assert "All invoices are under Settings" in page.locator(BOT).last.inner_text()
    assert ollama.chat_calls == 0
