from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloop.core.types import Verdict
from chatloop.turn.guard.pii import redact
from chatloop.turn.guard.stream import HELD_CHARS, StreamGuard
from tests.conftest import read_cases

ENTITIES = ["ann@example.com", "+49 30 901820", "(202) 555-0143", "202-555-0143", "07911 123456"]
ENTITIES += ["4111 1111 1111 1111", "378282246310005", "0044 20 7946 0958", "030\u00a0901820"]
ENTITIES += ["a" * 60 + "@sub." + "b" * 40 + ".example.com", "030 901820 / 0171 1234567"]
FRAMES = ["call {}, please", "mail {} now", "({})", "{}", "{}. Then", "Phone: {}\nand", "{}!"]
FRAMES += ["1. first\n2. {}\n3. third in 2024", "- {}, {} or {}", "order 12345 from {} 2 times"]
FRAMES += ["see [EMAIL_3] and {}", "{} 5 times", "| {} | {} |", "**{}**", "`{}`"]


def streamed(text: str, rng: random.Random, longest: int = 3) -> tuple[list[str], StreamGuard]:
    """Feed `text` in pieces of 1 to `longest` characters; return what was shown, by step."""
    guard, shown, at = StreamGuard(redact), [], 0
    while at < len(text):
        step = rng.randint(1, longest)
        shown.append(guard.feed(text[at : at + step]))
        at += step
    return [*shown, guard.finish()], guard


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("entity", ENTITIES)
def test_an_entity_in_small_pieces_is_never_half_shown(frame, entity, seed):
    """O28: the streamed text equals the guarded whole, at each step a beginning of it."""
    rng = random.Random(f"{seed} {frame} {entity}")
    text = frame.replace("{}", entity)
    for _ in range(2):
        shown, guard = streamed(text, rng)
        whole = redact(text)
        sofar = ""
        for piece in shown:
            sofar += piece
            assert whole.text.startswith(sofar)
        assert sofar == whole.text == guard.text
        assert set(guard.kinds) == set(whole.kinds)


CASES = [c["text"] for c in read_cases("pii.jsonl") if "note" not in c and "[" not in c["text"]]


@pytest.mark.parametrize("text", CASES, ids=[text[:40] for text in CASES])
def test_a_stream_shows_what_the_whole_would_show(text, seed):
    rng = random.Random(f"{seed} {text}")
    for longest in (1, 3):
        shown, _ = streamed(text, rng, longest)
        assert "".join(shown) == redact(text).text


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.one_of(st.sampled_from(ENTITIES), st.text(max_size=8)), max_size=8),
    seed=st.integers(0, 1000),
)
def test_no_address_and_no_card_gets_through_whatever_stands_around_it(parts, seed):
    shown, guard = streamed(" ".join(parts), random.Random(seed))
    text = "".join(shown)
    assert text == guard.text
    for secret in ("ann@example.com", "378282246310005", "@sub."):
        assert secret not in text


def test_plain_words_come_out_as_soon_as_they_end():
    guard = StreamGuard(redact)
    assert guard.feed("hello ") == "hello "
    assert guard.feed("wor") == ""
    assert guard.feed("ld, and") == "world, "
    assert guard.finish() == "and"
    assert guard.text == "hello world, and"


def test_at_most_64_characters_of_a_plain_word_are_held():
    guard = StreamGuard(redact)
    text = "x" * 1000
    assert len(guard.feed(text)) == 1000 - HELD_CHARS
    assert guard.finish() == "x" * HELD_CHARS


def test_an_endless_address_is_not_held_for_ever():
    guard = StreamGuard(redact)
    assert guard.feed("x@" + "y" * 2000)


@pytest.mark.parametrize("step", [1, 7, 5000])
def test_a_row_of_digits_too_long_to_be_held_is_masked(step):
    text = "see 4111 1111 1111 1111 " + "5555 5555 5555 4444 " * 40 + "and ann@example.com"
    guard = StreamGuard(redact)
    shown = "".join(guard.feed(text[at : at + step]) for at in range(0, len(text), step))
    shown += guard.finish()
    assert "4111" not in shown
    assert "5555" not in shown
    assert shown.startswith("see ")
    assert shown.endswith("and [EMAIL_1]")


def test_numbers_side_by_side_are_held_together():
    text = "378282246310005" + " (202) 555-0143" * 4 + " and more"
    for _ in range(3):
        shown, _guard = streamed(text, random.Random(0))
        assert "".join(shown) == redact(text).text


def test_nothing_fed_is_nothing_shown():
    guard = StreamGuard(redact)
    assert (guard.feed(""), guard.finish(), guard.text, guard.kinds) == ("", "", "", ())


def test_what_was_shown_stays_when_a_longer_text_reads_otherwise():
    def moody(text: str) -> Verdict:
        return Verdict(text.upper() if len(text) > 6 else text)

    guard = StreamGuard(moody)
    assert guard.feed("one ") == "one "
    assert guard.feed("two three ") == "TWO THREE "
    assert guard.text == "one TWO THREE "


def test_a_long_clean_answer_is_read_in_time_that_grows_with_its_length():
    read = 0

    def counting(text: str) -> Verdict:
        nonlocal read
        read += len(text)
        return redact(text)

    window = StreamGuard(counting)
    sentence = "Open Settings and follow the steps there. "
    shown = "".join(window.feed(sentence) for _ in range(1000)) + window.finish()
    assert shown == sentence * 1000
    assert read < 1300 * 1002


def test_an_entity_after_a_long_clean_text_is_taken_out():
    window = StreamGuard(redact)
    long = "Open Settings and follow the steps there. " * 100
    shown = "".join(map(window.feed, [long, "Write to ann", "@example.com", " now."]))
    assert shown + window.finish() == long + "Write to [EMAIL_1] now."
