from __future__ import annotations

import pytest

from chatloop.turn.answer.content import HelpPassage
from chatloop.turn.answer.retrieve import Retriever, tokens

PASSAGES = [
    HelpPassage("p", "Passwords", "Reset a password", "reset-a-password", "Use the mailed link."),
    HelpPassage("b", "Billing", "Find invoices", "find-invoices", "Invoices are PDFs."),
    HelpPassage("b", "Billing", "Refunds", "refunds", "Money goes back to the card."),
    HelpPassage("t", "Teams", "Invite people", "invite-people", "Send them a link by mail."),
]


@pytest.fixture(scope="module")
def retriever() -> Retriever:
    return Retriever(PASSAGES)


def headings(found) -> list[str]:
    return [passage.heading for passage, _ in found]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("How do I reset my passwords?", ["reset", "password"]),
        ("INVITED inviting invites", ["invit", "invit", "invit"]),
        ("use used uses", ["use", "used", "uses"]),
        ("the an of to in", []),
        ("", []),
        ("a b c", []),
        ("größe привет", ["größ", "привет"]),
    ],
)
def test_content_words_are_folded(text, words):
    assert tokens(text) == words


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("how can i reset the password", "Reset a password"),
        ("where are my invoices", "Find invoices"),
        ("where is my invoice", "Find invoices"),
        ("refund please", "Refunds"),
        ("inviting people", "Invite people"),
        ("money card", "Refunds"),
    ],
)
def test_the_passage_that_fits_best_comes_first(retriever, text, best):
    assert headings(retriever.search(text))[0] == best


def test_scores_fall_and_are_positive(retriever):
    found = retriever.search("mailed link password invoice", k=4)
    scores = [source.score for _, source in found]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)


def test_a_source_names_its_passage(retriever):
    ((passage, source), *_) = retriever.search("refund")
    assert (source.page, source.title, source.heading) == ("b", "Billing", "Refunds")
    assert source.anchor == passage.anchor


@pytest.mark.parametrize("text", ["", "the of", "zebra", "密码", "\ud800", "\x00"])
def test_a_text_without_a_known_word_finds_nothing(retriever, text):
    assert retriever.search(text) == []


def test_no_more_than_k_and_no_more_than_fit(retriever):
    assert len(retriever.search("link mail password invoice refund", k=2)) == 2
    assert len(retriever.search("refund", k=10)) == 1


def test_a_repeated_word_counts_once(retriever):
    once, often = retriever.search("refund"), retriever.search("refund " * 50)
    assert once == often


@pytest.mark.parametrize("passages", [[], [HelpPassage("x", "the", "of", "", "to an in")]])
def test_without_pages_nothing_is_found(passages):
    assert Retriever(passages).search("password") == []


def test_equal_passages_keep_their_order():
    twins = [HelpPassage(name, "Same", "Same words", name, "Same.") for name in "abc"]
    found = Retriever(twins).search("same words")
    assert [passage.page for passage, _ in found] == ["a", "b", "c"]
