"""Takes feedback in: checks it, redacts it, stores it once, and says what became of it.

It trains nothing. Everything that a person sent is either stored or refused with the field and
the reason, so that nobody believes to have taught the bot when it heard nothing.
"""

from __future__ import annotations

import difflib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from chatloop.core.errors import ChatloopError, DataError
from chatloop.core.feedback import Feedback, FeedbackType
from chatloop.core.ids import Pseudonyms, TurnIds
from chatloop.core.telemetry import TurnRecord
from chatloop.core.types import OOS
from chatloop.loop.data.parts import near_duplicate_key
from chatloop.loop.feedback.copy import CsvCopy
from chatloop.loop.feedback.labels_form import LabelVerdict, check_label
from chatloop.loop.feedback.reports import REPORT_TYPES, Reports
from chatloop.loop.store import Added, FeedbackStatus, ProposedIntent
from chatloop.turn.guard.pii import redact
from chatloop.turn.receive import normalise

if TYPE_CHECKING:
    from chatloop.loop.store import Store

_log = logging.getLogger(__name__)

LABELLED = (FeedbackType.LABEL, FeedbackType.CORRECTION)
_RATINGS = {"up": 1, "1": 1, "true": 1, "down": -1, "-1": -1, "false": -1}


class Outcome(StrEnum):
    """Why feedback was refused; the API's status in brackets."""

    INVALID = "invalid"  # 422
    NOT_FOUND = "not_found"  # 404
    NEEDS_TEXT = "needs_text"  # 409


