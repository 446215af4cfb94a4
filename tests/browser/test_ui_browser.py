"""The page in a real browser, over a scripted API. No request leaves loopback (see `page`)."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

from tests.browser.conftest import SECRET
from tests.serve.scripted_api import (
    LLM_AWAY,
    RELEASES,
    Script,
    from_help_page,
    from_llm,
    handed_over,
    make_app,
    serving,
)

pytestmark = pytest.mark.browser
QUESTION = "#question textarea"
EVIL = "http://evil.example"


def ask(page: Any, question: str, badges: int = 1) -> None:
    page.fill(QUESTION, question)
    page.click("#send")
    page.wait_for_function(f"document.querySelectorAll('.cl-badge').length === {badges}")


def open_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def test_a_chat_streams_and_shows_who_answered(site: str, page: Any, script: Script) -> None:
    script.piece_delay_s = 0.4
    script.replies["What is it?"] = from_llm("one two three four five six")
    page.goto(site)
    page.fill(QUESTION, "What is it?")
    page.press(QUESTION, "Enter")
    page.wait_for_selector("#chat .bot.message:has-text('one two')")
    assert page.locator(".cl-badge").count() == 0, "the first words were not shown at once"
    page.wait_for_selector(".cl-badge")
    assert "one two three four five six" in page.locator("#chat .bot.message").inner_text()
    badge = page.locator(".cl-badge").inner_text()
    assert all(text in badge for text in ("language model llama3.2", "integrations", "41 %", "1.8"))
    assert page.input_value(QUESTION) == ""


def test_the_history_is_plain_text_of_one_session(site: str, page: Any, script: Script) -> None:
    page.goto(site)
    ask(page, "How do I reset my password?")
    ask(page, "And then?", badges=2)
    first, second = script.wait_for(script.chats, 2)
    assert first["history"] == []
    assert second["history"] == [
        {"role": "user", "content": "How do I reset my password?"},
        {"role": "assistant", "content": "You can reset it on the sign-in page."},
    ]
    assert first["session_id"] == second["session_id"]
    assert len(first["session_id"]) > 15


def test_the_session_outlives_a_reload_and_is_not_shared(
    site: str, page: Any, script: Script, browser: Any
) -> None:
    page.goto(site)
    ask(page, "one")
    page.reload()
    ask(page, "two")
    other = browser.new_context().new_page()
    other.goto(site)
    ask(other, "three")
    other.context.close()
    one, two, three = (chat["session_id"] for chat in script.wait_for(script.chats, 3))
    assert one == two != three


def test_an_example_is_asked_by_a_click(site: str, page: Any, script: Script) -> None:
    page.goto(site)
    examples = page.locator("#chat .example")
    examples.first.wait_for()
    assert examples.count() == 6
    examples.filter(has_text="flight").click()
    page.wait_for_selector(".cl-badge")
    assert "flight" in script.wait_for(script.chats)[0]["prompt"]


@pytest.mark.parametrize(("mode", "sent"), [("Automatic", "auto"), ("Local only", "local"),
                                            ("Language model only", "auto")])  # fmt: skip
def test_a_tapped_suggestion_is_sent_with_its_intent(
    site: str, page: Any, script: Script, mode: str, sent: str
) -> None:
    script.replies["hm"] = from_help_page("Here is a help page.")
    page.goto(site)
    page.locator("#options .label-wrap").click()
    page.get_by_label(mode).check()
    ask(page, "hm")
    page.get_by_role("button", name="How do I change my plan?").click()
    page.wait_for_function("document.querySelectorAll('.cl-badge').length === 2")
    tapped = script.wait_for(script.chats, 2)[1]
    assert (tapped["prompt"], tapped["suggested_intent"], tapped["mode"]) == (
        "How do I change my plan?", "upgrade_plan", sent,
    )  # fmt: skip
    assert page.get_by_role("button", name="talk to a person").count() == 0


def test_a_person_can_be_tapped_and_the_ticket_is_shown(
    site: str, page: Any, script: Script
) -> None:
    script.replies["hm"] = from_help_page("Here is a help page.")
    script.replies["Would you like to talk to a person?"] = handed_over("We have your question.")
    page.goto(site)
    ask(page, "hm")
    page.get_by_role("button", name="talk to a person").click()
    card = page.locator(".cl-person")
    card.wait_for()
    assert "A person takes it from here" in card.inner_text()
    assert "T-7K3M9P" in card.inner_text()
    assert script.wait_for(script.chats, 2)[1]["suggested_intent"] == "person"


def test_a_typed_question_carries_no_suggested_intent(site: str, page: Any, script: Script) -> None:
    script.replies["hm"] = from_help_page("Here is a help page.")
    page.goto(site)
    ask(page, "hm")
    ask(page, "something else", badges=2)
    assert all("suggested_intent" not in chat for chat in script.wait_for(script.chats, 2))


def test_a_cleared_chat_begins_a_new_session(site: str, page: Any, script: Script) -> None:
    script.replies["hm"] = from_help_page("Here is a help page.")
    page.goto(site)
    ask(page, "hm")
    page.locator("#chat .top-panel button").click()
    page.wait_for_selector("#chat .example")
    page.get_by_role("button", name="talk to a person").wait_for(state="hidden")
    ask(page, "again")
    first, second = script.wait_for(script.chats, 2)
    assert second["history"] == []
    assert second["session_id"] != first["session_id"]


def test_a_reply_cannot_make_the_browser_fetch_anything(
    site: str, page: Any, script: Script
) -> None:
    script.replies["show"] = from_llm(
        f"<img src='{EVIL}/a.png'> ![x]({EVIL}/b.png) <style>@import '{EVIL}/c.css'</style> "
        f"`\\` ![y]({EVIL}/d.png) <iframe src='{EVIL}'></iframe>`"
    )
    page.goto(site)
    ask(page, "show")
    assert page.locator("#chat .bot.message img[src^='http'], #chat iframe").count() == 0


def test_thumbs_reach_the_api(site: str, page: Any, script: Script) -> None:
    page.goto(site)
    ask(page, "How do I reset my password?")
    page.locator("#chat button[aria-label*='dislike' i], #chat button[title*='dislike' i]").click()
    assert script.wait_for(script.feedback) == [{"turn_id": "01TESTTURN", "rating": "down"}]
    page.wait_for_selector("text=Your vote is counted")


def test_a_correction_reaches_the_api(site: str, page: Any, script: Script) -> None:
    page.goto(site)
    ask(page, "How do I reset my password?")
    page.locator("#correction .label-wrap").click()
    page.locator("#label input").click()
    page.get_by_role("option", name="get_invoice").click()
    page.fill("#better textarea", "Under Settings > Billing.")
    page.click("#correct")
    assert script.wait_for(script.feedback) == [
        {"turn_id": "01TESTTURN", "label": "get_invoice", "answer": "Under Settings > Billing."}
    ]
    page.wait_for_selector("text=Taken: it counts.")


def test_a_correction_may_name_a_new_intent(site: str, page: Any, script: Script) -> None:
    page.goto(site)
    ask(page, "Do you sell gift cards?")
    page.locator("#correction .label-wrap").click()
    page.fill("#label input", "gift_cards")
    page.press("#label input", "Enter")
    page.click("#correct")
    assert script.wait_for(script.feedback) == [{"turn_id": "01TESTTURN", "label": "gift_cards"}]


def test_the_mode_is_sent(site: str, page: Any, script: Script) -> None:
    page.goto(site)
    page.locator("#options .label-wrap").click()
    page.get_by_label("Local only").check()
    ask(page, "hello")
    assert script.wait_for(script.chats)[0]["mode"] == "local"


def test_a_problem_is_shown_in_plain_words(site: str, page: Any, script: Script) -> None:
    script.problem = {"title": "Too long", "status": 413, "detail": "At most 2,000 characters."}
    page.goto(site)
    page.fill(QUESTION, "x")
    page.click("#send")
    page.wait_for_selector("#chat >> text=At most 2,000 characters.")


def test_the_status_line_has_the_hint_while_the_model_is_away(
    site: str, page: Any, script: Script
) -> None:
    script.llm = LLM_AWAY
    page.goto(site)
    page.wait_for_selector("#status code:has-text('ollama serve')")


def test_numbers_are_shown_and_follow_while_the_tab_is_open(
    site: str, page: Any, script: Script
) -> None:
    page.goto(site)
    page.wait_for_selector(QUESTION)
    assert script.windows == [], "the numbers were asked for behind a closed tab"
    open_tab(page, "Numbers")
    page.wait_for_selector(".cl-tile:has-text('1 284')")
    page.wait_for_selector("#tab-numbers .cl-plot canvas, #tab-numbers .cl-plot svg.marks")
    script.turns = 1285
    page.wait_for_selector(".cl-tile:has-text('1 285')")
    page.get_by_label("24 hours").check()
    page.wait_for_selector(".cl-tile")
    script.wait_for(script.windows, len(script.windows))
    page.click("#refresh")
    page.wait_for_timeout(500)
    assert script.windows[-1] == "24h"


def test_retraining_shows_its_progress_and_every_check(
    site: str, page: Any, script: Script
) -> None:
    page.goto(site)
    open_tab(page, "Models")
    page.wait_for_selector(f"#releases >> text={RELEASES[0]['version']}")
    page.click("#retrain")
    page.wait_for_selector("#job .cl-progress")
    assert re.search(r"prepare|train|evaluate", page.locator("#job").inner_text())
    page.wait_for_selector("#job >> text=is served now")
    assert page.locator("#job .cl-check").count() == 2
    assert script.retrains == [{"wait": False}]


def test_a_rollback_is_asked_twice(site: str, page: Any, script: Script) -> None:
    page.goto(site)
    open_tab(page, "Models")
    page.click("#rollback")
    page.click("#no")
    page.wait_for_selector("#yes", state="hidden")
    assert script.rollbacks == 0
    page.click("#rollback")
    page.click("#yes")
    page.wait_for_selector(f"#job >> text=Release {RELEASES[1]['version']} answers again")
    assert script.rollbacks == 1


def test_a_page_before_its_api_comes_alive_by_itself(page: Any, script: Script) -> None:
    from chatloop.serve.ui.page import build_app

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(build_app(f"http://127.0.0.1:{port}", secret=SECRET)) as own_port:
        page.goto(f"http://127.0.0.1:{own_port}/")
        page.wait_for_selector(
            f"#status >> text=The API is not answering at http://127.0.0.1:{port}"
        )
        with serving(make_app(script), port):
            page.wait_for_selector("#status >> text=llama3.2 is ready")
            ask(page, "hello")
            link = page.locator(".cl-sources a").get_attribute("href")
            assert link == f"http://127.0.0.1:{port}/help/reset-password#ask"


@pytest.mark.parametrize("width", [390, 1440])
def test_no_tab_is_wider_than_the_screen(site: str, page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(site)
    ask(page, "How do I reset my password?")
    for tab, sign in (("Numbers", ".cl-tile"), ("Models", ".cl-table"), ("Chat", ".cl-badge")):
        open_tab(page, tab)
        page.wait_for_selector(sign)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
