"""The stream shows every line, what was found in it, and no text in the clear."""

from __future__ import annotations

import json

import pytest

from chatloop.loop.monitor.stream import Finders, stream

from .records import NOW, line, record, turn_id

SECRET = "anna@example.com"


def detect(text: str) -> tuple[str, ...]:
    return ("email",) if SECRET in text else ()


def redact(text: str) -> str:
    return text.replace(SECRET, "[EMAIL_1]")


def anomalies(text: str, confidence: float | None) -> tuple[str, ...]:
    return ("low_confidence",) if confidence is not None and confidence < 0.5 else ()


FINDERS = Finders(detect, redact, anomalies)


def one(fields: object, finders: Finders = FINDERS) -> dict:
    [item] = stream([json.dumps(fields).encode()], finders)
    return item


def test_every_field_of_a_foreign_line_is_kept():
    fields = {"id": "a-1", "timestamp": "2026-10-01T06:13:11Z", "tokens": 7, "ok": True, "x": None}
    item = one(fields)
    assert {name: item[name] for name in fields} == fields


def test_the_four_findings_are_always_there():
    assert one({}) == {
        "latency_ms": None,
        "pii_detected": {"prompt": [], "answer": []},
        "anomaly_reason": [],
        "error": None,
    }


@pytest.mark.parametrize(
    ("given", "shown"), [(34, 34.0), (1.5, 1.5), (None, None), ("34", None), (True, None)]
)
def test_latency_is_a_number_or_null(given, shown):
    assert one({"latency_ms": given})["latency_ms"] == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [(None, None), ("", None), (False, None), ("broke", "broke"), ({"code": 5}, '{"code":5}')],
)
def test_error_is_a_text_or_null(given, shown):
    assert one({"error": given})["error"] == shown


def test_findings_say_where():
    item = one({"prompt": f"I am {SECRET}", "answer": "hi"})
    assert item["pii_detected"] == {"prompt": ["email"], "answer": []}


def test_no_text_leaves_in_the_clear():
    item = one(
        {
            "prompt": SECRET,
            "user_id": SECRET,
            "error": f"no {SECRET}",
            "history": [{"content": SECRET, SECRET: 1}],
            f"to {SECRET}": {"deep": [[SECRET]]},
            "anomaly_reason": [SECRET],
        },
        Finders(detect, redact),
    )
    assert SECRET not in json.dumps(item)
    assert item["user_id"] == "[EMAIL_1]"


def test_our_own_lines_keep_what_was_found_when_they_were_written():
    ours = record(
        turn_id=turn_id(NOW),
        prompt="I am [EMAIL_1]",
        pii_prompt=("email",),
        confidence=0.1,
        anomaly_reason=("long_prompt",),
    )
    [item] = stream([line(ours)], FINDERS)
    assert item["pii_detected"] == {"prompt": ["email"], "answer": []}
    assert item["anomaly_reason"] == ["long_prompt"]
    assert item["turn_id"] == ours.turn_id


def test_ids_of_our_own_lines_are_not_mistaken_for_numbers():
    shouting = Finders(detect, lambda _: "[GONE]", anomalies)
    item = one(
        {"schema_version": 1, "turn_id": "01ABC", "user": "ab2cd", "session": "1 2"}, shouting
    )
    assert (item["turn_id"], item["user"], item["session"]) == ("01ABC", "ab2cd", "[GONE]")
    assert one({"turn_id": "01ABC"}, shouting)["turn_id"] == "[GONE]"


def test_rules_judge_foreign_lines_and_without_rules_their_own_word_counts():
    fields = {"prompt": "x", "confidence": 0.2, "anomaly_reason": ["theirs"]}
    assert one(fields)["anomaly_reason"] == ["low_confidence"]
    assert one(fields, Finders(detect, redact))["anomaly_reason"] == ["theirs"]


def test_unreadable_lines_are_named_by_number():
    lines = [b"\xef\xbb\xbf{}\r\n", b"\n", b"{torn", b"[1]", b"\xff", b"[" * 500_000, b'{"a":NaN}']
    assert [item["error"] for item in stream(lines, FINDERS)] == [
        None,
        *(f"unreadable line {number}" for number in range(3, 8)),
    ]


def test_what_is_yielded_is_json():
    for item in stream([b'{"a":1e300,"b":123456789012345678901234567890}', b"{"], FINDERS):
        json.dumps(item, allow_nan=False)