class FeedbackProblem(DataError):  # noqa: N818 (an outcome with a reason, not a fault)
    """Feedback that cannot be taken: what is wrong with which field. Holds no user text."""

    def __init__(self, outcome: Outcome, field: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackIn:
    """Feedback as it arrived. `rating`: up, down, 1, -1 or a truth value."""

    text: str | None = None
    label: str | None = None
    turn_id: str | None = None
    rating: str | int | bool | None = None
    comment: str | None = None
    description: str | None = None
    answer: str | None = None
    feedback_type: str | None = None
    user_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class FeedbackResult:
    """What became of it; for a duplicate, the id of the earlier piece."""

    feedback_id: str
    status: FeedbackStatus
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The only way in for feedback. Blocking (disk and store): call it in a thread.

    `known_labels` are those that the model can answer; `find_record` looks a turn up by id;
    `learn` is told each new rating of a turn that is in the log.
    """

    store: Store
    known_labels: Callable[[], set[str]]
    find_record: Callable[[str], TurnRecord | None]
    turn_ids: TurnIds
    pseudonyms: Pseudonyms
    csv_copy: CsvCopy
    reports: Reports
    limit_chars: int
    new_intent_examples: int
    learn: Callable[[Feedback, TurnRecord], None] | None = None

    def submit(self, given: FeedbackIn, *, trusted: bool, source: str) -> FeedbackResult:
        """Store feedback and return what became of it; a label counts at once when `trusted`.

        `source` names the door (api, ui, cli). Raises FeedbackProblem for what is wrong with
        the input, StoreError when it cannot be kept now.
        """
        if given.turn_id is not None and not self.turn_ids.valid(given.turn_id):
            raise FeedbackProblem(
                Outcome.NOT_FOUND, "turn_id", "no such turn; use the turn_id of a reply"
            )
        is_new = given.label is not None and self._is_new(given.label)
        record = self.find_record(given.turn_id) if given.turn_id else None
        feedback = self._feedback(given, record, trusted=trusted, source=source)
        family = near_duplicate_key(feedback.text) if feedback.text else None
        if is_new and trusted and feedback.label:
            proposal = (feedback.label, feedback.answer or "", feedback.created_at, source)
            self.store.propose_intent(ProposedIntent(*proposal))
        added = self.store.add_feedback(feedback, family)
        kept = replace(feedback, feedback_id=added.feedback_id)
        if added.status is not FeedbackStatus.DUPLICATE:
            self._copy(kept, is_report=given.feedback_type in REPORT_TYPES)
            self._learn(kept, record)
        return FeedbackResult(added.feedback_id, added.status, self._message(kept, added, is_new))

    def _is_new(self, label: str) -> bool:
        """Tell a label that no model knows yet from a known one; refuse what is neither."""
        known = self.known_labels() | {OOS}
        proposed = {proposal.label for proposal in self.store.proposed_intents()}
        check = check_label(label, known | proposed)
        if check.refused:
            raise FeedbackProblem(Outcome.INVALID, "label", check.message)
        return check.verdict is LabelVerdict.NEW or label not in known

    def _feedback(
        self, given: FeedbackIn, record: TurnRecord | None, *, trusted: bool, source: str
    ) -> Feedback:
        rating = _rating(given.rating)
        said = self._clean("comment", given.comment or given.description)
        text = self._text(given, record)
        if given.label is None and given.feedback_type is not None:
            said, text = said or text, None  # the words of a report
        kind = _kind(given, rating, said)
        accepted = trusted or given.label is None
        key = self.pseudonyms.of("idempotency", given.idempotency_key)
        return Feedback(
            feedback_id=f"fb_{secrets.token_hex(10)}",
            feedback_type=kind,
            status=FeedbackStatus.ACCEPTED if accepted else FeedbackStatus.QUEUED,
            source=source,
            created_at=time.time(),
            text=text,
            label=given.label,
            answer=self._clean("answer", given.answer),
            rating=rating,
            comment=said,
            turn_id=given.turn_id,
            user=self.pseudonyms.of("user", given.user_id),
            idempotency_key=key,
            model_version=record.model_version if record else None,
        )

    def _text(self, given: FeedbackIn, record: TurnRecord | None) -> str | None:
        """Return the redacted text that the feedback is about; a label cannot do without."""
        if given.label is not None and record is not None and record.prompt:
            return record.prompt
        text = self._clean("text", given.text)
        if given.label is None or text is not None:
            return text
        if given.turn_id is None:
            raise FeedbackProblem(Outcome.INVALID, "text", "a label needs a text or a turn_id")
        raise FeedbackProblem(
            Outcome.NEEDS_TEXT, "text", "the text of this turn is not here; send it as `text`"
        )

    def _clean(self, field: str, raw: str | None) -> str | None:
        text = normalise(raw or "")
        if len(text) > self.limit_chars:
            limit = f"longer than {self.limit_chars} characters"
            raise FeedbackProblem(Outcome.INVALID, field, f"{field} is {limit}; shorten it")
        return redact(text).text or None

    def _copy(self, feedback: Feedback, *, is_report: bool) -> None:
        """Write the readable copies. The store has it all, so a failure here is no refusal."""
        try:
            if feedback.label is not None:
                self.csv_copy.append([feedback])
            if is_report:
                self.reports.append(feedback)
        except DataError as error:
            _log.warning("feedback %s is stored, its copy is not: %s", feedback.feedback_id, error)

    def _learn(self, feedback: Feedback, record: TurnRecord | None) -> None:
        """Let a rating teach at once. It is stored already, so a failure here is no refusal."""
        if self.learn is None or feedback.rating is None or record is None:
            return
        try:
            self.learn(feedback, record)
        except ChatloopError as error:
            _log.warning(
                "feedback %s is stored, nothing was learned: %s", feedback.feedback_id, error
            )

    def _message(self, feedback: Feedback, added: Added, is_new: bool) -> str:
        if added.status is FeedbackStatus.DUPLICATE:
            return "already known; nothing was stored twice"
        if added.status is FeedbackStatus.QUEUED:
            return "thank you; a person looks at it before it counts"
        if feedback.label is None:
            return "thank you; stored"
        need = self.new_intent_examples
        if is_new and (have := self.store.examples(feedback.label)) < need:
            return f"a new intent, waiting: {have} of {need} examples"
        return "stored; the next retrain learns from it"


def _rating(raw: str | int | bool | None) -> int | None:
    if raw is None or raw == "":
        return None
    rating = _RATINGS.get(str(raw).strip().lower())
    if rating is None:
        raise FeedbackProblem(Outcome.INVALID, "rating", "rating is `up` or `down` (or 1, -1)")
    return rating


def _kind(given: FeedbackIn, rating: int | None, said: str | None) -> FeedbackType:
    """Return the type that was named, if it fits what was sent, else the one that follows."""
    if rating is not None and given.turn_id is None:
        raise FeedbackProblem(Outcome.INVALID, "turn_id", "a rating needs the turn_id of a reply")
    if given.label is not None:
        natural = FeedbackType.CORRECTION if given.turn_id else FeedbackType.LABEL
    elif rating is not None:
        natural = FeedbackType.RATING
    else:
        natural = FeedbackType.OTHER
    kind = _named(given.feedback_type) or natural
    if (kind in LABELLED) != (given.label is not None):
        problem = "feedback_type label or correction goes with a label, and only these do"
        raise FeedbackProblem(Outcome.INVALID, "label", problem)
    if kind is FeedbackType.RATING and rating is None:
        raise FeedbackProblem(Outcome.INVALID, "rating", "rating is missing: `up` or `down`")
    if kind in REPORT_TYPES and not said:
        problem = "nothing to store: send text and label, or turn_id and rating, or a comment"
        raise FeedbackProblem(Outcome.INVALID, "comment", problem)
    return kind


def _named(raw: str | None) -> FeedbackType | None:
    if raw is None:
        return None
    try:
        return FeedbackType(raw)
    except ValueError:
        near = difflib.get_close_matches(raw[:50], list(FeedbackType), n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"one of {', '.join(FeedbackType)}"
        problem = f"unknown feedback_type; {hint}"
        raise FeedbackProblem(Outcome.INVALID, "feedback_type", problem) from None
