from __future__ import annotations

import random

import pytest

from chatloop.core.errors import BackendError, BackendFault
from chatloop.turn.answer.llm.wire import Lines, Visible


def in_pieces(text, rng):
    while text:
        size = rng.randint(1, 5)
        yield text[:size]
        text = text[size:]


def test_lines_are_the_same_however_the_bytes_arrive():
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    body = b'{"a":"\xc2\x85"}\n\n  \n{"b":"\xe2\x80\xa8\r"}\n{"c":1}'
    for _ in range(200):
        lines = Lines(100, 1000)
        got = [line for part in in_pieces(body, rng) for line in lines.feed(part)]
        got += lines.feed(b"")
        assert got == [b'{"a":"\xc2\x85"}', b'{"b":"\xe2\x80\xa8\r"}', b'{"c":1}']


@pytest.mark.parametrize("chunk", [b"x" * 11, b"x" * 11 + b"\n", b"123456\n" * 5])
def test_too_long_a_line_or_body_is_a_bad_reply(chunk):
    with pytest.raises(BackendError) as caught:
        list(Lines(10, 30).feed(chunk))
    assert caught.value.fault is BackendFault.BAD_REPLY


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Hello there ", "Hello there "),
        ("\n  Hello", "Hello"),
        ("<think>secret</think>\n\nHello", "Hello"),
        (" <think></think>Hello <think>later</think>", "Hello <think>later</think>"),
        ("<think>secret", ""),
        ("<b>Hello</b>", "<b>Hello</b>"),
        ("<thin", "<thin"),
        (" \n ", ""),
    ],
)
def test_a_leading_think_block_and_leading_blanks_are_never_shown(text, seen):
    rng = random.Random(1)
    for _ in range(50):
        visible = Visible()
        got = "".join(visible.feed(part) for part in in_pieces(text, rng))
        assert got + visible.end() == seen
