"""A small help centre, indexed without training: for the tests of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatloop.loop.data.help_index import Knowledge, index_parts
from chatloop.loop.data.help_support import support_part
from chatloop.turn.answer.content import Approved, Content, HelpPassage
from chatloop.turn.answer.retrieve import Retriever
from chatloop.turn.answer.retrieve.search import read_retriever

PASSAGES = [
    HelpPassage("p", "Passwords", "Reset a password", "reset-a-password", "Use the mailed link."),
    HelpPassage("b", "Billing", "Find invoices", "find-invoices", "Invoices are PDFs.", 30, 48),
    HelpPassage("b", "Billing", "Refunds", "refunds", "Money goes back to the card."),
    HelpPassage("t", "Teams", "Invite people", "invite-people", "Send them a link by mail."),
]
KNOWLEDGE = Knowledge(
    PASSAGES,
    asked={("b", "Find invoices"): ("where is my bill", "receipt for the taxman")},
    phrasings=[("forgot how to get in", "p"), ("my login is lost", "p"), ("a new colleague", "t")],
)


def content_of(
    passages: Sequence[HelpPassage], pages: Mapping[str, str | None] | None = None
) -> Content:
    approved = {intent: Approved("Yes.", page, "") for intent, page in (pages or {}).items()}
    return Content(approved, tuple(passages), {}, "")


def parts_of(knowledge: Knowledge = KNOWLEDGE) -> dict[str, bytes]:
    return {**index_parts(knowledge, 7), **support_part(knowledge, 7)}


def retriever_of(
    knowledge: Knowledge = KNOWLEDGE, pages: Mapping[str, str | None] | None = None
) -> Retriever:
    return read_retriever(parts_of(knowledge), content_of(knowledge.passages, pages))
