from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloop.core.types import Exchange
from chatloop.turn.answer.budget import (
    HISTORY_TOKENS,
    PASSAGES_TOKENS,
    ContextWindow,
    Fitted,
    estimate_prompt_tokens,
    estimate_tokens,
    fit,
    was_truncated,
)

ROOMY = ContextWindow(context_tokens=100_000, max_tokens=400)


def fitted(passages=(), history=(), window=ROOMY, instructions="", question="?") -> Fitted:
    return fit(instructions, question, passages=passages, history=history, window=window)


def lines(*texts: str) -> tuple[Exchange, ...]:
    roles = ("user", "assistant")
    return tuple(Exchange(roles[i % 2], text) for i, text in enumerate(texts))


def words(tokens: int) -> str:
    return "word" * tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("four", 1), ("fours", 2), ("a b c de", 2), ("1234", 4), ("...", 3),
     ("密码", 2), ("ü", 1), ("пароль", 6), ("\U0001f600", 3), ("\n", 1)],
)  # fmt: skip
def test_letters_count_a_quarter_and_everything_else_one(text, tokens):
    assert estimate_tokens(text) == tokens


# One sentence in 17 languages as OpenAI counted it (openai.com/index/hello-gpt-4o, May 2024):
# plain letters and blanks, other characters, tokens of the older and of the newer tokenizer.
PUBLISHED = {
    "English": (74, 8, 27, 24), "French": (103, 9, 31, 28), "Portuguese": (77, 11, 30, 27),
    "Spanish": (81, 7, 29, 26), "German": (88, 9, 34, 29), "Italian": (83, 6, 34, 28),
    "Turkish": (72, 16, 39, 30), "Japanese": (4, 39, 37, 26), "Chinese": (4, 30, 34, 24),
    "Vietnamese": (63, 25, 46, 30), "Korean": (14, 41, 45, 27), "Russian": (14, 62, 39, 23),
    "Persian": (18, 70, 61, 32), "Arabic": (13, 54, 53, 26), "Urdu": (21, 65, 82, 33),
    "Hindi": (17, 70, 90, 31), "Tamil": (13, 78, 116, 35),
}  # fmt: skip


@pytest.mark.parametrize("language", PUBLISHED)
def test_the_estimate_is_near_what_was_published(language):
    plain, others, older, newer = PUBLISHED[language]
    estimate = estimate_tokens("a" * plain + "ж" * others)
    assert estimate >= 0.7 * older - 1
    assert 0.95 * newer <= estimate <= 3 * newer


def test_with_room_everything_is_kept_and_nothing_reported():
    history = lines("q", "a")
    result = fitted(["one", "two"], history)
    assert (result.passages, result.history) == (("one", "two"), history)
    assert not result.cut


def test_passages_come_before_history():
    window = ContextWindow(context_tokens=400 + 10 + 1 + 150, max_tokens=400)
    result = fitted([words(100)], lines(words(100)), window)
    assert result.passages == (words(100),)
    assert result.history == ()
    assert (result.passages_cut, result.lines_cut, result.overfull) == (0, 1, False)


def test_passages_are_whole_and_best_first_up_to_their_ceiling():
    result = fitted([words(300), words(301), "small"])
    assert result.passages == (words(300),)
    assert result.passages_cut == 2


def test_the_best_passage_is_shortened_rather_than_left_out():
    result = fitted([words(PASSAGES_TOKENS), "small"])
    assert len(result.passages) == 1
    assert result.passages[0].startswith("word" * 500)
    assert estimate_tokens(result.passages[0]) < PASSAGES_TOKENS
    assert result.passages_cut == 2


def test_history_keeps_the_newest_lines_in_order():
    result = fitted(history=lines(words(200), words(300), words(280)))
    assert [len(line.content) for line in result.history] == [1200, 1120]
    assert [line.role for line in result.history] == ["assistant", "user"]
    assert result.lines_cut == 1


def test_the_newest_line_is_shortened_rather_than_left_out():
    result = fitted(history=lines("q", words(HISTORY_TOKENS)))
    assert [line.role for line in result.history] == ["assistant"]
    assert result.history[0].content.startswith("word" * 500)
    assert result.lines_cut == 2


def test_no_stub_is_kept_that_says_nothing():
    window = ContextWindow(context_tokens=400 + 10 + 1 + 60, max_tokens=400)
    assert fitted([words(100)], window=window).passages == ()


@pytest.mark.parametrize("context_tokens", [0, 100, 411])
def test_a_window_too_small_for_the_question_is_reported(context_tokens):
    window = ContextWindow(context_tokens=context_tokens, max_tokens=400)
    result = fitted(["p"], lines("q"), window, instructions=words(10))
    assert (result.passages, result.history, result.overfull) == ((), (), True)
    assert result.cut


texts = st.lists(st.text(max_size=300), max_size=4)


@given(texts, texts, st.text(max_size=100), st.integers(0, 2000))
def test_what_is_kept_never_exceeds_the_window_unless_it_says_so(passages, said, question, size):
    window = ContextWindow(context_tokens=size, max_tokens=100)
    result = fitted(passages, lines(*said), window, "be brief", question)
    messages = (
        Exchange("system", "be brief"), *result.history, Exchange("user", question),
        *(Exchange("system", p) for p in result.passages),
    )  # fmt: skip
    assert result.overfull or estimate_prompt_tokens(messages) <= window.prompt_tokens
    assert result.cut or (list(result.passages), len(result.history)) == (passages, len(said))


@pytest.mark.parametrize(
    ("estimate", "seen", "window", "expected"),
    [
        (900, 850, 4096, False),  # all of it was read
        (900, 1300, 4096, False),  # counted too few, but it fitted
        (900, 400, 4096, False),  # counted too many: it fitted either way
        (3000, 4096, 4096, True),  # the window was full
        (3000, 4200, 4096, True),
        (9000, 4000, 4096, True),  # too long, cut to the window
        (9000, 1200, 4096, True),  # too long, whole lines dropped
        (4500, 3900, 4096, False),  # a little too long by our count, and all of it was read
        (2000, 2048, 2048, True),  # the loaded window is smaller than the configured one
        (9000, 0, 4096, False),  # the server did not say
        (9000, 4000, 0, False),  # the window is not known
    ],
)
def test_truncation_is_seen_by_what_the_server_read(estimate, seen, window, expected):
    assert was_truncated(estimate, seen, window) is expected
