from __future__ import annotations

from dataclasses import replace

import pytest

from chatloop.core.errors import ReleaseError
from chatloop.core.release import new_version, write_release
from chatloop.core.types import Intent, IntentScore, Source
from chatloop.loop.data.help_index import Knowledge
from chatloop.turn.answer.content import HelpPassage
from chatloop.turn.answer.retrieve import PARTS, Found, Retriever, load_retriever
from tests.turn.answer.retrieve.small import (
    KNOWLEDGE,
    PASSAGES,
    content_of,
    parts_of,
    retriever_of,
)


@pytest.fixture(scope="module")
def retriever() -> Retriever:
    return retriever_of(pages={"invite": "t", "elsewhere": "none", "unlinked": None})


def headings(found: Found) -> list[str]:
    return [passage.heading for passage, _ in found.hits]


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("how can i reset the password", "Reset a password"),
        ("where are my invoices", "Find invoices"),
        ("refund please", "Refunds"),
        ("inviting people", "Invite people"),
        ("money card", "Refunds"),
    ],
)
def test_the_passage_that_fits_best_comes_first(retriever, text, best):
    assert headings(retriever.search(text))[0] == best


@pytest.mark.parametrize(
    ("text", "best"),
    [("the bill", "Find invoices"), ("taxman", "Find invoices"), ("login", "Reset a password")],
)
def test_what_people_ask_finds_pages_that_use_other_words(retriever, text, best):
    assert headings(retriever.search(text))[0] == best


def test_a_likely_intent_draws_its_page_up(retriever):
    def first(intent: str) -> str:
        seen = Intent(intent, 0.9, in_scope=True, top=(IntentScore(intent, 0.9),))
        return headings(retriever.search("mailed link", seen))[0]

    assert first("invite") == "Invite people"
    assert first("elsewhere") == first("unlinked") == first("unknown") == "Reset a password"


def test_each_page_is_found_once_and_scores_fall(retriever):
    found = retriever.search("link mail password invoice refund money", k=9)
    pages = [passage.page for passage, _ in found.hits]
    scores = [source.score for _, source in found.hits]
    assert sorted(pages) == ["b", "p", "t"]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert len(retriever.search("link mail password invoice refund", k=2).hits) == 2


def test_a_source_names_its_passage_and_where_it_stands(retriever):
    (_, source), *_ = retriever.search("invoices").hits
    assert replace(source, score=0.0) == Source(
        "b", "Billing", "Find invoices", "find-invoices", 0.0, 30, 48
    )


@pytest.mark.parametrize("text", ["", "the of", "zebra", "密码", "\ud800", "\x00"])
def test_a_text_without_a_known_word_finds_nothing(retriever, text):
    assert retriever.search(text) == Found()


def test_a_repeated_word_counts_once(retriever):
    assert retriever.search("refund " * 50).hits == retriever.search("refund").hits


@pytest.mark.parametrize("passages", [[], [HelpPassage("x", "the", "of", "", "to an in")]])
def test_without_words_nothing_is_found(passages):
    assert retriever_of(Knowledge(passages)).search("password") == Found()


def test_equal_passages_keep_their_order():
    twins = [HelpPassage(name, "Same", "Same words", name, "Same.") for name in "abc"]
    found = retriever_of(Knowledge(twins)).search("same words")
    assert [passage.page for passage, _ in found.hits] == ["a", "b", "c"]


def test_what_is_not_supported_is_neither_quoted_nor_cited():
    found = Found(((PASSAGES[0], Source("p", "t", "h", "a", 0.9)),), 0.2, supported=False)
    assert (found.passages, found.sources) == ((), ())
    assert len(replace(found, supported=True).passages) == 1


def load(tmp_path, **changed: bytes | None) -> Retriever:
    files = parts_of() | {k.replace("_", "."): v for k, v in changed.items()}
    files = {name: data for name, data in files.items() if data is not None}
    release = write_release(tmp_path, files, new_version(files))
    return load_retriever(release, content_of(PASSAGES))


def test_a_release_gives_back_its_search(tmp_path):
    assert load(tmp_path).search("refund").hits == retriever_of().search("refund").hits


@pytest.mark.parametrize("part", PARTS)
def test_a_release_without_a_part_of_its_search_is_refused_in_one_line(tmp_path, part):
    with pytest.raises(ReleaseError, match=rf"has no part {part}; roll back") as caught:
        load(tmp_path, **{part.replace(".", "_"): None})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("damage", ["empty", "half", "noise", "json", "other"])
def test_parts_that_do_not_fit_are_refused_not_crashed_on(tmp_path, part, damage):
    whole = parts_of()[part]
    other = parts_of(replace(KNOWLEDGE, passages=PASSAGES[:2]))[part]
    raw = {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "noise": bytes(range(256)) * 4,
        "json": b"[1]",
        "other": other,
    }[damage]
    if damage == "other" and part == "support.json":
        pytest.skip("a judgement fits every index")
    with pytest.raises(ReleaseError, match="search index cannot be read"):
        load(tmp_path, **{part.replace(".", "_"): raw})


def test_an_index_for_other_pages_is_refused(tmp_path):
    files = parts_of()
    release = write_release(tmp_path, files, new_version(files))
    with pytest.raises(ReleaseError, match="other passages"):
        load_retriever(release, content_of(PASSAGES[:3]))
