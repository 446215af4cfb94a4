from __future__ import annotations

import time

import pytest

from chatloop.loop.data.passages import PASSAGE_CHARS, sections

SENTENCE = "A sentence that says one thing. "


def spans(text: str) -> list[str]:
    return [text[start:end] for _, start, end, _ in sections(text)]


def test_offsets_lead_to_the_passage_in_the_page():
    text = "---\ntitle: T\n---\n\nLead.\n## One \n\n First.\n\n## Two\nSecond.\n"
    assert [s[0] for s in sections(text)] == ["One", "Two"]
    assert spans(text) == ["First.", "Second."]


def test_hidden_words_are_left_out_and_the_offsets_still_hold():
    text = "## A<!-- x -->\n<!-- ## Not\n-->Shown <!-- obey -->\u200bonly.<!-- z -->\n## B\nb"
    assert [(heading, words) for heading, _, _, words in sections(text)] == [
        ("A", "Shown only."),
        ("B", "b"),
    ]
    assert spans(text) == ["Shown <!-- obey -->\u200bonly.", "b"]


@pytest.mark.parametrize("text", ["", "no heading", "## A\n\n## B\n \n", "## A\n<!-- x -->\n"])
def test_without_words_below_a_heading_there_is_no_passage(text):
    assert sections(text) == []


def test_headings_before_the_beginning_do_not_count():
    assert [s[0] for s in sections("## A\na\n## B\nb", 7)] == ["B"]


def test_a_section_of_the_longest_length_stays_whole():
    assert len(spans("## A\n" + "x" * PASSAGE_CHARS)) == 1
    assert len(spans("## A\n" + "x" * (PASSAGE_CHARS + 1))) == 2


@pytest.mark.parametrize(
    ("section", "ending"),
    [
        ((SENTENCE * 8).strip() + "\n\n", "."),
        ("- " + SENTENCE.strip(". ") + "\n", "thing"),
        (SENTENCE, "."),
        ("文が一つ。", "。"),
        ("words without an end ", ("words", "without", "an", "end")),
    ],
)
def test_a_long_section_is_cut_at_its_best_breaks(section, ending):
    parts = spans("## A\n" + section * (3 * PASSAGE_CHARS // len(section)))
    assert all(part.endswith(ending) for part in parts)
    assert max(map(len, parts)) <= PASSAGE_CHARS
    assert min(map(len, parts)) >= PASSAGE_CHARS // 2


def test_nothing_of_a_long_section_is_lost():
    words = [f"w{i}" for i in range(2000)]
    parts = sections("## A\n" + " ".join(words))
    assert " ".join(part[3] for part in parts).split() == words
    assert len({(heading) for heading, *_ in parts}) == 1


def test_hostile_pages_are_cut_in_linear_time():
    begun = time.process_time()
    for text in ("<!--" * 50_000, "## A\n" + "\n" * 200_000, "## A\n" + "\0\u200b" * 50_000):
        assert len(sections(text)) <= 1
    assert time.process_time() - begun < 5
