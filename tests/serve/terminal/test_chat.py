"""The terminal chat with a scripted person and a scripted bot: what is said, sent and kept."""

from __future__ import annotations

from typing import Any

import pytest

from chatloop.core.errors import ApiError
from chatloop.core.types import Mode, Reason
from chatloop.serve.terminal import words
from chatloop.serve.terminal.chat import Chat
from tests.serve.terminal.person import ROUTE, Person, ScriptedBot, reply

YES = ["Go to ", "Billing.", reply("Go to Billing.")]


def talk(bot: ScriptedBot, *lines: str | BaseException, **named: Any) -> Person:
    person = Person(*lines, **named)
    Chat(bot, person.screen, mode=Mode.AUTO, user_id="u-17").run()
    return person


def test_an_answer_is_followed_by_who_gave_it_and_why() -> None:
    source = {"title": "Billing", "heading": "Refunds", "url": "/help/billing#refunds"}
    done = reply("Go to Billing.", sources=[source, source], suggestions=[{"text": "Or this?"}])
    sees = talk(ScriptedBot([*YES[:2], done]), "refund?").sees
    assert "Go to Billing.\n" in sees
    assert "answered locally · approved answer | sure of the intent | refund request 98 %" in sees
    assert sees.count("Billing · Refunds: http://bot/help/billing#refunds") == 1
    assert "Or this?" in sees


def test_a_degraded_answer_says_so_in_words() -> None:
    route = ROUTE | {"answered_by": "passage", "reason": "unsure"}
    done = reply("x", degraded=True, degraded_reason="llm_timeout", route=route, remote=True)
    sees = talk(ScriptedBot(["x", done]), "refund?").sees
    assert "help page – the language model took too long | not sure of the intent" in sees
    assert "this left the machine" in sees


def test_a_hand_over_names_its_ticket() -> None:
    handed = {"reason": "policy", "ticket": "T-0123456789"}
    done = reply("A person will.", route=ROUTE | {"reason": "policy"}, hand_over=handed)
    sees = talk(ScriptedBot(["A person will.", done]), "refund?").sees
    assert "a person decides this" in sees
    assert "| ticket T-0123456789" in sees


def test_every_reason_has_words() -> None:
    assert set(words.WHY) == set(Reason)


def test_ids_mode_and_history_are_sent() -> None:
    bot = ScriptedBot(YES, YES)
    talk(bot, "one", "", "/mode llm", "two", "")
    first, second = bot.bodies
    assert first["history"] == []
    assert (first["mode"], second["mode"]) == ("auto", "llm")
    assert second["history"] == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "Go to Billing."},
    ]
    assert first["user_id"] == "u-17"
    assert first["session_id"] == second["session_id"]
    assert "hint_rung" not in second


def test_no_more_lines_are_sent_than_the_api_takes() -> None:
    bot = ScriptedBot(*[YES] * 15)
    talk(bot, *["again", ""] * 15)
    assert len(bot.bodies[-1]["history"]) == 20


def test_y_rates_the_turn_up_and_enter_skips() -> None:
    bot = ScriptedBot(YES, YES)
    person = talk(bot, "one", "y", "two", "")
    assert bot.submitted == [{"turn_id": "T1", "rating": "up", "user_id": "u-17"}]
    assert "thank you; stored" in person.sees


def test_n_rates_down_raises_the_hint_at_once_and_takes_a_correction() -> None:
    bot = ScriptedBot(*[YES] * 3)
    sees = talk(bot, "one", "n", "3", "two", "n", "", "three").sees
    down = {"turn_id": "T1", "rating": "down", "user_id": "u-17"}
    correction = {"turn_id": "T1", "label": "reset_password", "user_id": "u-17"}
    assert bot.submitted == [down, correction, down]
    assert "hint for the language model: 0 -> 1" in sees
    assert "hint for the language model: 1 -> 2" in sees
    assert [body.get("hint_rung") for body in bot.bodies] == [None, 1, 2]
    assert sees.count("1 get_invoice  2 refund_request  3 reset_password") == 1


