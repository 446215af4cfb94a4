from __future__ import annotations

import csv
import json
import stat

import pytest

from chatloop.core.feedback import FeedbackType
from chatloop.core.ids import TurnIds
from chatloop.core.telemetry import TurnRecord
from chatloop.loop.feedback.intake import FeedbackIn, FeedbackProblem, Outcome


def submit(intake, *, trusted=True, **given):
    return intake.submit(FeedbackIn(**given), trusted=trusted, source="api")


def refused(intake, *, trusted=True, **given) -> FeedbackProblem:
    with pytest.raises(FeedbackProblem) as caught:
        submit(intake, trusted=trusted, **given)
    assert intake.store.feedback() == []
    assert not intake.csv_copy.path.exists()
    return caught.value


def only(store):
    (feedback,) = store.feedback()
    return feedback


def record(turn_id, prompt="where is my [EMAIL_1] invoice"):
    return TurnRecord(turn_id=turn_id, ts=1.0, model_version="v1", prompt=prompt)


def test_a_trusted_label_counts_at_once_and_is_copied_in_the_same_call(intake, store):
    result = submit(intake, text="cant get in", label="login_problem", user_id="anna")
    assert result.status == "accepted"
    kept = only(store)
    assert (kept.feedback_id, kept.text, kept.label) == (
        result.feedback_id,
        "cant get in",
        "login_problem",
    )
    assert kept.feedback_type is FeedbackType.LABEL
    assert kept.user == intake.pseudonyms.of("user", "anna")
    rows = list(csv.DictReader(intake.csv_copy.path.open(encoding="utf-8", newline="")))
    assert [(r["feedback_id"], r["text"], r["label"], r["status"]) for r in rows] == [
        (result.feedback_id, "cant get in", "login_problem", "accepted")
    ]
    assert stat.S_IMODE(intake.csv_copy.path.stat().st_mode) == 0o600


def test_an_untrusted_label_waits_for_review(intake, store):
    result = submit(intake, text="cant get in", label="login_problem", trusted=False)
    assert result.status == "queued_for_review"
    assert only(store).status == "queued_for_review"


def test_an_untrusted_new_label_proposes_nothing(intake, store):
    submit(intake, text="gift card?", label="gift_cards", answer="Ha", trusted=False)
    assert store.proposed_intents() == []


def test_a_trusted_repeat_lifts_a_label_out_of_the_queue(intake, store):
    first = submit(intake, text="cant get in", label="login_problem", trusted=False)
    second = submit(intake, text="cant get in", label="login_problem", trusted=True)
    assert (second.feedback_id, second.status) == (first.feedback_id, "accepted")
    assert only(store).status == "accepted"


def test_a_new_label_is_proposed_with_its_answer_and_says_how_many_examples_are_missing(
    intake, store
):
    texts = ["do you sell gift cards", "a voucher for a friend", "present for my team lead"]
    for text in texts:
        result = submit(intake, text=text, label="gift_cards", answer="We do not sell any.")
    assert "waiting: 3 of 5" in result.message
    (proposal,) = store.proposed_intents()
    assert (proposal.label, proposal.answer) == ("gift_cards", "We do not sell any.")


def test_a_look_alike_of_a_proposed_intent_is_refused_too(intake, store):
    submit(intake, text="do you sell gift cards", label="gift_cards")
    with pytest.raises(FeedbackProblem, match="`gift_cards`"):
        submit(intake, text="a voucher", label="gift_card")


@pytest.mark.parametrize(
    "label", ["Reset_Password", "", "x" * 10_000, "re\u0455et_password", "a\nb"]
)
def test_a_wrong_label_is_invalid_names_the_field_and_never_echoes(intake, label):
    problem = refused(intake, text="hello", label=label)
    assert (problem.outcome, problem.field) == (Outcome.INVALID, "label")
    assert not label or label not in problem.message


def test_out_of_scope_is_a_label_that_one_may_give(intake):
    assert submit(intake, text="what is the weather", label="oos").status == "accepted"


def test_personal_data_is_taken_out_before_anything_is_stored(intake, store, tmp_path):
    mail = "anna.smith@example.com"
    submit(
        intake,
        text=f"send it to {mail}",
        label="get_invoice",
        comment=f"I am {mail}",
        answer=f"write to {mail}",
        user_id=mail,
        idempotency_key=mail,
    )
    submit(intake, feedback_type="bug_report", description=f"broken for {mail}", user_id=mail)
    store.close()
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert len(files) >= 3
    for file in files:
        assert mail.encode() not in file.read_bytes(), file.name
    assert store.feedback()[0].text == "send it to [EMAIL_1]"


def test_a_turn_id_that_was_never_issued_is_not_found_and_not_looked_up(intake, turn_id):
    forged = turn_id[:-1] + ("A" if turn_id[-1] != "A" else "B")
    other_secret = TurnIds(b"another secret of length").new()
    for bad in (forged, other_secret, "", "x" * 10_000):
        problem = refused(intake, turn_id=bad, rating="up")
        assert (problem.outcome, problem.field) == (Outcome.NOT_FOUND, "turn_id")


def test_a_correction_takes_the_redacted_text_from_the_record(intake, store, records, turn_id):
    records[turn_id] = record(turn_id)
    submit(intake, turn_id=turn_id, label="get_invoice", text="something else")
    kept = only(store)
    assert kept.text == "where is my [EMAIL_1] invoice"
    assert (kept.feedback_type, kept.model_version) == (FeedbackType.CORRECTION, "v1")


def test_a_correction_of_a_turn_that_is_not_here_needs_the_text(intake, store, turn_id):
    problem = refused(intake, turn_id=turn_id, label="get_invoice")
    assert (problem.outcome, problem.field) == (Outcome.NEEDS_TEXT, "text")
    submit(intake, turn_id=turn_id, label="get_invoice", text="invoice please")
    assert only(store).text == "invoice please"


