from __future__ import annotations

from dataclasses import replace

import pytest

from chatloop.core.errors import BackendFault
from chatloop.core.types import PERSON, AnsweredBy, Intent, IntentScore, Reason, Source
from chatloop.turn.answer import local
from chatloop.turn.answer.content import Approved, Content, HelpPassage
from chatloop.turn.answer.retrieve import Found
from tests.fakes import MESSAGES

PAGE = HelpPassage("billing", "Billing", "Invoices", "invoices", "Every invoice is a PDF.")
CONTENT = Content(
    approved={
        "get_invoice": Approved("See Billing.", "billing", "Do you want an invoice?"),
        "refund_request": Approved("Ask us.", None, ""),
        "talk_to_human": Approved("We are here.", None, "", hand_over="asked"),
        "legal_claim": Approved("", None, "", hand_over="policy"),
    },
    passages=(PAGE,),
    messages=MESSAGES,
    prompt="",
)
SURE = Intent("get_invoice", 0.9, in_scope=True, top=(IntentScore("get_invoice", 0.9),))
FAULTS = list(BackendFault)


FOUND = Found(
    hits=((PAGE, Source("billing", "Billing", "Invoices", "invoices", 0.8)),),
    support=0.9,
    supported=True,
)
NOTHING = Found()


def test_the_approved_words_are_given_as_they_are():
    answer = local.approved(CONTENT, SURE.label)
    assert (answer.text, answer.answered_by) == ("See Billing.", AnsweredBy.APPROVED)
    assert (answer.chosen_model, answer.degraded) == ("local", False)
    assert answer.sources == (Source("billing", "Billing", "", "", 0.0),)


def test_an_answer_without_a_page_has_no_source():
    assert local.approved(CONTENT, "refund_request").sources == ()


@pytest.mark.parametrize("fault", FAULTS)
def test_approved_words_that_stand_in_say_so_and_keep_the_reason(fault):
    answer = local.approved(CONTENT, SURE.label, fault)
    assert answer.text == f"{MESSAGES['approved_degraded_intro']}\n\nSee Billing."
    assert (answer.chosen_model, answer.degraded) == ("fallback", True)
    assert answer.degraded_reason == fault.value


def test_the_best_passage_is_quoted_under_one_plain_sentence():
    answer = local.passage_or_hand_over(CONTENT, FOUND, SURE)
    assert answer.text == "From our help pages:\n\n**Billing: Invoices**\n\nEvery invoice is a PDF."
    assert answer.answered_by is AnsweredBy.PASSAGE
    assert answer.sources == (FOUND.hits[0][1],)
    assert not answer.degraded


@pytest.mark.parametrize("found", [replace(FOUND, supported=False), NOTHING])
def test_what_no_passage_supports_is_said_and_a_person_is_offered(found):
    answer = local.passage_or_hand_over(CONTENT, found, SURE)
    assert (answer.text, answer.answered_by) == (MESSAGES["not_covered"], AnsweredBy.HAND_OVER)
    assert answer.sources == ()
    assert answer.suggestions[-1].text == MESSAGES["talk_to_person_question"]


def test_support_counts_whatever_the_classifier_thinks():
    for intent in (Intent("get_invoice", 0.1, in_scope=False), Intent(None, 0.0, in_scope=False)):
        assert local.passage_or_hand_over(CONTENT, FOUND, intent).answered_by == "passage"


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_a_sentence_and_keeps_its_reason(fault):
    answer = local.passage_or_hand_over(CONTENT, FOUND, SURE, fault)
    assert answer.text.split("\n")[0] in MESSAGES.values()
    assert (answer.degraded_reason, answer.chosen_model) == (fault.value, "fallback")
    loading = answer.text.startswith("The model is loading")
    assert loading is (fault is BackendFault.LOADING)


def test_up_to_three_likely_intents_are_offered_and_always_a_person():
    shares = (("get_invoice", 0.4), ("refund_request", 0.3), ("water_plants", 0.02), ("x", 0.01))
    top = tuple(IntentScore(name, share) for name, share in shares)
    answer = local.passage_or_hand_over(CONTENT, NOTHING, Intent("get_invoice", 0.4, True, top))
    assert [(s.text, s.intent) for s in answer.suggestions] == [
        ("Do you want an invoice?", "get_invoice"),
        ("Is it about: refund request?", "refund_request"),
        ("Is it about: water plants?", "water_plants"),
        ("Talk to a person?", PERSON),
    ]
    nothing = local.passage_or_hand_over(CONTENT, NOTHING, Intent(None, 0.0, in_scope=False))
    assert [s.text for s in nothing.suggestions] == ["Talk to a person?"]


def test_unlikely_intents_are_not_offered():
    top = (IntentScore("get_invoice", 0.9), IntentScore("refund_request", 0.019))
    answer = local.passage_or_hand_over(CONTENT, NOTHING, Intent("get_invoice", 0.9, True, top))
    assert [s.intent for s in answer.suggestions] == ["get_invoice", PERSON]


@pytest.mark.parametrize(
    ("reason", "label", "text"),
    [
        (Reason.ASKED_FOR_PERSON, "talk_to_human", "We are here."),
        (Reason.ASKED_FOR_PERSON, PERSON, MESSAGES["hand_over_asked"]),
        (Reason.POLICY, "legal_claim", MESSAGES["hand_over_policy"]),
        (Reason.POLICY, "talk_to_human", MESSAGES["hand_over_policy"]),
        (Reason.POLICY, "refund_request", MESSAGES["hand_over_policy"]),
        (Reason.REPEATED_FAILURE, "talk_to_human", MESSAGES["hand_over_repeated"]),
        (Reason.REPEATED_FAILURE, None, MESSAGES["hand_over_repeated"]),
    ],
)
def test_a_hand_over_has_its_intents_own_words_else_a_sentence_for_its_reason(reason, label, text):
    answer = local.hand_over(CONTENT, SURE, reason, label)
    assert (answer.text, answer.answered_by) == (text, AnsweredBy.HAND_OVER)
    assert (answer.hand_over, answer.chosen_model, answer.degraded) == (reason, "local", False)


def test_a_release_from_before_these_sentences_says_the_old_one():
    old = replace(CONTENT, messages={"hand_over": "Write to us."})
    assert local.hand_over(old, SURE, Reason.POLICY, None).text == "Write to us."


def test_only_a_hand_over_after_doubt_offers_guesses():
    after_doubt = local.hand_over(CONTENT, SURE, Reason.REPEATED_FAILURE, None)
    assert [s.intent for s in after_doubt.suggestions] == ["get_invoice", PERSON]
    assert local.hand_over(CONTENT, SURE, Reason.POLICY, None).suggestions == ()


@pytest.mark.parametrize(("empty", "key"), [(True, "empty_message"), (False, "refusal")])
def test_a_refusal_is_a_fixed_sentence(empty, key):
    answer = local.refusal(CONTENT, empty=empty)
    assert (answer.text, answer.answered_by) == (MESSAGES[key], AnsweredBy.REFUSAL)
    assert (answer.chosen_model, answer.degraded) == ("local", False)
    assert [s.intent for s in answer.suggestions] == [PERSON]
