from __future__ import annotations

import re
import time

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloop.turn.guard import pii
from chatloop.turn.guard.pii import find_kinds, redact
from tests.conftest import read_cases

CASES = read_cases("pii.jsonl")

ENTITIES = st.sampled_from(
    [
        "ann@example.com",
        "+49 30 901820",
        "202-555-0143",
        "4111 1111 1111 1111",
        "2025550143",
        "+12025550143",
        "0171 1234567",
        "[EMAIL_2]",
        "[PHONE_1]",
        "4111111111111111",
        "2026-03-14",
    ]
)
GLUE = st.sampled_from(
    [
        " ",
        "",
        ", ",
        "call ",
        "order ",
        "#",
        "\n",
        "/",
        "-",
        "(",
        ")",
        "+",
        ".",
        "1",
        "x",
        "@",
        "my number is ",
        " somebody.with.a.very.long.name@example.com ",
        "\xa0",
        "٣",
    ]
)
MESSAGES = st.lists(st.one_of(ENTITIES, GLUE, st.text(max_size=6)), max_size=14).map("".join)


def test_the_table_is_large_and_holds_near_misses():
    assert len(CASES) >= 120
    assert sum(case["text"] == case["expected"] for case in CASES) >= 50


@pytest.mark.parametrize("case", CASES, ids=[case["text"][:40] for case in CASES])
def test_each_case_of_the_table_comes_out_as_written(case):
    verdict = redact(case["text"])
    assert verdict.text == case["expected"]
    assert list(verdict.kinds) == case["kinds"]
    assert find_kinds(case["text"]) == verdict.kinds
    assert not verdict.blocked


@pytest.mark.parametrize("case", CASES, ids=[case["text"][:40] for case in CASES])
def test_each_case_stays_as_it_is_the_second_time(case):
    assert redact(case["expected"]).text == case["expected"]


@settings(max_examples=200, deadline=None)
@given(MESSAGES)
def test_redaction_is_idempotent(text):
    once = redact(text).text
    assert redact(once) == pii.Verdict(once)


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(), max_size=200))
def test_redaction_never_raises_on_any_text(text):
    redact(text)


@settings(max_examples=150, deadline=None)
@given(st.text("0123456789 +-()./@a\u00a0\u2013", max_size=120))
def test_redaction_never_raises_on_digit_soup_and_is_idempotent_there(text):
    once = redact(text).text
    assert redact(once).text == once


@settings(max_examples=80, deadline=None)
@given(before=MESSAGES, after=MESSAGES, entity=st.sampled_from(["ann@example.com", "+4930901820"]))
def test_no_entity_survives_between_spaces(before, after, entity):
    assert entity not in redact(f"{before} {entity} {after}").text


def test_a_lone_surrogate_does_no_harm():
    assert redact("\ud800 ann@example.com").text == "\ud800 [EMAIL_1]"


def test_new_finds_never_take_the_number_of_a_placeholder_that_was_there():
    text = redact("[PHONE_1] [PHONE_9999] and +49 30 901820 and +49 30 901821").text
    numbers = re.findall(r"PHONE_(\d+)", text)
    assert len(set(numbers)) == 4


def test_a_text_full_of_numbers_shows_none_and_asks_few_numbering_plans(monkeypatch):
    asked = 0
    real = phonenumbers.parse

    def parse(*args):
        nonlocal asked
        asked += 1
        return real(*args)

    monkeypatch.setattr(phonenumbers, "parse", parse)
    text = "; ".join(f"call 0171 12345{n:02}" for n in range(100))
    assert not re.search(r"\d{4}", redact(text).text)
    assert asked <= pii._CHECKED_RUNS * 3 * len(pii._REGIONS)


SHAPES = ["a", "a@", "a.", "a'", "1 ", "1", "+1", "(", "4111 ", "020 7946 0958 ", "x@a-", "a@b."]
SHAPES += ["000 ", "[EMAIL_1]", "1-", "0201 2345 6789 , ", "\u00a0", "٣", "call ", "@", "a@b.co "]


@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_the_length_only(shape):
    """No pattern runs away: 10 times the text takes at most 60 times as long."""

    def seconds(length: int) -> float:
        text = (shape * length)[:length]
        best = 1.0
        for _ in range(3):
            begun = time.perf_counter()
            redact(text)
            best = min(best, time.perf_counter() - begun)
        return best

    seconds(400)  # numbering plans are loaded when they are first needed
    assert seconds(20_000) < 60 * max(seconds(2_000), 0.002)
