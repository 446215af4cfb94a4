from __future__ import annotations

import random

import pytest

from chatloop.core.errors import BackendError, BackendFault
from chatloop.turn.answer.llm.ollama_wire import Lines, Visible, is_runner_gone, parse_line, refusal


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


def test_a_line_that_tells_an_error_is_a_bad_reply_that_names_it():
    with pytest.raises(BackendError, match="unexpected EOF") as caught:
        parse_line(b'{"error":"unexpected EOF"}')
    assert caught.value.fault is BackendFault.BAD_REPLY


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (404, b'{"error":"model \'x\' not found"}', BackendFault.MODEL_MISSING),
        (404, b'{"error":"model \\"x\\" not found, try pulling it"}', BackendFault.MODEL_MISSING),
        (404, b"404 page not found", BackendFault.REJECTED),
        (405, b"405 method not allowed", BackendFault.REJECTED),
        (400, b'{"error":"{\\"error\\":{\\"code\\":400}}"}', BackendFault.REJECTED),
        (400, b'{"error":{"message":"as OpenAI writes it"}}', BackendFault.REJECTED),
        (403, b"", BackendFault.REJECTED),
        (429, b"", BackendFault.BUSY),
        (503, b'{"error":"server busy"}', BackendFault.BUSY),
        (502, b"<html>", BackendFault.UNREACHABLE),
        (504, b"", BackendFault.UNREACHABLE),
        (500, b'{"error":"out of memory"}', BackendFault.BAD_REPLY),
        (301, b"", BackendFault.BAD_REPLY),
        (204, b"", BackendFault.BAD_REPLY),
    ],
)
def test_every_status_has_its_fault(status, body, fault):
    assert refusal(status, body).fault is fault


def test_only_a_dead_model_process_is_worth_a_second_try():
    gone = b'{"error":"model runner has Unexpectedly Stopped, this may be"}'
    assert is_runner_gone(500, gone)
    assert not is_runner_gone(400, gone)
    assert not is_runner_gone(500, b'{"error":"out of memory"}')
    assert not is_runner_gone(500, b"unexpectedly stopped")
