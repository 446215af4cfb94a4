from __future__ import annotations

import pytest

from chatloop.core.errors import BackendError, BackendFault
from chatloop.turn.answer.llm.ollama_wire import parse_line, refusal


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
    assert refusal(500, gone).passing
    assert not refusal(400, gone).passing
    assert not refusal(500, b'{"error":"out of memory"}').passing
    assert not refusal(500, b"unexpectedly stopped").passing
