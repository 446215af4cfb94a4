from __future__ import annotations

import email.utils
import time

import pytest

from chatloop.core.errors import BackendFault
from chatloop.turn.answer.llm.limits import LlmLimits
from chatloop.turn.answer.llm.llm_http import LlmHttp, seconds_to_wait
from chatloop.turn.answer.llm.ollama_wire import refusal
from chatloop.turn.answer.llm.rest import Rest


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("20", 20.0), ("0.5", 0.5), ("-3", 0.0), ("nan", 0.0), ("", 0.0), ("soon", 0.0),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_is_seconds_and_never_negative(header, seconds):
    assert seconds_to_wait(header) == seconds


def test_retry_after_may_be_a_date():
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 90 < seconds_to_wait(date) <= 100


@pytest.mark.parametrize(
    ("address", "remote"),
    [
        ("http://127.0.0.1:1", False),
        ("http://localhost", False),
        ("http://[::1]:1", False),
        ("http://10.0.0.5", True),
        ("https://127.0.0.1.example.com", True),
    ],
)
async def test_another_machine_is_remote(address, remote):
    http = LlmHttp(address, LlmLimits(), refusal=refusal)
    assert http.is_remote is remote
    await http.aclose()


def test_a_rest_ends_by_itself():
    now = [100.0]
    rest = Rest(lambda: now[0])
    assert rest.fault is None
    rest.begin(BackendFault.BUSY, "come back later", 5.0)
    now[0] += 4.9
    assert (rest.fault, rest.detail) == (BackendFault.BUSY, "come back later")
    now[0] += 0.1
    assert rest.fault is None
