from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloop.core.ids import Pseudonyms
from chatloop.core.types import Exchange, Incoming, Mode
from chatloop.turn.receive import Receive, normalise
from tests.fakes import SECRET


def receive(limit_chars: int = 2000) -> Receive:
    return Receive(Pseudonyms(SECRET), default_ab_prob=0.25, limit_chars=limit_chars)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  hello \t", "hello"),
        ("a\r\nb\rc\u2028d\u2029e\x85f", "a\nb\nc\nd\ne\nf"),
        ("a\x00b\x07c\x1bd\x7fe\x9ff", "abcdef"),
        ("a\tb", "a\tb"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\ud800b", "ab"),
        ("密码 ☂ 😀 \u200d", "密码 ☂ 😀 \u200d"),
        ("\u2028", ""),
        ("", ""),
    ],
)
def test_a_text_is_normalised_and_stays_as_typed(raw, clean):
    assert normalise(raw) == clean


@given(st.text(st.characters()))
def test_a_normal_text_stays_as_it_is_and_can_be_written(text):
    once = normalise(text)
    assert normalise(once) == once
    assert once.encode("utf-8").decode("utf-8") == once
    assert not any(ord(c) < 32 and c not in "\n\t" for c in once)


def test_people_get_pseudonyms_and_their_ids_go_no_further():
    message = receive()(Incoming(prompt="hi", user_id="ann", session_id="s1"), "t1")
    assert message.user == Pseudonyms(SECRET).of("user", "ann")
    assert message.session == Pseudonyms(SECRET).of("session", "s1")
    assert "ann" not in repr(message)


def test_the_unit_is_the_user_else_the_session_else_the_turn():
    full = receive()(Incoming(prompt="hi", user_id="ann", session_id="s1"), "t1")
    session = receive()(Incoming(prompt="hi", session_id="s1"), "t1")
    nobody = receive()(Incoming(prompt="hi"), "t1")
    assert (full.unit, session.unit, nobody.unit) == (full.user, session.session, "t1")


def test_the_share_comes_with_the_message_or_from_the_settings():
    assert receive()(Incoming(prompt="hi"), "t").ab_prob == 0.25
    assert receive()(Incoming(prompt="hi", ab_prob=0.0), "t").ab_prob == 0.0


def test_prompt_and_history_are_normalised_and_cut_at_the_limit():
    history = (Exchange("user", " é" + "x" * 20), Exchange("assistant", "ok\r\n"))
    message = receive(limit_chars=5)(Incoming(prompt=" abcdefgh", history=history), "t")
    assert message.text == "abcde"
    assert message.history == (Exchange("user", "éxxxx"), Exchange("assistant", "ok"))


def test_what_was_asked_for_goes_along():
    incoming = Incoming(prompt="hi", mode=Mode.LLM, llm_model="m", request_id="r")
    message = receive()(incoming, "t")
    got = (message.turn_id, message.mode, message.llm_model, message.request_id)
    assert got == ("t", Mode.LLM, "m", "r")