def test_the_hint_starts_where_the_bot_stands_and_stops_at_its_top() -> None:
    bot = ScriptedBot(*[YES] * 3, hint={"rung": 1, "top": 2})
    sees = talk(bot, "one", "n", "", "two", "n", "", "three").sees
    assert "1 -> 2" in sees
    assert "2, the last one there is" in sees
    assert bot.bodies[-1]["hint_rung"] == 2


def test_the_right_intent_may_be_typed_at_once() -> None:
    bot = ScriptedBot(YES)
    talk(bot, "one", "Reset Password")
    assert [s["label"] for s in bot.submitted] == ["reset_password"]


def test_a_name_that_is_nearly_right_is_asked_about() -> None:
    bot = ScriptedBot(YES, YES)
    person = talk(bot, "one", "invoice", "y", "two", "n", "refnd_request", "", "gift_cards", "y")
    assert [s.get("label") for s in bot.submitted] == ["get_invoice", None, "gift_cards"]
    assert "gift_cards: a new intent?" in person.sees


def test_what_is_no_feedback_is_the_next_message() -> None:
    bot = ScriptedBot(YES, YES, YES)
    talk(bot, "one", "and how long does it take?", "thanks", "", "")
    assert [body["prompt"] for body in bot.bodies] == [
        "one",
        "and how long does it take?",
        "thanks",
    ]
    assert bot.submitted == []


def test_no_name_is_asked_for_again_and_a_command_ends_the_question() -> None:
    bot = ScriptedBot(YES)
    person = talk(bot, "one", "n", "I really do not know", "?", "/why")
    assert "a new one looks like gift_cards" in person.sees
    assert person.sees.count("1 get_invoice") == 2
    assert "threshold    0.7" in person.sees


def test_commands_explain_themselves() -> None:
    bot = ScriptedBot()
    sees = talk(bot, "/why", "/mode nonsense", "/help", "/quit", "never read").sees
    assert "There is no answer yet." in sees
    assert sees.count("/mode auto|local|llm") == 2
    assert "never read" not in sees


def test_ctrl_c_stops_an_answer_and_at_the_prompt_ends() -> None:
    bot = ScriptedBot(["Go to ", KeyboardInterrupt()], YES)
    person = talk(bot, "one", "two", KeyboardInterrupt(), "never read")
    assert "Go to  (stopped)" in person.sees
    assert bot.closed == 2
    assert bot.bodies[1]["history"][-1]["content"] == "Go to "
    assert "never read" not in person.sees


def test_an_answer_that_fails_does_not_end_the_chat() -> None:
    bot = ScriptedBot([ApiError("a message may have at most 9 characters")], YES)
    person = talk(bot, "one", "two", "y")
    assert "at most 9 characters" in person.sees
    assert bot.bodies[1]["history"] == []
    assert bot.submitted


def test_feedback_that_is_refused_says_why() -> None:
    bot = ScriptedBot(YES)
    bot.refusal = "the store cannot be reached now"
    assert "the store cannot be reached now" in talk(bot, "one", "y").sees


def test_the_last_word_counts_when_the_stream_was_a_draft() -> None:
    bot = ScriptedBot(["bad words", reply("I cannot help with that.")], YES)
    person = talk(bot, "one", "", "two")
    assert "I cannot help with that.\n" in person.sees
    assert bot.bodies[1]["history"][-1]["content"] == "I cannot help with that."


def test_an_answer_cannot_steer_the_terminal() -> None:
    bad = "\x1b]0;owned\x07\x1b[2Jhello"
    source = {"title": bad, "heading": "", "url": "/"}
    sees = talk(ScriptedBot([bad, reply(bad, sources=[source])]), "one").sees
    assert "hello" in sees
    assert "\x1b" not in sees
    assert "\x07" not in sees


def test_colours_only_where_a_person_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[2m" in talk(ScriptedBot(YES), "one", colour=True).sees
    assert "\x1b" not in talk(ScriptedBot(YES), "one").sees
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in talk(ScriptedBot(YES), "one", colour=True).sees
