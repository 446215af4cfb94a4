from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import Future

import pytest

from chatloop.core.telemetry import TurnRecord
from chatloop.core.types import Source, Usage
from chatloop.turn import record as module
from chatloop.turn.record import Recorder, encode
from tests.fakes import NOW, ListSink

NASTY = 'a\nb\rc\u2028d\u2029e\x85f\x00g\x1b[31mh"i\\j{"turn_id": "x"}\t密码 😀'


def record(**fields: object) -> TurnRecord:
    return TurnRecord(turn_id="t", ts=NOW, model_version="v", **fields)


def test_one_record_is_one_line_whatever_the_text():
    """D7: no control byte reaches the log, and the text comes back as it was."""
    line = encode(record(prompt=NASTY, answer=NASTY))
    assert all(byte >= 0x20 for byte in line)
    assert json.loads(line)["prompt"] == NASTY


def test_every_field_is_on_the_line():
    full = record(
        sources=(Source("p", "t", "h", "a", 1.5),),
        usage=Usage(1, 2, 3.0, 4.0),
        anomaly_reason=("long_prompt",),
        stage_ms={"guard": 0.1},
    )
    written = json.loads(encode(full))
    assert set(written) == set(TurnRecord.__dataclass_fields__)
    assert written["sources"][0]["page"] == "p"
    assert written["usage"]["completion_tokens"] == 2
    assert written["schema_version"] == 1


@pytest.mark.parametrize("on_file", [True, False])
async def test_write_through_says_whether_the_line_is_on_file(on_file):
    sink = ListSink(on_file=on_file)
    assert await Recorder(sink).write_through(record()) is on_file
    assert len(sink.lines) == 1


async def test_a_log_that_does_not_answer_holds_nobody_up(monkeypatch, caplog):
    monkeypatch.setattr(module, "_ACK_LIMIT_S", 0.01)
    sink = ListSink(on_file=None)
    with caplog.at_level(logging.WARNING, logger="chatloop"):
        assert await Recorder(sink).write_through(record(prompt="secret words")) is False
    assert len(sink.lines) == 1
    assert "secret words" not in caplog.text


async def test_records_of_one_round_are_handed_over_together_each_with_its_own_word():
    class OneFits(ListSink):
        def append_all(self, lines):
            calls.append(len(lines))
            super().append_all(lines)
            future: Future[int] = Future()
            future.set_result(1)
            return future

    calls: list[int] = []
    sink = OneFits()
    recorder = Recorder(sink)
    words = await asyncio.gather(*(recorder.write_through(record(user=f"u{n}")) for n in range(3)))
    assert words == [True, False, False]
    assert calls == [3]
    assert [line["user"] for line in sink.records] == ["u0", "u1", "u2"]


async def test_a_client_that_leaves_before_the_hand_over_leaves_its_record():
    sink = ListSink()
    recorder = Recorder(sink)
    stays = asyncio.create_task(recorder.write_through(record()))
    leaves = asyncio.create_task(recorder.write_through(record()))
    asyncio.get_running_loop().call_soon(leaves.cancel)
    assert await stays is True
    assert leaves.cancelled()
    assert len(sink.lines) == 2


def test_write_returns_at_once():
    sink = ListSink(on_file=None)
    assert not Recorder(sink).write(record()).done()
    assert len(sink.lines) == 1