def test_a_record_without_text_needs_the_text_too(intake, records, turn_id):
    records[turn_id] = record(turn_id, prompt=None)
    problem = refused(intake, turn_id=turn_id, label="get_invoice")
    assert problem.outcome is Outcome.NEEDS_TEXT


@pytest.mark.parametrize(
    ("given", "stored"),
    [("up", 1), ("down", -1), (1, 1), (-1, -1), ("1", 1), ("-1", -1), (True, 1), (False, -1)],
)
def test_a_rating_is_taken_in_every_spelling_also_without_the_record(
    intake, store, turn_id, given, stored
):
    assert submit(intake, turn_id=turn_id, rating=given, trusted=False).status == "accepted"
    assert (only(store).rating, only(store).feedback_type) == (stored, FeedbackType.RATING)
    assert not intake.csv_copy.path.exists()


@pytest.mark.parametrize("given", ["great", 5, 0, "yes"])
def test_another_rating_is_invalid(intake, turn_id, given):
    problem = refused(intake, turn_id=turn_id, rating=given)
    assert (problem.outcome, problem.field) == (Outcome.INVALID, "rating")


def test_a_user_has_one_vote_a_turn_and_may_change_it(intake, store, turn_id):
    for rating in ("up", "up", "down", "up", "down"):
        submit(intake, turn_id=turn_id, rating=rating, user_id="anna")
    submit(intake, turn_id=turn_id, rating="up", user_id="ben")
    votes = store.ratings()
    assert (votes.up, votes.down, votes.satisfaction) == (1, 1, 0.5)


def test_a_rating_and_a_label_in_one_call_are_one_vote(intake, store, records, turn_id):
    records[turn_id] = record(turn_id)
    submit(intake, turn_id=turn_id, rating="up", user_id="anna")
    submit(intake, turn_id=turn_id, rating="down", label="get_invoice", user_id="anna")
    assert (store.ratings().up, store.ratings().down) == (0, 1)


def test_two_comments_on_one_turn_are_both_kept_and_a_repeat_is_not(intake, store, turn_id):
    for comment in ("too long", "and wrong", "too long"):
        result = submit(intake, turn_id=turn_id, comment=comment, user_id="anna")
    assert result.status == "duplicate"
    assert sorted(f.comment for f in store.feedback()) == ["and wrong", "too long"]
    assert not intake.reports.path.exists()


def test_the_same_request_twice_is_a_duplicate_with_the_first_id(intake, store):
    given = {"text": "cant get in", "label": "login_problem", "idempotency_key": "k1"}
    first, second = submit(intake, **given), submit(intake, **given)
    other = submit(intake, **(given | {"text": "changed", "label": "get_invoice"}))
    assert (second.status, other.status) == ("duplicate", "duplicate")
    assert {first.feedback_id, second.feedback_id, other.feedback_id} == {only(store).feedback_id}
    assert len(intake.csv_copy.path.read_text().splitlines()) == 2


def test_the_same_row_twice_without_a_key_is_a_duplicate(intake, store):
    for status in ("accepted", "duplicate"):
        assert submit(intake, text="cant get in", label="login_problem").status == status
    submit(intake, text="cant get in", label="login_problem", user_id="ben")
    assert len(store.feedback()) == 2


def test_a_label_given_back_is_the_newest_again(intake, store):
    for label in ("get_invoice", "login_problem", "get_invoice"):
        submit(intake, text="cant get in", label=label)
    assert [f.label for f in store.feedback()] == ["login_problem", "get_invoice"]


def test_a_staff_report_is_kept_in_the_file_and_in_the_store(intake, store):
    submit(intake, feedback_type="bug_report", description="the button is dead", user_id="anna")
    submit(intake, feedback_type="suggestion", text="add a dark mode", user_id="anna")
    lines = [json.loads(line) for line in intake.reports.path.read_text().splitlines()]
    assert [(x["feedback_type"], x["description"]) for x in lines] == [
        ("bug_report", "the button is dead"),
        ("suggestion", "add a dark mode"),
    ]
    assert [f.comment for f in store.feedback()] == [x["description"] for x in lines]
    assert lines[0]["user_id"] == intake.pseudonyms.of("user", "anna")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "comment"),
        ({"text": "hello"}, "comment"),
        ({"comment": "  "}, "comment"),
        ({"feedback_type": "bug_report"}, "comment"),
        ({"feedback_type": "bug_reprot", "comment": "x"}, "feedback_type"),
        ({"feedback_type": "complaint", "comment": "x", "label": "oos", "text": "y"}, "label"),
        ({"feedback_type": "label", "text": "y"}, "label"),
        ({"feedback_type": "rating"}, "rating"),
        ({"rating": "up"}, "turn_id"),
        ({"label": "oos"}, "text"),
        ({"label": "oos", "text": "\x00 \n"}, "text"),
        ({"label": "oos", "text": "x" * 2001}, "text"),
        ({"feedback_type": "other", "comment": "x" * 2001}, "comment"),
    ],
)
def test_what_cannot_be_used_is_invalid_and_names_the_field(intake, given, field):
    problem = refused(intake, **given)
    assert (problem.outcome, problem.field) == (Outcome.INVALID, field)


def test_a_copy_that_cannot_be_written_loses_no_feedback(intake, store, caplog):
    intake.csv_copy.path.mkdir()
    assert submit(intake, text="my own words", label="login_problem").status == "accepted"
    assert only(store).text == "my own words"
    assert "its copy is not" in caplog.text
    assert "my own words" not in caplog.text
